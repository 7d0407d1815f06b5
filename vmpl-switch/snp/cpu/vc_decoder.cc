// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/vc_decoder.h"

#include <array>

#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {
namespace {

struct Known {
  VcInstruction instruction;
  uint64_t exit_code;
  uint8_t size;
  std::array<uint8_t, 3> opcode;
};

constexpr std::array<Known, 6> kKnown = {{
    {VcInstruction::kCpuid, SNP_EXIT_CPUID, 2, {0x0f, 0xa2, 0}},
    {VcInstruction::kRdmsr, SNP_EXIT_MSR, 2, {0x0f, 0x32, 0}},
    {VcInstruction::kWrmsr, SNP_EXIT_MSR, 2, {0x0f, 0x30, 0}},
    {VcInstruction::kRdtsc, SNP_EXIT_RDTSC, 2, {0x0f, 0x31, 0}},
    {VcInstruction::kRdtscp, SNP_EXIT_RDTSCP, 3, {0x0f, 0x01, 0xf9}},
    {VcInstruction::kVmmcall, SNP_EXIT_VMMCALL, 3, {0x0f, 0x01, 0xd9}},
}};

// Prefixes that change nothing about these instructions; compilers and assemblers put them there
// for padding. LOCK would make them undefined and is none of them.
bool IsIgnoredPrefix(uint8_t byte) {
  switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
      return true;
    default:
      return byte >= 0x40 && byte <= 0x4f;  // REX
  }
}

constexpr size_t kMaxInstructionSize = 15;

}  // namespace

Result<DecodedVc> DecodeVc(uint64_t exit_code, std::span<const std::byte> bytes) {
  size_t start = 0;
  while (start < bytes.size() && IsIgnoredPrefix(std::to_integer<uint8_t>(bytes[start]))) {
    ++start;
  }
  for (const Known& known : kKnown) {
    if (known.exit_code != exit_code || known.size > bytes.size() - start ||
        start + known.size > kMaxInstructionSize) {
      continue;
    }
    bool matches = true;
    for (size_t i = 0; i < known.size; ++i) {
      matches &= std::to_integer<uint8_t>(bytes[start + i]) == known.opcode[i];
    }
    if (matches) {
      return DecodedVc{known.instruction, static_cast<uint8_t>(start + known.size)};
    }
  }
  return Error(Status::kHostFault);
}

}  // namespace nsgx::snp
