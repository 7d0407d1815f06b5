// SPDX-License-Identifier: Apache-2.0
// The life cycle of an enclave, and who may enter it.
#include "vmpl-switch/seh/enclave.h"

#include <algorithm>

#include "base/core/align.h"
#include "base/core/bytes.h"
#include "base/core/mem_raw.h"
#include "base/core/scope_exit.h"
#include "base/crypto/secure_zero.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/image/signature.h"
#include "vmpl-switch/seh/args.h"
#include "vmpl-switch/seh/page_rules.h"

namespace nsgx::seh {
namespace {

constexpr uint64_t PagesOf(uint64_t size) { return AlignUp(size, kPageSize) / kPageSize; }

// The committed parts of a slot; what lies between are guard pages.
struct SlotPartShape {
  uint64_t offset;
  uint64_t size;
};
constexpr SlotPartShape kSlotParts[] = {
    {NSGX_SLOT_BLOCK_OFFSET, NSGX_SLOT_FRAME_OFFSET + NSGX_SLOT_FRAME_SIZE},
    {NSGX_SLOT_EXCEPTION_STACK_OFFSET, NSGX_SLOT_EXCEPTION_STACK_SIZE},
    {NSGX_SLOT_STACK_OFFSET, NSGX_SLOT_STACK_SIZE},
};
constexpr uint32_t kSlotPartCount = std::size(kSlotParts);
static_assert(kSlotParts[0].offset + kSlotParts[0].size < kSlotParts[1].offset &&
              kSlotParts[1].offset + kSlotParts[1].size < kSlotParts[2].offset &&
              kSlotParts[2].offset + kSlotParts[2].size == NSGX_SLOT_STRIDE);

constexpr uint32_t Raw(EnclaveState state) { return static_cast<uint32_t>(state); }

// Returns `index` if it is below `count`, which has just been checked, and 0 where a processor only
// speculates that it is.
uint32_t ClampSpeculation(uint32_t index, uint32_t count) {
  uint32_t mask;
  // The borrow of index - count spreads over all bits; no branch to mispredict.
  asm("cmp %[count], %[index]\n\t"
      "sbb %[mask], %[mask]"
      : [mask] "=r"(mask)
      : [index] "r"(index), [count] "r"(count)
      : "cc");
  return index & mask;
}

// Waits for nobody: two life-cycle calls at once are the caller's mistake.
template <typename Body>
Result<void> OneAtATime(SpinLock& control, Body&& body) NO_THREAD_SAFETY_ANALYSIS {
  if (!control.TryLock()) {
    return Error(Status::kBusy);
  }
  const ScopeExit unlock([&]() NO_THREAD_SAFETY_ANALYSIS { control.Unlock(); });
  return body();
}

template <size_t kSize>
void CopyDigest(uint8_t (&to)[kSize], const Sha256::Digest& from) {
  static_assert(kSize == Sha256::kDigestSize);
  __builtin_memcpy(to, from.data(), kSize);
}

}  // namespace

Enclave::~Enclave() { CHECK(state() == EnclaveState::kEmpty); }

Result<void> Enclave::Create(const CreateOptions& options) {
  return OneAtATime(control_, [&]() REQUIRES(control_) { return CreateLocked(options); });
}

Result<void> Enclave::AddPages(uint64_t offset, uint32_t permissions, const PageSource& source) {
  return OneAtATime(
      control_, [&]() REQUIRES(control_) { return AddPagesLocked(offset, permissions, source); });
}

Result<void> Enclave::AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count) {
  return OneAtATime(control_, [&]() REQUIRES(control_) {
    return AddZeroPagesLocked(offset, permissions, page_count);
  });
}

Result<void> Enclave::DeferPages(uint64_t offset, uint32_t permissions, const PageSource& source,
                                 std::span<const std::byte> hashes) {
  return OneAtATime(control_, [&]() REQUIRES(control_) {
    return DeferPagesLocked(offset, permissions, source, hashes);
  });
}

