// SPDX-License-Identifier: Apache-2.0
#include "libos/net/socket.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libos/kernel/clock.h"
#include "libos/net/interfaces.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kNanosecondsPerMicrosecond = 1000;
constexpr int64_t kMicrosecondsPerSecond = 1'000'000;

// SO_RCVTIMEO, SO_SNDTIMEO: a struct timeval. EINVAL, EDOM.
Result<uint64_t, Errno> TimeoutOption(std::span<const std::byte> value) {
  LinuxTimeval given;
  if (value.size() < sizeof(given)) {
    return Error(Errno::kEINVAL);
  }
  std::memcpy(&given, value.data(), sizeof(given));
  if (given.tv_usec < 0 || given.tv_usec >= kMicrosecondsPerSecond) {
    return Error(Errno::kEDOM);
  }
  if (given.tv_sec < 0) {
    // Linux: do not wait at all. The least that is not "for ever".
    return uint64_t{1};
  }
  uint64_t total;
  if (__builtin_mul_overflow(static_cast<uint64_t>(given.tv_sec), kNanosecondsPerSecond, &total) ||
      __builtin_add_overflow(
          total, static_cast<uint64_t>(given.tv_usec) * kNanosecondsPerMicrosecond, &total)) {
    return uint64_t{0};
  }
  return total;
}

size_t PutTimeoutOption(std::span<std::byte> out, uint64_t timeout) {
  const LinuxTimeval value = {.tv_sec = static_cast<int64_t>(timeout / kNanosecondsPerSecond),
                              .tv_usec = static_cast<int64_t>(timeout % kNanosecondsPerSecond /
                                                              kNanosecondsPerMicrosecond)};
  std::memcpy(out.data(), &value, sizeof(value));
  return sizeof(value);
}

}  // namespace

uint16_t SocketAddress::family() const {
  uint16_t family = static_cast<uint16_t>(kAF_UNSPEC);
  if (size >= sizeof(family)) {
    std::memcpy(&family, bytes, sizeof(family));
  }
  return family;
}

Socket::Socket(int32_t domain, int32_t type, int32_t protocol)
    : AnonymousInode(SocketFileSystem(), kS_IFSOCK | 0777),
      domain_(domain),
      type_(type),
      protocol_(protocol) {}

Result<Ref<File>, Errno> Socket::Open(Ref<Socket> socket, uint32_t flags) {
  Socket& object = *socket;
  return File::New(Ref<Inode>(std::move(socket)), object, kO_RDWR | flags);
}

void Socket::InheritTimeouts(const Socket& listener) {
  receive_timeout_.store(listener.receive_timeout_.load(std::memory_order_relaxed),
                         std::memory_order_relaxed);
  send_timeout_.store(listener.send_timeout_.load(std::memory_order_relaxed),
                      std::memory_order_relaxed);
}

Deadline Socket::DeadlineBy(const std::atomic<uint64_t>& timeout, bool wait) {
  if (!wait) {
    return 0;
  }
  const uint64_t nanoseconds = timeout.load(std::memory_order_relaxed);
  return nanoseconds == 0 ? kForever : DeadlineAfter(nanoseconds);
}

Result<void, Errno> Socket::Bind(const SocketAddress&) { return Error(Errno::kEOPNOTSUPP); }
Result<void, Errno> Socket::Connect(const SocketAddress&, bool) {
  return Error(Errno::kEOPNOTSUPP);
}
Result<void, Errno> Socket::Listen(int32_t) { return Error(Errno::kEOPNOTSUPP); }
Result<Ref<Socket>, Errno> Socket::Accept(bool, SocketAddress&) {
  return Error(Errno::kEOPNOTSUPP);
}
Result<void, Errno> Socket::Shutdown(int32_t) { return Error(Errno::kEOPNOTSUPP); }
Result<void, Errno> Socket::GetName(SocketAddress&) { return Error(Errno::kEOPNOTSUPP); }
Result<void, Errno> Socket::GetPeer(SocketAddress&) { return Error(Errno::kEOPNOTSUPP); }
Result<void, Errno> Socket::SetFamilyOption(int32_t, int32_t, std::span<const std::byte>) {
  return Error(Errno::kENOPROTOOPT);
}
Result<size_t, Errno> Socket::GetFamilyOption(int32_t, int32_t, std::span<std::byte>) {
  return Error(Errno::kENOPROTOOPT);
}

Result<void, Errno> Socket::SetOption(int32_t level, int32_t name,
                                      std::span<const std::byte> value) {
  if (level != kSOL_SOCKET) {
    return SetFamilyOption(level, name, value);
  }
  // Linux looks for an integer first, whatever the option.
  TRY(IntegerOption(value));
  switch (name) {
    case kSO_RCVTIMEO:
      receive_timeout_.store(TRY(TimeoutOption(value)), std::memory_order_relaxed);
      return {};
    case kSO_SNDTIMEO:
      send_timeout_.store(TRY(TimeoutOption(value)), std::memory_order_relaxed);
      return {};
    case kSO_TYPE:
    case kSO_DOMAIN:
    case kSO_PROTOCOL:
    case kSO_ERROR:
    case kSO_ACCEPTCONN:
      return Error(Errno::kENOPROTOOPT);
    default:
      return SetFamilyOption(level, name, value);
  }
}

Result<size_t, Errno> Socket::GetOption(int32_t level, int32_t name, std::span<std::byte> out) {
  if (level != kSOL_SOCKET) {
    return GetFamilyOption(level, name, out);
  }
  switch (name) {
    case kSO_TYPE:
      return PutIntegerOption(out, type_);
    case kSO_DOMAIN:
      return PutIntegerOption(out, domain_);
    case kSO_PROTOCOL:
      return PutIntegerOption(out, protocol_);
    case kSO_ERROR:
      return PutIntegerOption(out, TakeError());
    case kSO_ACCEPTCONN:
      return PutIntegerOption(out, is_listening() ? 1 : 0);
    case kSO_RCVTIMEO:
      return PutTimeoutOption(out, receive_timeout_.load(std::memory_order_relaxed));
    case kSO_SNDTIMEO:
      return PutTimeoutOption(out, send_timeout_.load(std::memory_order_relaxed));
    default:
      return GetFamilyOption(level, name, out);
  }
}

Result<size_t, Errno> Socket::Read(File&, IoBuffer& to, const IoRequest& request) {
  ReceiveRequest receive;
  receive.wait = request.wait;
  return Receive(to, receive);
}

Result<size_t, Errno> Socket::Write(File&, IoBuffer& from, const IoRequest& request) {
  return Send(from, {.wait = request.wait});
}

SysResult Socket::Control(File&, uint32_t request, uint64_t argument) {
  return InterfaceControl(request, argument);
}

Result<int32_t, Errno> IntegerOption(std::span<const std::byte> value) {
  int32_t integer;
  if (value.size() < sizeof(integer)) {
    return Error(Errno::kEINVAL);
  }
  std::memcpy(&integer, value.data(), sizeof(integer));
  return integer;
}

size_t PutIntegerOption(std::span<std::byte> out, int32_t value) {
  std::memcpy(out.data(), &value, sizeof(value));
  return sizeof(value);
}

}  // namespace nsgx::libos
