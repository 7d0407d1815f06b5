// SPDX-License-Identifier: Apache-2.0
// host_calls.def as data, and the checks that both sides of the seam make of it. Neither side
// believes the other: the enclave checks each reply, nsgx-run each request.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "base/core/bytes.h"
#include "base/core/format.h"
#include "base/core/result.h"
#include "syscall-shim/hostcall/socket_options.h"

namespace nsgx::shim {

enum class HostCall : uint32_t {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a number of the enumeration
#define HOST_CALL(number, name, Name, summary, arguments, reply, errnos) k##Name = number,
#include "syscall-shim/hostcall/host_calls.def"
#undef HOST_CALL
};

// The calls on files of the host, which only images may make that have rules for mounts.
constexpr bool IsFileCall(uint32_t number) {
  return number >= static_cast<uint32_t>(HostCall::kFileMount) &&
         number <= static_cast<uint32_t>(HostCall::kFileRelease);
}

// What a call's arguments and its reply may be; host_calls.def says what each kind means.
struct HostCallArgument {
  enum class Kind : uint8_t { kNone, kValue, kAny, kDataOut, kDataIn };

  Kind kind = Kind::kNone;
  std::string_view name = {};
  uint64_t unit = 1;  // bytes
  uint64_t limit = 0;
};

struct HostCallReply {
  enum class Kind : uint8_t { kZero, kCount, kBits, kNumber };

  Kind kind = Kind::kZero;
  uint32_t index = 0;  // of the argument that bounds the reply
  uint64_t mask = 0;
};

// A set of Linux's error numbers.
class HostCallErrnos {
 public:
  static constexpr int64_t kLimit = 192;

  constexpr HostCallErrnos() = default;
  constexpr HostCallErrnos(std::initializer_list<int32_t> numbers) {
    for (const int32_t number : numbers) {
      bits_[static_cast<size_t>(number / 64)] |= uint64_t{1} << (number % 64);
    }
  }

  // `number` is positive, and may be anything.
  constexpr bool Has(int64_t number) const {
    return number > 0 && number < kLimit &&
           (bits_[static_cast<size_t>(number / 64)] >> (number % 64) & 1) != 0;
  }

