// SPDX-License-Identifier: Apache-2.0
// How host calls are made: data goes through the slot's shared window and is copied once; a reply
// that host_calls.def does not allow is EIO and a warning, never a value that somebody uses.
//
// Each function requires that its caller cannot lose the vCPU in the middle, since the window is
// the vCPU's: ticks are off (slot.irq_off) wherever there could be one. What the program's memory
// needs when it faults makes no host call, so the window may be copied to and from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/untrusted.h"
#include "libos/kernel/errno.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/slot.h"

extern "C" {

#define HOST_CALL(number, name, Name, ...) \
  int64_t nsgx_host_call_##name(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
#include "syscall-shim/hostcall/host_calls.def"
#undef HOST_CALL

}  // extern "C"

namespace nsgx::libos::host {

nsgx_slot& ThisSlot();

// Where the window lies was told by the SEH; what is in it, the host can change at any time.
std::span<std::byte> WindowMemory();
inline UntrustedBytes Window() {
  return UntrustedBytes(WindowMemory().data(), WindowMemory().size());
}

// Returns how many bytes of `size`, which is not 0, one call can carry.
//
// Errors: EIO  the loader gave this slot no window.
Result<size_t, Errno> PartOf(size_t size, shim::HostCall call, size_t argument);

// Errors: EIO  the window is smaller than that.
Result<void, Errno> CopyToWindow(std::span<const std::byte> data, size_t offset = 0);
Result<void, Errno> CopyFromWindow(std::span<std::byte> data, size_t offset = 0);

// Judges a reply. kEIO stands for an illegal one.
Result<uint64_t, Errno> Judge(shim::HostCall host_call, const shim::HostCallValues& values,
                              int64_t reply);

// For what only the contents of the window show: warns, and returns EIO.
Error<Errno> IllegalContents(shim::HostCall host_call);

// Makes call NAME and judges its reply. One function for each call, so that only the stubs of those
// in use are linked.
#define HOST_CALL(number, name, Name, ...)                                           \
  inline Result<uint64_t, Errno> Call##Name(const shim::HostCallValues& values) {    \
    return Judge(shim::HostCall::k##Name, values,                                    \
                 nsgx_host_call_##name(values[0], values[1], values[2], values[3])); \
  }
#include "syscall-shim/hostcall/host_calls.def"
#undef HOST_CALL

}  // namespace nsgx::libos::host
