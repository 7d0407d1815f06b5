// SPDX-License-Identifier: Apache-2.0
// One enclave, as the SEH keeps it: the portable core that `sim` and the SEH image share.
//
// Lock order:
//   Enclave::control_     life-cycle calls; only tried, never waited for
//     Enclave::lock_      the page table; held for a few hundred instructions and never over a call
//     that changes pages
//       KeyStore::lock_
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/report.h"
#include "vmpl-switch/image/config.h"
#include "vmpl-switch/image/measurement.h"
#include "vmpl-switch/seh/digest_store.h"
#include "vmpl-switch/seh/keys.h"
#include "vmpl-switch/seh/layout.h"
#include "vmpl-switch/seh/machine.h"
#include "vmpl-switch/seh/ownership_table.h"

namespace nsgx::seh {

// Only ever goes forward, until Destroy makes it kEmpty again.
enum class EnclaveState : uint32_t {
  kEmpty,    // nothing there
  kLoading,  // created; takes pages
  kRunning,  // identity frozen; slots can be entered
  kDone,     // the enclave has ended itself
  kCrashed,  // the enclave was ended
};

struct CreateOptions {
  // From the untrusted loader.
  std::span<const std::byte> config;  // the whole section; copied once
  uint64_t config_offset = 0;         // of the section in the image
  uint64_t image_size = 0;
  uint64_t entry = 0;  // offset in the image
  uint32_t vcpus = 1;  // slots wanted

  // From the machine.
  uint64_t gate = 0;    // address that the enclave calls
  uint64_t window = 0;  // address of slot 0's part of the shared window; the others follow. Not in
                        // the enclave's range.
  uint64_t window_size = 0;  // bytes a slot
};

// A gate call that leaves the enclave: what the machine does now.
enum class Leave : uint32_t {
  kHostCall,  // hand number and arguments out
  kIdle,      // let the thread sleep
  kWake,      // wake the slot, which exists
  kDone,      // the enclave has ended; end() says how
  kRefused,   // the enclave asked for what it may not have, and is over
};

// How an enclave ended itself.
struct EnclaveEnd {
  uint64_t kind = 0;  // NSGX_DONE_*
  uint64_t code = 0;
};

// Life cycle, by the machine on behalf of the untrusted loader:
//
//   Create -> AddPages, AddZeroPages, DeferPages, ascending -> Init -> (slots run) -> Destroy
//
// Any other order is refused with kBadState, and two of these calls at the same time with kBusy. A
// call that fails has changed nothing. Spans come from the untrusted side; each is read once, and
// only the copy is believed.
//
// Locks spin, so no call may come from something that has interrupted another one on the same
// processor or thread: a fault or a tick that hits the SEH itself stays away. (HandleFault in a
// signal handler is fine: there the enclave was interrupted.)
//
// What an enclave asks for arrives through GateCall and CheckLeave, from several slots at once;
// every argument is hostile.
//
// Large (17 KiB): lives in static storage or on a heap. Destroy must have succeeded before it goes
// away.
class Enclave {
 public:
  // Requires: machine and keys live longer.
  constexpr Enclave(Machine& machine, KeyStore& keys)
      : machine_(machine), keys_(keys), table_(machine), digests_(machine) {}
  Enclave(const Enclave&) = delete;
  Enclave& operator=(const Enclave&) = delete;
  ~Enclave();

  // ---- life cycle

  // Checks the configuration and reserves the address range that it asks for.
  //
  // Errors: kMalformed, kUnsupported  the configuration (image/config.h).
  //         kInvalidArgument          no vCPUs; sizes and offsets that are no multiple of the page
  //         size. kOutOfRange               more vCPUs than configured; configuration or entry
  //         outside the image; no room in the
  //                                   range for image, slots and boot area.
  //         kNoMemory                 the machine has no such range, or no memory for tables.
  Result<void> Create(const CreateOptions& options);

