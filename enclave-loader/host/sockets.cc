// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/host/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "enclave-loader/host/timeout.h"

// Not in every <netinet/in.h> or <sys/ioctl.h>.
#ifndef SIOCOUTQ
#define SIOCOUTQ 0x5411
#endif

namespace nsgx::loader {
namespace {

using shim::SocketOption;

// Not a socket's number.
constexpr uint64_t kWaker = shim::kMaxSockets;
// Number of the Linux ABI, and not in every <sys/syscall.h>.
constexpr long kEpollPwait2 = 441;

constexpr uint32_t kEvents = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;

int64_t ResultOf(int64_t result) { return result < 0 ? -errno : result; }

// An address of the enclave's, copied so that it stays what was checked.
struct Address {
  explicit Address(std::span<const std::byte> from) : size(static_cast<socklen_t>(from.size())) {
    std::memcpy(&storage, from.data(), std::min(from.size(), sizeof storage));
  }
  // Nothing but addresses of the Internet, whatever the number of their family.
  bool is_good() const {
    return (size == sizeof(sockaddr_in) && storage.ss_family == AF_INET) ||
           (size == sizeof(sockaddr_in6) && storage.ss_family == AF_INET6);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_storage storage = {};
  socklen_t size;
};

uint32_t ReadyNow(int fd) {
  pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP, .revents = 0};
  return poll(&poll_fd, 1, 0) > 0
             ? static_cast<uint32_t>(static_cast<uint16_t>(poll_fd.revents)) & shim::kSourceEvents
             : 0;
}
bool HasMore(int fd) { return (ReadyNow(fd) & POLLIN) != 0; }

int FamilyOf(int fd) {
  int family = 0;
  socklen_t size = sizeof family;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family;
}

// Where Linux has an option that is a plain integer.
struct OptionPlace {
  int level;
  int name;
};
std::optional<OptionPlace> PlaceOf(SocketOption option, bool is_ipv6) {
  switch (option) {
    case SocketOption::kError:
      return OptionPlace{SOL_SOCKET, SO_ERROR};
    case SocketOption::kReuseAddress:
      return OptionPlace{SOL_SOCKET, SO_REUSEADDR};
    case SocketOption::kReusePort:
      return OptionPlace{SOL_SOCKET, SO_REUSEPORT};
    case SocketOption::kKeepAlive:
      return OptionPlace{SOL_SOCKET, SO_KEEPALIVE};
    case SocketOption::kBroadcast:
      return OptionPlace{SOL_SOCKET, SO_BROADCAST};
    case SocketOption::kSendBuffer:
      return OptionPlace{SOL_SOCKET, SO_SNDBUF};
    case SocketOption::kReceiveBuffer:
      return OptionPlace{SOL_SOCKET, SO_RCVBUF};
    case SocketOption::kOobInline:
      return OptionPlace{SOL_SOCKET, SO_OOBINLINE};
    case SocketOption::kNoDelay:
      return OptionPlace{IPPROTO_TCP, TCP_NODELAY};
    case SocketOption::kCork:
      return OptionPlace{IPPROTO_TCP, TCP_CORK};
    case SocketOption::kKeepIdle:
      return OptionPlace{IPPROTO_TCP, TCP_KEEPIDLE};
    case SocketOption::kKeepInterval:
      return OptionPlace{IPPROTO_TCP, TCP_KEEPINTVL};
    case SocketOption::kKeepCount:
      return OptionPlace{IPPROTO_TCP, TCP_KEEPCNT};
    case SocketOption::kUserTimeout:
      return OptionPlace{IPPROTO_TCP, TCP_USER_TIMEOUT};
    case SocketOption::kQuickAck:
      return OptionPlace{IPPROTO_TCP, TCP_QUICKACK};
    case SocketOption::kMaximumSegment:
      return OptionPlace{IPPROTO_TCP, TCP_MAXSEG};
    case SocketOption::kDeferAccept:
      return OptionPlace{IPPROTO_TCP, TCP_DEFER_ACCEPT};
    case SocketOption::kSynCount:
      return OptionPlace{IPPROTO_TCP, TCP_SYNCNT};
    case SocketOption::kFinTimeout:
      return OptionPlace{IPPROTO_TCP, TCP_LINGER2};
    case SocketOption::kV6Only:
      return OptionPlace{IPPROTO_IPV6, IPV6_V6ONLY};
    case SocketOption::kTtl:
      return OptionPlace{IPPROTO_IP, IP_TTL};
    case SocketOption::kTypeOfService:
      return OptionPlace{IPPROTO_IP, IP_TOS};
    case SocketOption::kUnicastHops:
      return OptionPlace{IPPROTO_IPV6, IPV6_UNICAST_HOPS};
    case SocketOption::kTrafficClass:
      return OptionPlace{IPPROTO_IPV6, IPV6_TCLASS};
    case SocketOption::kMulticastTtl:
      return is_ipv6 ? OptionPlace{IPPROTO_IPV6, IPV6_MULTICAST_HOPS}
                     : OptionPlace{IPPROTO_IP, IP_MULTICAST_TTL};
    case SocketOption::kMulticastLoop:
      return is_ipv6 ? OptionPlace{IPPROTO_IPV6, IPV6_MULTICAST_LOOP}
                     : OptionPlace{IPPROTO_IP, IP_MULTICAST_LOOP};
    case SocketOption::kMulticastInterface:
      return is_ipv6 ? OptionPlace{IPPROTO_IPV6, IPV6_MULTICAST_IF}
                     : OptionPlace{IPPROTO_IP, IP_MULTICAST_IF};
    case SocketOption::kAvailable:
    case SocketOption::kUnsent:
    case SocketOption::kLinger:
      return std::nullopt;
  }
  return std::nullopt;
}

int WaitForEvents(int fd, std::span<epoll_event> out, uint64_t nanoseconds) {
  constexpr uint64_t kMillisecond = 1'000'000;
  const int room = static_cast<int>(out.size());
  if (nanoseconds == 0) {
    return epoll_wait(fd, out.data(), room, 0);
  }
  const timespec timeout = ToTimespec(nanoseconds);
  const bool is_forever = nanoseconds == kNoTimeout;
  const long count =
      syscall(kEpollPwait2, fd, out.data(), room, is_forever ? nullptr : &timeout, nullptr, 0);
  if (count >= 0 || errno != ENOSYS) {
    return static_cast<int>(count);
  }
  const uint64_t milliseconds = std::min<uint64_t>(nanoseconds / kMillisecond + 1, INT32_MAX);
  return epoll_wait(fd, out.data(), room, is_forever ? -1 : static_cast<int>(milliseconds));
}

int64_t Linger(int fd, uint64_t value) {
  const linger setting = {.l_onoff = (value & shim::kLingerOn) != 0,
                          .l_linger = static_cast<int>(value & INT32_MAX)};
  return ResultOf(setsockopt(fd, SOL_SOCKET, SO_LINGER, &setting, sizeof setting));
}

}  // namespace

// ---- entries -----------------------------------------------------------------------------------

// The upper half is the descriptor, the lower one counts; kClosed: no new uses.

bool Sockets::Entry::Claim() {
  uint64_t free = 0;
  return word_.compare_exchange_strong(free, kClosed);
}

void Sockets::Entry::Open(int fd) { word_.store(uint64_t{static_cast<uint32_t>(fd)} << 32 | 1); }

int Sockets::Entry::Use() {
  uint64_t word = word_.load();
  do {
    if (word == 0 || (word & kClosed) != 0) {
      return -1;
    }
  } while (!word_.compare_exchange_weak(word, word + 1));
  return static_cast<int>(word >> 32);
}

void Sockets::Entry::Release() {
  uint64_t word = word_.load();
  uint64_t next;
  do {
    const bool is_last = (word & (kClosed - 1)) == 1;
    next = is_last ? 0 : word - 1;
  } while (!word_.compare_exchange_weak(word, next));
  if (next == 0) {
    close(static_cast<int>(word >> 32));
  }
}

bool Sockets::Entry::BeginClose() {
  uint64_t word = word_.load();
  do {
    if (word == 0 || (word & kClosed) != 0) {
      return false;
    }
  } while (!word_.compare_exchange_weak(word, word | kClosed));
  return true;
}

Sockets::Entry* Sockets::FindEntry(uint32_t socket) const {
  Chunk* const chunk = chunks_[socket / kChunkSize].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &(*chunk)[socket % kChunkSize];
}

Sockets::Entry* Sockets::EntryFor(uint32_t socket) {
  std::atomic<Chunk*>& place = chunks_[socket / kChunkSize];
  if (place.load(std::memory_order_acquire) == nullptr) {
    Chunk* const fresh = new (std::nothrow) Chunk();
    Chunk* none = nullptr;
    if (!place.compare_exchange_strong(none, fresh)) {
      delete fresh;
    }
  }
  return FindEntry(socket);
}

template <typename Function>
int64_t Sockets::With(uint32_t socket, Function use) {
  Entry* const entry = FindEntry(socket);
  const int fd = entry == nullptr ? -1 : entry->Use();
  if (fd < 0) {
    return -EBADF;
  }
  const int64_t result = use(fd);
  entry->Release();
  return result;
}

Sockets::~Sockets() {
  for (std::atomic<Chunk*>& place : chunks_) {
    Chunk* const chunk = place.load();
    if (chunk == nullptr) {
      continue;
    }
    for (Entry& entry : *chunk) {
      if (entry.BeginClose()) {
        entry.Release();
      }
    }
    delete chunk;
  }
  for (const int fd : {epoll_.load(), waker_.load()}) {
    if (fd >= 0) {
      close(fd);
    }
  }
}

// ---- calls -------------------------------------------------------------------------------------

int Sockets::event_descriptor() {
  if (const int fd = epoll_.load(std::memory_order_acquire); fd >= 0) {
    return fd;
  }
  // A server may have more connections than the usual limit lets a process have.
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  int none = -1;
  if (fd >= 0 && !epoll_.compare_exchange_strong(none, fd)) {
    close(fd);
  }
  return epoll_.load();
}

int64_t Sockets::Adopt(Entry& entry, uint32_t socket, int fd) {
  epoll_event event = {.events = kEvents, .data = {.u64 = socket}};
  if (epoll_ctl(epoll_.load(), EPOLL_CTL_ADD, fd, &event) != 0) {
    const int error = errno;
    close(fd);
    entry.Abandon();
    return error == ENOSPC ? -ENFILE : -error;
  }
  entry.Open(fd);
  return 0;
}

int64_t Sockets::Create(uint32_t number, uint64_t kind) {
  Entry* const entry = EntryFor(number);
  if (entry == nullptr || event_descriptor() < 0) {
    return -ENOMEM;
  }
  if (!entry->Claim()) {
    return -EBUSY;
  }
  const int family = (kind & shim::kSocketIsIpv6) != 0 ? AF_INET6 : AF_INET;
  const int type = (kind & shim::kSocketIsDatagram) != 0 ? SOCK_DGRAM : SOCK_STREAM;
  const int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    const int error = errno;
    entry->Abandon();
    return -error;
  }
  return Adopt(*entry, number, fd);
}

