// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/monitor.h"

#include <string_view>
#include <utility>

#include "base/core/log.h"
#include "base/core/mem_raw.h"
#include "vmpl-switch/emulator/monitor/control_registers.h"
#include "vmpl-switch/emulator/monitor/vc_delivery.h"

namespace nsgx::emu {
namespace {

constexpr uint8_t kFlushEverything = 1;
constexpr unsigned kOwnerOfDevices = 1;  // the VMPL that interrupts are for
constexpr uint64_t kMsrInstructionSize = 2;
// Lines about denied accesses; the rest is only counted.
constexpr uint64_t kMaxDeniedLines = 200;

std::string_view FaultName(RmpFault fault) {
  switch (fault) {
    case RmpFault::kNone:
      return "none";
    case RmpFault::kNotRam:
      return "not its memory";
    case RmpFault::kNotAssigned:
      return "a shared page, privately";
    case RmpFault::kAssigned:
      return "a private page without C-bit";
    case RmpFault::kNotValidated:
      return "a page that is not validated";
    case RmpFault::kRights:
      return "a page beyond its rights";
  }
  return "?";
}

}  // namespace

Monitor::Monitor(Hardware& hardware, const GuestMemory& memory, Rmp& rmp, NestedTables& tables,
                 Processors& processors, unsigned self, firmware::SecureProcessor& firmware,
                 const firmware::GuestCpuid& cpuid, Paranoia& paranoia, const InterceptMaps& maps,
                 VmcbPages& vmcbs)
    : hardware_(hardware),
      memory_(memory),
      rmp_(rmp),
      tables_(tables),
      paranoia_(paranoia),
      processors_(processors),
      self_(self),
      processor_(processors.At(self)),
      contexts_(processor_.contexts),
      counters_(processors.counters()),
      host_(hardware, memory, rmp, processors, self, firmware, cpuid) {
  for (unsigned vmpl = 0; vmpl < kVmpls; ++vmpl) {
    contexts_[vmpl].vmcb = &vmcbs.pages[vmpl];
    contexts_[vmpl].vmcb->control.asid = vmpl + 1;
    contexts_[vmpl].vmcb->control.nested_paging = 1;
    SetIntercepts(contexts_[vmpl], maps, processors_.count() > 1);
  }
}

void Monitor::SetTampering(Tampering& tampering) { tampering_ = &tampering; }

void Monitor::Load(VmplContext& context) {
  LoadFromVmsa(*context.vmsa, context.live());
  context.sev_features = context.vmsa->sev_features;
  hardware_.LoadFx(context.fx);
  for (unsigned i = 0; i < context.dr.size(); ++i) {
    hardware_.WriteDr(i, context.dr[i]);
  }
  hardware_.WriteTscAux(context.tsc_aux);
  context.vmcb->control.clean = 0;
}

void Monitor::Store(VmplContext& from) {
  hardware_.SaveFx(from.fx);
  for (unsigned i = 0; i < from.dr.size(); ++i) {
    from.dr[i] = hardware_.ReadDr(i);
  }
  from.tsc_aux = hardware_.ReadTscAux();
  StoreToVmsa(from.live(), *from.vmsa);
  from.vmsa->guest_exit_code = SNP_EXIT_VMGEXIT;
  from.vmsa->guest_exit_info_1 = 0;
  from.vmsa->guest_exit_info_2 = 0;
  if (from.vmsa_page.has_value()) {
    rmp_.MarkWritten(*from.vmsa_page);
  }
  host_.SetRunning(from, false);
}

void Monitor::SwitchTo(unsigned vmpl) {
  ++counters_.switches;
  VmplContext& from = current();
  Store(from);
  processor_.current = vmpl;
  host_.SetRunning(current(), true);
  Load(current());
  if (tampering_ != nullptr) {
    tampering_->AfterSwitch(from, current());
  }
  if (vmpl != 0) {
    device_waits_ = false;
    processor_.is_wanted = false;
  }
}

Monitor::MaybeEnd Monitor::Enter() {
  VmplContext& context = current();
  VmcbControl& control = context.vmcb->control;
  VmcbSave& save = context.vmcb->save;
  const EventWindow window = {.interrupts_enabled = (save.rflags & kRflagsInterrupts) != 0 &&
                                                    (control.interrupt_shadow & 1) == 0,
                              .in_nmi = context.in_nmi};
  const EntryPlan plan = PrepareEntry(control.exit_int_info, window, context.pending);
  if (plan.kind == EntryKind::kShutdown) {
    return End{.kind = End::Kind::kShutdown, .vmpl = context.vmpl, .details = {save.rip, save.cr2}};
  }
  control.event_inj = plan.event_inj;
  if ((plan.event_inj & (kEventValid | kEventTypeMask)) == (kEventValid | kEventTypeNmi)) {
    context.in_nmi = true;
    control.intercept3 |= kIntercept3Iret;
  }
  control.virtual_interrupt &= ~(kVirtualIrq | kVirtualPriorityHighest | kVirtualIgnoreTpr);
  control.intercept3 &= ~kIntercept3Vintr;
  if (plan.wants_window) {
    control.virtual_interrupt |= kVirtualIrq | kVirtualPriorityHighest | kVirtualIgnoreTpr;
    control.intercept3 |= kIntercept3Vintr;
  }
  if (!paranoia_.BeforeEntry(tables_, rmp_, context.vmpl)) {
    return End{.kind = End::Kind::kMonitor, .vmpl = context.vmpl};
  }
  control.nested_cr3 = tables_.Root(context.vmpl, (save.cr0 & kCr0Paging) != 0);
  const uint64_t generation = tables_.generation(context.vmpl);
  control.tlb_control = generation != context.entered_generation ? kFlushEverything : 0;
  context.entered_generation = generation;
  // Nobody to tell: what waits for VMPL1 has to wait.
  const bool takes_interrupts = context.vmpl == 0 && !device_waits_ && context.doorbell.has_value();
  hardware_.FlushDevices();
  // QEMU sets V_IRQ in a word that others set the NMI in, and not as an atomic operation.
  processors_.LeaveForGuest(self_, plan.wants_window);
  hardware_.Enter(*context.vmcb, context.registers, takes_interrupts);
  processors_.ReturnFromGuest(self_);
  ++counters_.exits;
  KeepGuestNmi();
  return std::nullopt;
}

void Monitor::KeepGuestNmi() {
  if (processors_.TakeGuestNmi(self_)) {
    contexts_[kOwnerOfDevices].pending.nmi = true;
  }
}

End Monitor::Run(snp_vmsa& vmsa) {
  processors_.Lock(self_);
  contexts_[0].vmsa = &vmsa;
  Load(contexts_[0]);
  return RunToTheEnd();
}

End Monitor::RunWhenReleased() {
  processors_.Lock(self_);
  Hold();
  return RunToTheEnd();
}

void Monitor::Hold() {
  while (processor_.is_held && !processors_.end().has_value()) {
    processors_.Sleep(self_);
    KeepGuestNmi();
  }
  if (!processor_.is_held) {
    Load(current());
  }
}

// The lock is held whenever no guest runs.
End Monitor::RunToTheEnd() {
  while (!processors_.end().has_value()) {
    if (tampering_ != nullptr) {
      const std::optional<unsigned> other = tampering_->BeforeEntry(current());
      if (other.has_value()) {
        SwitchTo(*other);
      }
    }
    MaybeEnd end = Enter();
    if (!end.has_value() && !processors_.end().has_value()) {
      end = HandleExit();
    }
    if (end.has_value()) {
      processors_.EndMachine(*end);
    }
  }
  const End end = *processors_.end();
  processors_.Unlock();
  return end;
}

void Monitor::Scrub() {
  for (VmplContext& context : contexts_) {
    FillOnce(&context.registers, std::byte{0}, sizeof(context.registers));
    FillOnce(&context.fx, std::byte{0}, sizeof(context.fx));
    context.dr = {};
    FillOnce(&context.vmcb->save, std::byte{0}, sizeof(context.vmcb->save));
    if (context.vmsa != nullptr && !context.vmsa_page.has_value()) {
      FillOnce(context.vmsa, std::byte{0}, sizeof(*context.vmsa));
    }
  }
  hardware_.LoadFx(FxState{});
}

Monitor::MaybeEnd Monitor::HandleExit() {
  VmplContext& context = current();
  VmcbControl& control = context.vmcb->control;
  VmcbSave& save = context.vmcb->save;
  if (tampering_ != nullptr && tampering_->TakesExit(context)) {
    return std::nullopt;
  }
  switch (Route({.code = control.exit_code, .msr = static_cast<uint32_t>(context.registers.rcx)})) {
    case ExitAction::kInterrupt:
      HandleInterrupt(context);
      return std::nullopt;
    case ExitAction::kNmi:
    case ExitAction::kWindow:
      return std::nullopt;
    case ExitAction::kIret:
      // The next one comes before this instruction, not behind it; a stack that is used up twice
      // is all that a guest sees of that.
      context.in_nmi = false;
      control.intercept3 &= ~kIntercept3Iret;
      return std::nullopt;
    case ExitAction::kDecodeInvalid:
      return HandleInvalidOpcode(context);
    case ExitAction::kWriteCr0:
      HandleCr0(context);
      return std::nullopt;
    case ExitAction::kServeMsr:
      HandleMsr(context);
      return std::nullopt;
    case ExitAction::kPort:
      return HandlePort(context);
    case ExitAction::kReflect:
      return Reflect(context, control.exit_code);
    case ExitAction::kInjectInvalid:
      Raise(context, kVectorInvalidOpcode, std::nullopt);
      return std::nullopt;
    case ExitAction::kHypercall:
      return HandleHypercall(context);
    case ExitAction::kNestedFault:
      return HandleNestedFault(context);
    case ExitAction::kHalt:
      return End{.kind = End::Kind::kHalted, .vmpl = context.vmpl, .details = {save.rip, 0}};
    case ExitAction::kShutdown:
      return End{
          .kind = End::Kind::kShutdown, .vmpl = context.vmpl, .details = {save.rip, save.cr2}};
    case ExitAction::kInvalidState:
      return End{.kind = End::Kind::kState, .vmpl = context.vmpl, .details = {save.rip, save.cr0}};
    case ExitAction::kUnexpected:
      break;
  }
  LOG(kError, "unexpected exit ", Hex{control.exit_code}, " of VMPL", context.vmpl, " at ",
      Hex{save.rip});
  return End{.kind = End::Kind::kMonitor, .vmpl = context.vmpl};
}

void Monitor::HandleInterrupt(VmplContext& context) {
  ++counters_.interrupts;
  device_waits_ = true;
  if (host_.RingDoorbell(context, kOwnerOfDevices)) {
    ++counters_.doorbells;
    context.pending.doorbell = true;
  }
}

void Monitor::Raise(VmplContext& context, uint32_t vector, std::optional<uint32_t> error_code) {
  context.pending.exception = Exception{.vector = vector, .error_code = error_code};
}

Decoded Monitor::DecodeAtRip(VmplContext& context) {
  const VmcbSave& save = context.vmcb->save;
  std::byte bytes[kMaxInstructionSize];
  const bool is_64_bit =
      (save.efer & kEferLongActive) != 0 && (save.cs.attributes & kSegmentLongCode) != 0;
  const uint64_t rip = is_64_bit ? save.rip : (save.cs.base + save.rip) & 0xffffffff;
  const size_t size = Space(context).Fetch(GuestVirt(rip), bytes);
  return Decode(std::span(bytes, size), is_64_bit);
}

Monitor::MaybeEnd Monitor::HandleInvalidOpcode(VmplContext& context) {
  const Decoded decoded = DecodeAtRip(context);
  switch (decoded.instruction) {
    case Instruction::kPvalidate:
      ++counters_.pvalidate;
      return HandleSnpInstruction(context, decoded);
    case Instruction::kRmpadjust:
      ++counters_.rmpadjust;
      return HandleSnpInstruction(context, decoded);
    case Instruction::kRmpquery:
      ++counters_.rmpquery;
      return HandleSnpInstruction(context, decoded);
    case Instruction::kInvlpgb:
    case Instruction::kTlbsync:
      if (processors_.count() > 1) {
        HandleBroadcast(context, decoded);
        return std::nullopt;
      }
      [[fallthrough]];
    default:
      Raise(context, kVectorInvalidOpcode, std::nullopt);
      return std::nullopt;
  }
}

// Machines with one processor do not have these instructions. Whatever INVLPGB names, all of the
// guest's translations go, and have gone when it is over: TLBSYNC has nothing to wait for.
void Monitor::HandleBroadcast(VmplContext& context, const Decoded& decoded) {
  if (context.vmcb->save.cpl != 0) {
    Raise(context, kVectorGeneralProtection, 0);
    return;
  }
  if (decoded.instruction == Instruction::kInvlpgb) {
    ++counters_.broadcasts;
    tables_.FlushAll();
  }
  context.vmcb->save.rip += decoded.size;
  context.vmcb->control.interrupt_shadow = 0;
}

Monitor::MaybeEnd Monitor::HandleSnpInstruction(VmplContext& context, const Decoded& decoded) {
  VmcbSave& save = context.vmcb->save;
  GeneralRegisters& registers = context.registers;
  const SnpOperands operands = {
      .address = GuestVirt(save.rax), .size = registers.rcx, .attributes = registers.rdx};
  const InstructionOutcome outcome =
      ExecuteSnp(decoded.instruction, operands, Space(context), rmp_, context.vmpl, save.cpl);
  switch (outcome.kind) {
    case InstructionOutcome::Kind::kDone:
      save.rax = outcome.code;
      save.rflags = (save.rflags & ~kRflagsCarry) | (outcome.carry ? kRflagsCarry : 0);
      if (decoded.instruction == Instruction::kRmpquery && outcome.code == SNP_OK) {
        registers.rcx = outcome.size;
        registers.rdx = outcome.attributes;
      }
      save.rip += decoded.size;
      context.vmcb->control.interrupt_shadow = 0;
      return std::nullopt;
    case InstructionOutcome::Kind::kGeneralProtection:
      Raise(context, kVectorGeneralProtection, 0);
      return std::nullopt;
    case InstructionOutcome::Kind::kPageFault:
      save.cr2 = operands.address.raw();
      Raise(context, kVectorPageFault, outcome.fault.error_code);
      return std::nullopt;
    case InstructionOutcome::Kind::kNestedFault:
      if (outcome.fault.rmp == RmpFault::kNotValidated) {
        save.cr2 = operands.address.raw();
        return Reflect(context, SNP_EXIT_NOT_VALIDATED);
      }
      return Deny(context, outcome.fault.rmp, outcome.fault.page);
  }
  return std::nullopt;
}

void Monitor::HandleCr0(VmplContext& context) {
  VmcbSave& save = context.vmcb->save;
  const Decoded decoded = DecodeAtRip(context);
  uint64_t value = save.cr0;
  if (decoded.instruction == Instruction::kMovToCr0) {
    value = ReadRegister(context.live(), decoded.register_number);
    if ((save.efer & kEferLongActive) == 0) {
      value &= 0xffffffff;
    }
  } else if (decoded.instruction == Instruction::kClts) {
    value &= ~kCr0TaskSwitched;
  } else {
    // LMSW, which nothing since the 80286 needs.
    Raise(context, kVectorInvalidOpcode, std::nullopt);
    return;
  }
  if (!WriteCr0(save, value)) {
    Raise(context, kVectorGeneralProtection, 0);
    return;
  }
  save.rip += decoded.size;
  context.vmcb->control.interrupt_shadow = 0;
}

void Monitor::HandleMsr(VmplContext& context) {
  ++counters_.served_msr;
  VmcbSave& save = context.vmcb->save;
  GeneralRegisters& registers = context.registers;
  const auto number = static_cast<uint32_t>(registers.rcx);
  context.vmcb->control.interrupt_shadow = 0;
  if (context.vmcb->control.exit_info_1 == 1) {
    const uint64_t value = (save.rax & 0xffffffff) | registers.rdx << 32;
    if (number == SNP_MSR_GHCB) {
      context.ghcb_msr = value;
    } else if (number != kMsrEfer || !WriteEfer(save, value)) {
      Raise(context, kVectorGeneralProtection, 0);
      return;
    }
    save.rip += kMsrInstructionSize;
    return;
  }
  uint64_t value = 0;
  if (number == kMsrEfer) {
    // Guests have no SVM of their own.
    value = save.efer & ~SNP_EFER_SVME;
  } else if (number == SNP_MSR_GHCB) {
    value = context.ghcb_msr;
  } else {
    value = SNP_STATUS_SEV | SNP_STATUS_SEV_ES | context.sev_features << 2;
  }
  save.rax = value & 0xffffffff;
  registers.rdx = value >> 32;
  save.rip += kMsrInstructionSize;
}

// Ports are devices', which a VMPL below VMPL0 has; the few that come here it gets at once, as if
// they had not. One of them lies inside PCI's address register, so they are not rare.
Monitor::MaybeEnd Monitor::HandlePort(VmplContext& context) {
  const VmcbControl& control = context.vmcb->control;
  const uint64_t info = control.exit_info_1;
  if (context.vmpl < kOwnerOfDevices || (info & GHCB_IO_STRING) != 0) {
    return Reflect(context, SNP_EXIT_IOIO);
  }
  ++counters_.ports;
  VmcbSave& save = context.vmcb->save;
  const unsigned size = (info & GHCB_IO_8) != 0 ? 1 : (info & GHCB_IO_16) != 0 ? 2 : 4;
  const uint64_t mask = size == 4 ? 0xffffffff : (uint64_t{1} << (8 * size)) - 1;
  const bool is_in = (info & GHCB_IO_IN) != 0;
  const auto port = static_cast<uint16_t>(info >> 16);
  auto value = static_cast<uint32_t>(save.rax & mask);
  MaybeEnd end;
  if (tampering_ == nullptr || port != kTamperingPort) {
    if (is_in) {
      value = host_.ports().Read(port, size);
    } else {
      end = host_.ports().Write(port, size, value, context.vmpl);
    }
  } else if (is_in) {
    value = tampering_->Say();
  } else {
    tampering_->Hear(static_cast<uint8_t>(value));
  }
  if (is_in) {
    // As everywhere, 32 bits clear the upper half.
    save.rax = size == 4 ? value : (save.rax & ~mask) | (value & mask);
  }
  save.rip = control.exit_info_2;
  context.vmcb->control.interrupt_shadow = 0;
  return end;
}

Monitor::MaybeEnd Monitor::HandleHypercall(VmplContext& context) {
  VmcbSave& save = context.vmcb->save;
  const Decoded decoded = DecodeAtRip(context);
  if (decoded.instruction != Instruction::kVmgexit) {
    return Reflect(context, SNP_EXIT_VMMCALL);
  }
  // In every ring: whoever has programs above itself sees to it that they ask for nothing.
  save.rip += decoded.size;
  context.vmcb->control.interrupt_shadow = 0;
  if (tampering_ != nullptr && tampering_->AnswersCall(context)) {
    return std::nullopt;
  }
  const Host::Outcome outcome = host_.Call(context);
  if (tampering_ != nullptr) {
    tampering_->AfterCall();
  }
  if (outcome.end.has_value()) {
    return outcome.end;
  }
  if (outcome.run_vmpl.has_value()) {
    SwitchTo(*outcome.run_vmpl);
  }
  // Whoever was created in between is what it would wait for.
  if (outcome.holds && !std::exchange(processor_.is_wanted, false)) {
    if (processors_.AllOthersAreHeld(self_)) {
      return End{.kind = End::Kind::kHalted, .vmpl = context.vmpl, .details = {save.rip, 0}};
    }
    Store(context);
    processor_.is_held = true;
    Hold();
  }
  return std::nullopt;
}

Monitor::MaybeEnd Monitor::HandleNestedFault(VmplContext& context) {
  ++counters_.nested_faults;
  const VmcbControl& control = context.vmcb->control;
  VmcbSave& save = context.vmcb->save;
  const uint64_t info = control.exit_info_1;
  const uint64_t address = control.exit_info_2;
  const Page page = (address & (kEncryptionBit - 1)) >> kPageShift;
  const bool is_paging = (save.cr0 & kCr0Paging) != 0;
  const bool has_bit = !is_paging || (address & kEncryptionBit) != 0;
  const bool is_implicit = (info & (kNpfTableWalk | kNpfFetch)) != 0;
  const AccessKind kind = (info & kNpfFetch) != 0   ? AccessKind::kExecute
                          : (info & kNpfWrite) != 0 ? AccessKind::kWrite
                                                    : AccessKind::kRead;
  if (!rmp_.IsRam(page)) {
    const bool is_monitor = page >= PageOf(kGuestEnd) && page < kRamSize >> kPageShift;
    if (is_monitor || is_implicit || has_bit) {
      return Deny(context, RmpFault::kNotRam, page);
    }
    // Device memory: the guest decodes the access and asks its host.
    return Reflect(context, SNP_EXIT_NPF);
  }
  const RmpFault fault = rmp_.Check(page, context.vmpl, has_bit || is_implicit, kind);
  switch (fault) {
    case RmpFault::kNone:
      // The tables had less than the RMP allows, by our own doing or because only now it is known
      // what the access is for.
      if (!has_bit && is_implicit) {
        tables_.AllowImplicitPrivate(context.vmpl, page);
      } else {
        tables_.PageChanged(page);
      }
      return std::nullopt;
    case RmpFault::kNotValidated:
      // A processor names the address that the instruction used; this is where it led.
      save.cr2 = page << kPageShift | (address & kPageMask);
      return Reflect(context, SNP_EXIT_NOT_VALIDATED);
    case RmpFault::kNotRam:
    case RmpFault::kNotAssigned:
    case RmpFault::kAssigned:
    case RmpFault::kRights:
      break;
  }
  return Deny(context, fault, page);
}

Monitor::MaybeEnd Monitor::Reflect(VmplContext& context, uint64_t code) {
  switch (code) {
    case SNP_EXIT_CPUID:
      ++counters_.reflected_cpuid;
      break;
    case SNP_EXIT_IOIO:
      ++counters_.reflected_io;
      break;
    case SNP_EXIT_MSR:
      ++counters_.reflected_msr;
      break;
    default:
      ++counters_.reflected_other;
      break;
  }
  VmcbSave& save = context.vmcb->save;
  const Result<void, SpaceFault> result = DeliverVc(Space(context), save, code);
  VmcbControl& control = context.vmcb->control;
  control.interrupt_shadow = 0;
  // An exception comes back when its instruction is restarted behind the handler; an interrupt
  // would be lost.
  context.pending.Keep(control.exit_int_info);
  control.exit_int_info = 0;
  if (!result.ok()) {
    LOG(kError, "VMPL", context.vmpl, ": #VC ", Hex{code}, " at ", Hex{save.rip}, " cr2 ",
        Hex{save.cr2}, " cannot be delivered");
    return End{.kind = End::Kind::kShutdown, .vmpl = context.vmpl, .details = {save.rip, save.cr2}};
  }
  return std::nullopt;
}

// On a processor the host gets a nested page fault that it cannot resolve. Most hosts end the
// guest. This one does so for VMPL0, whose memory is nobody's to take away; a lower VMPL gets #GP,
// so that Linux lives on and says what happened.
Monitor::MaybeEnd Monitor::Deny(VmplContext& context, RmpFault fault, Page page) {
  const VmcbControl& control = context.vmcb->control;
  const VmcbSave& save = context.vmcb->save;
  ++counters_.denied;
  if (counters_.denied <= kMaxDeniedLines) {
    LOG(kWarning, "denied: VMPL", context.vmpl, " reached for ", FaultName(fault), ": ",
        Hex{page << kPageShift}, " info ", Hex{control.exit_info_1}, " rip ", Hex{save.rip});
  }
  const bool cannot_continue =
      (control.exit_int_info & kEventValid) != 0 ||
      (control.exit_code == SNP_EXIT_NPF && (control.exit_info_1 & kNpfTableWalk) != 0);
  if (context.vmpl == 0 || cannot_continue) {
    return End{.kind = End::Kind::kAccess,
               .vmpl = context.vmpl,
               .details = {save.rip, page << kPageShift}};
  }
  Raise(context, kVectorGeneralProtection, 0);
  return std::nullopt;
}

}  // namespace nsgx::emu
