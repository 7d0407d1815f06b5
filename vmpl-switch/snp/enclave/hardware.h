// SPDX-License-Identifier: Apache-2.0
// What only the processor can do for enclaves. The image has the real thing (ring3.h); tests one
// whose ring 3 is a list of events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "vmpl-switch/snp/cpu/trap_frame.h"
#include "vmpl-switch/snp/enclave/extended_state.h"
#include "vmpl-switch/snp/memory/address_space.h"

namespace nsgx::snp {

// All registers of a thread slot that is not running. In a page of the enclave's pool.
struct alignas(64) Ring3State {
  TrapFrame frame;
  uint64_t fs_base;
  uint64_t gs_base;  // set on the way in, never read back: it is the slot
  alignas(64) std::byte extended[kMaxExtendedSize];
};
static_assert(sizeof(TrapFrame) + 16 <= 192);

// Why ring 3 was left.
struct Ring3Event {
  // Of the exception, kVectorHv, or kSyscallVector.
  uint64_t vector;
  uint64_t error_code;
  uint64_t address;  // CR2 of a page fault
};
inline constexpr uint64_t kSyscallVector = 256;

class EnclaveHardware {
 public:
  // Makes `space` the one whose ring 3 and alias this processor sees; null: the SEH's own.
  virtual void Activate(const AddressSpace* space) = 0;

  // Makes sure that no processor uses an old translation of these pages, in ring 3 or by the alias.
  virtual void FlushPages(EnclaveVirt start, uint64_t count) = 0;

  // Returns the SEH's view of bytes in an enclave's range. Requires: the space is active.
  virtual std::span<std::byte> Alias(const AddressSpace& space, EnclaveVirt start,
                                     uint64_t size) = 0;

  // Runs ring 3 with all of `state` until something happens, and leaves everything that the enclave
  // had in registers in `state`; the processor's vector state is then initial.
  //
  // Requires: the space is active; frame as for ResumeFromTrap.
  virtual Ring3Event Run(Ring3State& state) = 0;

  // Returns whether something waits for the guest.
  virtual bool EventPending() = 0;

  virtual const ExtendedState& extended_state() const = 0;

 protected:
  ~EnclaveHardware() = default;
};

}  // namespace nsgx::snp