  // Puts pages of the image in place and measures them. `permissions`: NSGX_PERMISSION_*.
  //
  // Errors: kInvalidArgument  not ascending, not whole pages, permissions other than R, RW, RX.
  //         kOutOfRange       outside the image.
  //         kNoMemory         the machine has none.
  Result<void> AddPages(uint64_t offset, uint32_t permissions, const PageSource& source);

  // The same for pages of zeros. Errors: as AddPages.
  Result<void> AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count);

  // The same for pages that are hashed when they are first touched. `hashes`: the SHA-256 of each
  // page; the identity is what it would be if the pages had these hashes. A page that turns out to
  // have another one never becomes accessible; the enclave crashes. Until then a touch arrives at
  // HandleFault.
  //
  // Errors: as AddPages; kInvalidArgument  not one hash for each page.
  Result<void> DeferPages(uint64_t offset, uint32_t permissions, const PageSource& source,
                          std::span<const std::byte> hashes);

  // Ends loading: checks the signature (struct nsgx_signature) over the identity, makes slots and
  // boot area, takes in the arguments (struct nsgx_args and strings). From here on the identity
  // stands, and slots may be entered.
  //
  // Errors: kMalformed, kUnsupported  signature or arguments break their format; the entry point is
  // not executable; the
  //                                   configuration's pages are not in the image, read-only and as
  //                                   given to Create.
  //         kBadMeasurement           the signature is for another image.
  //         kPermissionDenied         the signer does not allow these attributes, or signed for
  //         another product or version. kBadSignature             it is none by that key.
  //         kNoMemory, kEntropyFailure
  Result<void> Init(std::span<const std::byte> signature, std::span<const std::byte> args);

  // Scrubs and gives everything back. Legal in every state. After kBusy because of a slot nobody
  // can enter any more; the machine makes the slots leave and tries again.
  //
  // Errors: kBusy  a slot is inside, or another life-cycle call is running.
  Result<void> Destroy();

  // ---- entering and leaving, by the machine

  // Takes slot `slot`, any number, for the calling thread; from here to ReleaseSlot the thread may
  // run in the enclave. To be called before anything of the slot is touched.
  //
  // Errors: kNotFound  no such slot.
  //         kBadState  the enclave is not running.
  //         kBusy      somebody is in that slot.
  Result<void> ClaimSlot(uint32_t slot);

  // Requires: the slot was claimed. The thread has left; its registers are scrubbed.
  void ReleaseSlot(uint32_t slot);

  // Decides about a gate call below NSGX_GATE_FIRST_SEH_CALL. `a0`, `a1`: its first two arguments.
  //
  // Errors: kInvalidArgument  no such call, or no such slot to wake: the negative status is the
  // enclave's result.
  //         kBadState         the enclave has ended meanwhile.
  Result<Leave> CheckLeave(uint64_t call, uint64_t a0, uint64_t a1);

  // Serves a gate call from NSGX_GATE_FIRST_SEH_CALL on and returns what the enclave gets: 0 or a
  // negative NSGX_ status.
  //
  // Requires: the calling thread is in slot `slot`.
  // Trust:    nothing: call and arguments are the enclave's.
  int64_t GateCall(uint32_t slot, uint64_t call, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                   uint64_t a4);

  // Upcall: the enclave touched `address`, anywhere, in a way that needs `needed` (kRead,
  // kReadWrite, kReadExecute) and was not allowed to. Checks a deferred page and makes it
  // accessible.
  //
  // Returns success or kBusy (somebody is at it): let the enclave try again.
  // Errors: kNotFound        not for the SEH: deliver the exception.
  //         kBadMeasurement  the page is not what was signed; the enclave has crashed.
  //         kNoMemory        the machine cannot make it accessible now.
  Result<void> HandleFault(EnclaveVirt address, Permissions needed);

  // Ends the enclave, for whatever the machine found. No slot can be entered afterwards.
  void Crash();

  // ---- what the machine may know

