// SPDX-License-Identifier: Apache-2.0
// The parts of the image, each made at start and there for ever, and the steps that put them
// together. Each step ends the machine when it fails; main.cc has their order.
#pragma once

#include <cstdint>

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

struct Seh {
  constexpr Seh() : guest(memory, pages), rmp(memory), ghcb(gate) {}

  uint64_t encryption_bit = 0;
  DirectMap memory;
  PageAllocator allocator;
  GuestPages pages;
  GuestAccess guest;
  RmpHardware rmp;
  AddressSpace space;
  MemoryMap ram;        // of the whole machine
  MemoryMap guest_ram;  // without the SEH's region
  VmgExitGate gate;
  Ghcb ghcb;
  PerCpu cpu;
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
void StartProcessor();
void StartGhcb();
void StartDoorbell();

}  // namespace nsgx::snp
