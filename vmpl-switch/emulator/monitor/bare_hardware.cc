// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/bare_hardware.h"

#include <array>

#include "base/core/mem_raw.h"
#include "vmpl-switch/emulator/monitor/memory.h"
#include "vmpl-switch/emulator/monitor/stacks.h"

// vmrun.S
extern "C" void RunGuest(uint64_t vmcb, nsgx::emu::GeneralRegisters* registers,
                         bool takes_interrupts);
extern "C" void SleepUntilNmi();
// start.S
extern "C" const uint64_t exception_entries[32];
extern "C" const std::byte trampoline[];
extern "C" const std::byte trampoline_end[];

namespace nsgx::emu {
namespace {

constexpr uint32_t kMsrHostSave = 0xc0010117;

struct IdtEntry {
  uint64_t low;
  uint64_t high;
};
struct [[gnu::packed]] TableRegister {
  uint16_t limit;
  uint64_t base;
};
alignas(16) constinit std::array<IdtEntry, 32> g_idt = {};

static_assert(STACKS == kMaxProcessors);

// Where other processors begin, in real mode: RAM that is nobody's yet.
constexpr uint64_t kTrampoline = 0x8000;
constinit std::byte g_below_trampoline[kPageSize] = {};

// The local APIC, which is the guest's as well: in either of its modes.
constexpr uint32_t kMsrApicBase = 0x1b;
constexpr uint64_t kX2Apic = 1 << 10;
constexpr uint32_t kMsrInterruptCommand = 0x830;
constexpr uintptr_t kInterruptCommandLow = 0xfee00300;
constexpr uintptr_t kInterruptCommandHigh = 0xfee00310;
constexpr uint32_t kDeliverNmi = 4 << 8 | 1 << 14;
constexpr uint32_t kDeliverInit = 5 << 8 | 1 << 14;
constexpr uint32_t kDeliverStartup = 6 << 8 | 1 << 14;
constexpr uint32_t kAllOthers = 3 << 18;

uint64_t ReadMsr(uint32_t number) {
  uint32_t low;
  uint32_t high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
  return uint64_t{high} << 32 | low;
}

void WriteMsr(uint32_t number, uint64_t value) {
  asm volatile("wrmsr"
               :
               : "c"(number), "a"(static_cast<uint32_t>(value)),
                 "d"(static_cast<uint32_t>(value >> 32))
               : "memory");
}

volatile uint32_t& ApicRegister(uintptr_t address) {
  return *reinterpret_cast<volatile uint32_t*>(address);
}

// This processor's.
uint32_t& NmiFlag() {
  uintptr_t stack;
  asm volatile("movq %%rsp, %0" : "=r"(stack));
  return *reinterpret_cast<uint32_t*>((stack & ~uintptr_t{STACK_SIZE - 1}) + STACK_NMI);
}

}  // namespace

void BareHardware::FlushDevices() {
  if (guard_ != nullptr && guard_->TakeStale()) {
    iommu_.Flush();
  }
}

void BareHardware::Enter(Vmcb& vmcb, GeneralRegisters& registers, bool takes_interrupts) {
  RunGuest(reinterpret_cast<uintptr_t>(&vmcb), &registers, takes_interrupts);
}

bool BareHardware::StartIommu(DmaGuard& guard) {
  if (!Iommu::IsPresent() || !iommu_.Start(guard.root())) {
    return false;
  }
  guard_ = &guard;
  return true;
}

bool BareHardware::TakeNmi() { return __atomic_exchange_n(&NmiFlag(), 0, __ATOMIC_RELAXED) != 0; }

void BareHardware::SendNmi(unsigned processor) {
  if ((ReadMsr(kMsrApicBase) & kX2Apic) != 0) {
    WriteMsr(kMsrInterruptCommand, uint64_t{processor} << 32 | kDeliverNmi);
    return;
  }
  // The guest may have been about to send one of its own.
  const uint32_t destination = ApicRegister(kInterruptCommandHigh);
  ApicRegister(kInterruptCommandHigh) = processor << 24;
  ApicRegister(kInterruptCommandLow) = kDeliverNmi;
  ApicRegister(kInterruptCommandHigh) = destination;
}

void BareHardware::SendNmiToOthers() {
  if ((ReadMsr(kMsrApicBase) & kX2Apic) != 0) {
    WriteMsr(kMsrInterruptCommand, kAllOthers | kDeliverNmi);
  } else {
    ApicRegister(kInterruptCommandLow) = kAllOthers | kDeliverNmi;
  }
}

void BareHardware::WaitForNmi() { SleepUntilNmi(); }

// Not by PAUSE: QEMU then takes the lock that it has for all devices, and whoever waits in a loop
// keeps the others from their interrupt controllers.
void BareHardware::Pause() {
  constexpr int kTurns = 200;
  for (int i = 0; i < kTurns; ++i) {
    asm volatile("" : : : "memory");
  }
}

unsigned BareHardware::CountProcessors() {
  constexpr uint16_t kFwCfgSelector = 0x510;
  constexpr uint16_t kFwCfgData = 0x511;
  constexpr uint32_t kProcessorCount = 5;
  WritePort(kFwCfgSelector, 2, kProcessorCount);
  const uint32_t low = ReadPort(kFwCfgData, 1);
  return low | ReadPort(kFwCfgData, 1) << 8;
}

void BareHardware::StartOthers() {
  auto* place = reinterpret_cast<std::byte*>(kTrampoline);
  CopyOnce(g_below_trampoline, place, kPageSize);
  CopyOnce(place, trampoline, static_cast<size_t>(trampoline_end - trampoline));
  ApicRegister(kInterruptCommandLow) = kAllOthers | kDeliverInit;
  ApicRegister(kInterruptCommandLow) =
      kAllOthers | kDeliverStartup | static_cast<uint32_t>(kTrampoline >> kPageShift);
}

void BareHardware::RestoreTrampoline() {
  CopyOnce(reinterpret_cast<std::byte*>(kTrampoline), g_below_trampoline, kPageSize);
}

void BareHardware::SaveFx(FxState& state) { asm volatile("fxsave64 %0" : "=m"(state)); }
void BareHardware::LoadFx(const FxState& state) { asm volatile("fxrstor64 %0" : : "m"(state)); }

uint64_t BareHardware::ReadDr(unsigned number) {
  uint64_t value = 0;
  switch (number) {
    case 0:
      asm volatile("movq %%dr0, %0" : "=r"(value));
      break;
    case 1:
      asm volatile("movq %%dr1, %0" : "=r"(value));
      break;
    case 2:
      asm volatile("movq %%dr2, %0" : "=r"(value));
      break;
    default:
      asm volatile("movq %%dr3, %0" : "=r"(value));
      break;
  }
  return value;
}

void BareHardware::WriteDr(unsigned number, uint64_t value) {
  switch (number) {
    case 0:
      asm volatile("movq %0, %%dr0" : : "r"(value));
      break;
    case 1:
      asm volatile("movq %0, %%dr1" : : "r"(value));
      break;
    case 2:
      asm volatile("movq %0, %%dr2" : : "r"(value));
      break;
    default:
      asm volatile("movq %0, %%dr3" : : "r"(value));
      break;
  }
}

uint64_t BareHardware::ReadTscAux() { return ReadMsr(kMsrTscAux); }
void BareHardware::WriteTscAux(uint64_t value) { WriteMsr(kMsrTscAux, value); }

uint32_t BareHardware::ReadPort(uint16_t port, unsigned size) {
  uint32_t value = 0;
  switch (size) {
    case 1: {
      uint8_t byte;
      asm volatile("inb %1, %0" : "=a"(byte) : "Nd"(port) : "memory");
      value = byte;
      break;
    }
    case 2: {
      uint16_t word;
      asm volatile("inw %1, %0" : "=a"(word) : "Nd"(port) : "memory");
      value = word;
      break;
    }
    default:
      asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
      break;
  }
  return value;
}

void BareHardware::WritePort(uint16_t port, unsigned size, uint32_t value) {
  switch (size) {
    case 1:
      asm volatile("outb %0, %1" : : "a"(static_cast<uint8_t>(value)), "Nd"(port) : "memory");
      break;
    case 2:
      asm volatile("outw %0, %1" : : "a"(static_cast<uint16_t>(value)), "Nd"(port) : "memory");
      break;
    default:
      asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
      break;
  }
}

void BareHardware::StartSvm(uint64_t save_area) {
  WriteMsr(kMsrHostSave, save_area);
  asm volatile("clgi");
}

void BareHardware::StartExceptions() {
  constexpr uint64_t kCodeSelector = 8;
  constexpr uint64_t kInterruptGate = 0x8e;
  for (size_t vector = 0; vector < g_idt.size(); ++vector) {
    const uint64_t entry = exception_entries[vector];
    g_idt[vector].low = (entry & 0xffff) | kCodeSelector << 16 | kInterruptGate << 40 |
                        (entry >> 16 & 0xffff) << 48;
    g_idt[vector].high = entry >> 32;
  }
  const TableRegister idt = {sizeof(g_idt) - 1, reinterpret_cast<uintptr_t>(&g_idt)};
  asm volatile("lidt %0" : : "m"(idt));
}

}  // namespace nsgx::emu
