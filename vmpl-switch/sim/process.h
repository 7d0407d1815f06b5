// SPDX-License-Identifier: Apache-2.0
// What the machine sets up once in a process: protection keys, the variant of the switch, the way
// in which raw system calls of enclaves are caught, and the SEH's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "vmpl-switch/sim/cpu.h"
#include "vmpl-switch/sim/kernel.h"
#include "vmpl-switch/sim/switch.h"

namespace nsgx::sim {

// How a system call that an enclave makes by itself is kept from Linux.
enum class SyscallTrap {
  // Syscall User Dispatch, allowing this program's static text only: no state to switch, nothing
  // that an enclave could change.
  kDispatchRange,
  // Syscall User Dispatch by the selector in ThreadBlock: for processes whose libc is a library of
  // its own.
  kDispatchSelector,
  // A seccomp filter by instruction pointer; cannot be taken back and is inherited by child
  // processes.
  kSeccomp,
  kNone,
};

// What tests and measurements may switch off; by default the machine takes everything that is
// there.
struct Options {
  bool use_keys = true;
  VectorLevel most_vectors = VectorLevel::kAvx512;
  bool use_dispatch = true;
  bool use_seccomp = true;
};

struct Process {
  Cpu cpu;
  SyscallTrap trap;
  SwitchCode code;
  int enclave_key;  // of enclave memory; kernel::kNoKey without keys
  int seh_key;      // of SEH memory
  uint32_t pkru_host;
  uint32_t pkru_inside;
  std::byte*
      vcpu_strides;  // kMaxVcpus times SIM_VCPU_STRIDE bytes of SEH memory, committed when used

  bool has_keys() const { return enclave_key != kernel::kNoKey; }
};

// Thread slots of all enclaves of a process.
inline constexpr uint32_t kMaxVcpus = 1024;

// Sets the process up at the first call, and returns the same ever after. `options` count the first
// time only. Errors: as DetectCpu; kNoMemory.
Result<const Process*> OpenProcess(const Options& options);
// Requires: OpenProcess succeeded.
const Process& CurrentProcess();

// One line for the user about what this machine lacks; empty: nothing.
std::string_view Limitations();

// Opens enclave and SEH memory to the calling thread while it lives: for the SEH when the loader
// calls it. May be nested.
class SehAccess {
 public:
  SehAccess();
  ~SehAccess();
  SehAccess(const SehAccess&) = delete;
  SehAccess& operator=(const SehAccess&) = delete;

 private:
  uint32_t previous_;
};

}  // namespace nsgx::sim
