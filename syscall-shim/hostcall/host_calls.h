// SPDX-License-Identifier: Apache-2.0
// host_calls.def as data, and the checks that both sides of the seam make of it. Neither side
// believes the other: the enclave checks each reply, nsgx-run each request.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/core/bytes.h"
#include "base/core/format.h"
#include "base/core/result.h"

namespace nsgx::shim {

enum class HostCall : uint32_t {
#define HOST_CALL(number, name, Name, summary, arguments, reply, errnos) k##Name = number,
#include "syscall-shim/hostcall/host_calls.def"
#undef HOST_CALL
};

// What a call's arguments and its reply may be; host_calls.def says what each kind means.
struct HostCallArgument {
  enum class Kind : uint8_t { kNone, kValue, kAny, kDataOut, kDataIn };

  Kind kind = Kind::kNone;
  std::string_view name = {};
  uint64_t unit = 1;  // bytes
  uint64_t limit = 0;
};

struct HostCallReply {
  enum class Kind : uint8_t { kZero, kCount, kBitsBelow, kBits, kNumber };

  Kind kind = Kind::kZero;
  uint32_t index = 0;  // of the argument that bounds the reply
  uint64_t mask = 0;
};

struct HostCallErrno {
  int32_t number = 0;  // positive, Linux's
  std::string_view name = {};
};

inline constexpr size_t kHostCallArguments = 4;
inline constexpr size_t kHostCallErrnos = 8;
using HostCallValues = std::array<uint64_t, kHostCallArguments>;

struct HostCallInfo {
  uint32_t number;
  std::string_view name;
  std::array<HostCallArgument, kHostCallArguments> arguments;
  HostCallReply reply;
  std::array<HostCallErrno, kHostCallErrnos> errnos;
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
bool IsLegalErrno(const HostCallInfo& call, int64_t number);

// A record of HostCall::kWait.
struct WaitRecord {
  uint32_t stream;
  uint32_t for_write;  // 0 or 1
};
static_assert(PlainBytes<WaitRecord> && sizeof(WaitRecord) == 8);

// The reply of HostCall::kStreamQuery.
inline constexpr uint64_t kStreamIsTerminal = 1;
inline constexpr uint32_t kStreamRowsShift = 16;
inline constexpr uint32_t kStreamColumnsShift = 32;

// For traces: "stream_read(stream 0, size 4096) = -EAGAIN".
struct TracedHostCall {
  const HostCallInfo& call;
  const HostCallValues& values;
  std::optional<int64_t> reply = {};
};
void AppendText(TextBuffer& out, const TracedHostCall& traced);

}  // namespace nsgx::shim
