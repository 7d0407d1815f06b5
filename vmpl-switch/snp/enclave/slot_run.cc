// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/slot_run.h"

#include <array>

#include "base/core/mem_raw.h"
#include "base/core/scope_exit.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/status.h"
#include "vmpl-switch/snp/cpu/selectors.h"
#include "vmpl-switch/snp/cpu/vc_decoder.h"
#include "vmpl-switch/snp/enclave/enclave_cpuid.h"
#include "vmpl-switch/snp/enclave/layout.h"

namespace nsgx::snp {
namespace {

// What ring 3 may set in RFLAGS: CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC, ID.
constexpr uint64_t kUserFlags = 0x250dd5;
// The bit that is always 1. IF is off: what VMPL0 has to know comes as #HV, which IF does not mask,
// and there is no interrupt that an enclave could have any business with.
constexpr uint64_t kFlagsClean = 0x2;
// Programs expect to see it.
constexpr uint64_t kFlagInterrupts = 0x200;

constexpr uint64_t kErrorPresentWriteFetch = 0x13;
constexpr uint64_t kErrorWrite = 2;
constexpr uint64_t kErrorFetch = 16;
// #GP because of a vector behind the end of the IDT; emulators disagree about the bits that name
// it.
constexpr uint64_t kErrorIdt = 1 << 1;

constexpr uint64_t kInstructionSize = 15;

// The registers in the order of struct nsgx_frame.
void CopyRegisters(const TrapFrame& frame, uint64_t* out) {
  const uint64_t registers[] = {frame.r8,  frame.r9,  frame.r10,   frame.r11, frame.r12,
                                frame.r13, frame.r14, frame.r15,   frame.rdi, frame.rsi,
                                frame.rbp, frame.rbx, frame.rdx,   frame.rax, frame.rcx,
                                frame.rsp, frame.rip, frame.rflags};
  static_assert(sizeof(registers) == NSGX_FRAME_RFLAGS + 8);
  __builtin_memcpy(out, registers, sizeof(registers));
}

seh::Permissions NeededFor(uint64_t error_code) {
  if ((error_code & kErrorFetch) != 0) {
    return seh::Permissions::kReadExecute;
  }
  return (error_code & kErrorWrite) != 0 ? seh::Permissions::kReadWrite : seh::Permissions::kRead;
}

bool IsInGate(uint64_t rip) { return rip - kGateAddress < sizeof(kGateCode); }

}  // namespace

Result<nsgx_seh_exit> EnclaveContext::Enter(uint32_t slot, uint64_t answer, bool is_tick) {
  TRY(enclave_.ClaimSlot(slot));
  const ScopeExit release([&] { enclave_.ReleaseSlot(slot); });
  machine_.Activate();
  nsgx_seh_exit exit = TRY(SlotRun(*this, slot).Run(answer, is_tick));
  Count(counters_.exits[exit.reason]);
  return exit;
}

nsgx_slot& SlotRun::block() {
  // Committed, and writable for the enclave, as long as there is a slot.
  return *reinterpret_cast<nsgx_slot*>(
      context_.machine_.Access(context_.enclave_.slot_address(index_), sizeof(nsgx_slot)).data());
}

Result<nsgx_seh_exit> SlotRun::Run(uint64_t answer, bool is_tick) {
  Step step = Begin(answer, is_tick);
  while (!step.leaves) {
    if (context_.enclave_.state() != seh::EnclaveState::kRunning) {
      return Error(Status::kBadState);
    }
    if (context_.hardware_.EventPending()) {
      step = Leave(NSGX_SEH_EXIT_INTERRUPTED, SlotWaits::kForTurn);
      break;
    }
    frame_.rflags = (frame_.rflags & kUserFlags) | kFlagsClean;
    frame_.cs = SEH_USER_CODE_SELECTOR;
    frame_.ss = SEH_USER_DATA_SELECTOR;
    const Ring3Event event = context_.hardware_.Run(state_);
    step = Handle(event);
  }
  return step.exit;
}

// Puts the answer where the slot waits for it.
SlotRun::Step SlotRun::Begin(uint64_t answer, bool is_tick) {
  const SlotWaits waits = slot_.waits;
  slot_.waits = SlotWaits::kForTurn;
  Step step = GoOn();
  switch (waits) {
    case SlotWaits::kForFirstEntry:
    case SlotWaits::kForTurn:
      break;
    case SlotWaits::kForAnswer:
      Return(static_cast<int64_t>(answer));
      break;
    case SlotWaits::kForPages:
      step = GateCall(true);
      break;
    case SlotWaits::kForFault:
      step = PageFault({.vector = NSGX_CAUSE_PAGE_FAULT,
                        .error_code = frame_.error_code,
                        .address = slot_.fault_address},
                       true);
      break;
  }
  if (is_tick) {
    Tick(waits == SlotWaits::kForTurn && !step.leaves);
  }
  return step;
}

void SlotRun::Tick(bool was_interrupted) {
  context_.Count(context_.counters_.ticks);
  nsgx_slot& slot = block();
  if (!was_interrupted || slot.irq_off != 0 || slot.in_exception != 0 || IsInGate(frame_.rip) ||
      context_.enclave_.exception_entry().raw() == 0) {
    slot.pending = 1;
    return;
  }
  Deliver(NSGX_CAUSE_TICK, {});
}

SlotRun::Step SlotRun::Handle(const Ring3Event& event) {
  switch (event.vector) {
    case kSyscallVector:
      return Syscall();
    case kVectorHv:
      return Leave(NSGX_SEH_EXIT_INTERRUPTED, SlotWaits::kForTurn);
    case kVectorVc:
      return VmmCommunication(event);
    case kVectorPageFault:
      return PageFault(event, false);
    case kVectorGeneralProtection:
      return GeneralProtection(event);
    case kVectorInvalidOpcode:
      return InvalidOpcode(event);
    default:
      return Exception(event.vector, event);
  }
}

// SYSCALL has left the next rip in rcx and the flags in r11, as the enclave expects to see them.
SlotRun::Step SlotRun::Syscall() {
  if (frame_.rip == kGateReturn) {
    return GateCall(false);
  }
  const uint64_t entry = context_.enclave_.syscall_entry().raw();
  if (entry == 0) {
    return End(NSGX_CAUSE_SYSCALL, {});
  }
  context_.Count(context_.counters_.syscalls_reflected);
  frame_.rip = entry;
  return GoOn();
}

// The enclave called its gate: rdi = call, rsi, rdx, r10, r8, r9 = arguments. `again`: it found too
// few pages the last time.
SlotRun::Step SlotRun::GateCall(bool again) {
  const uint64_t call = frame_.rdi;
  return call < NSGX_GATE_FIRST_SEH_CALL ? LeaveBy(call) : SehCall(call, again);
}

// Gives the enclave the result of its call. What a call may destroy is zero, and vector state
// initial but for the control words.
void SlotRun::Return(int64_t result) {
  frame_.rax = static_cast<uint64_t>(result);
  frame_.rcx = frame_.rdx = frame_.rsi = frame_.rdi = 0;
  frame_.r8 = frame_.r9 = frame_.r10 = frame_.r11 = 0;
  ResetExtended(extended(), FcwOf(extended()), MxcsrOf(extended()));
}

SlotRun::Step SlotRun::LeaveBy(uint64_t call) {
  const Result<seh::Leave> leave = context_.enclave_.CheckLeave(call, frame_.rsi, frame_.rdx);
  if (!leave.ok()) {
    // The enclave has ended, or there is no such call.
    Return(-static_cast<int64_t>(leave.error()));
    return GoOn();
  }
  Step step = Leave(NSGX_SEH_EXIT_REFUSED, SlotWaits::kForAnswer);
  step.exit.number = frame_.rsi;
  switch (leave.value()) {
    case seh::Leave::kHostCall:
      step.exit.reason = NSGX_SEH_EXIT_HOST_CALL;
      step.exit.arguments[0] = frame_.rdx;
      step.exit.arguments[1] = frame_.r10;
      step.exit.arguments[2] = frame_.r8;
      step.exit.arguments[3] = frame_.r9;
      return step;
    // What is no argument of the call may be anything of the enclave's, and stays inside.
    case seh::Leave::kIdle:
      step.exit.reason = NSGX_SEH_EXIT_IDLE;
      step.exit.arguments[0] = frame_.rsi;
      break;
    case seh::Leave::kWake:
      step.exit.reason = NSGX_SEH_EXIT_WAKE;
      step.exit.arguments[0] = frame_.rsi;
      break;
    case seh::Leave::kDone:
      step.exit.reason = NSGX_SEH_EXIT_DONE;
      step.exit.arguments[0] = frame_.rsi;
      step.exit.arguments[1] = frame_.rdx;
      break;
    case seh::Leave::kRefused:
      break;
  }
  return step;
}

SlotRun::Step SlotRun::SehCall(uint64_t call, bool again) {
  static_cast<void>(context_.pool_.TakeShortage());
  const int64_t result = context_.enclave_.GateCall(index_, call, frame_.rsi, frame_.rdx,
                                                    frame_.r10, frame_.r8, frame_.r9);
  // Nothing has changed, so the same call can be made once more; unless the guest has had its
  // chance and gave nothing.
  if (result == -static_cast<int64_t>(NSGX_NO_MEMORY) &&
      !(again && context_.pool_.donations() == slot_.donations)) {
    Step step = AskForPages(SlotWaits::kForPages);
    if (step.leaves) {
      return step;
    }
  }
  const uint64_t index = call - NSGX_GATE_FIRST_SEH_CALL;
  if (index < std::size(context_.counters_.gate_calls)) {
    context_.Count(context_.counters_.gate_calls[index]);
  }
  Return(result);
  return GoOn();
}

// Leaves for pages if it is for them that something failed.
SlotRun::Step SlotRun::AskForPages(SlotWaits waits) {
  const uint64_t shortage = context_.pool_.TakeShortage();
  if (shortage == 0) {
    return GoOn();
  }
  slot_.donations = context_.pool_.donations();
  Step step = Leave(NSGX_SEH_EXIT_NO_PAGES, waits);
  step.exit.arguments[0] = shortage;
  return step;
}

SlotRun::Step SlotRun::PageFault(const Ring3Event& event, bool again) {
  static_cast<void>(context_.pool_.TakeShortage());
  const Result<void> handled =
      context_.enclave_.HandleFault(EnclaveVirt(event.address), NeededFor(event.error_code));
  if (handled.ok() || handled.error() == Status::kBusy) {
    return GoOn();
  }
  if (handled.error() == Status::kNoMemory &&
      !(again && context_.pool_.donations() == slot_.donations)) {
    slot_.fault_address = event.address;
    frame_.error_code = event.error_code;
    Step step = AskForPages(SlotWaits::kForFault);
    if (step.leaves) {
      return step;
    }
  }
  if (handled.error() != Status::kNotFound) {
    return End(NSGX_CAUSE_PAGE_FAULT, event);
  }
  return Exception(NSGX_CAUSE_PAGE_FAULT, event);
}

bool SlotRun::IsAtRip(const std::array<std::byte, 2>& wanted) {
  std::array<std::byte, 2> code = {};
  return context_.machine_.Read(EnclaveVirt(frame_.rip), code) == code.size() && code == wanted;
}

SlotRun::Step SlotRun::GeneralProtection(const Ring3Event& event) {
  // Only the instruction is a system call. A host that could inject the vector would otherwise make
  // one up, with arguments from whatever the registers hold.
  constexpr std::array<std::byte, 2> kInt80 = {std::byte{0xcd}, std::byte{0x80}};
  if ((event.error_code & kErrorIdt) != 0 && IsAtRip(kInt80)) {
    frame_.rip += kInt80.size();
    return Exception(NSGX_CAUSE_SYSCALL, event);
  }
  return Exception(event.vector, event);
}

SlotRun::Step SlotRun::InvalidOpcode(const Ring3Event& event) {
  // SYSENTER, which AMD's processors do not know in 64-bit mode.
  constexpr std::array<std::byte, 2> kSysenter = {std::byte{0x0f}, std::byte{0x34}};
  if (IsAtRip(kSysenter)) {
    frame_.rip += kSysenter.size();
    return Exception(NSGX_CAUSE_SYSCALL, event);
  }
  return Exception(event.vector, event);
}

// The host chooses when #VC comes and what it says, so nothing is believed that the instruction
// does not confirm. CPUID is answered from what the firmware has checked.
SlotRun::Step SlotRun::VmmCommunication(const Ring3Event& event) {
  std::array<std::byte, kInstructionSize> code = {};
  const size_t size = context_.machine_.Read(EnclaveVirt(frame_.rip), code);
  const Result<DecodedVc> decoded = DecodeVc(event.error_code, std::span(code).first(size));
  if (!decoded.ok()) {
    return End(event.vector, event);
  }
  if (decoded.value().instruction == VcInstruction::kVmmcall) {
    return Exception(NSGX_CAUSE_UNDEFINED, event);  // there is nobody to call
  }
  if (decoded.value().instruction != VcInstruction::kCpuid) {
    return Exception(NSGX_CAUSE_GENERAL_PROTECTION, event);
  }
  const CpuidAnswer answer =
      EnclaveCpuid(context_.services_.cpuid, context_.hardware_.extended_state(),
                   static_cast<uint32_t>(frame_.rax), static_cast<uint32_t>(frame_.rcx));
  frame_.rax = answer.eax;
  frame_.rbx = answer.ebx;
  frame_.rcx = answer.ecx;
  frame_.rdx = answer.edx;
  frame_.rip += decoded.value().size;
  return GoOn();
}

SlotRun::Step SlotRun::Exception(uint64_t cause, const Ring3Event& event) {
  context_.Count(context_.counters_.exceptions);
  if (context_.enclave_.exception_entry().raw() == 0 || block().in_exception != 0) {
    return End(cause, event);
  }
  Deliver(cause, event);
  return GoOn();
}

// Hands the registers to the enclave's handler in the slot's frame.
void SlotRun::Deliver(uint64_t cause, const Ring3Event& event) {
  const EnclaveVirt slot = context_.enclave_.slot_address(index_);
  nsgx_frame& frame = *reinterpret_cast<nsgx_frame*>(
      context_.machine_.Access(slot + NSGX_SLOT_FRAME_OFFSET, sizeof(nsgx_frame)).data());
  const bool is_page_fault = cause == NSGX_CAUSE_PAGE_FAULT;
  CopyRegisters(frame_, &frame.r8);
  frame.rflags |= kFlagInterrupts;
  frame.cause = cause;
  frame.error_code = is_page_fault ? event.error_code & kErrorPresentWriteFetch : 0;
  frame.address = is_page_fault ? event.address : 0;
  frame.fs_base = state_.fs_base;
  frame.xsave_size = static_cast<uint32_t>(extended().size());
  CopyOnce(frame.xsave, extended().data(), extended().size());
  block().in_exception = 1;

  frame_ = {};
  frame_.rdi = (slot + NSGX_SLOT_FRAME_OFFSET).raw();
  frame_.rsi = cause;
  frame_.rip = context_.enclave_.exception_entry().raw();
  frame_.rsp = (slot + (NSGX_SLOT_EXCEPTION_STACK_OFFSET + NSGX_SLOT_EXCEPTION_STACK_SIZE)).raw();
  ResetExtended(extended(), kInitialFcw, kInitialMxcsr);
}

SlotRun::Step SlotRun::Leave(uint32_t reason, SlotWaits waits) {
  slot_.waits = waits;
  Step step;
  step.leaves = true;
  step.exit.reason = reason;
  return step;
}

// The enclave has done what nobody handles, and is over.
SlotRun::Step SlotRun::End(uint64_t cause, const Ring3Event& event) {
  context_.enclave_.Crash();
  {
    SpinLockGuard guard(context_.end_lock_);
    if (!context_.has_crashed_) {
      context_.has_crashed_ = true;
      nsgx_seh_info& info = context_.counters_;
      const uint64_t offset = frame_.rip - context_.enclave_.base().raw();
      info.crash_cause = cause;
      info.crash_image_offset =
          offset < context_.enclave_.layout().slot_area_offset ? offset : ~uint64_t{0};
      if (context_.enclave_.is_debug()) {
        info.crash_address = event.address;
        CopyRegisters(frame_, info.crash_registers);
      }
    }
  }
  Step step = Leave(NSGX_SEH_EXIT_EXCEPTION, SlotWaits::kForTurn);
  step.exit.number = cause;
  step.exit.arguments[0] = cause;
  return step;
}

}  // namespace nsgx::snp
