// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/enclave_cpuid.h"

namespace nsgx::snp {
namespace {

// Leaf 1 ecx.
constexpr uint32_t kXsave = 1u << 26;
constexpr uint32_t kOsXsave = 1u << 27;
constexpr uint32_t kAvxAndFriends = 1u << 28 | 1u << 29 | 1u << 12;  // AVX, F16C, FMA
// Leaf 7 ecx: protection keys, which an enclave has not.
constexpr uint32_t kKeys = 1u << 3 | 1u << 4;
// Leaf 7 ebx.
constexpr uint32_t kAvx2 = 1u << 5;
constexpr uint32_t kAvx512 =
    1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;

constexpr uint64_t kAvxComponent = 1 << 2;
constexpr uint64_t kAvx512Components = 7 << 5;

}  // namespace

CpuidAnswer EnclaveCpuid(const CpuidTable& cpuid, const ExtendedState& extended, uint32_t leaf,
                         uint32_t subleaf) {
  CpuidAnswer answer = cpuid.Find(leaf, subleaf);
  const bool has_xsave = extended.components != 0;
  switch (leaf) {
    case 1:
      answer.ecx &= ~(kXsave | kOsXsave);
      answer.ecx |= has_xsave ? kXsave | kOsXsave : 0;
      if ((extended.components & kAvxComponent) == 0) {
        answer.ecx &= ~kAvxAndFriends;
      }
      break;
    case 7:
      answer.ecx &= ~kKeys;
      if (subleaf == 0 && (extended.components & kAvxComponent) == 0) {
        answer.ebx &= ~kAvx2;
      }
      if (subleaf == 0 && (extended.components & kAvx512Components) == 0) {
        answer.ebx &= ~kAvx512;
      }
      break;
    case 0xd:
      if (!has_xsave) {
        return {};
      }
      if (subleaf == 0) {
        answer.eax = static_cast<uint32_t>(extended.components);
        answer.ebx = extended.size;
        answer.ecx = extended.size;
        answer.edx = static_cast<uint32_t>(extended.components >> 32);
      } else if (subleaf < 64 && subleaf > 1 && (extended.components >> subleaf & 1) == 0) {
        return {};
      }
      break;
    default:
      break;
  }
  return answer;
}

}  // namespace nsgx::snp
