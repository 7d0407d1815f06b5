// SPDX-License-Identifier: Apache-2.0
// This processor: features, segments, stacks, and its line to the host.
#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/snp/cpu/cpuid_state.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"
#include "vmpl-switch/snp/image/layout.h"
#include "vmpl-switch/snp/image/seh.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kCr0Monitor = 1 << 1;
constexpr uint64_t kCr0Emulation = 1 << 2;
constexpr uint64_t kCr0TaskSwitched = 1 << 3;
constexpr uint64_t kCr0NumericError = 1 << 5;
constexpr uint64_t kCr0WriteProtect = 1 << 16;
constexpr uint64_t kCr4PageGlobal = 1 << 7;
constexpr uint64_t kCr4Fxsr = 1 << 9;
constexpr uint64_t kCr4SseExceptions = 1 << 10;
constexpr uint64_t kCr4Umip = 1 << 11;
constexpr uint64_t kCr4FsGsBase = 1 << 16;
constexpr uint64_t kCr4Xsave = 1 << 18;
constexpr uint64_t kCr4Smep = 1 << 20;
constexpr uint64_t kCr4Smap = 1 << 21;

constexpr uint32_t kMsrGsBase = 0xc0000101;
constexpr uint32_t kMsrKernelGsBase = 0xc0000102;

constinit ProcessorStacks g_first_stacks = {};

template <size_t kSize>
uint64_t TopOf(InterruptStack<kSize>& stack, PerCpu& cpu) {
  stack.cpu = &cpu;
  return reinterpret_cast<uintptr_t>(&stack.cpu);
}

}  // namespace

void StartProcessor(Processor& processor, ProcessorStacks& stacks, uint32_t apic_id) {
  PerCpu& cpu = processor.cpu;
  cpu.self = &cpu;
  cpu.gate = &processor.gate;
  cpu.apic_id = apic_id;
  WriteMsr(kMsrGsBase, reinterpret_cast<uintptr_t>(&cpu));
  WriteMsr(kMsrKernelGsBase, 0);

  cpu.tables.tss.ist[kDoubleFaultStack - 1] = TopOf(stacks.double_fault, cpu);
  cpu.tables.tss.ist[kHvStack - 1] = TopOf(stacks.hv, cpu);
  cpu.tables.tss.ist[kVcStack - 1] = TopOf(stacks.vc, cpu);
  cpu.tables.tss.ist[kOtherStack - 1] = TopOf(stacks.other, cpu);
  SetKernelStack(reinterpret_cast<uintptr_t>(stacks.trap + sizeof(stacks.trap)));
  LoadDescriptorTables(cpu.tables);

  // What the CPUID page offers; the host has no say in it.
  const CpuidAnswer features = g_cpuid.Find(7, 0);
  const CpuidAnswer basic = g_cpuid.Find(1, 0);
  uint64_t cr4 = ReadCr4() | kCr4Fxsr | kCr4SseExceptions | kCr4PageGlobal;
  cr4 |= (features.ebx & 1 << 0) != 0 ? kCr4FsGsBase : 0;
  cr4 |= (features.ebx & 1 << 7) != 0 ? kCr4Smep : 0;
  cr4 |= (features.ebx & 1 << 20) != 0 ? kCr4Smap : 0;
  cr4 |= (features.ecx & 1 << 2) != 0 ? kCr4Umip : 0;
  cr4 |= (basic.ecx & 1 << 26) != 0 ? kCr4Xsave : 0;
  WriteCr4(cr4);
  WriteCr0((ReadCr0() | kCr0Monitor | kCr0NumericError | kCr0WriteProtect) &
           ~(kCr0Emulation | kCr0TaskSwitched));
  asm volatile("fninit");
}

void StartFirstProcessor() {
  g_cpuid.Initialize(*g_seh.memory.ObjectAt<snp_cpuid_page>(GuestPhys(SEH_CPUID_PAGE)));
  StartProcessor(g_seh.first, g_first_stacks, g_cpuid.Find(1, 0).ebx >> 24);
  g_seh.rmp.Initialize((g_cpuid.Find(0x80000008u, 0).ebx & 1 << 3) != 0);
}

void StartGhcb(Processor& processor, const SharedPages& page) {
  OrTerminate(processor.ghcb.Initialize(page.data, page.address), Termination::kGhcbRegistration);
  processor.cpu.ghcb = &processor.ghcb;
}

void StartDoorbell(Processor& processor, const SharedPages& page) {
  for (size_t i = 0; i < kPageSize; ++i) {
    page.data[i] = std::byte{0};
  }
  OrTerminate(
      processor.ghcb.Exit(
          {.code = GHCB_EXIT_DOORBELL, .info1 = GHCB_DOORBELL_SET, .info2 = page.address.raw()}),
      Termination::kHostProtocol);
  processor.cpu.doorbell = reinterpret_cast<volatile ghcb_doorbell*>(page.data);
}

}  // namespace nsgx::snp
