// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/ramfs/ram_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "base/core/scope_exit.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/kernel_services.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t PageOf(uint64_t offset) { return offset >> kPageShift; }
constexpr size_t InPage(uint64_t offset) { return offset & kPageMask; }
// Pages that hold bytes of [0, size).
constexpr uint64_t PagesFor(uint64_t size) { return size / kPageSize + (size % kPageSize != 0); }

// What fits from `offset` to the end of its page.
size_t StepInPage(uint64_t offset, size_t size) {
  return std::min<size_t>(size, kPageSize - InPage(offset));
}

// Gives single pages back, neighbours together.
void FreePages(std::span<std::byte* const> pages) {
  for (size_t begin = 0; begin < pages.size();) {
    size_t end = begin + 1;
    while (end < pages.size() && pages[end] == pages[end - 1] + kPageSize) {
      ++end;
    }
    KernelFreePages(pages[begin], end - begin);
    begin = end;
  }
}

}  // namespace

RamFile::RamFile(RamFs& file_system, uint64_t number, const NewNode& node, std::string_view label)
    : RamInode(file_system, number, node) {
  label_size_ = std::min(label.size(), sizeof(label_));
  std::copy_n(label.data(), label_size_, label_);
}

RamFile::~RamFile() {
  SpinLockGuard guard(lock_);
  CHECK(!writing_);
  RemovePages(0, UINT64_MAX);
  FreeReserve();
}

void RamFile::AddSize(FileStatus& status) {
  status.size = size_;
  status.blocks = page_count_ * (kPageSize / 512);
}

// ---- pages

void RamFile::FreeReserve() {
  if (reserve_count_ != 0) {
    KernelFreePages(reserve_, reserve_count_);
    reserve_count_ = 0;
  }
}

RamFile::Run RamFile::TakeRun(size_t wanted) {
  if (reserve_count_ == 0) {
    // A quarter of what the file has, so that small files stay small.
    const size_t ahead = std::min<uint64_t>(page_count_ / 4, kWindow);
    size_t count = std::max(wanted, ahead);
    std::byte* pages = KernelAllocatePages(count, PageContents::kAny);
    while (pages == nullptr && count > 1) {
      count /= 2;
      pages = KernelAllocatePages(count, PageContents::kAny);
    }
    if (pages == nullptr) {
      return {.pages = nullptr, .count = 0};
    }
    reserve_ = pages;
    reserve_count_ = count;
  }
  const Run run = {.pages = reserve_, .count = std::min(wanted, reserve_count_)};
  reserve_ += run.count * kPageSize;
  reserve_count_ -= run.count;
  return run;
}

std::byte* RamFile::EnsurePage(uint64_t index) {
  std::byte* page = pages_.Find(index);
  if (page == nullptr) {
    page = TakeRun(1).pages;
    if (page == nullptr) {
      return nullptr;
    }
    if (!pages_.Insert(index, *page)) {
      KernelFreePages(page, 1);
      return nullptr;
    }
    std::memset(page, 0, kPageSize);
    ++page_count_;
  }
  return page;
}

void RamFile::DrainReaders() {
  draining_ = true;
  while (pins_.load(std::memory_order_acquire) != 0) {
    lock_.Unlock();
    __builtin_ia32_pause();
    lock_.Lock();
  }
  draining_ = false;
}

void RamFile::RemovePages(uint64_t first, uint64_t last) {
  constexpr size_t kBatch = 64;
  std::byte* batch[kBatch];
  while (true) {
    size_t count = 0;
    while (count < kBatch) {
      const auto entry = pages_.FindNext(first);
      if (entry.value == nullptr || entry.key >= last) {
        break;
      }
      batch[count++] = pages_.Erase(entry.key);
      first = entry.key + 1;
    }
    if (count == 0) {
      return;
    }
    page_count_ -= count;
    DrainReaders();
    lock_.Unlock();
    FreePages(std::span(batch, count));
    lock_.Lock();
  }
}

void RamFile::ZeroRange(uint64_t begin, uint64_t end) {
  while (begin < end) {
    const size_t step = StepInPage(begin, end - begin);
    std::byte* const page = pages_.Find(PageOf(begin));
    if (page != nullptr) {
      std::memset(page + InPage(begin), 0, step);
    }
    begin += step;
  }
}

