// SPDX-License-Identifier: Apache-2.0
// The parts of the image, each made at start and there for ever, and the steps that put them
// together. Each step ends the machine when it fails; main.cc has their order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/spinlock.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/snp/cpu/cpuid.h"
#include "vmpl-switch/snp/cpu/ghcb.h"
#include "vmpl-switch/snp/cpu/host_gate.h"
#include "vmpl-switch/snp/cpu/per_cpu.h"
#include "vmpl-switch/snp/cpu/rmp_hardware.h"
#include "vmpl-switch/snp/cpu/termination.h"
#include "vmpl-switch/snp/launch/memory_map.h"
#include "vmpl-switch/snp/memory/address_space.h"
#include "vmpl-switch/snp/memory/direct_map.h"
#include "vmpl-switch/snp/memory/guest_access.h"
#include "vmpl-switch/snp/memory/guest_pages.h"
#include "vmpl-switch/snp/memory/page_allocator.h"

namespace nsgx::snp {

// A stack of an interrupt, with the pointer above it that trap_entry.S looks for.
template <size_t kSize>
struct alignas(16) InterruptStack {
  std::byte bytes[kSize];
  PerCpu* cpu;
  uint64_t padding;
};

struct ProcessorStacks {
  InterruptStack<4096> double_fault;
  InterruptStack<4096> hv;
  InterruptStack<8192> vc;
  InterruptStack<4096> other;
  alignas(16) std::byte trap[16384];
};

// What each processor that the SEH runs on has.
struct Processor {
  constexpr Processor() : ghcb(gate) {}

  PerCpu cpu;
  VmgExitGate gate;
  Ghcb ghcb;
};

struct Seh {
  constexpr Seh() : guest(memory, pages), rmp(memory) {}

  uint64_t encryption_bit = 0;
  DirectMap memory;
  PageAllocator allocator;
  GuestPages pages;
  GuestAccess guest;
  RmpHardware rmp;
  AddressSpace space;
  MemoryMap ram;        // of the whole machine
  MemoryMap guest_ram;  // without the SEH's region
  Processor first;      // the one that has started the machine
  // Held by whoever serves a call, but not while ring 3 runs: calls of several processors are
  // served one at a time.
  SpinLock calls;
};

extern Seh g_seh;

// The SEH's region, and what of it the image fills.
GuestPageRange SehRegion();
GuestPageRange SehImage();

// Returns the value of `result`, or ends the machine.
template <typename T>
T OrTerminate(Result<T> result, Termination reason) {
  if (!result.ok()) {
    Terminate(reason);
  }
  return std::move(result).value();
}
inline void OrTerminate(const Result<void>& result, Termination reason) {
  if (!result.ok()) {
    Terminate(reason);
  }
}

// memory.cc
// Makes the SEH's region usable and everything outside it known.
void StartMemory(uint64_t encryption_bit);
// Changes to page tables of our own.
void StartAddressSpace();

// Maps a stack of `count` pages with a page below it that is not mapped, and returns its top.
uint64_t MakeStack(uint64_t count);

// A run of pages that the host sees, mapped without the C-bit; never given back.
struct SharedPages {
  volatile std::byte* data;
  GuestPhys address;
};
// Takes `count` pages out of the SEH's region. `by_msr`: while there is no GHCB page yet.
SharedPages MakeSharedPages(uint64_t count, bool by_msr);

// Makes all RAM outside the region private, and the guest's.
void GiveMemoryToGuest();

// processor.cc
// The processor that this runs on: GS, segments, stacks, features.
void StartProcessor(Processor& processor, ProcessorStacks& stacks, uint32_t apic_id);
void StartFirstProcessor();
// Its line to the host. Both pages are shared already.
void StartGhcb(Processor& processor, const SharedPages& page);
void StartDoorbell(Processor& processor, const SharedPages& page);

}  // namespace nsgx::snp
