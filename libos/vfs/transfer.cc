// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/transfer.h"

#include <algorithm>

#include "base/core/addr.h"
#include "base/core/scope_exit.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {

SegmentList::~SegmentList() { KernelFree(many_); }

Result<void, Errno> SegmentList::Load(UserIn<LinuxIovec> segments, int32_t count) {
  if (count < 0 || count > kIOV_MAX) {
    return Error(Errno::kEINVAL);
  }
  const size_t wanted = static_cast<size_t>(count);
  LinuxIovec* to = few_;
  if (wanted > kFew) {
    many_ = static_cast<LinuxIovec*>(KernelAllocate(wanted * sizeof(LinuxIovec)));
    if (many_ == nullptr) {
      return Error(Errno::kENOMEM);
    }
    to = many_;
  }
  const std::span list(to, wanted);
  TRY(CopyFromUser(std::as_writable_bytes(list), segments.address()));
  size_t left = kMAX_RW_COUNT;
  for (LinuxIovec& segment : list) {
    if (segment.iov_len > INT64_MAX) {
      return Error(Errno::kEINVAL);
    }
    segment.iov_len = std::min(segment.iov_len, left);
    left -= segment.iov_len;
  }
  segments_ = list;
  return {};
}

Result<size_t, Errno> WriteFile(File& file, IoBuffer& from, IoRequest request) {
  request.append = request.append || (file.flags() & kO_APPEND) != 0;
  request.durable = request.durable || (file.flags() & kO_DSYNC) != 0;
  request.size_limit = process_files.size_limit();
  auto written = file.object().Write(file, from, request);
  if (!written.ok()) [[unlikely]] {
    if (written.error() == Errno::kEPIPE) {
      RaiseOnCurrentThread(kBrokenPipeSignal);
    } else if (written.error() == Errno::kEFBIG && request.size_limit != kMaxFileSize) {
      RaiseOnCurrentThread(kFileSizeSignal);
    }
  } else if (written.value() != 0) {
    notice::Happened(file.inode(), kIN_MODIFY);
  }
  return written;
}

Result<size_t, Errno> CopyBetweenFiles(CopySide from, CopySide to, size_t size) {
  constexpr size_t kMaxPages = 16;
  const size_t pages = std::clamp<size_t>(size / kPageSize, 1, kMaxPages);
  std::byte* const memory = KernelAllocatePages(pages, PageContents::kAny);
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  ScopeExit free([&] { KernelFreePages(memory, pages); });
  size_t done = 0;
  while (done < size) {
    // Read at a given place, so that what cannot be written has not been read.
    uint64_t at = from.offset != nullptr ? *from.offset : 0;
    if (from.offset == nullptr) {
      at = static_cast<uint64_t>(TRY(from.file->object().Seek(*from.file, 0, kSEEK_CUR)));
    }
    const std::span buffer(memory, std::min(size - done, pages * kPageSize));
    IoBuffer in = IoBuffer::ForKernel(buffer);
    auto read = from.file->object().Read(
        *from.file, in, {.positioned = true, .offset = at, .wait = !from.file->is_nonblocking()});
    if (!read.ok() || read.value() == 0) {
      if (done == 0 && !read.ok()) {
        return Error(read.error());
      }
      break;
    }
    IoBuffer out = IoBuffer::ForKernel(buffer.first(read.value()));
    auto written = WriteFile(*to.file, out,
                             {.positioned = to.offset != nullptr,
                              .offset = to.offset != nullptr ? *to.offset : 0,
                              .wait = !to.file->is_nonblocking()});
    if (!written.ok()) {
      if (done == 0) {
        return Error(written.error());
      }
      break;
    }
    done += written.value();
    notice::Happened(from.file->inode(), kIN_ACCESS);
    if (to.offset != nullptr) {
      *to.offset += written.value();
    }
    if (from.offset != nullptr) {
      *from.offset += written.value();
    } else {
      TRY(from.file->object().Seek(*from.file, static_cast<int64_t>(at + written.value()),
                                   kSEEK_SET));
    }
    if (written.value() < read.value()) {
      break;
    }
  }
  return done;
}

}  // namespace nsgx::libos