 private:
  std::array<uint64_t, kLimit / 64> bits_ = {};
};

inline constexpr size_t kHostCallArguments = 4;
using HostCallValues = std::array<uint64_t, kHostCallArguments>;

struct HostCallInfo {
  uint32_t number;
  std::string_view name;
  std::array<HostCallArgument, kHostCallArguments> arguments;
  HostCallReply reply;
  HostCallErrnos errnos;
};

// All calls; each lies at the index of its number.
extern const std::span<const HostCallInfo> kHostCalls;

inline const HostCallInfo& InfoOf(HostCall call) { return kHostCalls[static_cast<uint32_t>(call)]; }
// Returns null when no call has that number.
const HostCallInfo* FindHostCall(uint64_t number);

// Says whether the enclave may make this request: every value within its limit, data and room
// inside a window of that size.
bool IsLegalRequest(const HostCallInfo& call, const HostCallValues& values, uint64_t window_size);

// Says whether the host may answer this request (a legal one) so.
bool IsLegalReply(const HostCallInfo& call, const HostCallValues& values, int64_t reply);
inline bool IsLegalErrno(const HostCallInfo& call, int64_t number) {
  return call.errnos.Has(number);
}
// "ENOENT"; empty for a number that no call may give.
std::string_view ErrnoName(int64_t number);

// A record of HostCall::kWait, in both directions. Sources are the standard streams by their
// numbers, signals from outside, and sockets by theirs above kSocketSource.
struct WaitRecord {
  uint32_t source;
  uint32_t events;  // Linux's POLL* bits: wanted; or ready
};
static_assert(PlainBytes<WaitRecord> && sizeof(WaitRecord) == 8);
inline constexpr uint32_t kSignalSource = 0x100;
inline constexpr uint32_t kSocketSource = 0x10000;
// Events that there can be.
inline constexpr uint32_t kSourceEvents = 0x201f;
// Of kSignalSource, bit n - 1 for signal n: SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM.
inline constexpr uint32_t kOutsideSignals = 0x4a07;

inline constexpr uint32_t kMaxSockets = 65536;
inline constexpr uint64_t kSocketIsDatagram = 1;
inline constexpr uint64_t kSocketIsIpv6 = 2;
// Room for a struct sockaddr_in or sockaddr_in6.
inline constexpr size_t kSocketAddressSize = 28;

// Before the address in the reply of HostCall::kSocketAccept.
struct AcceptRecord {
  uint32_t more;    // 1: another connection waits
  uint32_t events;  // what is ready on the new one
};
static_assert(PlainBytes<AcceptRecord> && sizeof(AcceptRecord) == 8);

// Before the data of HostCall::kSocketSendTo and of the reply of kSocketReceiveFrom.
struct DatagramRecord {
  uint32_t address_size;
  uint32_t full_size;  // of the datagram received, however much of it there was room for
  uint32_t more;       // 1: another datagram waits
  std::array<uint8_t, kSocketAddressSize> address;
};
static_assert(PlainBytes<DatagramRecord> && sizeof(DatagramRecord) == 40);

// HostCall::kSocketJoin.
struct GroupRecord {
  std::array<uint8_t, 16> group;  // IPv4: the first four bytes, the next four the interface's
  uint32_t interface;             // its index; 0: the host's choice
};
static_assert(PlainBytes<GroupRecord> && sizeof(GroupRecord) == 20);

// HostCall::kNameServers.
struct NameServerRecord {
  uint32_t family;  // Linux's AF_INET or AF_INET6
  std::array<uint8_t, 16> address;
};
static_assert(PlainBytes<NameServerRecord> && sizeof(NameServerRecord) == 20);

// HostCall::kInterfaces. What is said of the interface is in each of its records.
struct InterfaceRecord {
  std::array<uint8_t, 16> name;  // 1 to 15 letters, then zeros
  uint32_t index;
  uint32_t flags;   // Linux's IFF_*
  uint32_t mtu;     // bytes
  uint32_t family;  // Linux's AF_INET or AF_INET6; 0: the record is the interface's own
  uint32_t prefix;  // bits of the address that are the network's
  std::array<uint8_t, 16> address;
};
static_assert(PlainBytes<InterfaceRecord> && sizeof(InterfaceRecord) == 52);

// The reply of HostCall::kStreamQuery.
inline constexpr uint64_t kStreamIsTerminal = 1;
inline constexpr uint32_t kStreamRowsShift = 16;
inline constexpr uint32_t kStreamColumnsShift = 32;

// What HostCall::kFileLookUp and its kin tell of an object.
struct FileRecord {
  uint32_t token;
  uint32_t mode;  // type and permissions
  uint32_t links;
  uint32_t is_own;  // 1: it belongs to the user that nsgx-run runs as
  uint64_t device;  // with `number`: the same for the same object
  uint64_t number;
  uint64_t size;
  uint64_t blocks;  // of 512 bytes
  uint32_t block_size;
  uint32_t access_nanoseconds;
  uint32_t modification_nanoseconds;
  uint32_t change_nanoseconds;
  int64_t access_seconds;
  int64_t modification_seconds;
  int64_t change_seconds;
};
static_assert(PlainBytes<FileRecord> && sizeof(FileRecord) == 88);

// Of HostCall::kFileMount; the path follows, without a NUL.
struct FileMountRecord {
  uint32_t token;        // of its root; never released
  uint32_t is_writable;  // 0 or 1
};
static_assert(PlainBytes<FileMountRecord> && sizeof(FileMountRecord) == 8);

// Of HostCall::kFileList; the name follows, without a NUL.
struct FileEntryRecord {
  uint64_t number;
  uint64_t next;  // position behind this entry
  uint8_t type;   // DT_*
  uint8_t name_size;
  uint8_t reserved[6];
};
static_assert(PlainBytes<FileEntryRecord> && sizeof(FileEntryRecord) == 24);

// Of HostCall::kFileChange: which of the others count.
inline constexpr uint32_t kFileChangePermissions = 1;
inline constexpr uint32_t kFileChangeAccessTime = 2;
inline constexpr uint32_t kFileChangeModificationTime = 4;
struct FileChangeRecord {
  uint32_t what;
  uint32_t permissions;
  uint32_t access_nanoseconds;
  uint32_t modification_nanoseconds;
  int64_t access_seconds;
  int64_t modification_seconds;
};
static_assert(PlainBytes<FileChangeRecord> && sizeof(FileChangeRecord) == 32);

// Of HostCall::kFileSpace, as statfs has them.
struct FileSpaceRecord {
  uint64_t block_size;
  uint64_t blocks;
  uint64_t free_blocks;
  uint64_t available_blocks;
  uint64_t files;
  uint64_t free_files;
};
static_assert(PlainBytes<FileSpaceRecord> && sizeof(FileSpaceRecord) == 48);

// Of HostCall::kFileOpen.
inline constexpr uint64_t kFileOpenRead = 1;
inline constexpr uint64_t kFileOpenWrite = 2;

// For traces: "stream_read(stream 0, size 4096) = -EAGAIN".
struct TracedHostCall {
  const HostCallInfo& call;
  const HostCallValues& values;
  std::optional<int64_t> reply = {};
};
void AppendText(TextBuffer& out, const TracedHostCall& traced);

}  // namespace nsgx::shim