  EnclaveState state() const {
    return static_cast<EnclaveState>(__atomic_load_n(&state_, __ATOMIC_ACQUIRE));
  }

  // Require: created.
  EnclaveVirt base() const { return base_; }
  const EnclaveLayout& layout() const { return layout_; }
  uint32_t vcpus() const { return vcpus_; }
  EnclaveVirt entry() const { return base_ + shape_.entry; }
  EnclaveVirt slot_address(uint32_t slot) const { return base_ + layout_.SlotOffset(slot); }
  bool is_debug() const { return (config_.attributes & NSGX_ATTRIBUTE_DEBUG) != 0; }
  // For the fast path of host calls; CheckLeave asks the same.
  bool HostCallAllowed(uint64_t number) const { return nsgx::HostCallAllowed(config_, number); }

  // Addresses of the handlers that the enclave has set, or 0.
  EnclaveVirt exception_entry() const {
    return EnclaveVirt(__atomic_load_n(&exception_entry_, __ATOMIC_ACQUIRE));
  }
  EnclaveVirt syscall_entry() const {
    return EnclaveVirt(__atomic_load_n(&syscall_entry_, __ATOMIC_ACQUIRE));
  }

  // Who the enclave is, without report data. Requires: Init has succeeded.
  const nsgx_report_body& body() const { return body_; }

  // Requires: state() is kDone.
  EnclaveEnd end() const { return end_; }

 private:
  // On a cache line of its own: every entry and exit writes it.
  struct alignas(64) Slot {
    uint32_t is_inside = 0;
  };

  // Says whether pages with this entry may become `wanted`.
  using CheckEntry = Result<void> (*)(PageEntry entry, Permissions wanted);

  // What a call wants to do with pages. Begin: when no page is busy and all pass the check, marks
  // them as busy. Then the machine is called, without the lock. Finish gives the pages their new
  // entry, Abandon the old one back.
  Result<void> Begin(PageRun run, CheckEntry check, Permissions wanted) EXCLUDES(lock_);
  void Finish(PageRun run, PageEntry entry) EXCLUDES(lock_);
  void Abandon(PageRun run) EXCLUDES(lock_);
  // All three, for committing free pages, and the way back.
  Result<void> CommitRun(PageRun run, PageEntry entry) EXCLUDES(lock_);
  Result<void> ProtectRun(PageRun run, PageState state, Permissions permissions, CheckEntry check)
      EXCLUDES(lock_);
  void TrimRun(PageRun run) EXCLUDES(lock_);

  PageEntry EntryOf(uint64_t page) EXCLUDES(lock_);
  EnclaveVirt AddressOfPage(uint64_t page) const { return base_ + page * kPageSize; }
  std::span<std::byte> AccessRun(PageRun run) {
    return machine_.Access(AddressOfPage(run.first), run.count * kPageSize);
  }

  // Parts of the life cycle.
  Result<void> CreateLocked(const CreateOptions& options) REQUIRES(control_);
  Result<void> AddPagesLocked(uint64_t offset, uint32_t permissions, const PageSource& source)
      REQUIRES(control_);
  Result<void> AddZeroPagesLocked(uint64_t offset, uint32_t permissions, uint64_t page_count)
      REQUIRES(control_);
  Result<void> DeferPagesLocked(uint64_t offset, uint32_t permissions, const PageSource& source,
                                std::span<const std::byte> hashes) REQUIRES(control_);
  Result<void> InitLocked(std::span<const std::byte> signature, std::span<const std::byte> args)
      REQUIRES(control_);
  Result<void> DestroyLocked() REQUIRES(control_);
  Result<PageRun> CheckSource(uint64_t offset, uint32_t permissions, const PageSource& source)
      REQUIRES(control_);
  Result<void> LoadRun(PageRun run, const PageSource& source, PageEntry entry) EXCLUDES(lock_);
  Result<void> CheckImage() EXCLUDES(lock_);
  Result<void> TakeArgs(std::span<const std::byte> args) EXCLUDES(lock_);
  PageRun SlotPart(uint32_t part) const;
  Result<void> MakeSlots() EXCLUDES(lock_);
  void TrimSlotParts(uint32_t part_count) EXCLUDES(lock_);
  void FillSlots();
  void FillBoot(std::span<const std::byte, 64> seed, uint64_t args_size);
  void FillBody(const Sha256::Digest& identity, const Sha256::Digest& signer, uint64_t args_size,
                std::span<const std::byte, 16> instance);
  void Clear() REQUIRES(control_) EXCLUDES(lock_);