void RamFile::BeginWriting() {
  while (writing_) {
    Block(writers_waiting_, lock_, kForever, false);
    lock_.Lock();
  }
  writing_ = true;
}

void RamFile::EndChange(uint64_t offset, uint64_t size) {
  // Copies to read have been handed out meanwhile.
  RecallPages(offset, size, MappedFile::Recall::kForWriting);
  EndWriting();
}

void RamFile::EndWriting() {
  writing_ = false;
  writers_waiting_.Wake(1);
}

// ---- pages that mappings have copies of

void RamFile::RecallPages(uint64_t offset, uint64_t size, MappedFile::Recall how) {
  const bool is_needed =
      how == MappedFile::Recall::kForReading ? lent_for_writing_ != 0 : lent_ != 0;
  const MappedFile::RecallFunction ask = recall.load(std::memory_order_acquire);
  if (is_needed && ask != nullptr) {
    lock_.Unlock();
    ask(*this, offset, size, how);
    lock_.Lock();
  }
}

Result<void, Errno> RamFile::LendPage(uint64_t offset, std::span<std::byte, 4096> page,
                                      bool for_writing) {
  SpinLockGuard guard(lock_);
  if (writing_ && for_writing) {
    return Error(Errno::kEAGAIN);
  }
  if (offset >= size_) {
    return Error(Errno::kENXIO);
  }
  if (for_writing && EnsurePage(PageOf(offset)) == nullptr) {
    return Error(Errno::kENOSPC);
  }
  Copy(offset, page);
  ++lent_;
  lent_for_writing_ += for_writing ? 1 : 0;
  return {};
}

Result<void, Errno> RamFile::LendForWriting(uint64_t offset) {
  SpinLockGuard guard(lock_);
  if (writing_) {
    return Error(Errno::kEAGAIN);
  }
  if (offset >= size_) {
    return Error(Errno::kENXIO);
  }
  if (EnsurePage(PageOf(offset)) == nullptr) {
    return Error(Errno::kENOSPC);
  }
  ++lent_for_writing_;
  return {};
}

void RamFile::NoticeReturned(bool was_for_writing, bool is_gone) {
  SpinLockGuard guard(lock_);
  lent_for_writing_ -= was_for_writing ? 1 : 0;
  lent_ -= is_gone ? 1 : 0;
}

// ---- reading

void RamFile::Copy(uint64_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const size_t step = StepInPage(offset + done, out.size() - done);
    const std::byte* const page = pages_.Find(PageOf(offset + done));
    if (page != nullptr) {
      std::memcpy(&out[done], page + InPage(offset + done), step);
    } else {
      std::memset(&out[done], 0, step);
    }
    done += step;
  }
}

Result<size_t, Errno> RamFile::Read(File& file, IoBuffer& to, const IoRequest& request) {
  return to.remaining() <= kSmall ? ReadSmall(file, to, request) : ReadPages(file, to, request);
}

Result<size_t, Errno> RamFile::ReadSmall(File& file, IoBuffer& to, const IoRequest& request) {
  std::byte bytes[kSmall];
  size_t size = 0;
  bool touch;
  uint64_t offset;
  {
    SpinLockGuard guard(lock_);
    if (lent_for_writing_ != 0) [[unlikely]] {
      RecallPages(request.positioned ? request.offset : file.position, to.remaining(),
                  MappedFile::Recall::kForReading);
    }
    offset = request.positioned ? request.offset : file.position;
    if (offset < size_) {
      size = std::min<uint64_t>(to.remaining(), size_ - offset);
      Copy(offset, std::span(bytes, size));
    }
    if (!request.positioned) {
      file.position = offset + size;
    }
    touch = access_time_ <= modification_time_;
  }
  if (touch && (file.flags() & kO_NOATIME) == 0) {
    TouchAccessTime();
  }
  const size_t done = to.Put(std::span(bytes, size));
  if (done < size && !request.positioned) [[unlikely]] {
    SpinLockGuard guard(lock_);
    if (file.position == offset + size) {
      file.position = offset + done;
    }
  }
  return to.Outcome(done);
}

