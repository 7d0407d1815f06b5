// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/syscall_trap.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>

#include "vmpl-switch/sim/kernel.h"
#include "vmpl-switch/sim/linux_abi.h"
#include "vmpl-switch/sim/thread_block.h"

// This program's text, named by the linker.
extern "C" {
[[gnu::visibility("hidden")]] extern char __executable_start[];
[[gnu::visibility("hidden")]] extern char etext[];
}

namespace nsgx::sim {
namespace {

long Dispatch(uint64_t mode, uint64_t start = 0, uint64_t size = 0,
              const volatile void* selector = nullptr) {
  return kernel::Call(SYS_prctl, kPrSetSyscallUserDispatch, mode, start, size,
                      kernel::Word(selector));
}

uint64_t TextBegin() { return kernel::Word(__executable_start); }
uint64_t TextEnd() { return kernel::Word(etext); }

// Allows 64-bit system calls from this program's text and traps all others, sysenter and the
// vsyscall page included.
bool InstallFilter() {
  const auto low = [](uint64_t address) { return static_cast<uint32_t>(address); };
  const auto high = [](uint64_t address) { return static_cast<uint32_t>(address >> 32); };
  constexpr uint32_t kPointerLow = offsetof(SeccompData, instruction_pointer);
  constexpr uint32_t kPointerHigh = kPointerLow + 4;
  // Jumps count from the next instruction; 12 traps, 13 allows.
  std::array<BpfInstruction, 14> code = {{
      {kBpfLoadWord, 0, 0, offsetof(SeccompData, arch)},
      {kBpfJumpEqual, 0, 10, kAuditArchX86_64},
      {kBpfLoadWord, 0, 0, kPointerHigh},  // 2: before the text?
      {kBpfJumpGreater, 3, 0, high(TextBegin())},
      {kBpfJumpEqual, 0, 7, high(TextBegin())},
      {kBpfLoadWord, 0, 0, kPointerLow},
      {kBpfJumpAtLeast, 0, 5, low(TextBegin())},
      {kBpfLoadWord, 0, 0, kPointerHigh},  // 7: behind it?
      {kBpfJumpGreater, 3, 0, high(TextEnd())},
      {kBpfJumpEqual, 0, 3, high(TextEnd())},
      {kBpfLoadWord, 0, 0, kPointerLow},
      {kBpfJumpAtLeast, 0, 1, low(TextEnd())},
      {kBpfReturn, 0, 0, kSeccompReturnTrap},
      {kBpfReturn, 0, 0, kSeccompReturnAllow},
  }};
  const BpfProgram program = {.size = code.size(), .code = code.data()};
  return kernel::Call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1) == 0 &&
         kernel::Call(SYS_seccomp, kSeccompSetModeFilter, 0, kernel::Word(&program)) == 0;
}

}  // namespace

// Switching off what is off says whether the call exists.
bool IsDispatchSupported() { return Dispatch(kDispatchOff) == 0; }

bool IsSeccompSupported() {
  const uint32_t action = kSeccompReturnTrap;
  return kernel::Call(SYS_seccomp, kSeccompGetActionAvailable, 0, kernel::Word(&action)) == 0;
}

bool ArmSyscallTrap(SyscallTrap trap, ThreadBlock& block) {
  switch (trap) {
    case SyscallTrap::kDispatchRange:
      return Dispatch(kDispatchOn, TextBegin(), TextEnd() - TextBegin()) == 0;
    case SyscallTrap::kDispatchSelector:
      // sigreturn is called with the selector on.
      return Dispatch(kDispatchOn, SigreturnBegin(), SigreturnEnd() - SigreturnBegin(),
                      &block.selector) == 0;
    case SyscallTrap::kSeccomp:
      return InstallFilter();
    case SyscallTrap::kNone:
      return true;
  }
  __builtin_unreachable();
}

void DisarmSyscallTrap(SyscallTrap trap) {
  if (trap == SyscallTrap::kDispatchRange || trap == SyscallTrap::kDispatchSelector) {
    Dispatch(kDispatchOff);
  }
}

}  // namespace nsgx::sim
