// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/signals.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/sim/kernel.h"
#include "vmpl-switch/sim/linux_abi.h"
#include "vmpl-switch/sim/process.h"
#include "vmpl-switch/sim/switch.h"
#include "vmpl-switch/sim/thread_block.h"
#include "vmpl-switch/sim/vcpu_page.h"

namespace nsgx::sim {

// Far from those that libcs keep for themselves, at the beginning of the real-time range.
const int kTickSignal = 63;

namespace {

constexpr uint64_t kAllSignals = ~uint64_t{0};

constexpr std::array kSynchronous = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
constinit std::array<KernelAction, kSignalCount + 1> g_previous = {};

constexpr uint64_t kFlagTrap = 0x100;
constexpr uint64_t kFlagsClean = 0x202;
constexpr uint64_t kCodeSegment = 0x33;
constexpr uint64_t kStackSegment = 0x2b;

// The XSAVE area in a signal frame; without XSAVE only its first 512 bytes, the FXSAVE image.
constexpr size_t kMxcsrOffset = 24;
constexpr size_t kRegistersOffset = 32;  // of x87 and SSE
constexpr size_t kSoftwareOffset = 464;  // struct _fpx_sw_bytes
constexpr size_t kXstateBvOffset = 512;
constexpr size_t kXcompBvOffset = 520;
constexpr uint16_t kInitialFcw = 0x37f;
constexpr uint32_t kInitialMxcsr = 0x1f80;
constexpr uint64_t kXstatePkru = 1 << 9;

template <typename T>
T Load(const std::byte* from) {
  T value;
  memcpy(&value, from, sizeof(T));
  return value;
}
template <typename T>
void Store(std::byte* to, T value) {
  memcpy(to, &value, sizeof(T));
}

// The interrupted state: the kernel's frame, which sigreturn restores.
class Interrupted {
 public:
  explicit Interrupted(ucontext_t& context) : context_(context) {}

  uint64_t get(int reg) const { return static_cast<uint64_t>(context_.uc_mcontext.gregs[reg]); }
  void set(int reg, uint64_t value) {
    context_.uc_mcontext.gregs[reg] = static_cast<greg_t>(value);
  }
  uint64_t rip() const { return get(REG_RIP); }
  std::byte* xsave() { return reinterpret_cast<std::byte*>(context_.uc_mcontext.fpregs); }
  bool is_64_bit() const { return (get(REG_CSGSFS) & 0xffff) == kCodeSegment; }