Result<size_t, Errno> RamFile::ReadPages(File& file, IoBuffer& to, const IoRequest& request) {
  size_t done = 0;
  lock_.Lock();
  if (lent_for_writing_ != 0) [[unlikely]] {
    RecallPages(request.positioned ? request.offset : file.position, to.remaining(),
                MappedFile::Recall::kForReading);
  }
  const uint64_t offset = request.positioned ? request.offset : file.position;
  const size_t size = offset >= size_ ? 0 : std::min<uint64_t>(to.remaining(), size_ - offset);
  // Other readers of the same position go on behind what this one is about to read.
  if (!request.positioned) {
    file.position = offset + size;
  }
  const bool touch = access_time_ <= modification_time_;
  while (done < size && !to.faulted()) {
    if (draining_) {
      lock_.Unlock();
      __builtin_ia32_pause();
      lock_.Lock();
      continue;
    }
    const uint64_t at = offset + done;
    if (at >= size_) {
      break;  // made shorter meanwhile
    }
    std::byte* pages[kWindow];
    const size_t window =
        std::min<uint64_t>({size - done, size_ - at, kWindow * kPageSize - InPage(at)});
    const size_t page_count = PagesFor(InPage(at) + window);
    pages_.FindMany(PageOf(at), std::span(pages, page_count));
    pins_.fetch_add(1, std::memory_order_relaxed);
    lock_.Unlock();

    size_t moved = 0;
    for (size_t i = 0; i < page_count && !to.faulted();) {
      // As many pages at once as lie next to each other.
      size_t run = 1;
      while (pages[i] != nullptr && i + run < page_count &&
             pages[i + run] == pages[i] + run * kPageSize) {
        ++run;
      }
      const size_t in_page = InPage(at + moved);
      const size_t step = std::min(window - moved, run * kPageSize - in_page);
      moved +=
          pages[i] != nullptr ? to.Put(std::span(pages[i] + in_page, step)) : to.PutZeros(step);
      i += run;
    }
    done += moved;
    pins_.fetch_sub(1, std::memory_order_release);
    lock_.Lock();
  }
  if (!request.positioned && done < size && file.position == offset + size) {
    file.position = offset + done;
  }
  lock_.Unlock();
  if (touch && (file.flags() & kO_NOATIME) == 0) {
    TouchAccessTime();
  }
  return to.Outcome(done);
}

// ---- writing

Result<size_t, Errno> RamFile::Write(File& file, IoBuffer& from, const IoRequest& request) {
  return from.remaining() <= kSmall ? WriteSmall(file, from, request)
                                    : WritePages(file, from, request);
}

Result<RamFile::Extent, Errno> RamFile::PlaceWrite(const File& file, const IoRequest& request,
                                                   size_t size) {
  const uint64_t offset = request.append       ? size_
                          : request.positioned ? request.offset
                                               : file.position;
  if (offset >= request.size_limit) {
    return Error(Errno::kEFBIG);
  }
  const Extent extent = {.offset = offset,
                         .size = std::min<uint64_t>(size, request.size_limit - offset)};
  if (seals_ != kNotSealable) {
    const bool grows = extent.offset + extent.size > size_;
    if ((seals_ & (kF_SEAL_WRITE | kF_SEAL_FUTURE_WRITE)) != 0 ||
        ((seals_ & kF_SEAL_GROW) != 0 && grows)) {
      return Error(Errno::kEPERM);
    }
  }
  return extent;
}

Result<size_t, Errno> RamFile::WriteSmall(File& file, IoBuffer& from, const IoRequest& request) {
  std::byte bytes[kSmall];
  const size_t taken = from.Take(std::span(bytes, from.remaining()));
  if (taken == 0) {
    return from.Outcome(0);
  }
  const FileTime now = FileTimeNow();
  SpinLockGuard guard(lock_);
  // Where nobody changes it in large steps or has copies, the lock is enough.
  const bool needs_more = writing_ || lent_ != 0;
  if (needs_more) [[unlikely]] {
    BeginWriting();
  }
  Extent extent = {.offset = 0, .size = 0};
  ScopeExit end([&]() NO_THREAD_SAFETY_ANALYSIS {
    if (needs_more) {
      EndChange(extent.offset, extent.size);
    }
  });
  extent = TRY(PlaceWrite(file, request, taken));
  if (needs_more) [[unlikely]] {
    RecallPages(extent.offset, extent.size, MappedFile::Recall::kForWriting);
  }
  size_t done = 0;
  while (done < extent.size) {
    const uint64_t at = extent.offset + done;
    const size_t step = StepInPage(at, extent.size - done);
    std::byte* const page = EnsurePage(PageOf(at));
    if (page == nullptr) {
      break;
    }
    std::memcpy(page + InPage(at), bytes + done, step);
    done += step;
  }
  if (done == 0) {
    return Error(Errno::kENOSPC);
  }
  size_ = std::max(size_, extent.offset + done);
  if (!request.positioned) {
    file.position = extent.offset + done;
  }
  TouchModification(now);
  DropSetIdBits();
  return done;
}

