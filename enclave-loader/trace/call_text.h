// SPDX-License-Identifier: Apache-2.0
// A system call as an enclave tells it, and its text in the syntax of strace.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "syscall-shim/table/syscall_arguments.h"

namespace nsgx::loader {

struct ToldMemory {
  bool is_told = false;
  bool is_unreadable = false;
  uint32_t whole = 0;  // bytes that there were
  std::string bytes;   // the first of them
};

struct ToldCall {
  shim::TraceRecord record;
  std::array<ToldMemory, shim::kSyscallArguments> memory;
};

// Returns nothing when `line` is not well formed.
std::optional<ToldCall> ParseToldCall(std::string_view line);

// "openat"; "syscall_500" when there is no such call.
std::string CallName(uint64_t number);

// How many arguments the call has, and how many are known before it returns.
size_t ArgumentCount(uint64_t number);
size_t KnownAtEnter(uint64_t number);

// Adds argument `index` of `enter`; `leave` is null while the call is being made.
void AppendArgument(std::string& text, size_t index, const ToldCall& enter, const ToldCall* leave);

// "3", "0x7f0012", "-1 ENOENT (No such file or directory)".
std::string ResultText(uint64_t number, int64_t result);

}  // namespace nsgx::loader
