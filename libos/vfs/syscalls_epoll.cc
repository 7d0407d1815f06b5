// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/core/scope_exit.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/epoll.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/timeout.h"

namespace nsgx::libos {
namespace {

SysResult Wait(int32_t epoll, UserOut<LinuxEpollEvent> events, int32_t count, Deadline deadline) {
  // More than fit one buffer are left for the next call.
  constexpr size_t kFew = 16;
  constexpr size_t kMost = 1024;
  if (count <= 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<File> file = TRY(GetFile(epoll));
  if (file->object().epoll() == nullptr) {
    return Error(Errno::kEINVAL);
  }
  LinuxEpollEvent few[kFew];
  std::span<LinuxEpollEvent> buffer(few, std::min(static_cast<size_t>(count), kFew));
  void* memory = nullptr;
  ScopeExit free([&] { KernelFree(memory); });
  if (static_cast<size_t>(count) > kFew) {
    const size_t wanted = std::min(static_cast<size_t>(count), kMost);
    memory = KernelAllocate(wanted * sizeof(LinuxEpollEvent));
    if (memory == nullptr) {
      return Error(Errno::kENOMEM);
    }
    buffer = {static_cast<LinuxEpollEvent*>(memory), wanted};
  }
  const size_t ready = TRY(WaitEpoll(*file, buffer, deadline));
  TRY(CopyToUser(events.address(), std::as_bytes(buffer.first(ready))));
  return static_cast<int64_t>(ready);
}

}  // namespace

SysResult SysEpollCreate1(uint32_t flags) {
  if ((flags & ~kO_CLOEXEC) != 0) {
    return Error(Errno::kEINVAL);
  }
  return int64_t{TRY(process_files.descriptors.Add(TRY(MakeEpoll()), 0, flags != 0))};
}

SysResult SysEpollCreate(int32_t size) {
  if (size <= 0) {
    return Error(Errno::kEINVAL);
  }
  return SysEpollCreate1(0);
}

SysResult SysEpollCtl(int32_t epoll, int32_t operation, int32_t fd, UserIn<LinuxEpollEvent> event) {
  LinuxEpollEvent wanted = {.events = 0, .data = 0};
  if (operation != kEPOLL_CTL_DEL) {
    wanted = TRY(Read(event));
  }
  const Ref<File> file = TRY(GetFile(epoll));
  Ref<File> target = TRY(GetFile(fd));
  if (file->object().epoll() == nullptr) {
    return Error(target->object().is_pollable() ? Errno::kEINVAL : Errno::kEPERM);
  }
  TRY(ControlEpoll(*file, operation, fd, std::move(target), wanted));
  return 0;
}

SysResult SysEpollWait(int32_t epoll, UserOut<LinuxEpollEvent> events, int32_t count,
                       int32_t timeout_ms) {
  return Wait(epoll, events, count, DeadlineOfMilliseconds(timeout_ms));
}

SysResult SysEpollPwait(int32_t epoll, UserOut<LinuxEpollEvent> events, int32_t count,
                        int32_t timeout_ms, UserIn<uint64_t> signal_mask, size_t mask_size) {
  TRY(UseSignalMask(signal_mask, mask_size));
  return Wait(epoll, events, count, DeadlineOfMilliseconds(timeout_ms));
}

SysResult SysEpollPwait2(int32_t epoll, UserOut<LinuxEpollEvent> events, int32_t count,
                         UserIn<LinuxTimespec> timeout, UserIn<uint64_t> signal_mask,
                         size_t mask_size) {
  const Deadline deadline = TRY(DeadlineOfTimespec(UserOut<LinuxTimespec>(timeout.address())));
  TRY(UseSignalMask(signal_mask, mask_size));
  return Wait(epoll, events, count, deadline);
}

}  // namespace nsgx::libos
