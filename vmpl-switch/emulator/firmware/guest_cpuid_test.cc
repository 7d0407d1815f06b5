// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/guest_cpuid.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <utility>

namespace nsgx::firmware {
namespace {

// A processor that has everything.
CpuidResult AllOnes(uint32_t, uint32_t) { return {~0u, ~0u, ~0u, ~0u}; }
// One that says what it was asked.
CpuidResult Echo(uint32_t leaf, uint32_t subleaf) { return {leaf, subleaf, leaf, subleaf}; }

constexpr GuestCpuid kEverything(AllOnes, 47);
constexpr GuestCpuid kEcho(Echo, 47);

TEST(GuestCpuidTest, HidesXsaveAndWhatNeedsIt) {
  EXPECT_EQ(kEverything.Find(0, 0).eax, 0xcu);
  EXPECT_EQ(kEverything.Find(0xd, 0), CpuidResult{});
  EXPECT_EQ(kEverything.Find(0xd, 1), CpuidResult{});
  const CpuidResult features = kEverything.Find(1, 0);
  EXPECT_EQ(features.eax, ~0u);
  EXPECT_EQ(features.ebx, ~0u);
  EXPECT_EQ(features.ecx, 0xc3ffefffu);  // without FMA, XSAVE, OSXSAVE, AVX, F16C
  EXPECT_EQ(features.edx, ~0u);
  const CpuidResult more = kEverything.Find(7, 0);
  EXPECT_EQ(more.eax, 0u);
  EXPECT_EQ(more.ebx & 1u << 5, 0u);               // AVX2
  EXPECT_EQ(more.ebx & 1u << 16, 0u);              // AVX-512
  EXPECT_NE(more.ebx & 1u << 7, 0u);               // SMEP
  EXPECT_NE(more.ebx & 1u << 18, 0u);              // RDSEED
  EXPECT_NE(more.ebx & 1u << 20, 0u);              // SMAP
  EXPECT_NE(more.ebx & 1u << 29, 0u);              // SHA
  EXPECT_EQ(more.ecx & (1u << 3 | 1u << 4), 0u);   // protection keys
  EXPECT_EQ(more.ecx & (1u << 9 | 1u << 10), 0u);  // AES and multiplication on AVX
  EXPECT_NE(more.ecx & 1u << 22, 0u);              // RDPID
  EXPECT_EQ(kEverything.Find(7, 1), CpuidResult{});
}

TEST(GuestCpuidTest, OffersSnpAndNoSvm) {
  EXPECT_EQ(kEverything.Find(0x80000000, 0).eax, 0x8000001fu);
  EXPECT_EQ(kEverything.Find(SNP_CPUID_LEAF, 0), (CpuidResult{0x1a, 47 | 1 << 6, 0, 0}));
  EXPECT_EQ(GuestCpuid(AllOnes, 51).Find(SNP_CPUID_LEAF, 0).ebx, 51u | 1u << 6);
  EXPECT_EQ(kEverything.Find(0x80000001, 0).ecx & 1u << 2, 0u);
  EXPECT_NE(kEverything.Find(0x80000001, 0).edx & 1u << 20, 0u);  // NX
  EXPECT_EQ(kEverything.Find(0x8000000a, 0), CpuidResult{});
  EXPECT_EQ(kEverything.Find(0x80000008, 0).ebx, ~(1u << 3));  // without INVLPGB
  GuestCpuid several = kEverything;
  several.ShowBroadcast();
  EXPECT_EQ(several.Find(0x80000008, 0).ebx, ~0u);
  EXPECT_EQ(several.Find(0x80000008, 0).edx, 0xffff0000u | GuestCpuid::kMaxBroadcast);
  EXPECT_EQ(kEverything.Find(0x40000000, 0).eax, 0x40000001u);
}

TEST(GuestCpuidTest, PassesTheRestOn) {
  EXPECT_EQ(kEcho.Find(0x80000008, 0), (CpuidResult{0x80000008, 0, 0x80000008, 0}));
  EXPECT_EQ(kEcho.Find(0x8000001d, 3), (CpuidResult{0x8000001d, 3, 0x8000001d, 3}));
  EXPECT_EQ(kEcho.Find(0x8000001d, 4), CpuidResult{});
  // Where there are no subleaves, ecx may be anything.
  EXPECT_EQ(kEcho.Find(0x80000008, 77), kEcho.Find(0x80000008, 0));
  EXPECT_EQ(kEcho.Find(0x5a000000, 0), CpuidResult{});
}

TEST(GuestCpuidTest, PageAndAnswersAreTheSame) {
  snp_cpuid_page page;
  std::memset(&page, 0xff, sizeof(page));
  kEverything.WritePage(page);
  ASSERT_GT(page.count, 0u);
  ASSERT_LE(page.count, SNP_CPUID_MAX_ENTRIES);
  EXPECT_EQ(page.reserved0, 0u);
  EXPECT_EQ(page.reserved1, 0u);
  std::set<std::pair<uint32_t, uint32_t>> places;
  for (uint32_t i = 0; i < page.count; ++i) {
    const snp_cpuid_entry& entry = page.entries[i];
    EXPECT_TRUE(places.emplace(entry.eax_in, entry.ecx_in).second);
    EXPECT_EQ(kEverything.Find(entry.eax_in, entry.ecx_in),
              (CpuidResult{entry.eax, entry.ebx, entry.ecx, entry.edx}));
    EXPECT_EQ(entry.xcr0_in, 0u);
    EXPECT_EQ(entry.xss_in, 0u);
    EXPECT_EQ(entry.reserved, 0u);
  }
  const auto* rest = reinterpret_cast<const uint8_t*>(&page.entries[page.count]);
  const auto* end = reinterpret_cast<const uint8_t*>(&page + 1);
  for (; rest != end; ++rest) {
    ASSERT_EQ(*rest, 0);
  }
}

TEST(GuestCpuidTest, GivesSingleRegisters) {
  const GuestCpuid cpuid([](uint32_t, uint32_t) { return CpuidResult{1, 2, 3, 4}; }, 47);
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(cpuid.Register(0x80000002, i), i + 1);
  }
}

TEST(GuestCpuidTest, AsksThisProcessor) {
  const GuestCpuid cpuid(NativeCpuid, 47);
  const CpuidResult vendor = NativeCpuid(0, 0);
  EXPECT_NE(vendor.ebx, 0u);
  EXPECT_EQ(cpuid.Find(0, 0), (CpuidResult{0xc, vendor.ebx, vendor.ecx, vendor.edx}));
}

}  // namespace
}  // namespace nsgx::firmware