size_t RamFile::WriteFreshRun(IoBuffer& from, uint64_t offset, size_t size) {
  const Run run = TakeRun(PagesFor(InPage(offset) + size));
  if (run.count == 0) {
    return 0;
  }
  const size_t in_page = InPage(offset);
  const size_t wanted = std::min(size, run.count * kPageSize - in_page);
  lock_.Unlock();
  // Nobody else can see these pages yet.
  std::memset(run.pages, 0, in_page);
  const size_t moved = from.Take(std::span(run.pages + in_page, wanted));
  const size_t used = moved == 0 ? 0 : PagesFor(in_page + moved);
  std::memset(run.pages + in_page + moved, 0,
              std::max(used * kPageSize, in_page + moved) - (in_page + moved));
  lock_.Lock();
  size_t put = 0;
  for (; put < used; ++put) {
    std::byte* const page = run.pages + put * kPageSize;
    const uint64_t index = PageOf(offset) + put;
    std::byte* const there = pages_.Find(index);
    if (there != nullptr) {
      // A shared mapping has been written back in between.
      const size_t begin = put == 0 ? in_page : 0;
      const size_t end = std::min<size_t>(kPageSize, in_page + moved - put * kPageSize);
      std::memcpy(there + begin, page + begin, end - begin);
      KernelFreePages(page, 1);
    } else if (pages_.Insert(index, *page)) {
      ++page_count_;
    } else {
      break;
    }
  }
  if (put < run.count) {
    KernelFreePages(run.pages + put * kPageSize, run.count - put);
  }
  return put == used ? moved : put == 0 ? 0 : put * kPageSize - in_page;
}

size_t RamFile::WriteWindow(IoBuffer& from, uint64_t offset, size_t size) {
  std::byte* pages[kWindow];
  const size_t window = std::min(size, kWindow * kPageSize - InPage(offset));
  const size_t page_count = PagesFor(InPage(offset) + window);
  pages_.FindMany(PageOf(offset), std::span(pages, page_count));
  size_t done = 0;
  for (size_t i = 0; done < window && !from.faulted();) {
    const uint64_t at = offset + done;
    size_t run = 1;
    const std::byte* const first = pages[i];
    while (i + run < page_count && (first == nullptr ? pages[i + run] == nullptr
                                                     : pages[i + run] == first + run * kPageSize)) {
      ++run;
    }
    const size_t step = std::min(window - done, run * kPageSize - InPage(at));
    size_t moved;
    if (first == nullptr) {
      moved = WriteFreshRun(from, at, step);
    } else {
      // The pages stay: only who has the file for itself takes pages away.
      lock_.Unlock();
      moved = from.Take(std::span(pages[i] + InPage(at), step));
      lock_.Lock();
    }
    done += moved;
    size_ = std::max(size_, moved == 0 ? 0 : at + moved);
    if (moved < step) {
      break;
    }
    i += run;
  }
  return done;
}

Result<size_t, Errno> RamFile::WritePages(File& file, IoBuffer& from, const IoRequest& request) {
  const FileTime now = FileTimeNow();
  SpinLockGuard guard(lock_);
  BeginWriting();
  auto extent = PlaceWrite(file, request, from.remaining());
  if (!extent.ok()) {
    EndWriting();
    return Error(extent.error());
  }
  const auto [offset, size] = extent.value();
  RecallPages(offset, size, MappedFile::Recall::kForWriting);
  size_t done = 0;
  while (done < size && !from.faulted()) {
    const size_t moved = WriteWindow(from, offset + done, size - done);
    if (moved == 0) {
      break;
    }
    done += moved;
  }
  if (done != 0) {
    if (!request.positioned) {
      file.position = offset + done;
    }
    TouchModification(now);
    DropSetIdBits();
  }
  EndChange(offset, size);
  if (done == 0 && !from.faulted()) {
    return Error(Errno::kENOSPC);
  }
  return from.Outcome(done);
}

