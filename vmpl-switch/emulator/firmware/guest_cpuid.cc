// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/guest_cpuid.h"

#include <cpuid.h>

#include <iterator>

#include "base/core/check.h"

namespace nsgx::firmware {
namespace {

// ---- what guests get to see, AMD64 Architecture Programmer's Manual volume 3, appendix E

constexpr uint32_t kMaxBasicLeaf = 0xc;  // 0xd describes XSAVE
constexpr uint32_t kFeatures = 0x1;
constexpr uint32_t kMoreFeatures = 0x7;
constexpr uint32_t kHypervisorLeaf = 0x40000000;
constexpr uint32_t kMaxHypervisorLeaf = 0x40000001;
constexpr uint32_t kExtendedLeaf = 0x80000000;
constexpr uint32_t kExtendedFeatures = 0x80000001;
constexpr uint32_t kAddressSizes = 0x80000008;

struct Place {
  uint32_t leaf;
  uint32_t subleaf;
};

constexpr Place kPlaces[] = {
    {0x0, 0},
    {kFeatures, 0},
    {0x5, 0},  // MONITOR
    {0x6, 0},  // power
    {kMoreFeatures, 0},
    {0xb, 0},  // topology
    {0xb, 1},
    {kHypervisorLeaf, 0},
    {kMaxHypervisorLeaf, 0},
    {kExtendedLeaf, 0},
    {kExtendedFeatures, 0},
    {0x80000002, 0},  // name
    {0x80000003, 0},
    {0x80000004, 0},
    {0x80000005, 0},  // caches
    {0x80000006, 0},
    {0x80000007, 0},  // power
    {kAddressSizes, 0},
    {0x8000001d, 0},  // caches
    {0x8000001d, 1},
    {0x8000001d, 2},
    {0x8000001d, 3},
    {0x8000001e, 0},  // topology
    {SNP_CPUID_LEAF, 0},
};
static_assert(std::size(kPlaces) <= SNP_CPUID_MAX_ENTRIES);

// Does ecx select anything in this leaf?
constexpr bool HasSubleaves(uint32_t leaf) {
  return leaf == kMoreFeatures || leaf == 0xb || leaf == 0x8000001d;
}

// ---- what is hidden
//
// The emulated processor has XSAVE but neither XSAVEC nor XSAVES, and with that Linux refuses to be
// an SNP guest. So nobody sees XSAVE, nor what needs it.

constexpr uint32_t kFma = 1u << 12;
constexpr uint32_t kXsave = 1u << 26;
constexpr uint32_t kOsxsave = 1u << 27;
constexpr uint32_t kAvx = 1u << 28;
constexpr uint32_t kF16c = 1u << 29;
constexpr uint32_t kHiddenFeaturesEcx = kFma | kXsave | kOsxsave | kAvx | kF16c;

// AVX2; MPX; AVX-512 F, DQ, IFMA, PF, ER, CD, BW, VL.
constexpr uint32_t kHiddenMoreEbx = 1u << 5 | 1u << 14 | 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 |
                                    1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
// AVX-512 VBMI; PKU, OSPKE; VBMI2; shadow stacks; VAES, VPCLMULQDQ; AVX-512 VNNI, BITALG, VPOPCNT;
// PKS.
constexpr uint32_t kHiddenMoreEcx = 1u << 1 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 7 | 1u << 9 |
                                    1u << 10 | 1u << 11 | 1u << 12 | 1u << 14 | 1u << 31;
// AVX-512 4VNNIW, 4FMAPS, VP2INTERSECT; IBT; AMX-BF16; AVX-512 FP16; AMX-TILE, AMX-INT8.
constexpr uint32_t kHiddenMoreEdx =
    1u << 2 | 1u << 3 | 1u << 8 | 1u << 20 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;
// SVM, which is the monitor's; XOP, LWP, FMA4.
constexpr uint32_t kHiddenExtendedEcx = 1u << 2 | 1u << 11 | 1u << 15 | 1u << 16;

// Leaf 0x80000008: INVLPGB in ebx, and for how many pages in edx.
constexpr uint32_t kBroadcast = 1u << 3;
constexpr uint32_t kBroadcastPages = 0xffff;

// ---- what is added

constexpr uint32_t kSev = 1u << 1;
constexpr uint32_t kSevEs = 1u << 3;
constexpr uint32_t kSevSnp = 1u << 4;
constexpr unsigned kReducedBitsShift = 6;  // by how many bits the C-bit narrows physical addresses

}  // namespace

CpuidResult GuestCpuid::Adjusted(uint32_t leaf, uint32_t subleaf) const {
  if (leaf == SNP_CPUID_LEAF) {
    return {kSev | kSevEs | kSevSnp, encryption_bit_ | 1u << kReducedBitsShift, 0, 0};
  }
  CpuidResult result = native_(leaf, subleaf);
  switch (leaf) {
    case 0:
      result.eax = kMaxBasicLeaf;
      break;
    case kFeatures:
      result.ecx &= ~kHiddenFeaturesEcx;
      break;
    case kMoreFeatures:
      result.eax = 0;  // no more subleaves: they are about what is hidden
      result.ebx &= ~kHiddenMoreEbx;
      result.ecx &= ~kHiddenMoreEcx;
      result.edx &= ~kHiddenMoreEdx;
      break;
    case kHypervisorLeaf:
      result.eax = kMaxHypervisorLeaf;
      break;
    case kExtendedLeaf:
      result.eax = SNP_CPUID_LEAF;
      break;
    case kExtendedFeatures:
      result.ecx &= ~kHiddenExtendedEcx;
      break;
    case kAddressSizes:
      result.ebx &= ~kBroadcast;
      result.edx &= ~kBroadcastPages;
      if (has_broadcast_) {
        result.ebx |= kBroadcast;
        result.edx |= kMaxBroadcast;
      }
      break;
    default:
      break;
  }
  return result;
}

CpuidResult GuestCpuid::Find(uint32_t leaf, uint32_t subleaf) const {
  for (const Place& place : kPlaces) {
    if (place.leaf == leaf && (!HasSubleaves(leaf) || place.subleaf == subleaf)) {
      return Adjusted(place.leaf, place.subleaf);
    }
  }
  return {};
}

uint32_t GuestCpuid::Register(uint32_t leaf, unsigned index) const {
  const CpuidResult result = Find(leaf, 0);
  switch (index) {
    case 0:
      return result.eax;
    case 1:
      return result.ebx;
    case 2:
      return result.ecx;
    default:
      CHECK(index == 3);
      return result.edx;
  }
}

void GuestCpuid::WritePage(snp_cpuid_page& page) const {
  __builtin_memset(&page, 0, sizeof(page));
  for (const Place& place : kPlaces) {
    const CpuidResult result = Adjusted(place.leaf, place.subleaf);
    snp_cpuid_entry& entry = page.entries[page.count++];
    entry.eax_in = place.leaf;
    entry.ecx_in = place.subleaf;
    entry.eax = result.eax;
    entry.ebx = result.ebx;
    entry.ecx = result.ecx;
    entry.edx = result.edx;
  }
}

CpuidResult NativeCpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidResult result;
  __cpuid_count(leaf, subleaf, result.eax, result.ebx, result.ecx, result.edx);
  return result;
}

}  // namespace nsgx::firmware
