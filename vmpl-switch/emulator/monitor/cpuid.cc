// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/cpuid.h"

#include <algorithm>

#include "vmpl-switch/emulator/monitor/memory.h"

namespace nsgx::emu {
namespace {

constexpr uint32_t kMaxBasicLeaf = 0xc;  // 0xd is XSAVE
constexpr uint32_t kMaxHypervisorLeaf = 0x40000001;
constexpr uint32_t kReducedBits = 1;

// Leaf 1, ecx: FMA, XSAVE, OSXSAVE, AVX, F16C.
constexpr uint32_t kHiddenBasic = 1u << 12 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29;
// Leaf 7: AVX2; PKU, OSPKE, VAES, VPCLMULQDQ.
constexpr uint32_t kHiddenExtendedB = 1u << 5;
constexpr uint32_t kHiddenExtendedC = 1u << 3 | 1u << 4 | 1u << 9 | 1u << 10;
// Leaf 0x80000001, ecx: SVM, XOP, FMA4.
constexpr uint32_t kHiddenAmd = 1u << 2 | 1u << 11 | 1u << 16;
// Leaf 0x80000008, ebx: INVLPGB, which QEMU does not have.
constexpr uint32_t kHiddenSizes = 1u << 3;
// Leaf 0x8000001f, eax: SEV, SEV-ES, SEV-SNP.
constexpr uint32_t kEncryptionFeatures = 1u << 1 | 1u << 3 | 1u << 4;

struct Leaf {
  uint32_t leaf;
  uint32_t subleaf;
};
constexpr Leaf kPageLeaves[] = {
    {0x0, 0},        {0x1, 0},        {0x2, 0},        {0x4, 0},        {0x4, 1},
    {0x4, 2},        {0x4, 3},        {0x5, 0},        {0x6, 0},        {0x7, 0},
    {0xb, 0},        {0xb, 1},        {0x40000000, 0}, {0x40000001, 0}, {0x80000000, 0},
    {0x80000001, 0}, {0x80000002, 0}, {0x80000003, 0}, {0x80000004, 0}, {0x80000005, 0},
    {0x80000006, 0}, {0x80000007, 0}, {0x80000008, 0}, {0x8000000a, 0}, {0x80000019, 0},
    {0x8000001a, 0}, {0x8000001d, 0}, {0x8000001d, 1}, {0x8000001d, 2}, {0x8000001d, 3},
    {0x8000001e, 0}, {0x8000001f, 0},
};
static_assert(std::size(kPageLeaves) <= SNP_CPUID_MAX_ENTRIES);

}  // namespace

CpuidAnswer FilterCpuid(uint32_t leaf, uint32_t subleaf, const CpuidAnswer& answer) {
  CpuidAnswer result = answer;
  switch (leaf) {
    case 0x0:
      result.eax = std::min(result.eax, kMaxBasicLeaf);
      break;
    case 0x1:
      result.ecx &= ~kHiddenBasic;
      break;
    case 0x7:
      if (subleaf != 0) {
        return {};
      }
      result.eax = 0;
      result.ebx &= ~kHiddenExtendedB;
      result.ecx &= ~kHiddenExtendedC;
      break;
    case 0xd:
    case 0x8000000a:
      return {};
    case 0x40000000:
      result.eax = kMaxHypervisorLeaf;
      break;
    case 0x80000000:
      result.eax = std::max(result.eax, SNP_CPUID_LEAF);
      break;
    case 0x80000001:
      result.ecx &= ~kHiddenAmd;
      break;
    case 0x80000008:
      result.ebx &= ~kHiddenSizes;
      break;
    case SNP_CPUID_LEAF:
      return {kEncryptionFeatures, kEncryptionBitNumber | kReducedBits << 6, 0, 0};
    default:
      break;
  }
  return result;
}

void FillCpuidPage(Hardware& hardware, snp_cpuid_page& page) {
  page = {};
  for (const Leaf& item : kPageLeaves) {
    const CpuidAnswer answer =
        FilterCpuid(item.leaf, item.subleaf, hardware.Cpuid(item.leaf, item.subleaf));
    snp_cpuid_entry& entry = page.entries[page.count++];
    entry.eax_in = item.leaf;
    entry.ecx_in = item.subleaf;
    entry.eax = answer.eax;
    entry.ebx = answer.ebx;
    entry.ecx = answer.ecx;
    entry.edx = answer.edx;
  }
}

}  // namespace nsgx::emu