int64_t Sockets::Close(uint32_t socket, bool abort) {
  Entry* const entry = FindEntry(socket);
  const int fd = entry == nullptr ? -1 : entry->Use();
  if (fd < 0) {
    return -EBADF;
  }
  if (!entry->BeginClose()) {
    entry->Release();
    return -EBADF;
  }
  linger setting = {};
  socklen_t size = sizeof setting;
  if (abort) {
    Linger(fd, shim::kLingerOn);
  } else if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &setting, &size) == 0 && setting.l_onoff != 0 &&
             setting.l_linger != 0) {
    // close() would wait, and a vCPU with it. What is still to be sent is sent all the same.
    Linger(fd, 0);
  }
  entry->Release();
  entry->Release();
  return 0;
}

int64_t Sockets::Bind(uint32_t socket, std::span<const std::byte> bytes) {
  const Address address(bytes);
  if (!address.is_good()) {
    return -EINVAL;
  }
  return With(socket, [&](int fd) { return ResultOf(bind(fd, address.get(), address.size)); });
}

int64_t Sockets::Connect(uint32_t socket, std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    const sockaddr nobody = {.sa_family = AF_UNSPEC, .sa_data = {}};
    return With(socket, [&](int fd) { return ResultOf(connect(fd, &nobody, sizeof nobody)); });
  }
  const Address address(bytes);
  if (!address.is_good()) {
    return -EINVAL;
  }
  return With(socket, [&](int fd) { return ResultOf(connect(fd, address.get(), address.size)); });
}

