// SPDX-License-Identifier: Apache-2.0
#include "libos/net/netlink_socket.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <span>

#include "base/core/align.h"
#include "libos/net/interfaces.h"
#include "libos/net/sleep.h"
#include "libos/vfs/kernel_services.h"

namespace nsgx::libos {
namespace {

using Kind = host::InterfaceRecord::Kind;

constexpr int32_t kNETLINK_ROUTE = 0;

// struct sockaddr_nl.
struct LinuxSockaddrNl {
  uint16_t family;
  uint16_t padding;
  uint32_t port;
  uint32_t groups;
};

// struct nlmsghdr.
struct MessageHeader {
  uint32_t size = 0;
  uint16_t type = 0;
  uint16_t flags = 0;
  uint32_t sequence = 0;
  uint32_t port = 0;
};
static_assert(sizeof(MessageHeader) == 16);
enum : uint16_t {
  kError = 2,
  kDone = 3,
  kFirstOfRoutes = 16,
  kNewLink = 16,
  kGetLink = 18,
  kNewAddress = 20,
  kGetAddress = 22,
};
constexpr uint16_t kMultipart = 2;
constexpr uint16_t kDump = 0x300;

// struct ifinfomsg.
struct LinkMessage {
  uint8_t family;
  uint8_t padding;
  uint16_t hardware;
  int32_t index;
  uint32_t flags;
  uint32_t changed;
};
constexpr uint16_t kHardwareLoopback = 772, kHardwareNone = 0xfffe;

// struct ifaddrmsg.
struct AddressMessage {
  uint8_t family;
  uint8_t prefix;
  uint8_t flags;
  uint8_t scope;
  uint32_t index;
};
constexpr uint8_t kPermanent = 0x80;
constexpr uint8_t kScopeUniverse = 0, kScopeLink = 253, kScopeHost = 254;

// Attributes of both kinds of messages.
enum : uint16_t {
  kLinkName = 3,
  kLinkMtu = 4,
  kAddress = 1,
  kAddressLocal = 2,
  kAddressLabel = 3,
  kAddressBroadcast = 4
};

// One message of a dump, put together.
class MessageWriter {
 public:
  template <typename Body>
  MessageWriter(uint16_t type, const Body& body) : header_{.type = type} {
    Append(std::as_bytes(std::span(&body, 1)));
  }

  void AddAttribute(uint16_t type, std::span<const std::byte> value) {
    const struct {
      uint16_t size;
      uint16_t type;
    } head = {.size = static_cast<uint16_t>(sizeof(head) + value.size()), .type = type};
    Append(std::as_bytes(std::span(&head, 1)));
    Append(value);
    size_ = AlignUp(size_, size_t{4});
  }

  std::span<std::byte> Finish(uint32_t sequence, uint32_t port) {
    header_.size = static_cast<uint32_t>(size_);
    header_.flags = kMultipart;
    header_.sequence = sequence;
    header_.port = port;
    std::memcpy(bytes_, &header_, sizeof(header_));
    return std::span(bytes_, size_);
  }

