// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/machine.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/core/addr_raw.h"
#include "base/core/check.h"
#include "base/core/scope_exit.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/emulator/chip/chip.h"
#include "vmpl-switch/sim/clock.h"
#include "vmpl-switch/sim/kernel.h"
#include "vmpl-switch/sim/process.h"
#include "vmpl-switch/sim/root_key.h"

namespace nsgx::sim {
namespace {

// Below this, the first touch of a huge page costs more than the few small ones that a small
// program needs.
constexpr uint64_t kHugePagesFrom = uint64_t{4} << 20;

int ToProtection(seh::Permissions permissions) {
  switch (permissions) {
    case seh::Permissions::kNone:
      return PROT_NONE;
    case seh::Permissions::kRead:
      return PROT_READ;
    case seh::Permissions::kReadWrite:
      return PROT_READ | PROT_WRITE;
    case seh::Permissions::kReadExecute:
      return PROT_READ | PROT_EXEC;
  }
  __builtin_unreachable();
}

// Bytes of a bitmap for the pages of a range, in whole pages.
uint64_t BitmapSize(uint64_t range_size) {
  return CheckedAlignUp(range_size >> kPageShift >> 3, kPageSize).value();
}

// Sets or clears bits [first, end).
void FillBits(uint64_t* words, uint64_t first, uint64_t end, bool value) {
  while (first < end) {
    const uint64_t offset = first % 64;
    const uint64_t count = std::min(64 - offset, end - first);
    const uint64_t mask = (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << offset;
    uint64_t& word = words[first / 64];
    word = value ? word | mask : word & ~mask;
    first += count;
  }
}

}  // namespace

// Pages of SEH memory come in chunks, so that a page costs no system call. The first page of a
// chunk links the chunks.
struct SimMachine::Chunk {
  static constexpr size_t kSize = size_t{1} << 20;
  Chunk* next;
  size_t used;  // bytes handed out, from the beginning
};

struct SimMachine::FreePage {
  FreePage* next;
};

SimMachine::~SimMachine() {
  CHECK(range_.empty());
  const SpinLockGuard guard(lock_);
  while (chunks_ != nullptr) {
    Chunk* chunk = chunks_;
    chunks_ = chunk->next;
    kernel::Unmap(reinterpret_cast<std::byte*>(chunk), Chunk::kSize);
  }
}

uint32_t SimMachine::kind() const { return NSGX_MACHINE_SIM; }
uint32_t SimMachine::xsave_size() const { return CurrentProcess().cpu.xsave_size; }
uint64_t SimMachine::xcr0() const { return CurrentProcess().cpu.xcr0; }
uint64_t SimMachine::tsc_khz() const { return ProcessTscKhz(); }

Result<EnclaveVirt> SimMachine::ReserveRange(uint64_t size) {
  CHECK(range_.empty() && size != 0);
  // Room for aligning it.
  const uint64_t room = TRY(CheckedAdd(size, kLargePageSize));
  std::byte* reserved = TRY(kernel::Reserve(room));
  const EnclaveVirt begin =
      CheckedAlignUp(AddressOf<EnclaveVirt>(reserved), kLargePageSize).value();
  const uint64_t before = begin - AddressOf<EnclaveVirt>(reserved);
  if (before != 0) {
    kernel::Unmap(reserved, before);
  }
  kernel::Unmap(PointerTo<std::byte>(begin + size), kLargePageSize - before);
  ScopeExit undo([&] { kernel::Unmap(PointerTo<std::byte>(begin), size); });

  // Tagging later would have to walk what has been touched by then.
  if (CurrentProcess().has_keys()) {
    TRY(kernel::Protect(PointerTo<std::byte>(begin), size, PROT_NONE,
                        CurrentProcess().enclave_key));
  }
  std::byte* bitmap = TRY(kernel::Allocate(BitmapSize(size), CurrentProcess().seh_key));
  undo.Cancel();
  closed_ = reinterpret_cast<uint64_t*>(bitmap);
  range_ = Range::Make(begin, size).value();
  return begin;
}

void SimMachine::ReleaseRange(EnclaveVirt base, uint64_t size) {
  CHECK(base == range_.begin() && size == range_.size());
  kernel::Unmap(PointerTo<std::byte>(base), size);
  kernel::Unmap(reinterpret_cast<std::byte*>(closed_), BitmapSize(size));
  range_ = Range();
  closed_ = nullptr;
  const SpinLockGuard guard(lock_);
  any_closed_ = false;
  files_ = Range();
  committed_ = 0;
  uses_huge_pages_ = false;
}

// Linux' rights and our note of them.
Result<void> SimMachine::SetRights(Range pages, seh::Permissions permissions) {
  CHECK(range_.Contains(pages));
  TRY(kernel::Protect(PointerTo<std::byte>(pages.begin()), pages.size(), ToProtection(permissions),
                      CurrentProcess().enclave_key));
  NoteRights(pages, permissions);
  return {};
}

void SimMachine::NoteRights(Range pages, seh::Permissions permissions) {
  const bool is_closed = permissions == seh::Permissions::kNone;
  const SpinLockGuard guard(lock_);
  if (is_closed || any_closed_) {
    any_closed_ = true;
    FillBits(closed_, PageNumber(pages.begin()), PageNumber(pages.end()), is_closed);
  }
}

Result<void> SimMachine::Load(EnclaveVirt start, const seh::PageSource& source,
                              seh::Permissions permissions) {
  const Range pages = TRY(Range::Make(start, source.bytes.size()));
  CHECK(range_.Contains(pages));
  if (source.fd >= 0 && MapFile(pages, source, permissions)) {
    return {};
  }
  TRY(SetRights(pages, seh::Permissions::kReadWrite));
  memcpy(PointerTo<std::byte>(start), source.bytes.data(), source.bytes.size());
  if (permissions != seh::Permissions::kReadWrite) {
    TRY(SetRights(pages, permissions));
  }
  return {};
}

// False: it cannot be mapped. Then nothing has changed.
bool SimMachine::MapFile(Range pages, const seh::PageSource& source, seh::Permissions permissions) {
  std::byte* start = PointerTo<std::byte>(pages.begin());
  const long result = kernel::Call(
      SYS_mmap, kernel::Word(start), pages.size(), static_cast<uint64_t>(ToProtection(permissions)),
      MAP_PRIVATE | MAP_FIXED, static_cast<uint64_t>(source.fd), source.file_offset);
  // For example because the file system forbids execution.
  if (result != static_cast<long>(kernel::Word(start))) {
    return false;
  }
  if (CurrentProcess().has_keys()) {
    // A mapping of this size and place needs no more of Linux than the one that is there.
    CHECK(SetRights(pages, permissions).ok());
  } else {
    NoteRights(pages, permissions);
  }
  const SpinLockGuard guard(lock_);
  files_ = files_.empty() ? pages
                          : Range::Between(std::min(files_.begin(), pages.begin()),
                                           std::max(files_.end(), pages.end()))
                                .value();
  return true;
}

Result<void> SimMachine::Commit(EnclaveVirt start, uint64_t size, seh::Permissions permissions) {
  TRY(SetRights(TRY(Range::Make(start, size)), permissions));
  bool is_much = false;
  {
    const SpinLockGuard guard(lock_);
    committed_ += size;
    is_much = committed_ >= kHugePagesFrom && !uses_huge_pages_;
    uses_huge_pages_ = uses_huge_pages_ || is_much;
  }
  if (is_much) {
    // A wish: kernels without transparent huge pages refuse it.
    kernel::Call(SYS_madvise, range_.begin().raw(), range_.size(), MADV_HUGEPAGE);
  }
  return {};
}

Result<void> SimMachine::Protect(EnclaveVirt start, uint64_t size, seh::Permissions permissions) {
  return SetRights(TRY(Range::Make(start, size)), permissions);
}

void SimMachine::Trim(EnclaveVirt start, uint64_t size) {
  const Range pages = Range::Make(start, size).value();
  CHECK(range_.Contains(pages));
  bool has_files;
  {
    const SpinLockGuard guard(lock_);
    has_files = files_.Overlaps(pages);
    committed_ -= std::min(committed_, size);
  }
  std::byte* begin = PointerTo<std::byte>(start);
  if (has_files) {
    // Dropping a page of a file would bring back what the file holds.
    CHECK(kernel::ReserveAt(begin, size).ok());
  } else {
    CHECK(kernel::Call(SYS_madvise, start.raw(), size, MADV_DONTNEED) == 0);
  }
  // Taking rights away may split a mapping; a process with too many of them ends here.
  CHECK(SetRights(pages, seh::Permissions::kNone).ok());
}

std::span<std::byte> SimMachine::Access(EnclaveVirt start, uint64_t size) {
  const Range bytes = Range::Make(start, size).value();
  CHECK(range_.Contains(bytes));
  OpenClosedPages(bytes);
  return {PointerTo<std::byte>(start), size};
}

void SimMachine::OpenClosedPages(Range bytes) {
  {
    const SpinLockGuard guard(lock_);
    if (!any_closed_) {
      return;
    }
  }
  for (EnclaveVirt page = bytes.begin().PageStart(); page < bytes.end(); page += kPageSize) {
    const uint64_t number = PageNumber(page);
    bool is_closed;
    {
      const SpinLockGuard guard(lock_);
      is_closed = (closed_[number / 64] >> (number % 64) & 1) != 0;
    }
    if (is_closed) {
      CHECK(SetRights(Range::Make(page, kPageSize).value(), seh::Permissions::kRead).ok());
    }
  }
}

Result<void> SimMachine::AddChunk() {
  std::byte* memory = TRY(kernel::Allocate(Chunk::kSize, CurrentProcess().seh_key));
  chunks_ = new (memory) Chunk{.next = chunks_, .used = kPageSize};
  return {};
}

Result<std::byte*> SimMachine::AllocateTablePage() {
  const SpinLockGuard guard(lock_);
  if (free_pages_ != nullptr) {
    FreePage* page = free_pages_;
    free_pages_ = page->next;
    page->next = nullptr;
    return reinterpret_cast<std::byte*>(page);
  }
  if (chunks_ == nullptr || chunks_->used == Chunk::kSize) {
    TRY(AddChunk());
  }
  std::byte* page = reinterpret_cast<std::byte*>(chunks_) + chunks_->used;
  chunks_->used += kPageSize;
  return page;
}

void SimMachine::FreeTablePage(std::byte* page) {
  memset(page, 0, kPageSize);
  const SpinLockGuard guard(lock_);
  free_pages_ = new (page) FreePage{.next = free_pages_};
}

void SimMachine::HashPages(std::span<const std::byte> pages, std::span<Sha256::Digest> digests) {
  const uint64_t begin = ReadTsc();
  Sha256HashPages(pages, digests);
  const uint64_t taken = ReadTsc() - begin;
  const SpinLockGuard guard(lock_);
  work_.pages_hashed += digests.size();
  work_.ticks_hashing += taken;
}

HashWork SimMachine::work() const {
  const SpinLockGuard guard(lock_);
  return work_;
}

Result<nsgx_clock> SimMachine::Clock() { return ProcessClock(); }

Result<void> SimMachine::Random(std::span<std::byte> out) { return FillRandom(out); }

Result<void> SimMachine::RootKey(std::span<std::byte, 32> out) { return ReadRootKey(out); }

Result<void> SimMachine::HardwareReport(std::span<const std::byte, 64> report_data,
                                        std::span<std::byte, 1184> out) {
  return chip::MakeReport({}, report_data, out);
}

}  // namespace nsgx::sim
