// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/exception.h"

#include <cstring>

#include "libos/kernel/cpu.h"
#include "libos/kernel/entry.h"
#include "libos/kernel/panic.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/user_access.h"
#include "libos/mm/address_space.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kResumeProgram = 0;
constexpr uint64_t kResumeLibrary = 1;

constexpr uint64_t kTrapFlag = 0x100;
constexpr uint64_t kErrorWrite = 2, kErrorFetch = 16;  // of a page fault

Access AccessOf(uint64_t error_code) {
  return (error_code & kErrorFetch) != 0   ? Access::kExecute
         : (error_code & kErrorWrite) != 0 ? Access::kWrite
                                           : Access::kRead;
}

// Where the frame of an interrupted program is kept: below the record of its last call, which may
// still be needed.
nsgx_frame* PlaceForFrame(Thread& thread) {
  const uint64_t top = thread.kernel_stack_top() - LIBOS_RECORD_SIZE - libos_frame_size;
  return reinterpret_cast<nsgx_frame*>(top & ~uint64_t{63});
}

nsgx_frame* CopyToKernelStack(const nsgx_frame& frame) {
  nsgx_frame* copy = PlaceForFrame(CurrentThread());
  uint64_t size = NSGX_FRAME_XSAVE + uint64_t{frame.xsave_size};
  if (size > libos_frame_size) {
    size = libos_frame_size;
  }
  memcpy(static_cast<void*>(copy), &frame, size);
  return copy;
}

// A fault at an instruction of the library OS's own: its access to memory that the program named,
// or its end.
uint64_t TakeOwnFault(nsgx_frame& frame, uint64_t cause) {
  if (cause == NSGX_CAUSE_DEBUG && (frame.rflags & kTrapFlag) != 0) {
    // The program steps through itself, and a call is one step to it, as on Linux.
    frame.rflags &= ~kTrapFlag;
    CurrentThread().attention.fetch_or(kAttentionStep);
    return kResumeLibrary;
  }
  if (cause == NSGX_CAUSE_PAGE_FAULT &&
      ResolveFault(frame.address, AccessOf(frame.error_code)) == FaultResult::kResolved) {
    return kResumeLibrary;
  }
  const uint64_t begin = reinterpret_cast<uint64_t>(libos_user_access_begin);
  const uint64_t end = reinterpret_cast<uint64_t>(libos_user_access_end);
  if ((cause == NSGX_CAUSE_PAGE_FAULT || cause == NSGX_CAUSE_GENERAL_PROTECTION) &&
      frame.rip >= begin && frame.rip < end) {
    frame.rip = reinterpret_cast<uint64_t>(libos_user_access_failed);
    return kResumeLibrary;
  }
  PanicAtFrame("exception in the library OS", frame, cause);
}

// What x87 or SSE complained about, as si_code.
int32_t FloatingPointCode(const nsgx_frame& frame, uint64_t cause) {
  uint32_t raised;
  if (cause == NSGX_CAUSE_X87) {
    uint16_t control, status;
    memcpy(&control, frame.xsave, sizeof(control));
    memcpy(&status, frame.xsave + 2, sizeof(status));
    raised = status & ~static_cast<uint32_t>(control);
  } else {
    uint32_t mxcsr;
    memcpy(&mxcsr, frame.xsave + 24, sizeof(mxcsr));
    raised = mxcsr & ~(mxcsr >> 7);
  }
  enum : uint32_t {
    kInvalid = 1,
    kDenormal = 2,
    kDivide = 4,
    kOverflow = 8,
    kUnderflow = 16,
    kInexact = 32
  };
  if ((raised & kInvalid) != 0) return kFpeFltInv;
  if ((raised & kDivide) != 0) return kFpeFltDiv;
  if ((raised & kOverflow) != 0) return kFpeFltOvf;
  if ((raised & (kUnderflow | kDenormal)) != 0) return kFpeFltUnd;
  return (raised & kInexact) != 0 ? kFpeFltRes : 0;
}