  // Memory that the enclave names in a call. All of it must be the enclave's, committed, and such
  // that the enclave itself could read or write it: the SEH lends no rights.
  Result<void> CopyIn(uint64_t address, std::span<std::byte> to) EXCLUDES(lock_);
  Result<void> CopyOut(uint64_t address, std::span<const std::byte> from) EXCLUDES(lock_);
  Result<PageRun> OwnRun(uint64_t address, uint64_t size) const;
  Result<void> CheckAccess(PageRun run, Permissions needed) REQUIRES(lock_);

  // Deferred pages: all of a run, or one and its neighbours.
  Result<void> VerifyDeferred(PageRun run) EXCLUDES(lock_);
  Result<void> VerifyAround(uint64_t page) EXCLUDES(lock_);
  Result<PageRun> BeginVerify(uint64_t page, PageEntry* entry) EXCLUDES(lock_);
  Result<void> AddSpare() EXCLUDES(lock_);

  // Gate calls.
  Result<Leave> TakeEnd(EnclaveEnd end) EXCLUDES(lock_);
  Result<PageRun> WholePages(uint64_t address, uint64_t size) const;
  Result<void> CheckHandler(uint64_t address) REQUIRES(lock_);
  Result<void> ServeGateCall(uint64_t call, uint64_t a0, uint64_t a1, uint64_t a2);
  Result<void> CommitPages(uint64_t address, uint64_t size, uint64_t permissions);
  Result<void> ProtectPages(uint64_t address, uint64_t size, uint64_t permissions);
  Result<void> TrimPages(uint64_t address, uint64_t size);
  Result<void> SetHandlers(uint64_t exception_entry, uint64_t syscall_entry);
  Result<void> GiveEntropy(uint64_t address, uint64_t size);
  Result<void> GiveClock(uint64_t address);
  Result<void> GiveReport(uint64_t request_address, uint64_t report_address);
  Result<void> VerifyReport(uint64_t report_address);
  Result<void> GiveKey(uint64_t request_address, uint64_t key_address);
  Result<void> GiveEvidence(uint64_t report_data_address, uint64_t evidence_address);

  Machine& machine_;
  KeyStore& keys_;

  SpinLock control_;
  SpinLock lock_ ACQUIRED_AFTER(control_);
  uint32_t state_ = 0;  // atomic; EnclaveState

  // Set by Create, constant until Destroy.
  EnclaveVirt base_;
  EnclaveLayout layout_;
  nsgx_config config_ = {};
  ImageShape shape_;
  uint32_t vcpus_ = 0;
  uint64_t gate_ = 0;
  uint64_t window_ = 0;
  uint64_t window_size_ = 0;

  // Used while loading.
  Measurement measurement_ GUARDED_BY(control_);
  std::byte* scratch_ GUARDED_BY(control_) = nullptr;  // a table page for digests

  OwnershipTable table_ GUARDED_BY(lock_);
  DigestStore digests_;  // of deferred pages; constant once Init has succeeded

  nsgx_report_body body_ = {};  // constant once Init has succeeded
  EnclaveEnd end_;              // constant once state_ is kDone

  bool handlers_set_ GUARDED_BY(lock_) = false;
  uint64_t exception_entry_ = 0;  // atomic
  uint64_t syscall_entry_ = 0;    // atomic

  std::array<Slot, NSGX_MAX_VCPUS> slots_;
};

}  // namespace nsgx::seh
