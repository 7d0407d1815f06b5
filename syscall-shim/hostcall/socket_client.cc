// SPDX-License-Identifier: Apache-2.0
// Sockets of libos/host/host.h over the gate. What comes from the host is checked for its form; who
// the peer is, and whether it is one, remains the host's claim.
#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "libos/host/host.h"
#include "syscall-shim/hostcall/gate_calls.h"

namespace nsgx::libos::host {
namespace {

using shim::HostCall;

std::span<const std::byte> BytesOfName(const SocketName& name) {
  return std::span(name.bytes).first(name.size);
}

// Whether the host may give this address for a socket of that kind.
bool IsLegalName(const SocketName& name, bool is_ipv6) {
  constexpr uint16_t kFamilyIpv4 = 2, kFamilyIpv6 = 10;
  constexpr uint32_t kSizeIpv4 = 16, kSizeIpv6 = 28;
  uint16_t family;
  std::memcpy(&family, name.bytes.data(), sizeof(family));
  return is_ipv6 ? name.size == kSizeIpv6 && family == kFamilyIpv6
                 : name.size == kSizeIpv4 && family == kFamilyIpv4;
}

// The address of `size` bytes that lies at `offset` in the window; what it has no bytes for is
// zero.
Result<SocketName, Errno> NameInWindow(size_t offset, size_t size, bool is_ipv6, HostCall call) {
  SocketName name = {};
  if (size <= name.bytes.size()) {
    name.size = static_cast<uint32_t>(size);
    TRY(Window().CopyIn(offset, std::span(name.bytes).first(size)).transform_error([](Status) {
      return Errno::kEIO;
    }));
    if (IsLegalName(name, is_ipv6)) {
      return name;
    }
  }
  return IllegalContents(call);
}

}  // namespace

Result<void, Errno> SocketCreate(uint32_t socket, bool is_datagram, bool is_ipv6) {
  TRY(CallSocketCreate(
      {socket, (is_datagram ? shim::kSocketIsDatagram : 0) | (is_ipv6 ? shim::kSocketIsIpv6 : 0)}));
  return {};
}

void SocketClose(uint32_t socket, bool abort) {
  // The number is free whatever the host says: it cannot be used again before it is made anew.
  static_cast<void>(CallSocketClose({socket, abort ? 1u : 0u}));
}

Result<void, Errno> SocketBind(uint32_t socket, const SocketName& name) {
  TRY(CopyToWindow(BytesOfName(name)));
  TRY(CallSocketBind({socket, name.size}));
  return {};
}

Result<void, Errno> SocketConnect(uint32_t socket, const SocketName& name) {
  TRY(CopyToWindow(BytesOfName(name)));
  TRY(CallSocketConnect({socket, name.size}));
  return {};
}

Result<void, Errno> SocketListen(uint32_t socket, uint32_t backlog) {
  TRY(CallSocketListen({socket, backlog}));
  return {};
}

Result<Connection, Errno> SocketAccept(uint32_t socket, uint32_t accepted, bool is_ipv6) {
  constexpr size_t kRoom = sizeof(shim::AcceptRecord) + shim::kSocketAddressSize;
  const size_t size = static_cast<size_t>(TRY(CallSocketAccept({socket, accepted, kRoom})));
  const auto refuse = [&](Errno error) {
    // There is a connection that nobody will ask for.
    SocketClose(accepted, true);
    return Error(error);
  };
  const Result<shim::AcceptRecord> record = Window().CopyInObject<shim::AcceptRecord>(0);
  if (size < sizeof(shim::AcceptRecord) || !record.ok() || record.value().more > 1 ||
      (record.value().events & ~shim::kSourceEvents) != 0) {
    return refuse(IllegalContents(HostCall::kSocketAccept).error());
  }
  auto peer = NameInWindow(sizeof(shim::AcceptRecord), size - sizeof(shim::AcceptRecord), is_ipv6,
                           HostCall::kSocketAccept);
  if (!peer.ok()) {
    return refuse(peer.error());
  }
  return Connection{
      .peer = peer.value(), .more = record.value().more != 0, .events = record.value().events};
}

Result<size_t, Errno> SocketSend(uint32_t socket, std::span<const std::byte> data, bool more) {
  const size_t size = data.empty() ? 0 : TRY(PartOf(data.size(), HostCall::kSocketSend, 2));
  TRY(CopyToWindow(data.first(size)));
  return static_cast<size_t>(TRY(CallSocketSend({socket, more ? 1u : 0u, size})));
}

Result<size_t, Errno> SocketSendTo(uint32_t socket, std::span<const std::byte> data,
                                   const SocketName& to) {
  shim::DatagramRecord record = {};
  record.address_size = to.size;
  std::memcpy(record.address.data(), to.bytes.data(), to.size);
  if (data.size() > kMaxDatagram || sizeof(record) + data.size() > Window().size()) {
    return Error(Errno::kEMSGSIZE);
  }
  TRY(CopyToWindow(BytesOf(record)));
  TRY(Window().CopyOut(sizeof(record), data).transform_error([](Status) { return Errno::kEIO; }));
  const uint64_t count = TRY(CallSocketSendTo({socket, sizeof(record) + data.size()}));
  if (count > data.size()) {
    return IllegalContents(HostCall::kSocketSendTo);
  }
  return static_cast<size_t>(count);
}

Result<size_t, Errno> SocketReceive(uint32_t socket, std::span<std::byte> out, bool peek) {
  const size_t size = TRY(PartOf(out.size(), HostCall::kSocketReceive, 2));
  const size_t count = static_cast<size_t>(TRY(CallSocketReceive({socket, peek ? 1u : 0u, size})));
  TRY(CopyFromWindow(out.first(count)));
  return count;
}

Result<Datagram, Errno> SocketReceiveFrom(uint32_t socket, std::span<std::byte> out, bool peek,
                                          bool is_ipv6) {
  using Record = shim::DatagramRecord;
  const size_t room = std::min(
      {out.size(), kMaxDatagram, Window().size() - std::min(Window().size(), sizeof(Record))});
  const size_t filled = static_cast<size_t>(
      TRY(CallSocketReceiveFrom({socket, peek ? 1u : 0u, sizeof(Record) + room})));
  const Result<Record> copied = Window().CopyInObject<Record>(0);
  if (filled < sizeof(Record) || !copied.ok()) {
    return IllegalContents(HostCall::kSocketReceiveFrom);
  }
  const Record& record = copied.value();
  // The sizes must agree with each other; nothing depends on which of them is meant.
  const size_t size = filled - sizeof(Record);
  if (record.more > 1 || record.full_size > kMaxDatagram ||
      size != std::min<size_t>(record.full_size, room)) {
    return IllegalContents(HostCall::kSocketReceiveFrom);
  }
  Datagram datagram = {
      .size = size, .full_size = record.full_size, .more = record.more != 0, .from = {}};
  if (record.address_size != 0) {
    datagram.from.size = record.address_size;
    if (record.address_size > record.address.size()) {
      return IllegalContents(HostCall::kSocketReceiveFrom);
    }
    std::memcpy(datagram.from.bytes.data(), record.address.data(), record.address_size);
    if (!IsLegalName(datagram.from, is_ipv6)) {
      return IllegalContents(HostCall::kSocketReceiveFrom);
    }
  }
  TRY(Window().CopyIn(sizeof(Record), out.first(size)).transform_error([](Status) {
    return Errno::kEIO;
  }));
  return datagram;
}

Result<void, Errno> SocketShutdown(uint32_t socket, uint32_t how) {
  TRY(CallSocketShutdown({socket, how}));
  return {};
}

Result<SocketName, Errno> SocketGetName(uint32_t socket, SocketSide side, bool is_ipv6) {
  const uint64_t size =
      TRY(CallSocketName({socket, side == SocketSide::kPeer ? 1u : 0u, shim::kSocketAddressSize}));
  return NameInWindow(0, static_cast<size_t>(size), is_ipv6, HostCall::kSocketName);
}

Result<void, Errno> SocketSetOption(uint32_t socket, SocketOption option, uint64_t value) {
  TRY(CallSocketSetOption({socket, static_cast<uint32_t>(option), value}));
  return {};
}

Result<uint64_t, Errno> SocketGetOption(uint32_t socket, SocketOption option) {
  return CallSocketGetOption({socket, static_cast<uint32_t>(option)});
}

Result<void, Errno> SocketJoin(uint32_t socket, const MulticastGroup& group, bool leave) {
  shim::GroupRecord record = {.group = {}, .interface = group.interface};
  std::memcpy(record.group.data(), group.address.data(), record.group.size());
  TRY(CopyToWindow(BytesOf(record)));
  TRY(CallSocketJoin({socket, leave ? 1u : 0u, sizeof(record)}));
  return {};
}

Result<uint32_t, Errno> SocketPoll(uint32_t socket) {
  return static_cast<uint32_t>(TRY(CallSocketPoll({socket})));
}

size_t NameServers(std::span<NameServer> out) {
  constexpr uint32_t kFamilyIpv4 = 2, kFamilyIpv6 = 10;
  const size_t room = std::min(out.size(), size_t{8});
  const size_t count = static_cast<size_t>(CallNameServers({room}).value_or(0u));
  size_t legal = 0;
  for (size_t i = 0; i < count; ++i) {
    const Result<shim::NameServerRecord> record =
        Window().CopyInObject<shim::NameServerRecord>(i * sizeof(shim::NameServerRecord));
    if (!record.ok() ||
        (record.value().family != kFamilyIpv4 && record.value().family != kFamilyIpv6)) {
      static_cast<void>(IllegalContents(HostCall::kNameServers));
      break;
    }
    NameServer& server = out[legal++];
    server.is_ipv6 = record.value().family == kFamilyIpv6;
    std::memcpy(server.address.data(), record.value().address.data(), server.address.size());
  }
  return legal;
}

namespace {

// Nothing that would break out of a line of text or a path.
bool IsInterfaceName(std::span<const uint8_t> name) {
  const auto is_zero = [](uint8_t letter) { return letter == 0; };
  const auto end = std::ranges::find_if(name, is_zero);
  return end != name.begin() && end != name.end() && std::all_of(end, name.end(), is_zero) &&
         std::all_of(name.begin(), end, [](uint8_t letter) {
           return letter > ' ' && letter < 0x7f && letter != '/' && letter != ':';
         });
}

std::optional<InterfaceRecord::Kind> InterfaceKindOf(const shim::InterfaceRecord& record) {
  constexpr uint32_t kFamilyIpv4 = 2, kFamilyIpv6 = 10;
  if (record.family == 0) {
    return InterfaceRecord::Kind::kInterface;
  }
  if (record.family == kFamilyIpv4 && record.prefix <= 32) {
    return InterfaceRecord::Kind::kIpv4;
  }
  if (record.family == kFamilyIpv6 && record.prefix <= 128) {
    return InterfaceRecord::Kind::kIpv6;
  }
  return std::nullopt;
}

}  // namespace

size_t Interfaces(std::span<InterfaceRecord> out) {
  // Up, broadcast, loopback, point to point, running, multicast, its cable.
  constexpr uint32_t kKnownFlags = 0x1105b;
  const size_t room = std::min(out.size(), kMaxInterfaceRecords);
  const size_t count = static_cast<size_t>(CallInterfaces({room}).value_or(0u));
  size_t legal = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto copied =
        Window().CopyInObject<shim::InterfaceRecord>(i * sizeof(shim::InterfaceRecord));
    const auto kind = copied.ok() ? InterfaceKindOf(copied.value()) : std::nullopt;
    if (!kind || !IsInterfaceName(copied.value().name) || copied.value().index == 0 ||
        copied.value().index > INT32_MAX || copied.value().mtu > INT32_MAX) {
      static_cast<void>(IllegalContents(HostCall::kInterfaces));
      break;
    }
    const shim::InterfaceRecord& record = copied.value();
    InterfaceRecord& interface = out[legal++];
    interface = {.name = {},
                 .index = record.index,
                 .flags = record.flags & kKnownFlags,
                 .mtu = record.mtu,
                 .kind = *kind,
                 .prefix = static_cast<uint8_t>(record.prefix),
                 .address = {}};
    std::memcpy(interface.name.data(), record.name.data(), interface.name.size());
    std::memcpy(interface.address.data(), record.address.data(), interface.address.size());
  }
  return legal;
}

}  // namespace nsgx::libos::host