int64_t Sockets::Listen(uint32_t socket, uint32_t backlog) {
  return With(socket, [&](int fd) { return ResultOf(listen(fd, static_cast<int>(backlog))); });
}

int64_t Sockets::Accept(uint32_t socket, uint32_t accepted, std::span<std::byte> out) {
  if (out.size() < sizeof(shim::AcceptRecord) + shim::kSocketAddressSize) {
    return -EINVAL;
  }
  Entry* const entry = EntryFor(accepted);
  if (entry == nullptr) {
    return -ENOMEM;
  }
  if (!entry->Claim()) {
    return -EBUSY;
  }
  sockaddr_storage peer = {};
  socklen_t peer_size = sizeof peer;
  shim::AcceptRecord record = {};
  const int64_t result = With(socket, [&](int fd) -> int64_t {
    const int connection =
        accept4(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection < 0) {
      const int error = errno;
      entry->Abandon();
      return -error;
    }
    record = {.more = HasMore(fd) ? 1u : 0u, .events = ReadyNow(connection)};
    return Adopt(*entry, accepted, connection);
  });
  if (result == -EBADF) {
    entry->Abandon();
  }
  if (result < 0) {
    return result;
  }
  const size_t address_size = std::min<size_t>(peer_size, shim::kSocketAddressSize);
  std::memcpy(out.data(), &record, sizeof record);
  std::memcpy(out.data() + sizeof record, &peer, address_size);
  return static_cast<int64_t>(sizeof record + address_size);
}

