// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/core/addr.h"
#include "libos/vfs/eventfd.h"
#include "libos/vfs/memory_file.h"
#include "libos/vfs/open.h"
#include "libos/vfs/path.h"
#include "libos/vfs/pipe.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"

namespace nsgx::libos {
namespace {

SysResult AddDescriptor(Ref<File> file, bool close_on_exec) {
  return int64_t{TRY(process_files.descriptors.Add(std::move(file), 0, close_on_exec))};
}

SysResult OpenAt(int32_t directory, UserIn<char> path, uint32_t flags, uint32_t mode,
                 uint64_t resolve) {
  PathString text;
  TRY(text.Load(path));
  // No file is made when there is no number for it.
  DescriptorTable& descriptors = process_files.descriptors;
  const int32_t fd = TRY(descriptors.Reserve(0, (flags & kO_CLOEXEC) != 0));
  // What stays below a directory starts there, however the path begins.
  const bool is_scoped = (resolve & (kRESOLVE_BENEATH | kRESOLVE_IN_ROOT)) != 0;
  auto start = StartDirectory(directory, is_scoped ? "." : text.view());
  if (!start.ok()) {
    descriptors.CancelReservation(fd);
    return Error(start.error());
  }
  auto file = OpenPath(std::move(start).value(), text.view(), flags, mode, resolve);
  if (!file.ok()) {
    descriptors.CancelReservation(fd);
    return Error(file.error());
  }
  descriptors.Install(fd, std::move(file).value());
  return int64_t{fd};
}

// What openat passes over, openat2 refuses. EINVAL; EAGAIN: would make something.
Result<void, Errno> CheckHow(const LinuxOpenHow& how) {
  constexpr uint64_t kFlags = kO_ACCMODE | kO_CREAT | kO_EXCL | kO_NOCTTY | kO_TRUNC | kO_APPEND |
                              kO_NONBLOCK | kO_SYNC | kO_ASYNC | kO_DIRECT | kO_LARGEFILE |
                              kO_DIRECTORY | kO_NOFOLLOW | kO_NOATIME | kO_CLOEXEC | kO_PATH |
                              kO_TMPFILE;
  constexpr uint64_t kPathFlags = kO_PATH | kO_DIRECTORY | kO_NOFOLLOW | kO_CLOEXEC;
  constexpr uint64_t kResolve = kRESOLVE_NO_XDEV | kRESOLVE_NO_MAGICLINKS | kRESOLVE_NO_SYMLINKS |
                                kRESOLVE_BENEATH | kRESOLVE_IN_ROOT | kRESOLVE_CACHED;
  constexpr uint64_t kScopes = kRESOLVE_BENEATH | kRESOLVE_IN_ROOT;
  constexpr uint64_t kUnnamed = kO_TMPFILE & ~kO_DIRECTORY;
  const bool makes = (how.flags & (kO_CREAT | kUnnamed)) != 0;
  if ((how.flags & ~kFlags) != 0 || (how.resolve & ~kResolve) != 0 ||
      (how.resolve & kScopes) == kScopes ||
      (how.mode & ~uint64_t{makes ? kPermissionBits : 0}) != 0 ||
      ((how.flags & kO_PATH) != 0 && (how.flags & ~kPathFlags) != 0)) {
    return Error(Errno::kEINVAL);
  }
  if ((how.resolve & kRESOLVE_CACHED) != 0 && (makes || (how.flags & kO_TRUNC) != 0)) {
    return Error(Errno::kEAGAIN);
  }
  return {};
}

}  // namespace

SysResult SysOpenat(int32_t directory, UserIn<char> path, uint32_t flags, uint32_t mode) {
  return OpenAt(directory, path, flags, mode, 0);
}

SysResult SysOpenat2(int32_t directory, UserIn<char> path, UserIn<std::byte> how, size_t size) {
  if (size < sizeof(LinuxOpenHow)) {
    return Error(Errno::kEINVAL);
  }
  if (size > kPageSize) {
    return Error(Errno::kE2BIG);
  }
  // What a later Linux has added must not be asked for.
  for (size_t at = sizeof(LinuxOpenHow); at < size; ++at) {
    if (TRY(Read(how, at)) != std::byte{0}) {
      return Error(Errno::kE2BIG);
    }
  }
  const LinuxOpenHow wanted = TRY(Read(UserIn<LinuxOpenHow>(how.address())));
  TRY(CheckHow(wanted));
  return OpenAt(directory, path, static_cast<uint32_t>(wanted.flags),
                static_cast<uint32_t>(wanted.mode), wanted.resolve);
}

SysResult SysOpen(UserIn<char> path, uint32_t flags, uint32_t mode) {
  return SysOpenat(kAT_FDCWD, path, flags, mode);
}

SysResult SysCreat(UserIn<char> path, uint32_t mode) {
  return SysOpenat(kAT_FDCWD, path, kO_CREAT | kO_WRONLY | kO_TRUNC, mode);
}

SysResult SysPipe(UserOut<int32_t> fds) { return SysPipe2(fds, 0); }

SysResult SysPipe2(UserOut<int32_t> fds, uint32_t flags) {
  if ((flags & ~(kO_CLOEXEC | kO_NONBLOCK | kO_DIRECT)) != 0) {
    return Error(Errno::kEINVAL);
  }
  if ((flags & kO_DIRECT) != 0) {
    return Error(Errno::kEINVAL);  // packets are not offered
  }
  DescriptorTable& descriptors = process_files.descriptors;
  const bool close_on_exec = (flags & kO_CLOEXEC) != 0;
  PipeEnds ends = TRY(MakePipe(flags & kO_NONBLOCK));
  const int32_t read = TRY(descriptors.Reserve(0, close_on_exec));
  auto write = descriptors.Reserve(0, close_on_exec);
  if (!write.ok()) {
    descriptors.CancelReservation(read);
    return Error(write.error());
  }
  const int32_t pair[2] = {read, write.value()};
  auto told = CopyToUser(fds.address(), std::as_bytes(std::span(pair)));
  if (!told.ok()) {
    descriptors.CancelReservation(read);
    descriptors.CancelReservation(write.value());
    return Error(told.error());
  }
  descriptors.Install(read, std::move(ends.read));
  descriptors.Install(write.value(), std::move(ends.write));
  return 0;
}

SysResult SysEventfd(uint32_t initial) { return SysEventfd2(initial, 0); }

SysResult SysEventfd2(uint32_t initial, uint32_t flags) {
  if ((flags & ~(kEFD_SEMAPHORE | kO_CLOEXEC | kO_NONBLOCK)) != 0) {
    return Error(Errno::kEINVAL);
  }
  return AddDescriptor(
      TRY(MakeEventFile(initial, (flags & kEFD_SEMAPHORE) != 0, flags & kO_NONBLOCK)),
      (flags & kO_CLOEXEC) != 0);
}

SysResult SysMemfdCreate(UserIn<char> name, uint32_t flags) {
  constexpr size_t kMaxName = 249;
  constexpr uint32_t kKnown = kMFD_CLOEXEC | kMFD_ALLOW_SEALING | kMFD_NOEXEC_SEAL | kMFD_EXEC;
  if ((flags & ~kKnown) != 0 ||
      (flags & (kMFD_NOEXEC_SEAL | kMFD_EXEC)) == (kMFD_NOEXEC_SEAL | kMFD_EXEC)) {
    return Error(Errno::kEINVAL);
  }
  char text[kMaxName + 1];
  auto size = CopyStringFromUser(std::span(text), name.address());
  if (!size.ok()) {
    return Error(size.error() == Errno::kENAMETOOLONG ? Errno::kEINVAL : size.error());
  }
  return AddDescriptor(TRY(MakeMemoryFile({text, size.value()}, flags)),
                       (flags & kMFD_CLOEXEC) != 0);
}

}  // namespace nsgx::libos