// ---- everything else

Result<int64_t, Errno> RamFile::Seek(File& file, int64_t offset, uint32_t whence) {
  SpinLockGuard guard(lock_);
  int64_t target;
  if (whence == kSEEK_DATA || whence == kSEEK_HOLE) {
    const uint64_t from = static_cast<uint64_t>(offset);
    if (offset < 0 || from >= size_) {
      return Error(Errno::kENXIO);
    }
    if (whence == kSEEK_DATA) {
      const auto page = pages_.FindNext(PageOf(from));
      const uint64_t found = std::max(from, page.key << kPageShift);
      if (page.value == nullptr || found >= size_) {
        return Error(Errno::kENXIO);
      }
      target = static_cast<int64_t>(found);
    } else {
      const uint64_t found = std::max(from, pages_.FindGap(PageOf(from)) << kPageShift);
      target = static_cast<int64_t>(std::min(found, size_));
    }
  } else {
    target = TRY(SeekTarget(file.position, size_, offset, whence));
  }
  file.position = static_cast<uint64_t>(target);
  return target;
}

Result<size_t, Errno> RamFile::ReadableBytes(File& file) {
  SpinLockGuard guard(lock_);
  return file.position >= size_ ? 0 : size_ - file.position;
}

MappedFile* RamFile::Mapping(File& file) {
  if ((file.flags() & kO_NOATIME) == 0) {
    TouchAccessTime();
  }
  return this;
}

void RamFile::Closed(File& file) {
  if (file.may_write()) {
    SpinLockGuard guard(lock_);
    FreeReserve();
  }
}

Result<void, Errno> RamFile::Truncate(uint64_t size) {
  const FileTime now = FileTimeNow();
  SpinLockGuard guard(lock_);
  BeginWriting();
  ScopeExit end(
      [&]() NO_THREAD_SAFETY_ANALYSIS { EndChange(size & ~uint64_t{kPageMask}, UINT64_MAX); });
  if (seals_ != kNotSealable && (((seals_ & kF_SEAL_SHRINK) != 0 && size < size_) ||
                                 ((seals_ & kF_SEAL_GROW) != 0 && size > size_))) {
    return Error(Errno::kEPERM);
  }
  RecallPages(size & ~uint64_t{kPageMask}, UINT64_MAX, MappedFile::Recall::kForWriting);
  const uint64_t old_size = std::exchange(size_, size);
  if (size < old_size) {
    ZeroRange(size, std::min(old_size, PagesFor(size) << kPageShift));
    FreeReserve();
    RemovePages(PagesFor(size), UINT64_MAX);
  }
  TouchModification(now);
  DropSetIdBits();
  return {};
}

Result<void, Errno> RamFile::Allocate(uint32_t mode, uint64_t offset, uint64_t size,
                                      uint64_t size_limit) {
  const uint64_t end_offset = offset + size;
  const FileTime now = FileTimeNow();
  SpinLockGuard guard(lock_);
  BeginWriting();
  ScopeExit end([&]() NO_THREAD_SAFETY_ANALYSIS { EndChange(offset, size); });
  const bool is_sealed = seals_ != kNotSealable;
  if (mode == (kFALLOC_FL_PUNCH_HOLE | kFALLOC_FL_KEEP_SIZE)) {
    if (is_sealed && (seals_ & (kF_SEAL_WRITE | kF_SEAL_FUTURE_WRITE)) != 0) {
      return Error(Errno::kEPERM);
    }
    RecallPages(offset, size, MappedFile::Recall::kForWriting);
    const uint64_t first = PagesFor(offset);
    const uint64_t last = PageOf(end_offset);
    if (first > last) {
      ZeroRange(offset, end_offset);  // within one page
    } else {
      ZeroRange(offset, first << kPageShift);
      ZeroRange(last << kPageShift, end_offset);
      RemovePages(first, last);
    }
  } else if (mode == 0 || mode == kFALLOC_FL_KEEP_SIZE) {
    const bool grows = mode == 0 && end_offset > size_;
    if (is_sealed && (seals_ & kF_SEAL_GROW) != 0 && end_offset > size_) {
      return Error(Errno::kEPERM);
    }
    if (grows && end_offset > size_limit) {
      return Error(Errno::kEFBIG);
    }
    TRY(FillHoles(PageOf(offset), PagesFor(end_offset)));
    if (grows) {
      size_ = end_offset;
    }
  } else {
    return Error(Errno::kEOPNOTSUPP);
  }
  TouchModification(now);
  DropSetIdBits();
  return {};
}

