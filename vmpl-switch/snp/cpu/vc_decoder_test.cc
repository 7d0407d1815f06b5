// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/vc_decoder.h"

#include <gtest/gtest.h>

#include <vector>

#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {
namespace {

Result<DecodedVc> Decode(uint64_t exit_code, std::initializer_list<int> bytes) {
  std::vector<std::byte> instruction;
  for (const int byte : bytes) {
    instruction.push_back(static_cast<std::byte>(byte));
  }
  return DecodeVc(exit_code, instruction);
}

TEST(VcDecoderTest, KnowsWhatRaisesVc) {
  const struct {
    uint64_t exit_code;
    std::initializer_list<int> bytes;
    VcInstruction instruction;
    uint8_t size;
  } kCases[] = {
      {SNP_EXIT_CPUID, {0x0f, 0xa2}, VcInstruction::kCpuid, 2},
      {SNP_EXIT_CPUID, {0x0f, 0xa2, 0x90, 0x90}, VcInstruction::kCpuid, 2},
      {SNP_EXIT_CPUID, {0x66, 0x2e, 0x48, 0x0f, 0xa2}, VcInstruction::kCpuid, 5},
      {SNP_EXIT_MSR, {0x0f, 0x32}, VcInstruction::kRdmsr, 2},
      {SNP_EXIT_MSR, {0x0f, 0x30}, VcInstruction::kWrmsr, 2},
      {SNP_EXIT_RDTSC, {0x0f, 0x31}, VcInstruction::kRdtsc, 2},
      {SNP_EXIT_RDTSCP, {0x0f, 0x01, 0xf9}, VcInstruction::kRdtscp, 3},
      {SNP_EXIT_VMMCALL, {0x0f, 0x01, 0xd9}, VcInstruction::kVmmcall, 3},
  };
  for (const auto& test : kCases) {
    const Result<DecodedVc> decoded = Decode(test.exit_code, test.bytes);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded.value().instruction, test.instruction);
    EXPECT_EQ(decoded.value().size, test.size);
  }
}

TEST(VcDecoderTest, RefusesForgeries) {
  // The host says CPUID at an instruction that is none, or names another exit.
  EXPECT_FALSE(Decode(SNP_EXIT_CPUID, {0x90, 0x90}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_CPUID, {0x0f, 0x32}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_MSR, {0x0f, 0xa2}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_RDTSCP, {0x0f, 0x01, 0xd9}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_NPF, {0x0f, 0xa2}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_IOIO, {0xee}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_VMMCALL, {0xf3, 0x0f, 0x01, 0xd9}).ok());  // VMGEXIT
  EXPECT_FALSE(Decode(uint64_t{1} << 32 | SNP_EXIT_CPUID, {0x0f, 0xa2}).ok());
  // LOCK makes it undefined, F3 might make it something else.
  EXPECT_FALSE(Decode(SNP_EXIT_CPUID, {0xf0, 0x0f, 0xa2}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_CPUID, {0xf3, 0x0f, 0xa2}).ok());
}

TEST(VcDecoderTest, StopsAtTheEnd) {
  EXPECT_FALSE(Decode(SNP_EXIT_CPUID, {}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_CPUID, {0x0f}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_CPUID, {0x66, 0x66, 0x0f}).ok());
  EXPECT_FALSE(Decode(SNP_EXIT_RDTSCP, {0x0f, 0x01}).ok());
  // Sixteen bytes are no instruction.
  EXPECT_FALSE(Decode(SNP_EXIT_CPUID, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                       0x66, 0x66, 0x66, 0x66, 0x0f, 0xa2})
                   .ok());
}

}  // namespace
}  // namespace nsgx::snp
