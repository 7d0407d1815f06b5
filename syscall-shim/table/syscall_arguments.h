// SPDX-License-Identifier: Apache-2.0
// What the arguments of system calls are, for traces: the rows of syscall_arguments.inc. The
// enclave learns from it which memory of the program belongs to a call, nsgx-run how to print it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nsgx::shim {

enum class ArgumentKind : uint8_t {
  kNone,
  // Values.
  kInt,       // 32 bits, signed
  kLong,      // 64 bits, signed
  kUnsigned,  // 64 bits
  kHex,
  kOctal,
  kFd,
  kDirectory,  // a descriptor, or AT_FDCWD
  // Values with names.
  kOpenFlags,
  kAtFlags,
  kProtection,
  kMapFlags,
  kSyncFlags,
  kSignal,
  kSetHow,
  kClock,
  kFutex,
  kWhence,
  kAccess,
  kAdvice,
  kFcntl,
  kResource,
  kEpollOperation,
  kDomain,
  kSocketType,
  kMessageFlags,
  kCloneFlags,
  // Pointers to what the call reads.
  kPath,
  kText,
  kData,     // as many bytes as the next argument says
  kTime,     // struct timespec
  kSet,      // sigset_t
  kVector,   // struct iovec, as many as the next argument says
  kPoll,     // struct pollfd, as many as the next argument says
  kAddress,  // struct sockaddr, as many bytes as the next argument says
  kEvent,    // struct epoll_event
  kWords,    // two 64-bit words
  // Pointers to what the call writes.
  kDataOut,     // as many bytes as the result says
  kTimeOut,     // struct timespec
  kTimevalOut,  // struct timeval
  kSetOut,      // sigset_t
  kPairOut,     // int[2]
  kIntOut,      // int
  kStatOut,     // struct stat
  kAddressOut,  // struct sockaddr
  kEventsOut,   // struct epoll_event, as many as the result says
  kWordsOut,    // two 64-bit words
};
inline constexpr size_t kSyscallArguments = 6;
using ArgumentKinds = std::array<ArgumentKind, kSyscallArguments>;

// All kNone when nothing is known of the call, or it has no arguments: see HasArguments.
const ArgumentKinds& ArgumentsOf(uint64_t number);
bool HasArguments(uint64_t number);
// Empty when there is no such call.
std::string_view SyscallName(uint64_t number);

// The memory that belongs to a kind of pointer.
struct Capture {
  enum class Moment : uint8_t { kNever, kEnter, kLeave };
  enum class Count : uint8_t { kOne, kNextArgument, kResult, kString };
  Moment moment = Moment::kNever;
  Count count = Count::kOne;
  uint8_t unit = 0;  // bytes
};
Capture CaptureOf(ArgumentKind kind);

// ---- what an enclave tells of a call, as the text of a line for the operator of level trace: a
// TraceRecord, and after it for each piece of memory a TraceMemory and its bytes.

inline constexpr uint32_t kTraceMagic = 0x31525453;  // "STR1"
inline constexpr size_t kTraceRecordLimit = 1024;

struct TraceRecord {
  uint32_t magic;
  uint16_t number;
  uint8_t
      is_leave;  // 0: the call begins, words are its arguments; 1: it ends, word 0 is its result
  uint8_t memories;
  int32_t tid;
  uint32_t reserved;
  uint64_t words[kSyscallArguments];
};
static_assert(sizeof(TraceRecord) == 64);

struct TraceMemory {
  uint8_t argument;
  uint8_t is_unreadable;  // a wild pointer
  uint16_t size;          // bytes that follow
  uint32_t whole;         // bytes that there were
};
static_assert(sizeof(TraceMemory) == 8);

// The longest pieces of text and of data that are told.
inline constexpr size_t kTraceText = 256;
inline constexpr size_t kTraceData = 128;

}  // namespace nsgx::shim
