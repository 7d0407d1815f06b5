// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/bare_hardware.h"

#include <array>

#include "base/core/check.h"

// vmrun.S
extern "C" void RunGuest(uint64_t vmcb, nsgx::emu::GeneralRegisters* registers,
                         bool takes_interrupts);
// start.S
extern "C" const uint64_t exception_entries[32];
extern "C" uint32_t nmi_is_pending;

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

}  // namespace

void BareHardware::Enter(Vmcb& vmcb, GeneralRegisters& registers, bool takes_interrupts) {
  if (guard_ != nullptr && guard_->TakeStale()) {
    iommu_.Flush();
  }
  RunGuest(reinterpret_cast<uintptr_t>(&vmcb), &registers, takes_interrupts);
}

bool BareHardware::StartIommu(DmaGuard& guard) {
  if (!Iommu::IsPresent() || !iommu_.Start(guard.root())) {
    return false;
  }
  guard_ = &guard;
  return true;
}

bool BareHardware::TakeNmi() {
  return __atomic_exchange_n(&nmi_is_pending, 0, __ATOMIC_RELAXED) != 0;
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

void BareHardware::StartSvm(uint64_t save_area) { WriteMsr(kMsrHostSave, save_area); }

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
