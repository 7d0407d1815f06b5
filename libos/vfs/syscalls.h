// SPDX-License-Identifier: Apache-2.0
// The system calls on files. Each has Linux's arguments, results and errors, and calls the
// program's memory by UserIn and UserOut only. They run in a thread of the program with ticks off,
// and may sleep.
//
// EINTR: the caller restarts those marked [restart] when the signal's handler says SA_RESTART; a
// transfer that has moved something never fails. Arguments that Linux declares as int or unsigned
// are 32 bits wide here, so that what lies above in the register is ignored, as Linux does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libos/kernel/errno.h"
#include "libos/kernel/user_memory.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// ---- descriptors: syscalls_descriptor.cc
SysResult SysClose(int32_t fd);
SysResult SysCloseRange(uint32_t first, uint32_t last, uint32_t flags);
SysResult SysDup(int32_t fd);
SysResult SysDup2(int32_t from, int32_t to);
SysResult SysDup3(int32_t from, int32_t to, uint32_t flags);
SysResult SysFcntl(int32_t fd, uint32_t command,
                   uint64_t argument);               // [restart] F_SETLKW, F_OFD_SETLKW
SysResult SysFlock(int32_t fd, uint32_t operation);  // [restart]
SysResult SysIoctl(int32_t fd, uint32_t request, uint64_t argument);

// ---- opening: syscalls_open.cc
SysResult SysOpen(UserIn<char> path, uint32_t flags, uint32_t mode);  // [restart], for FIFOs
SysResult SysOpenat(int32_t directory, UserIn<char> path, uint32_t flags,
                    uint32_t mode);  // [restart]
SysResult SysOpenat2(int32_t directory, UserIn<char> path, UserIn<std::byte> how,
                     size_t size);                     // [restart]
SysResult SysCreat(UserIn<char> path, uint32_t mode);  // [restart]
SysResult SysPipe(UserOut<int32_t> fds);
SysResult SysPipe2(UserOut<int32_t> fds, uint32_t flags);
SysResult SysEventfd(uint32_t initial);
SysResult SysEventfd2(uint32_t initial, uint32_t flags);
SysResult SysMemfdCreate(UserIn<char> name, uint32_t flags);

// ---- transfers: syscalls_transfer.cc
SysResult SysRead(int32_t fd, UserOut<std::byte> buffer, size_t size);  // [restart]
SysResult SysWrite(int32_t fd, UserIn<std::byte> buffer, size_t size);  // [restart]
SysResult SysPread64(int32_t fd, UserOut<std::byte> buffer, size_t size, int64_t offset);
SysResult SysPwrite64(int32_t fd, UserIn<std::byte> buffer, size_t size, int64_t offset);
SysResult SysReadv(int32_t fd, UserIn<LinuxIovec> segments, int32_t count);   // [restart]
SysResult SysWritev(int32_t fd, UserIn<LinuxIovec> segments, int32_t count);  // [restart]
// On x86-64 `offset` is whole; the kernel's sixth-half argument is ignored.
SysResult SysPreadv(int32_t fd, UserIn<LinuxIovec> segments, int32_t count, int64_t offset);
SysResult SysPwritev(int32_t fd, UserIn<LinuxIovec> segments, int32_t count, int64_t offset);
SysResult SysPreadv2(int32_t fd, UserIn<LinuxIovec> segments, int32_t count, int64_t offset,
                     uint64_t ignored, uint32_t flags);  // [restart]
SysResult SysPwritev2(int32_t fd, UserIn<LinuxIovec> segments, int32_t count, int64_t offset,
                      uint64_t ignored, uint32_t flags);                               // [restart]
SysResult SysSendfile(int32_t out, int32_t in, UserOut<int64_t> offset, size_t size);  // [restart]
SysResult SysCopyFileRange(int32_t in, UserOut<int64_t> in_offset, int32_t out,
                           UserOut<int64_t> out_offset, size_t size, uint32_t flags);