int64_t Sockets::Send(uint32_t socket, bool more, std::span<const std::byte> data) {
  return With(socket, [&](int fd) {
    return ResultOf(send(fd, data.data(), data.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
  });
}

int64_t Sockets::SendTo(uint32_t socket, std::span<const std::byte> message) {
  shim::DatagramRecord record;
  if (message.size() < sizeof record) {
    return -EINVAL;
  }
  std::memcpy(&record, message.data(), sizeof record);
  if (record.address_size > record.address.size()) {
    return -EINVAL;
  }
  const Address address(std::as_bytes(std::span(record.address).first(record.address_size)));
  if (!address.is_good()) {
    return -EINVAL;
  }
  const std::span<const std::byte> data = message.subspan(sizeof record);
  return With(socket, [&](int fd) {
    return ResultOf(
        sendto(fd, data.data(), data.size(), MSG_NOSIGNAL, address.get(), address.size));
  });
}

int64_t Sockets::Receive(uint32_t socket, bool peek, std::span<std::byte> out) {
  return With(socket, [&](int fd) {
    return ResultOf(recv(fd, out.data(), out.size(), peek ? MSG_PEEK : 0));
  });
}

int64_t Sockets::ReceiveFrom(uint32_t socket, bool peek, std::span<std::byte> out) {
  shim::DatagramRecord record = {};
  if (out.size() < sizeof record) {
    return -EINVAL;
  }
  return With(socket, [&](int fd) -> int64_t {
    sockaddr_storage sender = {};
    iovec room = {.iov_base = out.data() + sizeof record, .iov_len = out.size() - sizeof record};
    msghdr message = {};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    const ssize_t size = recvmsg(fd, &message, MSG_TRUNC | (peek ? MSG_PEEK : 0));
    if (size < 0) {
      return -errno;
    }
    record.address_size =
        static_cast<uint32_t>(std::min<size_t>(message.msg_namelen, record.address.size()));
    std::memcpy(record.address.data(), &sender, record.address_size);
    record.full_size = static_cast<uint32_t>(size);
    record.more = HasMore(fd) ? 1 : 0;
    std::memcpy(out.data(), &record, sizeof record);
    return static_cast<int64_t>(
        std::min<size_t>(sizeof record + static_cast<size_t>(size), out.size()));
  });
}

int64_t Sockets::Shutdown(uint32_t socket, uint32_t how) {
  return With(socket, [&](int fd) { return ResultOf(shutdown(fd, static_cast<int>(how))); });
}

int64_t Sockets::Name(uint32_t socket, bool peer, std::span<std::byte> out) {
  return With(socket, [&](int fd) -> int64_t {
    sockaddr_storage name = {};
    socklen_t size = sizeof name;
    sockaddr* const at = reinterpret_cast<sockaddr*>(&name);
    if ((peer ? getpeername(fd, at, &size) : getsockname(fd, at, &size)) != 0) {
      return -errno;
    }
    const size_t part = std::min<size_t>(size, out.size());
    std::memcpy(out.data(), &name, part);
    return static_cast<int64_t>(part);
  });
}

int64_t Sockets::SetOption(uint32_t socket, SocketOption option, uint64_t value) {
  return With(socket, [&](int fd) -> int64_t {
    if (option == SocketOption::kLinger) {
      return Linger(fd, value);
    }
    const auto place = PlaceOf(option, FamilyOf(fd) == AF_INET6);
    if (!place.has_value() || option == SocketOption::kError) {
      return -ENOPROTOOPT;
    }
    const int number = static_cast<int>(static_cast<uint32_t>(value));
    return ResultOf(setsockopt(fd, place->level, place->name, &number, sizeof number));
  });
}

int64_t Sockets::GetOption(uint32_t socket, SocketOption option) {
  return With(socket, [&](int fd) -> int64_t {
    int number = 0;
    if (option == SocketOption::kLinger) {
      linger setting = {};
      socklen_t size = sizeof setting;
      if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &setting, &size) != 0) {
        return -errno;
      }
      return static_cast<int64_t>((setting.l_onoff != 0 ? shim::kLingerOn : 0) |
                                  static_cast<uint32_t>(setting.l_linger));
    }
    if (option == SocketOption::kAvailable || option == SocketOption::kUnsent) {
      const int failed = option == SocketOption::kAvailable ? ioctl(fd, FIONREAD, &number)
                                                            : ioctl(fd, SIOCOUTQ, &number);
      return failed != 0 ? -errno : number;
    }
    const auto place = PlaceOf(option, FamilyOf(fd) == AF_INET6);
    if (!place.has_value()) {
      return -ENOPROTOOPT;
    }
    socklen_t size = sizeof number;
    if (getsockopt(fd, place->level, place->name, &number, &size) != 0) {
      return -errno;
    }
    return static_cast<int64_t>(static_cast<uint32_t>(number));
  });
}

