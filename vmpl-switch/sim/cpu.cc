// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/cpu.h"

#include <cpuid.h>
#include <sys/auxv.h>

#include "base/core/log.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::sim {
namespace {

struct CpuidResult {
  uint32_t eax, ebx, ecx, edx;
};

// Each call leaves to the hypervisor where there is one, which takes microseconds.
CpuidResult Cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  CpuidResult result;
  __cpuid_count(leaf, subleaf, result.eax, result.ebx, result.ecx, result.edx);
  return result;
}

uint64_t ReadXcr0() {
  uint32_t low;
  uint32_t high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

constexpr uint32_t kOsXsave = 1u << 27;  // CPUID 1 ECX
constexpr uint32_t kHypervisor = 1u << 31;
constexpr uint32_t kOsKeys = 1u << 4;    // CPUID 7 ECX
constexpr uint32_t kAvx512f = 1u << 16;  // CPUID 7 EBX
constexpr uint32_t kAvx512bw = 1u << 30;
constexpr uint32_t kAvx512vl = 1u << 31;
constexpr unsigned long kHwcap2FsGsBase = 2;  // AT_HWCAP2
constexpr uint64_t kXcr0Avx = 1 << 2;
constexpr uint64_t kXcr0Avx512 = 7 << 5;
// Not AMX, which Linux gives only to a process that asks; not PKRU, which is the machine's own.
constexpr uint64_t kXcr0Enclave = 3 | kXcr0Avx | kXcr0Avx512;
constexpr uint32_t kUpperZmmComponent = 7;
constexpr uint32_t kPkruComponent = 9;
constexpr uint32_t kFxsaveSize = 512;       // x87 and SSE
constexpr uint32_t kXsaveLegacySize = 576;  // the same and the header
constexpr uint32_t kXsaveAvxSize = 256;     // always the next

// Returns the rate of the time-stamp counter as the processor or, if there is one, the hypervisor
// states it, or 0.
uint64_t StatedTscKhz(bool has_hypervisor) {
  constexpr uint32_t kTscLeaf = 0x15;
  constexpr uint32_t kHypervisorLeaf = 0x40000000;
  constexpr uint32_t kTimingLeaf = 0x40000010;
  if (has_hypervisor) {
    return Cpuid(kHypervisorLeaf).eax >= kTimingLeaf ? Cpuid(kTimingLeaf).eax : 0;
  }
  if (Cpuid(0).eax < kTscLeaf) {
    return 0;
  }
  // The crystal's frequency is in ecx, the ratio to it ebx / eax.
  const CpuidResult tsc = Cpuid(kTscLeaf);
  return tsc.eax == 0 ? 0 : uint64_t{tsc.ecx} * tsc.ebx / tsc.eax / 1000;
}

}  // namespace

Result<Cpu> DetectCpu() {
  if ((getauxval(AT_HWCAP2) & kHwcap2FsGsBase) == 0) {
    LOG(kError, "sim: this machine needs FSGSBASE: a processor since 2012 and Linux 5.9");
    return Error(Status::kUnsupported);
  }
  const CpuidResult basic = Cpuid(1);
  Cpu cpu = {};
  cpu.stated_tsc_khz = StatedTscKhz((basic.ecx & kHypervisor) != 0);
  cpu.vectors = VectorLevel::kSse;
  if ((basic.ecx & kOsXsave) == 0) {
    cpu.xsave_size = kFxsaveSize;
    return cpu;
  }
  // A processor with XSAVE has the leaves 7 and 0xd.
  const CpuidResult extended = Cpuid(7);
  cpu.xcr0 = ReadXcr0() & kXcr0Enclave;
  cpu.has_keys = (extended.ecx & kOsKeys) != 0;
  if (cpu.has_keys) {
    cpu.pkru_offset = Cpuid(0xd, kPkruComponent).ebx;
  }
  cpu.xsave_size = kXsaveLegacySize;
  if ((cpu.xcr0 & kXcr0Avx) != 0) {
    cpu.vectors = VectorLevel::kAvx;
    cpu.xsave_size += kXsaveAvxSize;
  }
  if ((cpu.xcr0 & kXcr0Avx512) != 0) {
    constexpr uint32_t kNeeded = kAvx512f | kAvx512bw | kAvx512vl;
    if ((extended.ebx & kNeeded) != kNeeded || (cpu.xcr0 & kXcr0Avx512) != kXcr0Avx512) {
      LOG(kError, "sim: AVX-512 without its VL and BW parts");
      return Error(Status::kUnsupported);
    }
    cpu.vectors = VectorLevel::kAvx512;
    // The last of the components that an enclave may use.
    const CpuidResult area = Cpuid(0xd, kUpperZmmComponent);
    cpu.xsave_size = area.ebx + area.eax;
  }
  if (cpu.xsave_size > NSGX_SLOT_FRAME_SIZE - NSGX_FRAME_XSAVE) {
    LOG(kError, "sim: XSAVE area of ", cpu.xsave_size, " bytes");
    return Error(Status::kUnsupported);
  }
  return cpu;
}

}  // namespace nsgx::sim
