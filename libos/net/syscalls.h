// SPDX-License-Identifier: Apache-2.0
// The system calls on sockets. As vfs/syscalls.h has it: Linux's arguments, results and errors, the
// program's memory by UserIn and UserOut only; they run in a thread of the program with ticks off,
// and may sleep. [restart]: made again after a signal handler with SA_RESTART.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libos/kernel/errno.h"
#include "libos/kernel/user_memory.h"
#include "libos/net/linux_abi.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// ---- syscalls_socket.cc
SysResult SysSocket(int32_t domain, uint32_t type, int32_t protocol);
SysResult SysSocketpair(int32_t domain, uint32_t type, int32_t protocol, UserOut<int32_t> fds);
SysResult SysBind(int32_t fd, UserIn<std::byte> address, int32_t size);
SysResult SysConnect(int32_t fd, UserIn<std::byte> address, int32_t size);  // [restart]
SysResult SysListen(int32_t fd, int32_t backlog);
SysResult SysAccept(int32_t fd, UserOut<std::byte> address,
                    UserOut<int32_t> size);  // [restart]
SysResult SysAccept4(int32_t fd, UserOut<std::byte> address, UserOut<int32_t> size,
                     uint32_t flags);  // [restart]
SysResult SysShutdown(int32_t fd, int32_t how);
SysResult SysGetsockname(int32_t fd, UserOut<std::byte> address, UserOut<int32_t> size);
SysResult SysGetpeername(int32_t fd, UserOut<std::byte> address, UserOut<int32_t> size);
SysResult SysSetsockopt(int32_t fd, int32_t level, int32_t name, UserIn<std::byte> value,
                        int32_t size);
SysResult SysGetsockopt(int32_t fd, int32_t level, int32_t name, UserOut<std::byte> value,
                        UserOut<int32_t> size);

// ---- syscalls_message.cc
SysResult SysSendto(int32_t fd, UserIn<std::byte> data, size_t size, uint32_t flags,
                    UserIn<std::byte> address, int32_t address_size);  // [restart]
SysResult SysRecvfrom(int32_t fd, UserOut<std::byte> data, size_t size, uint32_t flags,
                      UserOut<std::byte> address, UserOut<int32_t> address_size);  // [restart]
SysResult SysSendmsg(int32_t fd, UserIn<LinuxMsghdr> message, uint32_t flags);     // [restart]
SysResult SysRecvmsg(int32_t fd, UserOut<LinuxMsghdr> message, uint32_t flags);    // [restart]
SysResult SysSendmmsg(int32_t fd, UserOut<LinuxMmsghdr> messages, uint32_t count,
                      uint32_t flags);  // [restart]
SysResult SysRecvmmsg(int32_t fd, UserOut<LinuxMmsghdr> messages, uint32_t count, uint32_t flags,
                      UserOut<LinuxTimespec> timeout);  // [restart]

}  // namespace nsgx::libos
