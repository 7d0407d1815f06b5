// SPDX-License-Identifier: Apache-2.0
// The table that libos_syscall jumps through, made from the rows of syscalls.inc, and what is done
// about calls that are refused.
#include <array>
#include <atomic>

#include "base/core/log.h"
#include "libos/kernel/entry.h"
#include "libos/kernel/syscalls.h"
#include "libos/net/syscalls.h"
#include "libos/vfs/syscalls.h"
#include "syscall-shim/entry/trampoline.h"
#include "syscall-shim/table/limits.h"
#include "syscall-shim/table/syscall_table.h"

namespace nsgx::shim {
namespace {

using libos::Errno;

constinit std::atomic<uint64_t> told[SYSCALL_COUNT / 64 + 1] = {};

// A program that is refused something it needs should not leave anybody guessing; one line each is
// enough.
void TellOnce(uint64_t number, const SyscallInfo& info) {
  // Numbers that do not exist at all share the last bit, which no call has.
  const uint64_t index = number < SYSCALL_COUNT ? number : SYSCALL_COUNT;
  const uint64_t bit = uint64_t{1} << (index % 64);
  if ((told[index / 64].fetch_or(bit, std::memory_order_relaxed) & bit) != 0) {
    return;
  }
  LOG(kWarning, "system call ", number, " (",
      info.name.empty() ? std::string_view("no name") : info.name, ") is refused: ", info.text);
}

int64_t Refuse(uint64_t number, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) {
  const SyscallInfo& info = InfoOf(number);
  if (info.error == Errno::kENOSYS) {
    TellOnce(number, info);
  }
  return ToKernelResult(info.error);
}

constexpr auto kTable = [] {
  std::array<Trampoline, SYSCALL_COUNT> table = {};
  for (Trampoline& row : table) {
    row = &Refuse;
  }
#define CALL(number, name, handler, flags, partial, host_calls) \
  table[number] = kTrampoline<&libos::handler>;
#define REFUSE(number, name, why_errno, why)
#include "syscall-shim/table/syscalls.inc"
#undef CALL
#undef REFUSE
  return table;
}();

}  // namespace
}  // namespace nsgx::shim

extern "C" {

// For entry.S.
extern const std::array<nsgx::shim::Trampoline, SYSCALL_COUNT> libos_syscall_table;
__attribute__((
    visibility("hidden"))) constinit const std::array<nsgx::shim::Trampoline, SYSCALL_COUNT>
    libos_syscall_table = nsgx::shim::kTable;

__attribute__((visibility("hidden"))) int64_t libos_unknown_syscall(uint64_t number, uint64_t a1,
                                                                    uint64_t a2, uint64_t a3,
                                                                    uint64_t a4, uint64_t a5,
                                                                    uint64_t a6);
int64_t libos_unknown_syscall(uint64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5, uint64_t a6) {
  return nsgx::shim::Refuse(number, a1, a2, a3, a4, a5, a6);
}

bool libos_call_can_be_made_again(uint64_t number) {
  return nsgx::shim::InfoOf(number).can_restart;
}

}  // extern "C"
