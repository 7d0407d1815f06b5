// SPDX-License-Identifier: Apache-2.0
// Numbers and structs of Linux' own interface that the C library's headers do not have.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsgx::sim {

// si_arch of SIGSYS.
inline constexpr uint32_t kAuditArchX86_64 = 0xc000003e;
// si_code of SIGSYS.
inline constexpr int kSysSeccomp = 1;
inline constexpr int kSysUserDispatch = 2;

// prctl: Syscall User Dispatch, since Linux 5.11.
inline constexpr uint64_t kPrSetSyscallUserDispatch = 59;
inline constexpr uint64_t kDispatchOff = 0;
inline constexpr uint64_t kDispatchOn = 1;

// seccomp.
inline constexpr uint64_t kSeccompSetModeFilter = 1;
inline constexpr uint64_t kSeccompGetActionAvailable = 2;
inline constexpr uint32_t kSeccompReturnTrap = 0x00030000;
inline constexpr uint32_t kSeccompReturnAllow = 0x7fff0000;
struct SeccompData {
  int32_t number;
  uint32_t arch;
  uint64_t instruction_pointer;
  uint64_t arguments[6];
};

// Classic BPF.
struct BpfInstruction {
  uint16_t code;
  uint8_t jump_true;
  uint8_t jump_false;
  uint32_t k;
};
struct BpfProgram {
  uint16_t size;
  const BpfInstruction* code;
};
inline constexpr uint16_t kBpfLoadWord = 0x20;
inline constexpr uint16_t kBpfJumpEqual = 0x15;
inline constexpr uint16_t kBpfJumpGreater = 0x25;
inline constexpr uint16_t kBpfJumpAtLeast = 0x35;
inline constexpr uint16_t kBpfReturn = 0x06;

// pkey_alloc.
inline constexpr uint64_t kPkeyDisableAccess = 1;

// rt_sigaction; the C library's struct has another layout, and other ideas about the restorer.
struct KernelAction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};
inline constexpr uint64_t kActionHasRestorer = 0x04000000;
inline constexpr uint64_t kDefaultAction = 0;
inline constexpr uint64_t kIgnoreAction = 1;
inline constexpr uint64_t kFirstRealTimeSignal = 32;
inline constexpr uint64_t kSignalMaskSize = 8;
inline constexpr uint64_t kSignalCount = 64;

// timer_create; C libraries differ in what they call the thread.
struct KernelSigevent {
  uint64_t value;
  int32_t signal;
  int32_t notify;
  int32_t thread;
  uint8_t reserved[44];
};
static_assert(sizeof(KernelSigevent) == 64);
inline constexpr int32_t kNotifyThread = 4;  // SIGEV_THREAD_ID

}  // namespace nsgx::sim
