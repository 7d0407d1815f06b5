// SPDX-License-Identifier: Apache-2.0
// What the library OS needs from outside the enclave, as it sees it: typed, checked, no raw host
// value. syscall-shim/hostcall implements it over the gate; unit tests implement it in memory.
// Everything returned was chosen by an untrusted host and has passed the checks named here, no
// more: bytes, times and terminal sizes are claims.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"

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

// Waits until one of the watched streams is ready, this vCPU is woken (Wake), or the deadline
// passes. One vCPU waits for all threads. `ready` bits are hints: bit n = watch[n]. Spurious
// returns are legal.
struct Watch {
  Stream stream;
  bool for_write;
};
uint32_t Wait(std::span<const Watch> watch, uint64_t deadline_ns);
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

// A line for the operator (crash report, warning, trace), not for the program's streams. Cut at
// 1024 bytes.
enum class LogLevel : uint32_t { kError = 0, kWarning = 1, kInfo = 2, kTrace = 3 };
void Log(LogLevel level, std::span<const char> line);

// Certificates that go with the hardware's report; unverified. Bytes written.
Result<size_t, Errno> CertificateChain(std::span<std::byte> out);

// Ends the enclave: kind is NSGX_DONE_*. Never returns, whatever the host does.
[[noreturn]] void Done(uint32_t kind, uint32_t code);

}  // namespace nsgx::libos::host
