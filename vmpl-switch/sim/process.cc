// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/process.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>

#include "base/core/check.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/sim/clock.h"
#include "vmpl-switch/sim/linux_abi.h"
#include "vmpl-switch/sim/signals.h"
#include "vmpl-switch/sim/syscall_trap.h"
#include "vmpl-switch/sim/vcpu_page.h"

namespace nsgx::sim {
namespace {

constinit SpinLock g_lock;
constinit Process g_process = {};
constinit std::atomic<bool> g_ready = false;

// Two bits a key: 1 = no access, 2 = no writing.
constexpr uint32_t kDeny = 1;
constexpr uint32_t kDenyWrite = 2;
constexpr uint32_t ForKey(int key, uint32_t bits) { return bits << (2 * key); }

uint32_t ReadPkru() {
  uint32_t pkru;
  uint32_t zero;
  asm volatile("rdpkru" : "=a"(pkru), "=d"(zero) : "c"(0));
  return pkru;
}

void WritePkru(uint32_t pkru) { asm volatile("wrpkru" : : "a"(pkru), "c"(0), "d"(0) : "memory"); }

// Both keys or none. Processes may have used up their keys, and containers may forbid the call.
void AllocateKeys(Process& process) {
  process.enclave_key = kernel::kNoKey;
  process.seh_key = kernel::kNoKey;
  if (!process.cpu.has_keys) {
    return;
  }
  const long enclave_key = kernel::Call(SYS_pkey_alloc, 0, kPkeyDisableAccess);
  if (enclave_key < 0) {
    return;
  }
  const long seh_key = kernel::Call(SYS_pkey_alloc, 0, kPkeyDisableAccess);
  if (seh_key < 0) {
    kernel::Call(SYS_pkey_free, static_cast<uint64_t>(enclave_key));
    return;
  }
  process.enclave_key = static_cast<int>(enclave_key);
  process.seh_key = static_cast<int>(seh_key);
  const uint32_t others =
      ReadPkru() & ~(ForKey(process.enclave_key, 3) | ForKey(process.seh_key, 3));
  // Key 0 stays open inside: Linux writes signal frames and the libc's restartable-sequence area
  // with the interrupted thread's rights.
  process.pkru_host = others | ForKey(process.enclave_key, kDeny) | ForKey(process.seh_key, kDeny);
  process.pkru_inside = others | ForKey(process.seh_key, kDenyWrite);
}

SyscallTrap ChooseTrap(const Options& options) {
  // The base of a dynamic linker: there is one only if the libc is not in this program's text.
  const bool is_static = getauxval(AT_BASE) == 0;
  if (options.use_dispatch && IsDispatchSupported()) {
    return is_static ? SyscallTrap::kDispatchRange : SyscallTrap::kDispatchSelector;
  }
  return options.use_seccomp && is_static && IsSeccompSupported() ? SyscallTrap::kSeccomp
                                                                  : SyscallTrap::kNone;
}

Result<void> Set(Process& process, const Options& options) {
  process.cpu = TRY(DetectCpu());
  StartProcessClock(process.cpu.stated_tsc_khz);
  process.cpu.has_keys = process.cpu.has_keys && options.use_keys;
  AllocateKeys(process);
  process.trap = ChooseTrap(options);
  process.code =
      ChooseSwitchCode(process.has_keys(), std::min(process.cpu.vectors, options.most_vectors));

  process.vcpu_strides = TRY(kernel::Reserve(size_t{kMaxVcpus} * SIM_VCPU_STRIDE));
  nsgx_sim_switch_state = {
      .vcpus = reinterpret_cast<VcpuPage*>(process.vcpu_strides + SIM_VCPU_PAGE_OFFSET),
      .vcpu_limit = kMaxVcpus,
      .pkru_host = process.pkru_host,
      .pkru_inside = process.pkru_inside,
  };
  TRY(kernel::Protect(reinterpret_cast<std::byte*>(&nsgx_sim_switch_state),
                      sizeof(nsgx_sim_switch_state), PROT_READ, process.seh_key));
  InstallSignalHandlers();
  return {};
}

}  // namespace

Result<const Process*> OpenProcess(const Options& options) {
  const SpinLockGuard guard(g_lock);
  if (!g_ready.load(std::memory_order_relaxed)) {
    TRY(Set(g_process, options));
    g_ready.store(true, std::memory_order_release);
  }
  return &g_process;
}

const Process& CurrentProcess() {
  CHECK(g_ready.load(std::memory_order_acquire));
  return g_process;
}

std::string_view Limitations() {
  const Process& process = CurrentProcess();
  const bool traps = process.trap != SyscallTrap::kNone;
  if (!process.has_keys()) {
    return traps ? "no protection keys: enclave memory is open to this process"
                 : "no protection keys: enclave memory is open to this process; no Syscall User "
                   "Dispatch: raw system "
                   "calls of an enclave reach Linux";
  }
  return traps ? "" : "no Syscall User Dispatch: raw system calls of an enclave reach Linux";
}

SehAccess::SehAccess() : previous_(0) {
  if (CurrentProcess().has_keys()) {
    previous_ = ReadPkru();
    WritePkru(0);
  }
}

SehAccess::~SehAccess() {
  if (CurrentProcess().has_keys()) {
    WritePkru(previous_);
  }
}

}  // namespace nsgx::sim
