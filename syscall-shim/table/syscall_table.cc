// SPDX-License-Identifier: Apache-2.0
#include "syscall-shim/table/syscall_table.h"

#include <array>

#include "syscall-shim/table/limits.h"

namespace nsgx::shim {
namespace {

using libos::Errno;

enum Flags { kNone, kRestart };

constexpr SyscallInfo kNoSuchCall = {.name = "",
                                     .exists = false,
                                     .is_refused = true,
                                     .can_restart = false,
                                     .error = Errno::kENOSYS,
                                     .text = "Linux has no such call"};

constexpr auto kTable = [] {
  std::array<SyscallInfo, SYSCALL_COUNT> table = {};
  for (SyscallInfo& row : table) {
    row = kNoSuchCall;
  }
#define CALL(call_number, call_name, handler, flags, partial, host_calls) \
  table[call_number] = {.name = #call_name,                               \
                        .exists = true,                                   \
                        .is_refused = false,                              \
                        .can_restart = (flags) == kRestart,               \
                        .error = Errno::kENOSYS,                          \
                        .text = (partial)};
#define REFUSE(call_number, call_name, why_errno, why) \
  table[call_number] = {.name = #call_name,            \
                        .exists = true,                \
                        .is_refused = true,            \
                        .can_restart = false,          \
                        .error = Errno::why_errno,     \
                        .text = (why)};
#include "syscall-shim/table/syscalls.inc"
#undef CALL
#undef REFUSE
  return table;
}();

}  // namespace

const SyscallInfo& InfoOf(uint64_t number) {
  return number < kTable.size() ? kTable[number] : kNoSuchCall;
}

}  // namespace nsgx::shim