Result<void> Enclave::Init(std::span<const std::byte> signature, std::span<const std::byte> args) {
  return OneAtATime(control_, [&]() REQUIRES(control_) { return InitLocked(signature, args); });
}

Result<void> Enclave::Destroy() {
  return OneAtATime(control_, [&]() REQUIRES(control_) { return DestroyLocked(); });
}

Result<void> Enclave::CreateLocked(const CreateOptions& options) {
  if (state() != EnclaveState::kEmpty) {
    return Error(Status::kBadState);
  }
  if (options.config.size() < sizeof(nsgx_config)) {
    return Error(Status::kMalformed);
  }
  nsgx_config config;
  CopyOnce(&config, options.config.data(), sizeof(config));
  TRY(CheckConfigStruct(config, options.config.size()));
  if (options.vcpus == 0) {
    return Error(Status::kInvalidArgument);
  }
  if (options.vcpus > config.max_vcpus) {
    return Error(Status::kOutOfRange);
  }

  const EnclaveLayout layout =
      TRY(EnclaveLayout::Make(config, options.config.size(), options.image_size));
  base_ = TRY(machine_.ReserveRange(layout.size));
  CHECK(IsAligned(base_, kLargePageSize));
  layout_ = layout;
  ScopeExit undo([&]() REQUIRES(control_) { Clear(); });
  {
    SpinLockGuard guard(lock_);
    TRY(table_.Create(layout.size / kPageSize));
  }
  scratch_ = TRY(machine_.AllocateTablePage());

  // The configuration goes to its final place at once, and only that copy is believed. The page
  // before it is for struct nsgx_boot.
  TRY(CommitRun({layout.boot_offset / kPageSize, 1 + options.config.size() / kPageSize},
                PageEntry(PageState::kBoot, Permissions::kReadWrite)));
  const std::span<std::byte> copy =
      machine_.Access(base_ + layout.config_offset, options.config.size());
  CopyOnce(copy.data(), options.config.data(), copy.size());
  const ConfigView view = TRY(ParseConfig(copy));
  if (__builtin_memcmp(&view.config(), &config, sizeof(config)) != 0) {
    return Error(Status::kMalformed);  // it changed while it was read
  }

  ImageShape shape;
  shape.image_size = options.image_size;
  shape.entry = options.entry;
  shape.config_offset = options.config_offset;
  shape.config_size = options.config.size();
  shape.config_sha256 = Sha256::Hash(copy);
  measurement_ = TRY(Measurement::Begin(shape));

  config_ = config;
  shape_ = shape;
  vcpus_ = options.vcpus;
  gate_ = options.gate;
  window_ = options.window;
  window_size_ = options.window_size;
  undo.Cancel();
  __atomic_store_n(&state_, Raw(EnclaveState::kLoading), __ATOMIC_RELEASE);
  return {};
}

// Returns the pages for `source`, if they can be added now.
Result<PageRun> Enclave::CheckSource(uint64_t offset, uint32_t permissions,
                                     const PageSource& source) {
  if (state() != EnclaveState::kLoading) {
    return Error(Status::kBadState);
  }
  const uint64_t size = source.bytes.size();
  if (!IsAligned(size, kPageSize)) {
    return Error(Status::kInvalidArgument);
  }
  TRY(measurement_.CheckPages(offset, permissions, size / kPageSize));
  return PageRun{offset / kPageSize, size / kPageSize};
}

Result<void> Enclave::LoadRun(PageRun run, const PageSource& source, PageEntry entry) {
  TRY(Begin(run, MayCommit, entry.permissions()));
  const bool is_deferred = entry.state() == PageState::kDeferred;
  const Result<void> result = machine_.Load(AddressOfPage(run.first), source,
                                            is_deferred ? Permissions::kNone : entry.permissions());
  if (!result.ok()) {
    Abandon(run);
    return Error(result.error());
  }
  Finish(run, entry);
  return {};
}