  // sysenter and far jumps leave segments in which our code would run as something else.
  void ResetSegments() {
    set(REG_CSGSFS, (get(REG_CSGSFS) & 0x0000'ffff'ffff'0000) | kStackSegment << 48 | kCodeSegment);
  }

  // Vector state as after power-on, but for the protection-key register, which stays.
  void ResetVectors(bool has_xsave) {
    if (has_xsave) {
      Store(xsave() + kXstateBvOffset, Load<uint64_t>(xsave() + kXstateBvOffset) & kXstatePkru);
    } else {
      // Control, status, tags (all empty) and last instruction of the x87; then the registers.
      memset(xsave(), 0, kMxcsrOffset);
      memset(xsave() + kRegistersOffset, 0, kSoftwareOffset - kRegistersOffset);
    }
    Store(xsave() + kMxcsrOffset, kInitialMxcsr);
    Store(xsave(), kInitialFcw);
  }

  void SetPkru(const Process& process, uint32_t pkru) {
    if (process.has_keys()) {
      Store(xsave() + process.cpu.pkru_offset, pkru);
      Store(xsave() + kXstateBvOffset, Load<uint64_t>(xsave() + kXstateBvOffset) | kXstatePkru);
    }
  }

  // In the order of struct nsgx_frame, which is the kernel's.
  void CopyRegisters(uint64_t* out) const {
    static_assert(REG_R8 == 0 && REG_RSP == 15 && REG_RIP == 16 && REG_EFL == 17);
    for (int reg = REG_R8; reg <= REG_EFL; ++reg) {
      out[reg] = get(reg);
    }
  }

 private:
  ucontext_t& context_;
};

struct Cause {
  uint64_t number;
  uint64_t error_code;
  uint64_t address;
};

// Whether the kernel made this signal because of the interrupted instruction.
bool IsSynchronous(int signal, const siginfo_t& info) {
  return signal != kTickSignal && info.si_code > 0;
}

// The kernel leaves the vector of the exception that it made a signal of in the frame.
Cause CauseOf(const Interrupted& state) {
  Cause cause = {.number = state.get(REG_TRAPNO), .error_code = 0, .address = 0};
  if (cause.number == NSGX_CAUSE_PAGE_FAULT) {
    constexpr uint64_t kPresentWriteFetch = 0x13;
    cause.error_code = state.get(REG_ERR) & kPresentWriteFetch;
    cause.address = state.get(REG_CR2);
  }
  return cause;
}

seh::Permissions NeededFor(const Cause& cause) {
  constexpr uint64_t kWrite = 2;
  constexpr uint64_t kFetch = 0x10;
  if ((cause.error_code & kFetch) != 0) {
    return seh::Permissions::kReadExecute;
  }
  return (cause.error_code & kWrite) != 0 ? seh::Permissions::kReadWrite : seh::Permissions::kRead;
}

nsgx_frame* FrameOf(nsgx_slot* slot) {
  return reinterpret_cast<nsgx_frame*>(reinterpret_cast<std::byte*>(slot) + NSGX_SLOT_FRAME_OFFSET);
}

// Runs on behalf of one interrupted thread that is attached.
class Handler {
 public:
  Handler(ThreadBlock& block, int signal, siginfo_t& info, ucontext_t& context)
      : process_(CurrentProcess()),
        block_(block),
        signal_(signal),
        info_(info),
        context_(context),
        state_(context) {}

  // Returns what the selector must be afterwards. `selector` is what was found.
  uint8_t Run(uint8_t selector) {
    const bool is_tick = signal_ == kTickSignal && info_.si_code == SI_TIMER;
    if (IsSwitchCode(state_.rip())) {
      if (is_tick) {
        Count(&VcpuCounters::ticks);
        block_.vcpu->slot->pending = 1;
      } else if (IsSynchronous(signal_, info_)) {
        return InSwitchCode(selector);
      } else {
        PassOn();
      }
      return selector;
    }
    if (selector != 0) {
      if (is_tick) {
        Tick();
        BeginSteps();
      } else if (block_.step_random != 0 && IsSingleStep()) {
        Step();
      } else if (IsSystemCall()) {
        return SystemCall();
      } else if (IsSynchronous(signal_, info_)) {
        return Exception(CauseOf(state_));
      } else {
        PassOn();
      }
      return selector;
    }
    Outside(is_tick);
    return selector;
  }

 private:
  void Count(uint64_t VcpuCounters::* counter) { block_.vcpu->counters.*counter += 1; }
  bool HasXsave() const { return process_.cpu.xcr0 != 0; }

  // Caught by our trap, not by a filter that somebody put around this process.
  bool IsSystemCall() const {
    const int code = process_.trap == SyscallTrap::kSeccomp ? kSysSeccomp : kSysUserDispatch;
    return signal_ == SIGSYS && info_.si_code == code;
  }

  // In the loader or the SEH.
  void Outside(bool is_tick) {
    if (is_tick) {
      // The vCPU waits for the host, or for the SEH; it looks when it is back.
      if (block_.vcpu != nullptr) {
        Count(&VcpuCounters::ticks);
        block_.vcpu->slot->pending = 1;
      }
    } else if (IsSystemCall() && info_.si_arch == kAuditArchX86_64) {
      // Our own process, but not our own text: the vDSO falls back to a system call.
      state_.set(REG_RAX, static_cast<uint64_t>(kernel::Call(
                              info_.si_syscall, state_.get(REG_RDI), state_.get(REG_RSI),
                              state_.get(REG_RDX), state_.get(REG_R10), state_.get(REG_R8),
                              state_.get(REG_R9))));
    } else if (IsSingleStep()) {
      // An enclave that sets the trap flag shall not make the loader step.
      state_.set(REG_EFL, state_.get(REG_EFL) & ~kFlagTrap);
    } else {
      PassOn();
    }
  }

  // The instruction that clears the trap flag is followed by the last step.
  bool IsSingleStep() const {
    return signal_ == SIGTRAP && IsSynchronous(signal_, info_) &&
           state_.get(REG_TRAPNO) == NSGX_CAUSE_DEBUG &&
           ((state_.get(REG_EFL) & kFlagTrap) != 0 || block_.step_random != 0);
  }

  // Marsaglia's xorshift.
  uint64_t StepRandom() {
    uint64_t& random = block_.step_random;
    random ^= random << 13;
    random ^= random >> 7;
    return random ^= random << 17;
  }

  void BeginSteps() {
    constexpr uint64_t kMostSteps = 512;
    if (block_.step_random != 0) {
      block_.steps_left = static_cast<uint32_t>(StepRandom() % kMostSteps);
      state_.set(REG_EFL, state_.get(REG_EFL) | kFlagTrap);
    }
  }

  // The trap flag stays in the frame that a tick is delivered with, so that the steps go on behind
  // the enclave's handler.
  void Step() {
    if (block_.steps_left == 0) {
      state_.set(REG_EFL, state_.get(REG_EFL) & ~kFlagTrap);
      return;
    }
    block_.steps_left -= 1;
    constexpr uint64_t kStepsPerTick = 8;
    if (StepRandom() % kStepsPerTick == 0) {
      Tick();
    }
    state_.set(REG_EFL, state_.get(REG_EFL) | kFlagTrap);
  }

  uint8_t InSwitchCode(uint8_t selector) {
    if (IsSingleStep()) {
      block_.vcpu->slot->pending = 1;
      return selector;
    }
    const Cause cause = CauseOf(state_);
    if (process_.code.IsEnclaveState(state_.rip())) {
      return Exception(cause);
    }
    if (selector != 0) {
      return End(cause);
    }
    // Before the way in or behind the way out: the loader's own bug, such as a stack that overflows
    // here.
    PassOn();
    return selector;
  }

  void Tick() {
    Count(&VcpuCounters::ticks);
    nsgx_slot* slot = block_.vcpu->slot;
    const uint64_t entry = block_.vcpu->seh->exception_entry();
    if (slot->irq_off != 0 || slot->in_exception != 0 || entry == 0 || !state_.is_64_bit()) {
      slot->pending = 1;
      return;
    }
    Deliver({.number = NSGX_CAUSE_TICK, .error_code = 0, .address = 0}, entry);
  }

  // As after the instruction `syscall`, but at the enclave's own entry.
  uint8_t SystemCall() {
    const uint64_t entry = block_.vcpu->seh->syscall_entry();
    if (info_.si_arch != kAuditArchX86_64 || !state_.is_64_bit()) {
      return Exception({.number = NSGX_CAUSE_SYSCALL, .error_code = 0, .address = 0});
    }
    if (entry == 0) {
      return End({.number = NSGX_CAUSE_SYSCALL, .error_code = 0, .address = 0});
    }
    Count(&VcpuCounters::syscalls_reflected);
    state_.set(REG_RCX, state_.rip());
    state_.set(REG_R11, state_.get(REG_EFL));
    state_.set(REG_RAX, static_cast<uint64_t>(info_.si_syscall));
    state_.set(REG_RIP, entry);
    return 1;
  }

  uint8_t Exception(const Cause& cause) {
    if (cause.number == NSGX_CAUSE_PAGE_FAULT) {
      switch (block_.vcpu->seh->HandleFault(cause.address, NeededFor(cause))) {
        case FaultAnswer::kDeliver:
          break;
        case FaultAnswer::kRetry:
          return 1;
        case FaultAnswer::kEnd:
          return End(cause);
      }
    }
    Count(&VcpuCounters::exceptions);
    const uint64_t entry = block_.vcpu->seh->exception_entry();
    // Nobody there, nowhere to put it, or code in a segment that a frame cannot describe.
    if (entry == 0 || block_.vcpu->slot->in_exception != 0 || !state_.is_64_bit()) {
      return End(cause);
    }
    Deliver(cause, entry);
    return 1;
  }

  void Deliver(const Cause& cause, uint64_t entry) {
    nsgx_slot* slot = block_.vcpu->slot;
    nsgx_frame* frame = FrameOf(slot);
    state_.CopyRegisters(&frame->r8);
    frame->cause = cause.number;
    frame->error_code = cause.error_code;
    frame->address = cause.address;
    frame->fs_base = block_.found_fs;
    frame->xsave_size = process_.cpu.xsave_size;
    memcpy(frame->xsave, state_.xsave(), process_.cpu.xsave_size);
    // Nothing of the frame's own: components that the enclave may not have, and the kernel's notes
    // in the part that is free for software.
    std::byte* xsave = reinterpret_cast<std::byte*>(frame->xsave);
    memset(xsave + kSoftwareOffset, 0, kXstateBvOffset - kSoftwareOffset);
    if (HasXsave()) {
      Store(xsave + kXstateBvOffset, Load<uint64_t>(xsave + kXstateBvOffset) & process_.cpu.xcr0);
      memset(xsave + kXcompBvOffset, 0, 64 - sizeof(uint64_t));
    }
    slot->in_exception = 1;

    state_.ResetVectors(HasXsave());
    state_.set(REG_RDI, kernel::Word(frame));
    state_.set(REG_RSI, cause.number);
    state_.set(REG_RIP, entry);
    state_.set(REG_RSP, kernel::Word(slot) + NSGX_SLOT_EXCEPTION_STACK_OFFSET +
                            NSGX_SLOT_EXCEPTION_STACK_SIZE);
    state_.set(REG_EFL, kFlagsClean);
  }

  // Makes the thread continue in the host as if the enclave had left, and remembers why.
  uint8_t End(const Cause& cause) {
    VcpuCrash& crash = block_.vcpu->crash;
    crash = {.cause = cause.number, .address = cause.address, .rip = state_.rip(), .registers = {}};
    state_.CopyRegisters(crash.registers.data());
    block_.exit = {SIM_EXIT_EXCEPTION, cause.number, 0, 0, 0, 0};

    for (int reg = REG_R8; reg <= REG_RCX; ++reg) {
      state_.set(reg, 0);
    }
    state_.set(REG_RIP, ForcedExit());
    state_.set(REG_RSP, block_.host_rsp);
    state_.set(REG_EFL, kFlagsClean);
    state_.ResetSegments();
    state_.ResetVectors(HasXsave());
    state_.SetPkru(process_, process_.pkru_host);
    block_.found_fs = block_.host_fs;
    return 0;
  }

  void PassOn();

  const Process& process_;
  ThreadBlock& block_;
  const int signal_;
  siginfo_t& info_;
  ucontext_t& context_;
  Interrupted state_;
};

// Not ours: as if this machine had never taken the signal.
void PassOnToPrevious(int signal, siginfo_t& info, ucontext_t& context) {
  KernelAction& previous = g_previous[static_cast<size_t>(signal)];
  const bool is_synchronous = IsSynchronous(signal, info);
  if (previous.handler == kIgnoreAction && !is_synchronous) {
    return;
  }
  if (previous.handler != kDefaultAction && previous.handler != kIgnoreAction) {
    // Whether it takes one argument or three, the convention is the same.
    reinterpret_cast<void (*)(int, siginfo_t*, void*)>(previous.handler)(signal, &info, &context);
    return;
  }
  // The instruction repeats, or the signal is sent again, and the default action follows: usually a
  // core dump of the right place.
  KernelAction action = {};
  kernel::Call(SYS_rt_sigaction, static_cast<uint64_t>(signal), kernel::Word(&action), 0,
               kSignalMaskSize);
  if (!is_synchronous || signal == SIGSYS || signal == SIGTRAP) {
    kernel::Call(SYS_tgkill, static_cast<uint64_t>(kernel::Call(SYS_getpid)),
                 static_cast<uint64_t>(kernel::Call(SYS_gettid)), static_cast<uint64_t>(signal));
  }
}

void Handler::PassOn() { PassOnToPrevious(signal_, info_, context_); }

void Install(int signal) {
  KernelAction action = {
      .handler = SignalEntry(),
      // On the alternate stack: the interrupted one may be an enclave's. Restarting: ticks shall
      // not disturb the loader's calls.
      .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | kActionHasRestorer,
      .restorer = SigreturnBegin(),
      .mask = kAllSignals,
  };
  kernel::Call(SYS_rt_sigaction, static_cast<uint64_t>(signal), kernel::Word(&action),
               kernel::Word(&g_previous[static_cast<size_t>(signal)]), kSignalMaskSize);
}

}  // namespace

void InstallSignalHandlers() {
  for (const int signal : kSynchronous) {
    Install(signal);
  }
  Install(kTickSignal);
}

}  // namespace nsgx::sim

// FROM: nsgx_sim_signal_entry, in the host's state with everything accessible; `block` is null on a
// thread that never entered an enclave.
void nsgx_sim_on_signal(int signal, siginfo_t* info, ucontext_t* context,
                        nsgx::sim::ThreadBlock* block) {
  if (block == nullptr) {
    nsgx::sim::PassOnToPrevious(signal, *info, *context);
    return;
  }
  // No system call goes through while the selector is on, so it is off here and is put back last.
  const uint8_t selector = block->selector;
  block->selector = 0;
  block->selector = nsgx::sim::Handler(*block, signal, *info, *context).Run(selector);
}