Result<void, Errno> RamFile::FillHoles(uint64_t first, uint64_t last) {
  if (last - first > page_count_ + (about::FreeMemory() >> kPageShift)) {
    return Error(Errno::kENOSPC);
  }
  // Which pages were made here, to take them back when memory ends halfway.
  RadixTree<std::byte> made;
  bool complete = true;
  for (uint64_t index = pages_.FindGap(first); index < last; index = pages_.FindGap(index)) {
    if (index % kWindow == 0) {
      // Readers get their turn.
      lock_.Unlock();
      lock_.Lock();
    }
    std::byte* const page = EnsurePage(index);
    if (page == nullptr) {
      complete = false;
      break;
    }
    if (!made.Insert(index, *page)) {
      pages_.Erase(index);
      --page_count_;
      KernelFreePages(page, 1);
      complete = false;
      break;
    }
  }
  for (auto entry = made.FindNext(0); entry.value != nullptr; entry = made.FindNext(0)) {
    made.Erase(entry.key);
    if (!complete) {
      RemovePages(entry.key, entry.key + 1);
    }
  }
  if (!complete) {
    return Error(Errno::kENOSPC);
  }
  return {};
}

void RamFile::InitSeals(uint32_t seals) {
  SpinLockGuard guard(lock_);
  seals_ = seals;
}

Result<uint32_t, Errno> RamFile::GetSeals() {
  SpinLockGuard guard(lock_);
  if (seals_ == kNotSealable) {
    return Error(Errno::kEINVAL);
  }
  return seals_;
}

Result<void, Errno> RamFile::AddSeals(uint32_t seals) {
  SpinLockGuard guard(lock_);
  if (seals_ == kNotSealable) {
    return Error(Errno::kEINVAL);
  }
  if ((seals_ & kF_SEAL_SEAL) != 0) {
    return Error(Errno::kEPERM);
  }
  BeginWriting();  // no write that began before the seal ends after it
  const MappedFile::RecallFunction ask = recall.load(std::memory_order_acquire);
  if ((seals & kF_SEAL_WRITE) != 0 && ask != nullptr) {
    lock_.Unlock();
    const bool is_mapped = ask(*this, 0, 0, MappedFile::Recall::kForReading);
    lock_.Lock();
    if (is_mapped) {
      EndWriting();
      return Error(Errno::kEBUSY);
    }
  }
  seals_ |= seals;
  EndWriting();
  return {};
}

Result<size_t, Errno> RamFile::ReadForMapping(uint64_t offset, std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    // One page at a time, so that the lock is never held for long. Under the lock no page goes
    // away.
    SpinLockGuard guard(lock_);
    if (offset + done >= size_) {
      break;
    }
    const size_t step =
        std::min<uint64_t>(StepInPage(offset + done, out.size() - done), size_ - (offset + done));
    Copy(offset + done, out.subspan(done, step));
    done += step;
  }
  return done;
}

Result<void, Errno> RamFile::WriteBack(uint64_t offset, std::span<const std::byte> data) {
  const FileTime now = FileTimeNow();
  size_t done = 0;
  while (done < data.size()) {
    SpinLockGuard guard(lock_);
    if (offset + done >= size_) {
      break;
    }
    const size_t step =
        std::min<uint64_t>(StepInPage(offset + done, data.size() - done), size_ - (offset + done));
    std::byte* const page = EnsurePage(PageOf(offset + done));
    if (page == nullptr) {
      return Error(Errno::kENOSPC);
    }
    // A mapping may have a page to write to because it may write there some day.
    std::byte* const old = page + InPage(offset + done);
    if (std::memcmp(old, &data[done], step) != 0) {
      std::memcpy(old, &data[done], step);
      TouchModification(now);
    }
    done += step;
  }
  return {};
}

}  // namespace nsgx::libos