Result<void> Enclave::AddPagesLocked(uint64_t offset, uint32_t permissions,
                                     const PageSource& source) {
  PageRun run = TRY(CheckSource(offset, permissions, source));
  TRY(LoadRun(run, source, PageEntry(PageState::kImage, TRY(ParsePermissions(permissions)))));
  // What is hashed is what lies in the enclave, not what the loader may still change.
  const std::span digests(reinterpret_cast<Sha256::Digest*>(scratch_),
                          kPageSize / sizeof(Sha256::Digest));
  while (run.count != 0) {
    const PageRun now{run.first, std::min<uint64_t>(run.count, digests.size())};
    machine_.HashPages(AccessRun(now), digests.first(now.count));
    // Checked above: cannot fail.
    measurement_.AddPages(now.first * kPageSize, permissions, digests.first(now.count)).value();
    run = {now.end(), run.count - now.count};
  }
  return {};
}

Result<void> Enclave::AddZeroPagesLocked(uint64_t offset, uint32_t permissions,
                                         uint64_t page_count) {
  if (state() != EnclaveState::kLoading) {
    return Error(Status::kBadState);
  }
  TRY(measurement_.CheckPages(offset, permissions, page_count));
  TRY(CommitRun({offset / kPageSize, page_count},
                PageEntry(PageState::kImage, TRY(ParsePermissions(permissions)))));
  measurement_.AddZeroPages(offset, permissions, page_count).value();
  return {};
}

Result<void> Enclave::DeferPagesLocked(uint64_t offset, uint32_t permissions,
                                       const PageSource& source,
                                       std::span<const std::byte> hashes) {
  PageRun run = TRY(CheckSource(offset, permissions, source));
  if (hashes.size() % Sha256::kDigestSize != 0 ||
      hashes.size() / Sha256::kDigestSize != run.count) {
    return Error(Status::kInvalidArgument);
  }
  TRY(digests_.Reserve(run.first, run.count));
  TRY(LoadRun(run, source, PageEntry(PageState::kDeferred, TRY(ParsePermissions(permissions)))));
  while (run.count != 0) {
    const std::span<Sha256::Digest> digests = digests_.Slice(run.first, run.count);
    // Our copy is what the identity is made of and what the pages will be compared with.
    CopyOnce(digests.data(), hashes.data(), digests.size_bytes());
    measurement_.AddPages(run.first * kPageSize, permissions, digests).value();
    hashes = hashes.subspan(digests.size_bytes());
    run = {run.first + digests.size(), run.count - digests.size()};
  }
  return {};
}

Result<void> Enclave::InitLocked(std::span<const std::byte> signature_bytes,
                                 std::span<const std::byte> args) {
  if (state() != EnclaveState::kLoading) {
    return Error(Status::kBadState);
  }
  const nsgx_signature signature = TRY(ParseSignature(signature_bytes));
  const Sha256::Digest identity = measurement_.Identity();
  TRY(CheckSignature(signature, identity, config_));
  TRY(CheckImage());

  struct {
    std::array<std::byte, 64> seed;
    std::array<std::byte, 16> instance;
  } random;
  const ScopeExit wipe([&] { SecureZeroObject(random); });
  TRY(machine_.Random(random.seed));
  TRY(machine_.Random(random.instance));

  TRY(TakeArgs(args));
  const PageRun args_run{layout_.args_offset / kPageSize, PagesOf(args.size())};
  ScopeExit undo_args([&] { TrimRun(args_run); });
  TRY(MakeSlots());
  ScopeExit undo_slots([&] { TrimSlotParts(vcpus_ * kSlotPartCount); });
  // The enclave reads configuration and arguments, and the SEH has written them: from here on
  // nobody does.
  const uint64_t config_page = layout_.config_offset / kPageSize;
  TRY(ProtectRun({config_page, args_run.end() - config_page}, PageState::kBoot, Permissions::kRead,
                 IsOurs));
  undo_args.Cancel();
  undo_slots.Cancel();

  FillSlots();
  FillBoot(random.seed, args.size());
  FillBody(identity, SignerOf(signature), args.size(), random.instance);
  __atomic_store_n(&state_, Raw(EnclaveState::kRunning), __ATOMIC_RELEASE);
  return {};
}

