// SPDX-License-Identifier: Apache-2.0
// What the VFS asks of the rest of the library OS, besides sleeping (kernel/wait.h), streams
// (kernel/stream_wait.h), time (kernel/clock.h), memory (mm/kernel_heap.h) and the program's memory
// (kernel/user_memory.h). The kernel implements it over its own parts; unit tests implement it in
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

class TextWriter;

// Sends `signal`, one of these two, to the thread that makes the current system call.
inline constexpr int32_t kBrokenPipeSignal = 13;  // SIGPIPE
inline constexpr int32_t kFileSizeSignal = 25;    // SIGXFSZ
void RaiseOnCurrentThread(int32_t signal);
// Sends `signal` to the process, as a terminal does.
void RaiseOnProcess(int32_t signal);

// Replaces the current thread's blocked signals, bit n - 1 for signal n, until it is on its way
// back to the program: signals that the old mask blocks and `mask` does not are delivered first,
// then the old mask returns. For ppoll and its kin.
void BlockSignalsUntilReturn(uint64_t mask);

// The EINTR that the current system call is about to return is final, whatever SA_RESTART says: the
// call has a timeout, which would begin anew.
void ForbidRestart();

// What /proc tells of the process and the enclave. Writers append; they may take locks of their own
// and must not use files.
namespace about {
int32_t ProcessId();
uint32_t ThreadCount();
uint32_t CpuCount();
// Nanoseconds of processor time that the program's threads have had.
uint64_t CpuTime();
// Bytes that the enclave can have, and those not in use now.
uint64_t TotalMemory();
uint64_t FreeMemory();
// Bytes of the program's address space that are mapped, and those with memory behind them.
uint64_t MappedMemory();
uint64_t ResidentMemory();
// argv and envp, each string with its NUL.
void WriteCommandLine(TextWriter& out);
void WriteEnvironment(TextWriter& out);
// One line a mapping, in the format of /proc/self/maps.
void WriteMappings(TextWriter& out);
// As uname tells them.
std::string_view KernelRelease();
std::string_view HostName();
// Of the program, as argv[0] or the configuration has it; without slashes.
std::string_view ProgramName();
// The kernel's auxiliary vector, as the program found it.
void WriteAuxiliaryVector(TextWriter& out);
// A table of the resource limits.
void WriteLimits(TextWriter& out);

// The lowest number of a thread that is larger than `after`; 0: there is none.
int32_t NextThread(int32_t after);
// Without a thread of this number: nothing, 0.
void WriteThreadName(TextWriter& out, int32_t thread);
uint64_t ThreadCpuTime(int32_t thread);
// ESRCH. What is too long is cut.
Result<void, Errno> SetThreadName(int32_t thread, std::string_view name);
}  // namespace about

}  // namespace nsgx::libos
