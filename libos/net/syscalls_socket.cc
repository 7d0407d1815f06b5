// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <utility>

#include "base/core/scope_exit.h"
#include "libos/net/arguments.h"
#include "libos/net/family.h"
#include "libos/net/syscalls.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

// What socket, socketpair and accept4 can be told about the new descriptor.
constexpr uint32_t kNewSocketFlags = kSOCK_NONBLOCK | kSOCK_CLOEXEC;
static_assert(kSOCK_NONBLOCK == kO_NONBLOCK && kSOCK_CLOEXEC == kO_CLOEXEC);

struct SocketType {
  int32_t type;
  uint32_t flags;
};
Result<SocketType, Errno> SplitType(uint32_t type) {
  const uint32_t flags = type & ~kSOCK_TYPE_MASK;
  if ((flags & ~kNewSocketFlags) != 0) {
    return Error(Errno::kEINVAL);
  }
  return SocketType{.type = static_cast<int32_t>(type & kSOCK_TYPE_MASK), .flags = flags};
}

// A descriptor that is given back unless it is used.
class ReservedDescriptor {
 public:
  explicit ReservedDescriptor(int32_t fd) : fd_(fd) {}
  ~ReservedDescriptor() {
    if (fd_ >= 0) {
      process_files.descriptors.CancelReservation(fd_);
    }
  }
  ReservedDescriptor(const ReservedDescriptor&) = delete;
  ReservedDescriptor& operator=(const ReservedDescriptor&) = delete;

  int32_t number() const { return fd_; }
  int32_t Install(Ref<File> file) {
    process_files.descriptors.Install(fd_, std::move(file));
    return std::exchange(fd_, -1);
  }

 private:
  int32_t fd_;
};

Result<int32_t, Errno> ReserveDescriptor(uint32_t flags) {
  return process_files.descriptors.Reserve(0, (flags & kSOCK_CLOEXEC) != 0);
}

SysResult TellName(int32_t fd, Result<void, Errno> (Socket::*get)(SocketAddress&),
                   UserOut<std::byte> address, UserOut<int32_t> size) {
  const OpenSocket open = TRY(GetSocket(fd));
  SocketAddress name;
  TRY((open.socket->*get)(name));
  TRY(WriteAddress(address, size, name));
  return 0;
}

}  // namespace

SysResult SysSocket(int32_t domain, uint32_t type, int32_t protocol) {
  const SocketType split = TRY(SplitType(type));
  Ref<Socket> socket = TRY(MakeSocket(domain, split.type, protocol));
  Ref<File> file = TRY(Socket::Open(std::move(socket), split.flags & kSOCK_NONBLOCK));
  return int64_t{
      TRY(process_files.descriptors.Add(std::move(file), 0, (split.flags & kSOCK_CLOEXEC) != 0))};
}

SysResult SysSocketpair(int32_t domain, uint32_t type, int32_t protocol, UserOut<int32_t> fds) {
  const SocketType split = TRY(SplitType(type));
  ReservedDescriptor first(TRY(ReserveDescriptor(split.flags)));
  ReservedDescriptor second(TRY(ReserveDescriptor(split.flags)));
  TRY(Write(fds, first.number(), 0));
  TRY(Write(fds, second.number(), 1));
  SocketPair pair = TRY(MakeSocketPair(domain, split.type, protocol));
  const uint32_t flags = split.flags & kSOCK_NONBLOCK;
  Ref<File> first_file = TRY(Socket::Open(std::move(pair.first), flags));
  Ref<File> second_file = TRY(Socket::Open(std::move(pair.second), flags));
  first.Install(std::move(first_file));
  second.Install(std::move(second_file));
  return 0;
}

SysResult SysBind(int32_t fd, UserIn<std::byte> address, int32_t size) {
  const OpenSocket open = TRY(GetSocket(fd));
  SocketAddress wanted;
  TRY(ReadAddress(address, size, wanted));
  TRY(open.socket->Bind(wanted));
  return 0;
}

SysResult SysConnect(int32_t fd, UserIn<std::byte> address, int32_t size) {
  const Ref<File> file = TRY(GetFile(fd));
  // Linux finds out last that it is no socket.
  SocketAddress wanted;
  TRY(ReadAddress(address, size, wanted));
  TRY(TRY(SocketOf(*file))->Connect(wanted, !file->is_nonblocking()));
  return 0;
}

SysResult SysListen(int32_t fd, int32_t backlog) {
  const OpenSocket open = TRY(GetSocket(fd));
  // Negative is more than there can be, too.
  const uint32_t wanted = std::min(static_cast<uint32_t>(backlog), uint32_t{kSOMAXCONN});
  TRY(open.socket->Listen(static_cast<int32_t>(wanted)));
  return 0;
}

SysResult SysAccept(int32_t fd, UserOut<std::byte> address, UserOut<int32_t> size) {
  return SysAccept4(fd, address, size, 0);
}

SysResult SysAccept4(int32_t fd, UserOut<std::byte> address, UserOut<int32_t> size,
                     uint32_t flags) {
  if ((flags & ~kNewSocketFlags) != 0) {
    return Error(Errno::kEINVAL);
  }
  const OpenSocket open = TRY(GetSocket(fd));
  ReservedDescriptor accepted(TRY(ReserveDescriptor(flags)));
  SocketAddress peer;
  Ref<Socket> socket = TRY(open.socket->Accept(!open.file->is_nonblocking(), peer));
  Ref<File> file = TRY(Socket::Open(std::move(socket), flags & kSOCK_NONBLOCK));
  if (!address.is_null()) {
    TRY(WriteAddress(address, size, peer));
  }
  return int64_t{accepted.Install(std::move(file))};
}

SysResult SysShutdown(int32_t fd, int32_t how) {
  const OpenSocket open = TRY(GetSocket(fd));
  if (how < kSHUT_RD || how > kSHUT_RDWR) {
    return Error(Errno::kEINVAL);
  }
  TRY(open.socket->Shutdown(how));
  return 0;
}

SysResult SysGetsockname(int32_t fd, UserOut<std::byte> address, UserOut<int32_t> size) {
  return TellName(fd, &Socket::GetName, address, size);
}

SysResult SysGetpeername(int32_t fd, UserOut<std::byte> address, UserOut<int32_t> size) {
  return TellName(fd, &Socket::GetPeer, address, size);
}

SysResult SysSetsockopt(int32_t fd, int32_t level, int32_t name, UserIn<std::byte> value,
                        int32_t size) {
  if (size < 0) {
    return Error(Errno::kEINVAL);
  }
  const OpenSocket open = TRY(GetSocket(fd));
  std::byte buffer[Socket::kMaxOptionSize];
  const std::span part(buffer, std::min(static_cast<size_t>(size), sizeof(buffer)));
  TRY(CopyFromUser(part, value.address()));
  TRY(open.socket->SetOption(level, name, part));
  return 0;
}

SysResult SysGetsockopt(int32_t fd, int32_t level, int32_t name, UserOut<std::byte> value,
                        UserOut<int32_t> size) {
  const OpenSocket open = TRY(GetSocket(fd));
  const int32_t room = TRY(Read(UserIn<int32_t>(size.address())));
  if (room < 0) {
    return Error(Errno::kEINVAL);
  }
  std::byte buffer[Socket::kMaxOptionSize];
  const size_t got = TRY(open.socket->GetOption(level, name, buffer));
  const size_t part = std::min(static_cast<size_t>(room), got);
  TRY(CopyToUser(value.address(), std::span(buffer, part)));
  TRY(Write(size, static_cast<int32_t>(part)));
  return 0;
}

}  // namespace nsgx::libos