 private:
  // What is written here is bounded: the longest message has a name and three addresses.
  void Append(std::span<const std::byte> bytes) {
    std::memcpy(&bytes_[size_], bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  MessageHeader header_;
  size_t size_ = sizeof(header_);
  alignas(8) std::byte bytes_[128] = {};
};

std::span<const std::byte> NameBytes(const host::InterfaceRecord& record) {
  return std::as_bytes(std::span(record.name.data(), NameOf(record).size() + 1));
}

MessageWriter LinkOf(const host::InterfaceRecord& record) {
  const bool is_loopback = (record.flags & kIFF_LOOPBACK) != 0;
  MessageWriter out(kNewLink,
                    LinkMessage{.family = kAF_UNSPEC,
                                .padding = 0,
                                .hardware = is_loopback ? kHardwareLoopback : kHardwareNone,
                                .index = static_cast<int32_t>(record.index),
                                .flags = record.flags,
                                .changed = 0});
  out.AddAttribute(kLinkName, NameBytes(record));
  out.AddAttribute(kLinkMtu, std::as_bytes(std::span(&record.mtu, 1)));
  return out;
}

uint8_t ScopeOf(const host::InterfaceRecord& record) {
  const bool is_link_local = record.kind == Kind::kIpv6 && record.address[0] == std::byte{0xfe} &&
                             (record.address[1] & std::byte{0xc0}) == std::byte{0x80};
  return (record.flags & kIFF_LOOPBACK) != 0 ? kScopeHost
         : is_link_local                     ? kScopeLink
                                             : kScopeUniverse;
}

MessageWriter AddressOf(const host::InterfaceRecord& record) {
  const bool is_ipv4 = record.kind == Kind::kIpv4;
  MessageWriter out(kNewAddress,
                    AddressMessage{.family = static_cast<uint8_t>(is_ipv4 ? kAF_INET : kAF_INET6),
                                   .prefix = record.prefix,
                                   .flags = kPermanent,
                                   .scope = ScopeOf(record),
                                   .index = record.index});
  if (!is_ipv4) {
    out.AddAttribute(kAddress, record.address);
    return out;
  }
  const Ipv4Bytes address = Ipv4AddressOf(record);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(address.bytes));
  out.AddAttribute(kAddress, bytes);
  out.AddAttribute(kAddressLocal, bytes);
  if ((record.flags & kIFF_BROADCAST) != 0) {
    const Ipv4Bytes broadcast = Ipv4BroadcastOf(record);
    out.AddAttribute(kAddressBroadcast, std::as_bytes(std::span(broadcast.bytes)));
  }
  out.AddAttribute(kAddressLabel, NameBytes(record));
  return out;
}

void SetAddress(SocketAddress& out, uint32_t port) {
  const LinuxSockaddrNl address = {.family = kAF_NETLINK, .padding = 0, .port = port, .groups = 0};
  std::memcpy(out.bytes, &address, sizeof(address));
  out.size = sizeof(address);
}

// EINVAL, EOPNOTSUPP.
Result<LinuxSockaddrNl, Errno> AddressIn(const SocketAddress& address) {
  LinuxSockaddrNl out;
  if (address.size < sizeof(out) || address.family() != kAF_NETLINK) {
    return Error(Errno::kEINVAL);
  }
  std::memcpy(&out, address.bytes, sizeof(out));
  if (out.groups != 0) {
    return Error(Errno::kEOPNOTSUPP);
  }
  return out;
}

// The first socket has the process's number, as on Linux.
uint32_t NextPort() {
  static constinit std::atomic<uint32_t> made{0};
  return static_cast<uint32_t>(about::ProcessId()) + made.fetch_add(1, std::memory_order_relaxed);
}

// Puts what there is room for.
size_t PutPart(IoBuffer& to, std::span<const std::byte> bytes) {
  to.Put(bytes.first(std::min(bytes.size(), to.remaining())));
  return bytes.size();
}

}  // namespace

NetlinkSocket::NetlinkSocket(int32_t type)
    : Socket(kAF_NETLINK, type, kNETLINK_ROUTE), port_(NextPort()) {}

Result<void, Errno> NetlinkSocket::Bind(const SocketAddress& address) {
  const LinuxSockaddrNl wanted = TRY(AddressIn(address));
  if (wanted.port != 0 && wanted.port != port_) {
    return Error(Errno::kEADDRINUSE);
  }
  return {};
}

Result<void, Errno> NetlinkSocket::Connect(const SocketAddress& address, bool) {
  // There is nobody but the system.
  return TRY(AddressIn(address)).port == 0 ? Result<void, Errno>() : Error(Errno::kECONNREFUSED);
}

Result<void, Errno> NetlinkSocket::GetName(SocketAddress& out) {
  SetAddress(out, port_);
  return {};
}

Result<size_t, Errno> NetlinkSocket::Send(IoBuffer& from, const SendRequest& request) {
  if (request.to != nullptr && TRY(AddressIn(*request.to)).port != 0) {
    return Error(Errno::kECONNREFUSED);
  }
  const size_t size = from.remaining();
  struct {
    MessageHeader header;
    uint8_t family;
  } question = {};
  const size_t part = std::min(size, sizeof(question.header) + sizeof(question.family));
  if (from.Take(std::as_writable_bytes(std::span(&question, 1)).first(part)) != part) {
    return Error(Errno::kEFAULT);
  }
  const MessageHeader& header = question.header;
  if (size < sizeof(header) || header.size < sizeof(header) || header.size > size) {
    return size;  // Linux takes no notice either
  }
  Answer answer = {.part = Part::kRefusal, .family = question.family, .sequence = header.sequence};
  std::memcpy(answer.question, &header, sizeof(header));
  const bool is_dump = (header.flags & kDump) != 0;
  if (is_dump && (header.type == kGetLink || header.type == kGetAddress)) {
    answer.part = header.type == kGetLink ? Part::kLinks : Part::kAddresses;
  } else {
    // Two bits say whether something is asked for or changed.
    const bool is_question = header.type >= kFirstOfRoutes && (header.type & 3) == 2;
    answer.error = is_question ? Errno::kEOPNOTSUPP : Errno::kEPERM;
  }
  SpinLockGuard guard(lock_);
  if (answer_.part != Part::kNothing) {
    return Error(Errno::kEBUSY);
  }
  answer_ = answer;
  receivers_.Wake(1);
  observers_.Notify(kPOLLIN | kPOLLRDNORM);
  return size;
}

size_t NetlinkSocket::PutAnswer(const Answer& answer, IoBuffer& to) const {
  if (answer.part == Part::kRefusal) {
    struct {
      int32_t error;
      uint32_t question[4];
    } body = {.error = -static_cast<int32_t>(answer.error), .question = {}};
    std::ranges::copy(answer.question, body.question);
    return PutPart(to, MessageWriter(kError, body).Finish(answer.sequence, port_));
  }
  size_t size = 0;
  const InterfaceList list;
  for (const host::InterfaceRecord& record : list.records()) {
    const bool is_link = record.kind == Kind::kInterface;
    const int32_t family = record.kind == Kind::kIpv4 ? kAF_INET : kAF_INET6;
    if (is_link && answer.part == Part::kLinks) {
      size += PutPart(to, LinkOf(record).Finish(answer.sequence, port_));
    } else if (!is_link && answer.part == Part::kAddresses &&
               (answer.family == kAF_UNSPEC || answer.family == family)) {
      size += PutPart(to, AddressOf(record).Finish(answer.sequence, port_));
    }
  }
  return size + PutPart(to, MessageWriter(kDone, int32_t{0}).Finish(answer.sequence, port_));
}

Result<size_t, Errno> NetlinkSocket::Receive(IoBuffer& to, ReceiveRequest& request) {
  const Deadline deadline = ReceiveDeadline(request.wait);
  lock_.Lock();
  while (answer_.part == Part::kNothing) {
    TRY(SleepUntil(receivers_, lock_, deadline));
    lock_.Lock();
  }
  const Answer answer = answer_;
  if ((request.flags & kMSG_PEEK) == 0) {
    answer_.part = Part::kNothing;
  }
  lock_.Unlock();
  const size_t room = to.remaining();
  const size_t size = PutAnswer(answer, to);
  if (to.faulted()) {
    return Error(Errno::kEFAULT);
  }
  SetAddress(request.from, 0);
  request.flags_out |= size > room ? kMSG_TRUNC : 0;
  return (request.flags & kMSG_TRUNC) != 0 ? size : std::min(size, room);
}

uint32_t NetlinkSocket::Poll(File&, Observer* observer) {
  SpinLockGuard guard(lock_);
  if (observer != nullptr) {
    observers_.Add(*observer);
  }
  return kPOLLOUT | kPOLLWRNORM | (answer_.part != Part::kNothing ? kPOLLIN | kPOLLRDNORM : 0);
}

void NetlinkSocket::Unobserve(File&, Observer& observer) {
  SpinLockGuard guard(lock_);
  observers_.Remove(observer);
}

Result<Ref<Socket>, Errno> MakeNetlinkSocket(int32_t type, int32_t protocol) {
  if (type != kSOCK_RAW && type != kSOCK_DGRAM) {
    return Error(Errno::kESOCKTNOSUPPORT);
  }
  if (protocol != kNETLINK_ROUTE) {
    return Error(Errno::kEPROTONOSUPPORT);
  }
  return Ref<Socket>(Ref<NetlinkSocket>::Adopt(TRY(New<NetlinkSocket>(type))));
}

}  // namespace nsgx::libos
