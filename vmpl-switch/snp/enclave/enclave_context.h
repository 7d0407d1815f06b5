// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/seh/enclave.h"
#include "vmpl-switch/seh/keys.h"
#include "vmpl-switch/snp/enclave/hardware.h"
#include "vmpl-switch/snp/enclave/page_pool.h"
#include "vmpl-switch/snp/enclave/snp_machine.h"
#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// What a guest chose when it asked for an enclave, copied and checked.
struct EnclaveWish {
  uint64_t config_offset = 0;
  uint64_t image_size = 0;
  uint64_t entry = 0;
  uint32_t vcpus = 0;
  uint32_t config_size = 0;
  uint64_t window_size = 0;  // bytes a slot
};

// One enclave on this machine: its pages, its SEH, its slots. Exists for ever; enclaves come and go
// in it.
//
// All but Enter and the counters want control() to be held: one call at a time. Enter runs beside
// them, for different slots on different processors.
class EnclaveContext {
 public:
  // Requires: all live longer.
  constexpr EnclaveContext(const Services& services, EnclaveHardware& hardware, seh::KeyStore& keys,
                           GuestPhys gate)
      : services_(services),
        hardware_(hardware),
        pool_(services.memory),
        machine_(services, hardware, pool_, gate),
        enclave_(machine_, keys) {}
  EnclaveContext(const EnclaveContext&) = delete;
  EnclaveContext& operator=(const EnclaveContext&) = delete;

  SpinLock& control() RETURN_CAPABILITY(control_) { return control_; }

  // ---- life cycle

  // Begins a new enclave, which has no page yet. `config` is ours.
  //
  // Errors: kMalformed, kUnsupported    the configuration.
  //         kInvalidArgument            sizes.
  //         kOutOfRange                 more slots than configured; window or range too large.
  Result<void> Begin(const EnclaveWish& wish, std::span<const std::byte> config) REQUIRES(control_);
  // Whether there is no enclave here, not even a dead one.
  bool is_unused() const { return __atomic_load_n(&phase_, __ATOMIC_ACQUIRE) == kUnused; }

  // Takes pages of the guest, `taken` of them. Errors: as TakeGuestPages; kBadState  destroyed.
  Result<void> Donate(std::span<const GuestPhys> pages, size_t* taken) REQUIRES(control_);
  // Gives a page back to the guest that the enclave does not use, and returns it.
  // Errors: kNotFound  it uses all it has; kHostFault  the processor does not take it back.
  Result<GuestPhys> GiveBack() REQUIRES(control_);

  // As seh::Enclave's. kNoMemory: after a donation the same call may succeed.
  Result<void> AddPage(uint64_t offset, uint32_t permissions, GuestPhys source) REQUIRES(control_);
  Result<void> AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t count)
      REQUIRES(control_);
  // Adds page `index` of the window. Errors: as GuestPages::Begin; kOutOfRange; kAlreadyExists;
  // kBadState; kNoMemory.
  Result<void> AddWindow(uint64_t index, GuestPhys page) REQUIRES(control_);
  // Errors: as seh::Enclave::Init; kBadState  parts of the window are missing.
  Result<void> Init(std::span<const std::byte> signature, std::span<const std::byte> args)
      REQUIRES(control_);
  // Errors: kBusy  a slot runs.
  Result<void> Destroy() REQUIRES(control_);
  // Makes the context unused, if the enclave is destroyed and has no page left.
  // Errors: kBadState.
  Result<void> End() REQUIRES(control_);

  // ---- running

  // Runs slot `slot` until the guest is needed. `answer`: to the exit before.
  //
  // Errors: as seh::Enclave::ClaimSlot.
  // Trust:  slot and answer are the guest's.
  Result<nsgx_seh_exit> Enter(uint32_t slot, uint64_t answer, bool is_tick);

  // ---- looking

  void FillInfo(nsgx_seh_info& info) REQUIRES(control_);
  // Errors: kPermissionDenied  the enclave is not for debugging; kBadState; kNotFound  not all of
  // it is committed.
  Result<void> DebugRead(EnclaveVirt address, std::span<std::byte> to) REQUIRES(control_);
  Result<void> DebugWrite(EnclaveVirt address, std::span<const std::byte> from) REQUIRES(control_);
  uint64_t pages() const { return pool_.free_pages() + pool_.used_pages(); }

 private:
  friend class SlotRun;

  enum Phase : uint32_t { kUnused, kWished, kCreated, kDestroyed };

  // Where a slot stands while it is not running.
  enum class SlotWaits : uint32_t {
    kForFirstEntry,
    kForAnswer,  // to a host call, or to what else it left by itself
    kForTurn,    // interrupted: goes on with the registers it has
    kForPages,   // a gate call found too few; it is made again
    kForFault,   // a fault found too few; the instruction is tried again
  };

  struct Slot {
    Ring3State* state = nullptr;  // a page of the pool
    SlotWaits waits = SlotWaits::kForFirstEntry;
    uint64_t donations = 0;      // kForPages, kForFault: what there had been when it left
    uint64_t fault_address = 0;  // kForFault
  };

  Result<void> EnsureCreated() REQUIRES(control_);
  Result<void> MakeSlotStates() REQUIRES(control_);
  void FreeSlotStates() REQUIRES(control_);
  void Count(uint64_t& counter) { __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED); }

  const Services& services_;
  EnclaveHardware& hardware_;
  SpinLock control_;
  PagePool pool_;
  SnpMachine machine_;
  seh::Enclave enclave_;

  uint32_t phase_ = kUnused;  // atomic
  EnclaveWish wish_ GUARDED_BY(control_);
  uint64_t window_pages_ GUARDED_BY(control_) = 0;
  std::array<Slot, NSGX_MAX_VCPUS> slots_ = {};  // each: who claimed it, or control_

  SpinLock end_lock_;
  nsgx_seh_info counters_ = {};  // counters: atomic; crash: end_lock_
  bool has_crashed_ GUARDED_BY(end_lock_) = false;
  alignas(16) std::array<std::byte, NSGX_CONFIG_MAX_SIZE> config_ GUARDED_BY(control_) = {};
};

}  // namespace nsgx::snp