// The signal that Linux sends for a hardware exception.
SignalInfo SignalFor(const nsgx_frame& frame) {
  SignalInfo info = {};
  info.fault.address = frame.rip;
  switch (frame.cause) {
    case NSGX_CAUSE_DIVIDE:
      info.signal = kSigFpe;
      info.code = kFpeIntDiv;
      break;
    case NSGX_CAUSE_DEBUG:
      info.signal = kSigTrap;
      info.code = kTrapTrace;
      break;
    case NSGX_CAUSE_BREAKPOINT:
      info.signal = kSigTrap;
      info.code = kSiKernel;
      info.fault.address = 0;
      break;
    case NSGX_CAUSE_UNDEFINED:
      info.signal = kSigIll;
      info.code = kIllIllOpn;
      break;
    case NSGX_CAUSE_X87:
    case NSGX_CAUSE_SIMD:
      info.signal = kSigFpe;
      info.code = FloatingPointCode(frame, frame.cause);
      break;
    case NSGX_CAUSE_ALIGNMENT:
      info.signal = kSigBus;
      info.code = kBusAdrAln;
      info.fault.address = 0;
      break;
    case NSGX_CAUSE_SYSCALL: {
      // int 0x80 and sysenter: there are no 32-bit system calls here.
      constexpr int32_t kSysSeccomp = 1;
      info.signal = kSigSys;
      info.code = kSysSeccomp;
      info.syscall.call_address = frame.rip;
      info.syscall.call_number = static_cast<int32_t>(frame.rax);
      info.syscall.architecture = 0x40000003;  // AUDIT_ARCH_I386
      break;
    }
    default:
      // General protection, overflow, and what has no name.
      info.signal = kSigSegv;
      info.code = kSiKernel;
      info.fault.address = 0;
      break;
  }
  return info;
}

void HandlePageFault(const nsgx_frame& frame) {
  const FaultResult result = ResolveFault(frame.address, AccessOf(frame.error_code));
  if (result == FaultResult::kResolved) {
    return;
  }
  SignalInfo info = {};
  info.signal = result == FaultResult::kOutOfMemory ? kSigBus : kSigSegv;
  info.code = result == FaultResult::kNotMapped      ? kSegvMapErr
              : result == FaultResult::kNotPermitted ? kSegvAccErr
                                                     : kBusAdrErr;
  info.fault.address = frame.address;
  SendSynchronous(info, &frame);
}

void DeliverAll(nsgx_frame& frame, CameBy came_by, const SyscallRecord* record) {
  Thread& self = CurrentThread();
  while (true) {
    if (ThisSlot().pending != 0) {
      RunDeferred();
    }
    if (self.attention.load() == 0) {
      return;
    }
    if ((self.attention.fetch_and(~kAttentionStep) & kAttentionStep) != 0) {
      frame.rflags |= kTrapFlag;
      continue;
    }
    DeliverSignals(frame, came_by, record);
    record = nullptr;
  }
}

}  // namespace

extern "C" {

uint64_t libos_take_exception(nsgx_frame* frame, uint64_t cause) {
  nsgx_slot& slot = ThisSlot();
  frame->cause = cause;
  if (slot.irq_off != 0) {
    return TakeOwnFault(*frame, cause);
  }
  Cpu& cpu = ThisCpu();
  if (frame->rip >= reinterpret_cast<uint64_t>(libos_return_begin) &&
      frame->rip < reinterpret_cast<uint64_t>(libos_return_end)) {
    // The program was all but resumed: rip, rsp and flags were still in the slot.
    frame->rip = cpu.return_frame[0];
    frame->rflags = cpu.return_frame[2];
    frame->rsp = cpu.return_frame[3];
  }
  if (cause == NSGX_CAUSE_TICK && !TickNeedsWork()) {
    return kResumeProgram;
  }
  nsgx_frame* copy = CopyToKernelStack(*frame);
  slot.irq_off = 1;
  slot.in_exception = 0;
  return reinterpret_cast<uint64_t>(copy);
}

void libos_program_exception(nsgx_frame* frame) {
  switch (frame->cause) {
    case NSGX_CAUSE_TICK:
      OnTick();
      break;
    case NSGX_CAUSE_PAGE_FAULT:
      HandlePageFault(*frame);
      break;
    default:
      SendSynchronous(SignalFor(*frame), frame);
      break;
  }
  DeliverAll(*frame, CameBy::kException, nullptr);
}

void libos_leave_call(nsgx_frame* frame, const SyscallRecord* record) {
  DeliverAll(*frame, CameBy::kCall, record);
}

void libos_leave_raw_call(nsgx_frame* frame, const SyscallRecord* record) {
  DeliverAll(*frame, CameBy::kRawCall, record);
}

void libos_leave_handler(nsgx_frame* frame, uint64_t address) {
  RestoreSignalFrame(*frame, address);
  DeliverAll(*frame, CameBy::kException, nullptr);
}

void libos_run_deferred() { RunDeferred(); }

}  // extern "C"

}  // namespace nsgx::libos
