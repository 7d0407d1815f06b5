// SPDX-License-Identifier: Apache-2.0
// What the library OS needs from outside the enclave, as it sees it: typed, checked, no raw host
// value. syscall-shim/hostcall implements it over the gate; unit tests implement it in memory.
// Everything returned was chosen by an untrusted host and has passed the checks named here, no
// more: bytes, times and terminal sizes are claims.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "syscall-shim/hostcall/socket_options.h"

namespace nsgx::libos::host {

// Standard streams of nsgx-run.
enum class Stream : uint32_t { kIn = 0, kOut = 1, kErr = 2 };

struct StreamInfo {
  bool is_terminal;
  uint16_t rows, columns;
};

// Reads what is there now: 0 bytes is end of file, EAGAIN when nothing is there. Never more than
// out.size() bytes.
Result<size_t, Errno> StreamRead(Stream stream, std::span<std::byte> out);
// Writes some or all of `data`; EAGAIN when the stream is full, EPIPE when nobody reads it.
Result<size_t, Errno> StreamWrite(Stream stream, std::span<const std::byte> data);
Result<StreamInfo, Errno> StreamQuery(Stream stream);

// Waits until one of the watched streams is ready, something new is known about any socket, signals
// have come from outside (if they are asked for), this vCPU is woken (WakeVcpu), or the deadline
// passes. One vCPU waits for all threads. Returns how
// many elements of `ready` were filled in: hints, streams before sockets. Spurious returns are
// legal.
struct Watch {
  Stream stream;
  bool for_write;
};
inline constexpr uint32_t kSignalSource = 0x100;
inline constexpr uint32_t kSocketSource = 0x10000;
// SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM: bit n - 1 for signal n.
inline constexpr uint32_t kOutsideSignals = 0x4a07;
struct Ready {
  uint32_t source;  // a Stream, kSignalSource, or kSocketSource + the number of a socket
  uint32_t events;  // Linux's POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP, POLLRDHUP; or signals
};
size_t Wait(std::span<const Watch> watch, bool for_signals, std::span<Ready> ready,
            uint64_t deadline_ns);
// Sleeps this vCPU; returns early when woken. kNoDeadline: until woken.
inline constexpr uint64_t kNoDeadline = ~uint64_t{0};
void Idle(uint64_t deadline_ns);
void WakeVcpu(uint32_t slot);

// Asks the host to enter slot `slot` on a thread of its own. EAGAIN: the host has no thread for it.
Result<void, Errno> StartVcpu(uint32_t slot);
// Preemption ticks on this vCPU, 0 stops them.
void SetTick(uint32_t microseconds);

// Nanoseconds since 1970 as the host claims.
uint64_t WallClock();

// A line for the operator (crash report, warning), not for the program's streams. Cut at 1024
// bytes. On the last three levels, no line for eyes: a record of a traced call, a piece of a core
// file (its place in the file, 8 bytes, and what lies there), or counts, as "name 12, other 3".
enum class LogLevel : uint32_t {
  kError = 0,
  kWarning = 1,
  kInfo = 2,
  kTrace = 3,
  kCore = 4,
  kCounts = 5
};
void Log(LogLevel level, std::span<const char> line);

// Certificates that go with the hardware's report; unverified. Bytes written.
Result<size_t, Errno> CertificateChain(std::span<std::byte> out);

// ---- sockets of the Internet
// They never wait: EAGAIN or EINPROGRESS, and Wait tells when to try again. The caller chooses
// their numbers, below kMaxSockets; each call but SocketCreate requires one that is in use.
inline constexpr uint32_t kMaxSockets = 65536;

// A struct sockaddr_in or sockaddr_in6. From the host, its size and family are those of the
// socket's kind, and its port and address are a claim. Size 0: none.
struct SocketName {
  uint32_t size;
  std::array<std::byte, 28> bytes;
};

Result<void, Errno> SocketCreate(uint32_t socket, bool is_datagram, bool is_ipv6);
// Abort: the peer sees a reset.
void SocketClose(uint32_t socket, bool abort);
Result<void, Errno> SocketBind(uint32_t socket, const SocketName& name);
// Without a name: no longer connected.
Result<void, Errno> SocketConnect(uint32_t socket, const SocketName& name);
Result<void, Errno> SocketListen(uint32_t socket, uint32_t backlog);
// The connection gets the number `accepted`, which must be free.
struct Connection {
  SocketName peer;
  bool more;        // another one waits
  uint32_t events;  // what is ready on this one
};
Result<Connection, Errno> SocketAccept(uint32_t socket, uint32_t accepted, bool is_ipv6);

// What one call can carry at the most.
inline constexpr size_t kMaxDatagram = 65535;
// Streams: some or all, at least one byte. Datagrams: all or nothing.
Result<size_t, Errno> SocketSend(uint32_t socket, std::span<const std::byte> data, bool more);
Result<size_t, Errno> SocketSendTo(uint32_t socket, std::span<const std::byte> data,
                                   const SocketName& to);
// Streams; 0 is the end. Requires: room.
Result<size_t, Errno> SocketReceive(uint32_t socket, std::span<std::byte> out, bool peek);
struct Datagram {
  size_t size;       // what was copied
  size_t full_size;  // what it had
  bool more;         // another one waits
  SocketName from;   // may be missing
};
Result<Datagram, Errno> SocketReceiveFrom(uint32_t socket, std::span<std::byte> out, bool peek,
                                          bool is_ipv6);
// 0: receiving, 1: sending, 2: both.
Result<void, Errno> SocketShutdown(uint32_t socket, uint32_t how);
enum class SocketSide { kOwn = 0, kPeer = 1 };
Result<SocketName, Errno> SocketGetName(uint32_t socket, SocketSide side, bool is_ipv6);
using shim::SocketOption;
Result<void, Errno> SocketSetOption(uint32_t socket, SocketOption option, uint64_t value);
Result<uint64_t, Errno> SocketGetOption(uint32_t socket, SocketOption option);
// The group's address, for IPv4 followed by the interface's; and the interface's number.
struct MulticastGroup {
  std::array<std::byte, 16> address;
  uint32_t interface;
};
Result<void, Errno> SocketJoin(uint32_t socket, const MulticastGroup& group, bool leave);
// What is ready now; as in Ready::events.
Result<uint32_t, Errno> SocketPoll(uint32_t socket);

// The name servers that the host says it uses; returns how many.
struct NameServer {
  bool is_ipv6;
  std::array<std::byte, 16> address;  // IPv4: the first four
};
size_t NameServers(std::span<NameServer> out);

// What the host says of its network interfaces: one record for each of them, and one for each of
// its addresses. Returns how many.
struct InterfaceRecord {
  std::array<char, 16> name;  // ends with a zero
  uint32_t index;             // from 1
  uint32_t flags;             // kIFF_*, of which those are left out that nobody knows
  uint32_t mtu;
  enum class Kind : uint8_t { kInterface, kIpv4, kIpv6 } kind;
  uint8_t prefix;                     // bits of the address that are the network's
  std::array<std::byte, 16> address;  // IPv4: the first four
};
inline constexpr size_t kMaxInterfaceRecords = 32;
size_t Interfaces(std::span<InterfaceRecord> out);

// Ends the enclave: kind is NSGX_DONE_*. Never returns, whatever the host does.
[[noreturn]] void Done(uint32_t kind, uint32_t code);

}  // namespace nsgx::libos::host
