// SPDX-License-Identifier: Apache-2.0
// The table that libos_syscall jumps through, made from the rows of syscalls.inc that this image
// makes use of (records.S), and what is done about all others.
#include <algorithm>
#include <array>
#include <atomic>

#include "base/core/log.h"
#include "libos/kernel/entry.h"
#include "libos/kernel/syscalls.h"
#include "libos/net/syscalls.h"
#include "libos/vfs/syscalls.h"
#include "syscall-shim/entry/trace.h"
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
      info.name.empty() ? std::string_view("no name") : info.name, ") is refused: ",
      info.is_refused ? info.text
                      : "no code in this image makes it; make it by the C library's syscall()");
}

int64_t Refuse(uint64_t number, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) {
  const SyscallInfo& info = InfoOf(number);
  if (info.error == Errno::kENOSYS) {
    TellOnce(number, info);
  }
  return ToKernelResult(info.error);
}

// records.S: a call that is made somewhere in this image.
struct SyscallRecord {
  uint32_t number;
  int32_t handler;  // from here
};

Trampoline HandlerOf(const SyscallRecord& record) {
  const char* const handler = reinterpret_cast<const char*>(&record.handler) + record.handler;
  return reinterpret_cast<Trampoline>(reinterpret_cast<uint64_t>(handler));
}

}  // namespace
}  // namespace nsgx::shim

extern "C" {

// For records.S. None is called but by records that are linked.
#define CALL(number, name, handler, flags, partial, host_calls)                                \
  [[gnu::visibility("hidden")]] int64_t libos_call_##number(                                   \
      uint64_t, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6); \
  int64_t libos_call_##number(uint64_t, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,    \
                              uint64_t a5, uint64_t a6) {                                      \
    return nsgx::shim::kTrampoline<&nsgx::libos::handler>(number, a1, a2, a3, a4, a5, a6);     \
  }
#define REFUSE(number, name, why_errno, why)
#include "syscall-shim/table/syscalls.inc"
#undef CALL
#undef REFUSE

// Made by the linker.
[[gnu::visibility("hidden")]] extern const nsgx::shim::SyscallRecord __start_nsgx_syscalls[];
[[gnu::visibility("hidden")]] extern const nsgx::shim::SyscallRecord __stop_nsgx_syscalls[];

}  // extern "C"

namespace nsgx::shim {
namespace {

// In the table for every call when calls are traced.
int64_t MakeTraced(uint64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,
                   uint64_t a6) {
  const auto* const record =
      std::find_if(__start_nsgx_syscalls, __stop_nsgx_syscalls,
                   [number](const SyscallRecord& row) { return row.number == number; });
  return Traced(record != __stop_nsgx_syscalls ? HandlerOf(*record) : &Refuse, number,
                {a1, a2, a3, a4, a5, a6});
}

}  // namespace
}  // namespace nsgx::shim

extern "C" {

// For entry.S. Read-only once the library OS has started.
extern std::array<nsgx::shim::Trampoline, SYSCALL_COUNT> libos_syscall_table;
[[gnu::visibility("hidden"),
  gnu::section(".bss.rel.ro")]] constinit std::array<nsgx::shim::Trampoline, SYSCALL_COUNT>
    libos_syscall_table = {};

__attribute__((visibility("hidden"))) int64_t libos_unknown_syscall(uint64_t number, uint64_t a1,
                                                                    uint64_t a2, uint64_t a3,
                                                                    uint64_t a4, uint64_t a5,
                                                                    uint64_t a6);
int64_t libos_unknown_syscall(uint64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5, uint64_t a6) {
  return nsgx::shim::Refuse(number, a1, a2, a3, a4, a5, a6);
}

void libos_fill_syscall_table(bool is_traced) {
  if (is_traced) {
    libos_syscall_table.fill(&nsgx::shim::MakeTraced);
    return;
  }
  libos_syscall_table.fill(&nsgx::shim::Refuse);
  for (const nsgx::shim::SyscallRecord* record = __start_nsgx_syscalls;
       record != __stop_nsgx_syscalls; ++record) {
    libos_syscall_table[record->number] = nsgx::shim::HandlerOf(*record);
  }
}

bool libos_call_can_be_made_again(uint64_t number) {
  return nsgx::shim::InfoOf(number).can_restart;
}

}  // extern "C"