SysResult SysLseek(int32_t fd, int64_t offset, uint32_t whence);
SysResult SysFtruncate(int32_t fd, int64_t size);
SysResult SysTruncate(UserIn<char> path, int64_t size);
SysResult SysFallocate(int32_t fd, uint32_t mode, int64_t offset, int64_t size);
SysResult SysFadvise64(int32_t fd, int64_t offset, int64_t size, uint32_t advice);
SysResult SysReadahead(int32_t fd, int64_t offset, size_t size);
SysResult SysFsync(int32_t fd);
SysResult SysFdatasync(int32_t fd);
SysResult SysSyncFileRange(int32_t fd, int64_t offset, int64_t size, uint32_t flags);
SysResult SysSync();
SysResult SysSyncfs(int32_t fd);

// ---- pipes without copies on Linux: syscalls_splice.cc. All [restart].
SysResult SysSplice(int32_t in, UserOut<int64_t> in_offset, int32_t out,
                    UserOut<int64_t> out_offset, size_t size, uint32_t flags);
SysResult SysTee(int32_t in, int32_t out, size_t size, uint32_t flags);
SysResult SysVmsplice(int32_t fd, UserIn<LinuxIovec> segments, size_t count, uint32_t flags);

// ---- names: syscalls_name.cc
SysResult SysMkdir(UserIn<char> path, uint32_t mode);
SysResult SysMkdirat(int32_t directory, UserIn<char> path, uint32_t mode);
SysResult SysMknod(UserIn<char> path, uint32_t mode, uint64_t device);
SysResult SysMknodat(int32_t directory, UserIn<char> path, uint32_t mode, uint64_t device);
SysResult SysRmdir(UserIn<char> path);
SysResult SysUnlink(UserIn<char> path);
SysResult SysUnlinkat(int32_t directory, UserIn<char> path, uint32_t flags);
SysResult SysLink(UserIn<char> from, UserIn<char> to);
SysResult SysLinkat(int32_t from_directory, UserIn<char> from, int32_t to_directory,
                    UserIn<char> to, uint32_t flags);
SysResult SysSymlink(UserIn<char> target, UserIn<char> path);
SysResult SysSymlinkat(UserIn<char> target, int32_t directory, UserIn<char> path);
SysResult SysReadlink(UserIn<char> path, UserOut<char> buffer, int32_t size);
SysResult SysReadlinkat(int32_t directory, UserIn<char> path, UserOut<char> buffer, int32_t size);
SysResult SysRename(UserIn<char> from, UserIn<char> to);
SysResult SysRenameat(int32_t from_directory, UserIn<char> from, int32_t to_directory,
                      UserIn<char> to);
SysResult SysRenameat2(int32_t from_directory, UserIn<char> from, int32_t to_directory,
                       UserIn<char> to, uint32_t flags);
SysResult SysGetdents(uint32_t fd, UserOut<std::byte> buffer, uint32_t size);
SysResult SysGetdents64(uint32_t fd, UserOut<std::byte> buffer, uint32_t size);
SysResult SysGetcwd(UserOut<char> buffer, size_t size);
SysResult SysChdir(UserIn<char> path);
SysResult SysFchdir(int32_t fd);
SysResult SysChroot(UserIn<char> path);

// ---- attributes: syscalls_attribute.cc
SysResult SysStat(UserIn<char> path, UserOut<LinuxStat> out);
SysResult SysLstat(UserIn<char> path, UserOut<LinuxStat> out);
SysResult SysFstat(int32_t fd, UserOut<LinuxStat> out);
SysResult SysNewfstatat(int32_t directory, UserIn<char> path, UserOut<LinuxStat> out,
                        uint32_t flags);
SysResult SysStatx(int32_t directory, UserIn<char> path, uint32_t flags, uint32_t mask,
                   UserOut<LinuxStatx> out);
SysResult SysStatfs(UserIn<char> path, UserOut<LinuxStatfs> out);
SysResult SysFstatfs(int32_t fd, UserOut<LinuxStatfs> out);
SysResult SysAccess(UserIn<char> path, uint32_t mode);
SysResult SysFaccessat(int32_t directory, UserIn<char> path, uint32_t mode);
SysResult SysFaccessat2(int32_t directory, UserIn<char> path, uint32_t mode, uint32_t flags);
SysResult SysChmod(UserIn<char> path, uint32_t mode);
SysResult SysFchmod(int32_t fd, uint32_t mode);
SysResult SysFchmodat(int32_t directory, UserIn<char> path, uint32_t mode);
SysResult SysFchmodat2(int32_t directory, UserIn<char> path, uint32_t mode, uint32_t flags);
SysResult SysChown(UserIn<char> path, uint32_t user, uint32_t group);
SysResult SysLchown(UserIn<char> path, uint32_t user, uint32_t group);
SysResult SysFchown(int32_t fd, uint32_t user, uint32_t group);
SysResult SysFchownat(int32_t directory, UserIn<char> path, uint32_t user, uint32_t group,
                      uint32_t flags);