// Checks what the measurement alone does not say: that the image can be entered, and that the
// configuration that the SEH goes by is the one that the image holds.
Result<void> Enclave::CheckImage() {
  // Nothing but pages of the image can be executable yet.
  if (EntryOf(shape_.entry / kPageSize).permissions() != Permissions::kReadExecute) {
    return Error(Status::kMalformed);
  }

  const PageRun config_run{shape_.config_offset / kPageSize, shape_.config_size / kPageSize};
  TRY(VerifyDeferred(config_run));
  {
    SpinLockGuard guard(lock_);
    TRY(table_.ForEachRun(config_run, [](PageRun, PageEntry entry) -> Result<void> {
      if (entry != PageEntry(PageState::kImage, Permissions::kRead)) {
        return Error(Status::kMalformed);
      }
      return {};
    }));
  }
  const std::span<const std::byte> in_image = AccessRun(config_run);
  const std::span<const std::byte> copy =
      machine_.Access(base_ + layout_.config_offset, shape_.config_size);
  if (__builtin_memcmp(in_image.data(), copy.data(), copy.size()) != 0) {
    return Error(Status::kMalformed);
  }
  return {};
}

Result<void> Enclave::TakeArgs(std::span<const std::byte> args) {
  if (args.empty() || args.size() > NSGX_ARGS_MAX_SIZE) {
    return Error(Status::kMalformed);
  }
  const PageRun run{layout_.args_offset / kPageSize, PagesOf(args.size())};
  TRY(CommitRun(run, PageEntry(PageState::kBoot, Permissions::kReadWrite)));
  const std::span<std::byte> copy = machine_.Access(base_ + layout_.args_offset, args.size());
  CopyOnce(copy.data(), args.data(), copy.size());
  const Result<void> result = CheckArgs(copy);
  if (!result.ok()) {
    TrimRun(run);
    return Error(result.error());
  }
  return {};
}

// Returns the pages of part `part` of all slots' parts, counted through.
PageRun Enclave::SlotPart(uint32_t part) const {
  const SlotPartShape& shape = kSlotParts[part % kSlotPartCount];
  const uint64_t offset = layout_.SlotOffset(part / kSlotPartCount) + shape.offset;
  return {offset / kPageSize, shape.size / kPageSize};
}

Result<void> Enclave::MakeSlots() {
  for (uint32_t part = 0; part < vcpus_ * kSlotPartCount; ++part) {
    const Result<void> result =
        CommitRun(SlotPart(part), PageEntry(PageState::kSlot, Permissions::kReadWrite));
    if (!result.ok()) {
      TrimSlotParts(part);
      return Error(result.error());
    }
  }
  return {};
}

void Enclave::TrimSlotParts(uint32_t part_count) {
  for (uint32_t part = 0; part < part_count; ++part) {
    TrimRun(SlotPart(part));
  }
}

void Enclave::FillSlots() {
  for (uint32_t slot = 0; slot < vcpus_; ++slot) {
    const EnclaveVirt address = slot_address(slot);
    nsgx_slot& block =
        *reinterpret_cast<nsgx_slot*>(machine_.Access(address, sizeof(nsgx_slot)).data());
    block.self = address.raw();
    block.gate = gate_;
    block.index = slot;
    block.boot = (base_ + layout_.boot_offset).raw();
    block.frame = (address + NSGX_SLOT_FRAME_OFFSET).raw();
    block.window = window_ + slot * window_size_;
    block.window_size = window_size_;
  }
}

void Enclave::FillBoot(std::span<const std::byte, 64> seed, uint64_t args_size) {
  nsgx_boot& boot = *reinterpret_cast<nsgx_boot*>(
      machine_.Access(base_ + layout_.boot_offset, sizeof(nsgx_boot)).data());
  boot.magic = NSGX_BOOT_MAGIC;
  boot.version = 1;
  boot.machine = machine_.kind();
  boot.base = base_.raw();
  boot.address_range_size = layout_.size;
  boot.image_size = shape_.image_size;
  boot.heap = (base_ + layout_.heap_offset).raw();
  boot.config = (base_ + layout_.config_offset).raw();
  boot.config_size = shape_.config_size;
  boot.args = (base_ + layout_.args_offset).raw();
  boot.args_size = args_size;
  boot.vcpus = vcpus_;
  boot.xsave_size = machine_.xsave_size();
  boot.xcr0 = machine_.xcr0();
  boot.tsc_khz = machine_.tsc_khz();
  __builtin_memcpy(boot.seed, seed.data(), seed.size());
}

