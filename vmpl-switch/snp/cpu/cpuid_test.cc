// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/cpuid.h"

#include <gtest/gtest.h>

namespace nsgx::snp {
namespace {

snp_cpuid_entry Entry(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx) {
  snp_cpuid_entry entry = {};
  entry.eax_in = leaf;
  entry.ecx_in = subleaf;
  entry.eax = eax;
  entry.ebx = ebx;
  return entry;
}

class CpuidTest : public testing::Test {
 protected:
  CpuidTest() {
    page_.entries[0] = Entry(1, 0, 0x100, 1);
    page_.entries[1] = Entry(7, 0, 0x700, 2);
    page_.entries[2] = Entry(7, 1, 0x701, 3);
    page_.entries[3] = Entry(SNP_CPUID_LEAF, 0, 0x1a, 1 << 6 | 47);
    page_.entries[4] = Entry(0x80000008, 0, 0x3030, 0);
    page_.count = 5;
    table_.Initialize(page_);
  }

  snp_cpuid_page page_ = {};
  CpuidTable table_;
};

TEST_F(CpuidTest, FindsLeavesAndSubleaves) {
  EXPECT_EQ(table_.Find(7, 0).eax, 0x700u);
  EXPECT_EQ(table_.Find(7, 1).eax, 0x701u);
  EXPECT_EQ(table_.Find(7, 2).eax, 0u);
  // ecx is not looked at where it means nothing.
  EXPECT_EQ(table_.Find(1, 0x1234).eax, 0x100u);
  EXPECT_EQ(table_.Find(2, 0).eax, 0u);
  EXPECT_EQ(table_.Find(SNP_CPUID_LEAF, 0).ebx & 0x3f, 47u);
}

TEST_F(CpuidTest, StaysInThePage) {
  page_.count = 2;
  EXPECT_EQ(table_.Find(7, 1).eax, 0u);
  page_.count = ~uint32_t{0};
  EXPECT_EQ(table_.Find(0x1234567, 0).eax, 0u);
}

}  // namespace
}  // namespace nsgx::snp
