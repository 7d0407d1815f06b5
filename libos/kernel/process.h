// SPDX-License-Identifier: Apache-2.0
// The one process: its threads by number, and how it ends.
#pragma once

#include <cstdint>
#include <string_view>

#include "libos/kernel/errno.h"
#include "libos/kernel/thread.h"

namespace nsgx::libos {

inline constexpr int32_t kProcessId = 1;
// Of the Linux whose system calls these are.
inline constexpr std::string_view kKernelRelease = "6.12.0-nsgx";
inline constexpr std::string_view kHostName = "enclave";

// What the program was started with. Strings lie one behind the other, each with its NUL, on the
// program's stack, where it may change them.
struct ProgramFacts {
  std::string_view arguments;
  std::string_view environment;
  std::string_view auxiliary;  // the vector, with its end
  uint64_t stack = 0;          // where it began
};
const ProgramFacts& Program();
// Once, at boot.
void SetProgram(const ProgramFacts& facts);

// Gives `thread` a number and makes it known. The first one gets kProcessId.
void EnterThread(Thread& thread);
// Nobody finds `thread` any more. Returns how many are left.
uint32_t RemoveThread(Thread& thread);

// Calls `each` for every thread, then `last`, all under the lock of the thread table.
void ForEachThread(void (*each)(Thread& thread, void* context), void* context,
                   void (*last)(void* context));
// Calls `found` on the thread with this number, under the lock of the thread table. ESRCH.
Result<void, Errno> WithThread(int32_t tid,
                               Result<void, Errno> (*found)(Thread& thread, void* context),
                               void* context);
uint32_t ThreadCount();
// The lowest number in use that is larger than `after`; 0: none.
int32_t NextThreadId(int32_t after);

// The current thread is over: robust futexes, clear_child_tid, wake-ups. The last one ends the
// process with `status`.
[[noreturn]] void ExitCurrentThread(int32_t status);
// The program is over.
[[noreturn]] void ExitProcess(int32_t status);

}  // namespace nsgx::libos
