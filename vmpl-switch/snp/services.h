// SPDX-License-Identifier: Apache-2.0
// Everything that the SEH's image offers to what runs in it: protocols and enclaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/snp/calls/attestation_protocol.h"
#include "vmpl-switch/snp/calls/protocol.h"
#include "vmpl-switch/snp/cpu/cpuid.h"
#include "vmpl-switch/snp/memory/address_space.h"
#include "vmpl-switch/snp/memory/direct_map.h"
#include "vmpl-switch/snp/memory/guest_access.h"
#include "vmpl-switch/snp/memory/guest_pages.h"
#include "vmpl-switch/snp/memory/page_allocator.h"
#include "vmpl-switch/snp/memory/rmp.h"
#include "vmpl-switch/snp/messages/client.h"

namespace nsgx::snp {

// Random bytes for everybody at VMPL0: a generator that the processor seeds. Locked inside.
class Random {
 public:
  // Errors: kEntropyFailure, kBadState  as Drbg::Generate.
  virtual Result<void> Fill(std::span<std::byte> out) = 0;

 protected:
  ~Random() = default;
};

// The TSC and what it is worth. The rate is the host's word unless the processor has a secure TSC:
// time is for waiting, not for deciding.
class TscClock {
 public:
  virtual uint64_t khz() const = 0;
  // How to make nanoseconds of TSC values, counted from the SEH's start.
  virtual nsgx_clock Conversion() const = 0;

 protected:
  ~TscClock() = default;
};

// All of this is there for ever, and before the first call of the guest.
struct Services {
  const DirectMap& memory;
  PageAllocator& allocator;
  GuestPages& pages;
  GuestAccess& guest;
  Rmp& rmp;
  const AddressSpace& kernel_space;  // whose upper half every enclave's address space shares
  uint64_t encryption_bit;           // mask of the C-bit in page-table entries
  const CpuidTable& cpuid;
  MessageClient& messages;
  Random& random;
  TscClock& clock;
  ProtocolTable& protocols;
  AttestationProtocol& attestation;  // Publish() whoever signs evidence
  SpinLock& calls;                   // held while a call is served, but not while ring 3 runs
};

// Takes pages of the guest for an enclave, from the first up to one that cannot be had: after this
// the guest has no right on them, and they are zero. `taken`: how many. All processors are told at
// once to forget them, which costs each an interruption.
//
// Errors: kInvalidArgument, kBusy, kPermissionDenied  one is not ordinary memory of the guest.
//         kHostFault                                  the processor refuses.
// Trust:  the addresses are the guest's.
Result<void> TakeGuestPages(const Services& services, std::span<const GuestPhys> pages,
                            size_t* taken);

// Wipes a page of an enclave's pool and gives it back to the guest.
// Requires: the page is in state kEnclavePool, and no processor has a translation for it.
Result<void> ReturnGuestPage(const Services& services, GuestPhys page);

}  // namespace nsgx::snp