void Enclave::FillBody(const Sha256::Digest& identity, const Sha256::Digest& signer,
                       uint64_t args_size, std::span<const std::byte, 16> instance) {
  body_ = {};
  body_.magic = NSGX_REPORT_MAGIC;
  body_.version = NSGX_REPORT_VERSION;
  body_.machine = machine_.kind();
  CopyDigest(body_.identity, identity);
  CopyDigest(body_.signer, signer);
  body_.product_id = config_.product_id;
  body_.svn = config_.svn;
  body_.seh_svn = kSehSvn;
  body_.attributes = config_.attributes;
  CopyDigest(body_.config_hash, shape_.config_sha256);
  CopyDigest(body_.args_hash,
             Sha256::Hash(machine_.Access(base_ + layout_.args_offset, args_size)));
  CopyDigest(body_.host_calls_hash, Sha256::Hash(std::as_bytes(std::span(config_.host_calls))));
  __builtin_memcpy(body_.instance, instance.data(), instance.size());
}

Result<void> Enclave::DestroyLocked() {
  if (state() == EnclaveState::kEmpty) {
    return {};
  }
  // Closed for entering first, then looked at: ClaimSlot does the two the other way round, so one
  // of us sees the other.
  Crash();
  for (const Slot& slot : slots_) {
    if (__atomic_load_n(&slot.is_inside, __ATOMIC_SEQ_CST) != 0) {
      return Error(Status::kBusy);
    }
  }
  Clear();
  __atomic_store_n(&state_, Raw(EnclaveState::kEmpty), __ATOMIC_RELEASE);
  return {};
}

// Gives back all that Create and its successors have taken, in whatever state they left off.
void Enclave::Clear() {
  {
    SpinLockGuard guard(lock_);
    table_.Destroy();
    handlers_set_ = false;
  }
  digests_.Clear();
  if (scratch_ != nullptr) {
    machine_.FreeTablePage(scratch_);
    scratch_ = nullptr;
  }
  machine_.ReleaseRange(base_, layout_.size);
  measurement_ = Measurement();
  exception_entry_ = 0;
  syscall_entry_ = 0;
  vcpus_ = 0;
}

Result<void> Enclave::ClaimSlot(uint32_t slot) {
  if (slot >= NSGX_MAX_VCPUS) {
    return Error(Status::kNotFound);
  }
  Slot& claimed = slots_[ClampSpeculation(slot, NSGX_MAX_VCPUS)];
  if (__atomic_exchange_n(&claimed.is_inside, 1, __ATOMIC_SEQ_CST) != 0) {
    return Error(Status::kBusy);
  }
  // Only now: see DestroyLocked.
  Status status = Status::kOk;
  if (__atomic_load_n(&state_, __ATOMIC_SEQ_CST) != Raw(EnclaveState::kRunning)) {
    status = Status::kBadState;
  } else if (slot >= vcpus_) {
    status = Status::kNotFound;
  }
  if (status != Status::kOk) {
    __atomic_store_n(&claimed.is_inside, 0, __ATOMIC_RELEASE);
    return Error(status);
  }
  return {};
}

void Enclave::ReleaseSlot(uint32_t slot) {
  CHECK(slot < NSGX_MAX_VCPUS);
  CHECK(__atomic_exchange_n(&slots_[slot].is_inside, 0, __ATOMIC_RELEASE) == 1);
}

void Enclave::Crash() {
  uint32_t expected = Raw(EnclaveState::kRunning);
  __atomic_compare_exchange_n(&state_, &expected, Raw(EnclaveState::kCrashed), false,
                              __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

}  // namespace nsgx::seh
