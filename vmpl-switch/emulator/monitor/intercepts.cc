// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/intercepts.h"

#include "base/core/mem_raw.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/emulator/monitor/machine_ports.h"
#include "vmpl-switch/emulator/monitor/registers.h"
#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {
namespace {

// Registers by which a guest could reach the monitor; it is told that it has no SVM.
constexpr uint32_t kFirstSvmMsr = 0xc0010114;
constexpr uint32_t kLastSvmMsr = 0xc0010117;

// Two bits a register, for reads and writes; three ranges of 8192 registers, 2 KiB each.
void InterceptMsr(uint8_t (&map)[8192], uint32_t number) {
  constexpr uint32_t kRangeSize = 0x2000;
  size_t base = 0;
  if (number >= 0xc0010000) {
    base = 0x1000;
  } else if (number >= 0xc0000000) {
    base = 0x800;
  }
  const uint32_t index = number & (kRangeSize - 1);
  map[base + index / 4] = static_cast<uint8_t>(map[base + index / 4] | 3u << (index % 4 * 2));
}

}  // namespace

void GuardPort(InterceptMaps& maps, uint16_t port) {
  maps.guarded_ports[port / 8] =
      static_cast<uint8_t>(maps.guarded_ports[port / 8] | 1u << port % 8);
}

void FillMaps(InterceptMaps& maps) {
  InterceptMsr(maps.msr, kMsrEfer);
  InterceptMsr(maps.msr, SNP_MSR_GHCB);
  InterceptMsr(maps.msr, SNP_MSR_SEV_STATUS);
  for (uint32_t number = kFirstSvmMsr; number <= kLastSvmMsr; ++number) {
    InterceptMsr(maps.msr, number);
  }
  FillOnce(maps.all_ports, std::byte{0xff}, sizeof(maps.all_ports));
  for (uint32_t port = 0; port <= 0xffff; ++port) {
    if (MachinePorts::IsGuarded(static_cast<uint16_t>(port))) {
      GuardPort(maps, static_cast<uint16_t>(port));
    }
  }
}

void SetIntercepts(const VmplContext& context, const InterceptMaps& maps,
                   bool has_other_processors) {
  VmcbControl& control = context.vmcb->control;
  control.intercept_cr = kInterceptWriteCr0;
  control.intercept_exceptions = 1u << kVectorInvalidOpcode;
  control.intercept3 = kIntercept3Cpuid | kIntercept3Invlpga | kIntercept3Ioio | kIntercept3Msr |
                       kIntercept3Shutdown;
  control.intercept4 = kIntercept4Svm;
  control.msr_map = reinterpret_cast<uintptr_t>(maps.msr);
  if (context.vmpl == 0 || has_other_processors) {
    // Not VMPL0's affair, and how other processors interrupt this one.
    control.intercept3 |= kIntercept3Nmi;
  }
  if (context.vmpl == 0) {
    // Devices are not its affair: neither their ports nor their interrupts.
    control.io_map = reinterpret_cast<uintptr_t>(maps.all_ports);
    control.intercept3 |= kIntercept3Intr | kIntercept3Hlt;
    control.virtual_interrupt = kVirtualMasking;
  } else {
    control.io_map = reinterpret_cast<uintptr_t>(maps.guarded_ports);
  }
}

}  // namespace nsgx::emu