SysResult SysUtime(UserIn<char> path, UserIn<LinuxUtimbuf> times);
SysResult SysUtimes(UserIn<char> path, UserIn<LinuxTimeval> times);
SysResult SysFutimesat(int32_t directory, UserIn<char> path, UserIn<LinuxTimeval> times);
SysResult SysUtimensat(int32_t directory, UserIn<char> path, UserIn<LinuxTimespec> times,
                       uint32_t flags);
SysResult SysUmask(uint32_t mask);

// ---- extended attributes: syscalls_extended_attribute.cc
SysResult SysSetxattr(UserIn<char> path, UserIn<char> name, UserIn<std::byte> value, size_t size,
                      uint32_t flags);
SysResult SysLsetxattr(UserIn<char> path, UserIn<char> name, UserIn<std::byte> value, size_t size,
                       uint32_t flags);
SysResult SysFsetxattr(int32_t fd, UserIn<char> name, UserIn<std::byte> value, size_t size,
                       uint32_t flags);
SysResult SysGetxattr(UserIn<char> path, UserIn<char> name, UserOut<std::byte> value, size_t size);
SysResult SysLgetxattr(UserIn<char> path, UserIn<char> name, UserOut<std::byte> value, size_t size);
SysResult SysFgetxattr(int32_t fd, UserIn<char> name, UserOut<std::byte> value, size_t size);
SysResult SysListxattr(UserIn<char> path, UserOut<std::byte> list, size_t size);
SysResult SysLlistxattr(UserIn<char> path, UserOut<std::byte> list, size_t size);
SysResult SysFlistxattr(int32_t fd, UserOut<std::byte> list, size_t size);
SysResult SysRemovexattr(UserIn<char> path, UserIn<char> name);
SysResult SysLremovexattr(UserIn<char> path, UserIn<char> name);
SysResult SysFremovexattr(int32_t fd, UserIn<char> name);

// ---- watching: syscalls_notice.cc
SysResult SysInotifyInit();
SysResult SysInotifyInit1(uint32_t flags);
SysResult SysInotifyAddWatch(int32_t fd, UserIn<char> path, uint32_t mask);
SysResult SysInotifyRmWatch(int32_t fd, int32_t watch);

// ---- readiness: syscalls_poll.cc, syscalls_epoll.cc. Never restarted after a signal handler.
SysResult SysPoll(UserOut<LinuxPollfd> fds, uint32_t count, int32_t timeout_ms);
SysResult SysPpoll(UserOut<LinuxPollfd> fds, uint32_t count, UserOut<LinuxTimespec> timeout,
                   UserIn<uint64_t> signal_mask, size_t mask_size);
SysResult SysSelect(int32_t count, UserOut<uint64_t> read, UserOut<uint64_t> write,
                    UserOut<uint64_t> except, UserOut<LinuxTimeval> timeout);
SysResult SysPselect6(int32_t count, UserOut<uint64_t> read, UserOut<uint64_t> write,
                      UserOut<uint64_t> except, UserOut<LinuxTimespec> timeout,
                      UserIn<LinuxSigsetArgument> signal_mask);
SysResult SysEpollCreate(int32_t size);
SysResult SysEpollCreate1(uint32_t flags);
SysResult SysEpollCtl(int32_t epoll, int32_t operation, int32_t fd, UserIn<LinuxEpollEvent> event);
SysResult SysEpollWait(int32_t epoll, UserOut<LinuxEpollEvent> events, int32_t count,
                       int32_t timeout_ms);
SysResult SysEpollPwait(int32_t epoll, UserOut<LinuxEpollEvent> events, int32_t count,
                        int32_t timeout_ms, UserIn<uint64_t> signal_mask, size_t mask_size);
SysResult SysEpollPwait2(int32_t epoll, UserOut<LinuxEpollEvent> events, int32_t count,
                         UserIn<LinuxTimespec> timeout, UserIn<uint64_t> signal_mask,
                         size_t mask_size);

}  // namespace nsgx::libos
