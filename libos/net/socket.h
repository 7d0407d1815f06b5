// SPDX-License-Identifier: Apache-2.0
// A socket: what socket(2) makes and what the socket calls act on. It is inode and object of its
// open file at once. A family derives a class for each kind of socket that it has.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/net/control_message.h"
#include "libos/net/linux_abi.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/file.h"
#include "libos/vfs/io_buffer.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

// A struct sockaddr of any family, as the program gave it or is to get it.
struct SocketAddress {
  size_t size = 0;  // 0: none
  alignas(8) std::byte bytes[kSockaddrStorageSize] = {};

  // kAF_UNSPEC also for an address too short to have a family.
  uint16_t family() const;
};

// One sendto or sendmsg.
struct SendRequest {
  const SocketAddress* to = nullptr;  // null: whoever the socket is connected with
  std::span<const std::byte> control = {};
  uint32_t flags = 0;  // kMSG_*; what is said about waiting and signals has been seen to
  bool wait = true;
};

// One recvfrom or recvmsg, and what comes back besides the data.
struct ReceiveRequest {
  uint32_t flags = 0;  // kMSG_*; what is said about waiting has been seen to
  bool wait = true;
  ControlMessageWriter* control = nullptr;  // null: the program wants none

  SocketAddress from = {};
  uint32_t flags_out = 0;  // kMSG_TRUNC, kMSG_CTRUNC, kMSG_EOR, ...
};

// Calls may sleep unless noted; several threads may be in the same socket at once. Errors are
// Linux's for the same call; EINTR: a signal came before anything was done.
class Socket : public AnonymousInode {
 public:
  int32_t domain() const { return domain_; }
  int32_t type() const { return type_; }
  int32_t protocol() const { return protocol_; }

  // EOPNOTSUPP by default, all of them.
  virtual Result<void, Errno> Bind(const SocketAddress& address);
  virtual Result<void, Errno> Connect(const SocketAddress& address, bool wait);
  virtual Result<void, Errno> Listen(int32_t backlog);
  // The next connection; fills in who it is with.
  virtual Result<Ref<Socket>, Errno> Accept(bool wait, SocketAddress& peer);
  virtual Result<void, Errno> Shutdown(int32_t how);
  virtual Result<void, Errno> GetName(SocketAddress& out);
  virtual Result<void, Errno> GetPeer(SocketAddress& out);

  // Each moves up to buffer.remaining() bytes, which may be 0, and returns how many. With
  // kMSG_TRUNC in its flags, Receive of a datagram returns its whole size.
  virtual Result<size_t, Errno> Send(IoBuffer& from, const SendRequest& request) = 0;
  virtual Result<size_t, Errno> Receive(IoBuffer& to, ReceiveRequest& request) = 0;

  // Options that are not common to all sockets (see GetOption). ENOPROTOOPT: there is no such
  // option. GetFamilyOption returns how many bytes of `out` it has filled, which has room for
  // kMaxOptionSize.
  virtual Result<void, Errno> SetFamilyOption(int32_t level, int32_t name,
                                              std::span<const std::byte> value);
  virtual Result<size_t, Errno> GetFamilyOption(int32_t level, int32_t name,
                                                std::span<std::byte> out);
  // The error of something that went wrong meanwhile, which is forgotten then; 0: nothing.
  virtual int32_t TakeError() { return 0; }
  virtual bool is_listening() const { return false; }

  static constexpr size_t kMaxOptionSize = 256;
  // setsockopt and getsockopt. SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN,
  // SO_RCVTIMEO and SO_SNDTIMEO are seen to here.
  Result<void, Errno> SetOption(int32_t level, int32_t name, std::span<const std::byte> value);
  Result<size_t, Errno> GetOption(int32_t level, int32_t name, std::span<std::byte> out);

  // An open file of this socket; `flags`: O_NONBLOCK. ENOMEM.
  static Result<Ref<File>, Errno> Open(Ref<Socket> socket, uint32_t flags);

  // For family code: until when a call may sleep. 0: not at all.
  Deadline ReceiveDeadline(bool wait) const { return DeadlineBy(receive_timeout_, wait); }
  Deadline SendDeadline(bool wait) const { return DeadlineBy(send_timeout_, wait); }

  std::string_view label() const override { return "socket"; }
  bool is_pollable() const override { return true; }
  bool is_seekable() const override { return false; }
  Socket* socket() override { return this; }
  // By way of Receive and Send.
  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;
  Result<size_t, Errno> Write(File& file, IoBuffer& from, const IoRequest& request) override;
  // What can be asked of every socket: about the network interfaces.
  SysResult Control(File& file, uint32_t request, uint64_t argument) override;

 protected:
  Socket(int32_t domain, int32_t type, int32_t protocol);
  ~Socket() = default;

  // SO_RCVTIMEO and SO_SNDTIMEO, for a connection that `listener` has accepted.
  void InheritTimeouts(const Socket& listener);

 private:
  static Deadline DeadlineBy(const std::atomic<uint64_t>& timeout, bool wait);

  const int32_t domain_;
  const int32_t type_;
  const int32_t protocol_;
  // Nanoseconds; 0: for ever.
  std::atomic<uint64_t> receive_timeout_{0};
  std::atomic<uint64_t> send_timeout_{0};
};

// A plain value in an option's bytes. EINVAL: too few bytes. What lies behind it is ignored.
Result<int32_t, Errno> IntegerOption(std::span<const std::byte> value);
// Puts an integer into `out`; returns how many bytes that were.
size_t PutIntegerOption(std::span<std::byte> out, int32_t value);

}  // namespace nsgx::libos