int64_t Sockets::Join(uint32_t socket, bool leave, std::span<const std::byte> group) {
  shim::GroupRecord record;
  if (group.size() != sizeof record) {
    return -EINVAL;
  }
  std::memcpy(&record, group.data(), sizeof record);
  return With(socket, [&](int fd) -> int64_t {
    if (FamilyOf(fd) == AF_INET6) {
      ipv6_mreq request = {};
      std::memcpy(&request.ipv6mr_multiaddr, record.group.data(), 16);
      request.ipv6mr_interface = record.interface;
      return ResultOf(setsockopt(fd, IPPROTO_IPV6, leave ? IPV6_LEAVE_GROUP : IPV6_JOIN_GROUP,
                                 &request, sizeof request));
    }
    ip_mreqn request = {};
    std::memcpy(&request.imr_multiaddr, record.group.data(), 4);
    std::memcpy(&request.imr_address, record.group.data() + 4, 4);
    request.imr_ifindex = static_cast<int>(record.interface);
    return ResultOf(setsockopt(fd, IPPROTO_IP, leave ? IP_DROP_MEMBERSHIP : IP_ADD_MEMBERSHIP,
                               &request, sizeof request));
  });
}

int64_t Sockets::Poll(uint32_t socket) {
  return With(socket, [](int fd) { return int64_t{ReadyNow(fd)}; });
}

int Sockets::BeginSleep() {
  if (has_sleeper_.exchange(true)) {
    return -1;
  }
  int fd = waker_.load(std::memory_order_relaxed);
  if (fd < 0) {
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    // Edge-triggered, so that it is never read.
    epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = kWaker}};
    if (fd >= 0 && epoll_ctl(event_descriptor(), EPOLL_CTL_ADD, fd, &event) != 0) {
      close(fd);
      fd = -1;
    }
    waker_.store(fd);
  }
  if (fd < 0) {
    EndSleep();
  }
  return fd;
}

size_t Sockets::TakeEvents(std::span<shim::WaitRecord> out, uint64_t nanoseconds) {
  std::array<epoll_event, 256> events;
  const int fd = event_descriptor();
  const int most = static_cast<int>(std::min(out.size(), events.size()));
  if (fd < 0 || most == 0) {
    return 0;
  }
  const int count =
      WaitForEvents(fd, std::span(events).first(static_cast<size_t>(most)), nanoseconds);
  size_t filled = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.u64 != kWaker) {
      out[filled++] = {.source = shim::kSocketSource + static_cast<uint32_t>(event.data.u64),
                       .events = event.events & shim::kSourceEvents};
    } else if (nanoseconds == 0 && has_sleeper_.load()) {
      // It was for the sleeper: once more.
      const uint64_t one = 1;
      (void)!write(waker_.load(), &one, sizeof one);
    }
  }
  return filled;
}

}  // namespace nsgx::loader
