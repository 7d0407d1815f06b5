// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>

#include "base/core/scope_exit.h"
#include "libos/mm/kernel_heap.h"
#include "libos/net/arguments.h"
#include "libos/net/syscalls.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/timeout.h"
#include "libos/vfs/transfer.h"

namespace nsgx::libos {
namespace {

// More control data than this in one message is ENOBUFS: Linux's net.core.optmem_max.
constexpr size_t kMaxControlSize = 131072;
// More messages in one call are left for the next.
constexpr uint32_t kMaxMessages = 1024;

bool MayWait(const File& file, uint32_t flags) {
  return (flags & kMSG_DONTWAIT) == 0 && !file.is_nonblocking();
}

// Sends, with the signal that goes with a broken connection.
SysResult Send(Socket& socket, IoBuffer& from, const SendRequest& request) {
  auto sent = socket.Send(from, request);
  if (!sent.ok()) [[unlikely]] {
    if (sent.error() == Errno::kEPIPE && socket.type() == kSOCK_STREAM &&
        (request.flags & kMSG_NOSIGNAL) == 0) {
      RaiseOnCurrentThread(kBrokenPipeSignal);
    }
    return Error(sent.error());
  }
  return static_cast<int64_t>(sent.value());
}

// The data of a message. EMSGSIZE: too many pieces.
Result<void, Errno> LoadSegments(SegmentList& list, const LinuxMsghdr& message) {
  if (message.msg_iovlen > static_cast<uint64_t>(kIOV_MAX)) {
    return Error(Errno::kEMSGSIZE);
  }
  return list.Load(UserIn<LinuxIovec>(message.msg_iov), static_cast<int32_t>(message.msg_iovlen));
}

// How much of an address sendmsg and recvmsg look at. EINVAL.
Result<int32_t, Errno> NameSize(const LinuxMsghdr& message) {
  if (message.msg_name == 0) {
    return 0;
  }
  if (message.msg_namelen < 0) {
    return Error(Errno::kEINVAL);
  }
  return std::min(message.msg_namelen, static_cast<int32_t>(kSockaddrStorageSize));
}

SysResult SendMessage(const OpenSocket& open, uint64_t address, uint32_t flags) {
  const LinuxMsghdr message = TRY(Read(UserIn<LinuxMsghdr>(address)));
  SocketAddress to;
  TRY(ReadAddress(UserIn<std::byte>(message.msg_name), TRY(NameSize(message)), to));
  SegmentList list;
  TRY(LoadSegments(list, message));

  if (message.msg_controllen > kMaxControlSize) {
    return Error(Errno::kENOBUFS);
  }
  const size_t control_size = static_cast<size_t>(message.msg_controllen);
  std::byte few[256];
  std::byte* control = few;
  void* many = nullptr;
  ScopeExit free([&] { KernelFree(many); });
  if (control_size > sizeof(few)) {
    many = KernelAllocate(control_size);
    if (many == nullptr) {
      return Error(Errno::kENOBUFS);
    }
    control = static_cast<std::byte*>(many);
  }
  if (control_size != 0) {
    TRY(CopyFromUser(std::span(control, control_size), message.msg_control));
  }

  IoBuffer from = IoBuffer::ForUserSegments(list.segments());
  return Send(*open.socket, from,
              {.to = to.size != 0 ? &to : nullptr,
               .control = std::span(control, control_size),
               .flags = flags,
               .wait = MayWait(*open.file, flags)});
}

SysResult ReceiveMessage(const OpenSocket& open, uint64_t address, uint32_t flags) {
  LinuxMsghdr message = TRY(Read(UserIn<LinuxMsghdr>(address)));
  TRY(NameSize(message));
  SegmentList list;
  TRY(LoadSegments(list, message));
  IoBuffer to = IoBuffer::ForUserSegments(list.segments());
  ControlMessageWriter control(message.msg_control, message.msg_control == 0
                                                        ? 0
                                                        : static_cast<size_t>(std::min<uint64_t>(
                                                              message.msg_controllen, INT32_MAX)));
  ReceiveRequest request;
  request.flags = flags;
  request.wait = MayWait(*open.file, flags);
  request.control = &control;
  const size_t count = TRY(open.socket->Receive(to, request));

  const uint64_t name_size_at = address + offsetof(LinuxMsghdr, msg_namelen);
  if (message.msg_name != 0) {
    TRY(WriteAddress(UserOut<std::byte>(message.msg_name), UserOut<int32_t>(name_size_at),
                     request.from));
  }
  const uint32_t flags_out =
      request.flags_out | (control.was_cut() ? kMSG_CTRUNC : 0) | (flags & kMSG_CMSG_CLOEXEC);
  TRY(Write(UserOut<uint32_t>(address + offsetof(LinuxMsghdr, msg_flags)), flags_out));
  TRY(Write(UserOut<uint64_t>(address + offsetof(LinuxMsghdr, msg_controllen)),
            uint64_t{control.size()}));
  return static_cast<int64_t>(count);
}

Result<void, Errno> TellLength(uint64_t message, int64_t length) {
  return Write(UserOut<uint32_t>(message + offsetof(LinuxMmsghdr, msg_len)),
               static_cast<uint32_t>(length));
}

// Does `one` for each message, by address and index, until it says that this was the last, or
// fails; an error counts only if it is the first message's.
template <typename One>
SysResult ForMessages(UserOut<LinuxMmsghdr> messages, uint32_t count, One one) {
  const int64_t most = std::min(count, kMaxMessages);
  int64_t done = 0;
  while (done < most) {
    const auto more =
        one(messages.address() + static_cast<uint64_t>(done) * sizeof(LinuxMmsghdr), done);
    if (!more.ok()) {
      if (done == 0) {
        return Error(more.error());
      }
      break;
    }
    ++done;
    if (!more.value()) {
      break;
    }
  }
  return done;
}

}  // namespace

SysResult SysSendto(int32_t fd, UserIn<std::byte> data, size_t size, uint32_t flags,
                    UserIn<std::byte> address, int32_t address_size) {
  const OpenSocket open = TRY(GetSocket(fd));
  SocketAddress to;
  if (!address.is_null()) {
    TRY(ReadAddress(address, address_size, to));
  }
  IoBuffer from = IoBuffer::ForUser(data.address(), std::min(size, kMAX_RW_COUNT));
  return Send(
      *open.socket, from,
      {.to = to.size != 0 ? &to : nullptr, .flags = flags, .wait = MayWait(*open.file, flags)});
}

SysResult SysRecvfrom(int32_t fd, UserOut<std::byte> data, size_t size, uint32_t flags,
                      UserOut<std::byte> address, UserOut<int32_t> address_size) {
  const OpenSocket open = TRY(GetSocket(fd));
  IoBuffer to = IoBuffer::ForUser(data.address(), std::min(size, kMAX_RW_COUNT));
  ReceiveRequest request;
  request.flags = flags;
  request.wait = MayWait(*open.file, flags);
  const size_t count = TRY(open.socket->Receive(to, request));
  if (!address.is_null()) {
    TRY(WriteAddress(address, address_size, request.from));
  }
  return static_cast<int64_t>(count);
}

SysResult SysSendmsg(int32_t fd, UserIn<LinuxMsghdr> message, uint32_t flags) {
  return SendMessage(TRY(GetSocket(fd)), message.address(), flags);
}

SysResult SysRecvmsg(int32_t fd, UserOut<LinuxMsghdr> message, uint32_t flags) {
  return ReceiveMessage(TRY(GetSocket(fd)), message.address(), flags);
}

SysResult SysSendmmsg(int32_t fd, UserOut<LinuxMmsghdr> messages, uint32_t count, uint32_t flags) {
  const OpenSocket open = TRY(GetSocket(fd));
  return ForMessages(messages, count, [&](uint64_t at, int64_t) -> Result<bool, Errno> {
    TRY(TellLength(at, TRY(SendMessage(open, at, flags))));
    return true;
  });
}

SysResult SysRecvmmsg(int32_t fd, UserOut<LinuxMmsghdr> messages, uint32_t count, uint32_t flags,
                      UserOut<LinuxTimespec> timeout) {
  // Looked at between messages only, as on Linux: one that does not come is waited for all the
  // same.
  const Deadline deadline = TRY(DeadlineOfTimespec(timeout));
  const OpenSocket open = TRY(GetSocket(fd));
  const auto receive = [&](uint64_t at, int64_t index) -> Result<bool, Errno> {
    uint32_t message_flags = flags & ~kMSG_WAITFORONE;
    if ((flags & kMSG_WAITFORONE) != 0 && index != 0) {
      message_flags |= kMSG_DONTWAIT;
    }
    TRY(TellLength(at, TRY(ReceiveMessage(open, at, message_flags))));
    return deadline == kForever || (deadline != 0 && MonotonicNow() < deadline);
  };
  const int64_t done = TRY(ForMessages(messages, count, receive));
  TellRest(timeout, deadline);
  return done;
}

}  // namespace nsgx::libos
