// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/hostile_host.h"

#include <algorithm>
#include <new>

#include "base/core/log.h"
#include "vmpl-switch/abi/igvm.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/emulator/monitor/ghcb_request.h"
#include "vmpl-switch/emulator/monitor/guest_space.h"
#include "vmpl-switch/emulator/monitor/vc_delivery.h"

namespace nsgx::emu {
namespace {

// Where the SEH's image has them (vmpl-switch/snp/image/layout.h).
constexpr GuestPhys kCpuidPage{0x8000000};
constexpr GuestPhys kMemoryMap{0x8002000};
constexpr GuestPhys kParameters{0x8003000};

constexpr uint64_t kRefused = uint64_t{1} << 32;  // in the MSR's answer

uint64_t ParseNumber(std::string_view text) {
  const uint64_t base = text.starts_with("0x") ? 16 : 10;
  uint64_t value = 0;
  text.remove_prefix(base == 16 ? 2 : 0);
  for (char c : text) {
    const uint64_t digit = static_cast<uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    if (digit >= base) {
      return 0;
    }
    value = value * base + digit;
  }
  return value;
}

// Whether an event can be given at this entry without losing another. (A #HV comes after it.)
bool IsBetweenEvents(const VmplContext& context) {
  return !context.pending.exception.has_value() && !context.pending.nmi &&
         (context.vmcb->control.exit_int_info & kEventValid) == 0;
}

}  // namespace

uint64_t HostileHost::number(size_t index) const { return ParseNumber(words_[index]); }

void HostileHost::Hear(uint8_t value) {
  if (value != '\n') {
    if (line_size_ < line_.size()) {
      line_[line_size_++] = static_cast<char>(value);
    }
    return;
  }
  words_ = {};
  std::string_view rest(line_.data(), line_size_);
  line_size_ = 0;
  for (std::string_view& word : words_) {
    size_t size = 0;
    while (size < rest.size() && rest[size] != ' ') {
      ++size;
    }
    word = std::string_view(rest.data(), size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
  }
  Obey();
}

void HostileHost::Obey() {
  constexpr std::string_view kKnown[] = {"ring3",    "ring0",   "step", "call",  "return",
                                         "spurious", "message", "ghcb", "launch"};
  if (word(0).empty()) {
    return;
  }
  if (word(0) == "search") {
    const SecretWatch::Pages pages = watch_.Search();
    LOG(kNotice, "hostile: search: visible ", pages.visible, " hidden ", pages.hidden);
    state_ = State::kDone;
    return;
  }
  state_ = State::kUnknown;
  for (std::string_view known : kKnown) {
    if (word(0) == known) {
      state_ = State::kArmed;
    }
  }
  left_ = number(word(0) == "spurious" ? 1 : word(0) == "step" ? 3 : 2);
  LOG(kNotice, "hostile: ", state_ == State::kArmed ? "armed" : "unknown", ": ", word(0), " ",
      word(1), " ", word(2), " ", word(3));
}

void HostileHost::Done() {
  LOG(kNotice, "hostile: done: ", word(0), " ", word(1), " ", word(2), " ", word(3));
  state_ = State::kDone;
}

void HostileHost::DoneOnce() {
  if (left_ <= 1) {
    Done();
  } else {
    --left_;
  }
}

// ---- events and pages ----

std::optional<unsigned> HostileHost::BeforeEntry(VmplContext& context) {
  const bool has_switched = has_switched_;
  has_switched_ = false;
  if (context.vmpl == 1 && IsArmed("spurious")) {
    DoneOnce();
    return 0;
  }
  if (context.vmpl == 0) {
    Step(context);
  }
  if (context.vmpl != 0 || !IsBetweenEvents(context)) {
    return std::nullopt;
  }
  const bool is_ring3 = context.vmcb->save.cpl == 3;
  if ((IsArmed("ring3") && is_ring3) || (IsArmed("ring0") && !is_ring3 && has_switched)) {
    Act(context);
  }
  return std::nullopt;
}

// Two #HV of which the second comes before the first one's handler has returned would share one
// frame, and the machine would stand still: nothing that a host could not have more easily. So no
// other one is sent until VMPL0 has seen this one.
void HostileHost::SignalOnce(VmplContext& context) {
  if (context.doorbell.has_value()) {
    const Result<UntrustedBytes> page =
        shared_.At(*context.doorbell << kPageShift, sizeof(ghcb_doorbell));
    if (page.ok()) {
      page.value()
          .CopyOutObject(offsetof(ghcb_doorbell, flags),
                         decltype(ghcb_doorbell::flags){GHCB_DOORBELL_NO_FURTHER_SIGNAL})
          .value();
    }
  }
  context.pending.doorbell = true;
}

// A host hits the instruction that it wants by the time of an interrupt. This one needs no luck: it
// puts a breakpoint there, and goes on by the trap flag. VMPL0 sees nothing of either.
void HostileHost::Step(VmplContext& context) {
  VmcbSave& save = context.vmcb->save;
  const bool is_there = save.rip == number(1);
  if (!IsArmed("step") || (!is_there && steps_left_ == 0)) {
    SetBreakpoint(context, IsArmed("step"));
    return;
  }
  SetBreakpoint(context, false);
  if (!IsBetweenEvents(context)) {
    return;
  }
  if (is_there && steps_left_ == 0) {
    steps_left_ = number(2) + 1;
  }
  steps_left_ = save.cpl == 3 ? 0 : steps_left_ - 1;
  SetStepping(context, steps_left_ != 0);
  if (steps_left_ == 0) {
    SignalOnce(context);
    DoneOnce();
  }
}

void HostileHost::SetStepping(VmplContext& context, bool on) {
  uint32_t& intercepts = context.vmcb->control.intercept_exceptions;
  uint64_t& flags = context.vmcb->save.rflags;
  constexpr uint32_t kDebug = 1u << kVectorDebug;
  intercepts = on ? intercepts | kDebug : intercepts & ~kDebug;
  flags = on ? flags | kRflagsTrap : flags & ~kRflagsTrap;
}

void HostileHost::SetBreakpoint(const VmplContext& context, bool on) {
  if (on == (covered_ != nullptr)) {
    return;
  }
  if (!on) {
    *covered_ = covered_byte_;
    covered_ = nullptr;
    return;
  }
  const auto where = GuestSpace(memory_, rmp_, 0, context.vmcb->save)
                         .Translate(GuestVirt(number(1)), AccessKind::kRead, false);
  if (!where.ok()) {
    state_ = State::kUnknown;
    return;
  }
  const uint64_t address = where.value().address.raw();
  covered_ = memory_.At(address >> kPageShift) + address % kPageSize;
  covered_byte_ = *covered_;
  constexpr std::byte kNoInstruction{0x06};
  *covered_ = kNoInstruction;
}

bool HostileHost::TakesExit(VmplContext& context) {
  VmcbSave& save = context.vmcb->save;
  switch (context.vmpl == 0 ? context.vmcb->control.exit_code : 0) {
    case kExitDebug: {
      constexpr uint64_t kSingleStep = 1 << 14;
      save.dr6 &= ~kSingleStep;
      return true;
    }
    case kExitInvalidOpcode:
      return covered_ != nullptr && save.rip == number(1);
    default:
      return false;
  }
}

void HostileHost::Act(VmplContext& context) {
  VmcbSave& save = context.vmcb->save;
  VmcbControl& control = context.vmcb->control;
  if (word(1) == "hv") {
    SignalOnce(context);
    DoneOnce();
    return;
  }
  Done();
  LOG(kNotice, "hostile: at ", Hex{save.rip}, " rsp ", Hex{save.rsp});
  if (word(1) == "vc") {
    if (!DeliverVc(GuestSpace(memory_, rmp_, 0, save), save, number(2)).ok()) {
      LOG(kNotice, "hostile: #VC cannot be delivered");
    }
    control.interrupt_shadow = 0;
  } else if (word(1) == "exception") {
    Exception exception;
    exception.vector = static_cast<uint32_t>(number(2));
    if (!word(3).empty()) {
      exception.error_code = static_cast<uint32_t>(number(3));
    }
    context.pending.exception = exception;
  } else if (word(1) == "interrupt") {
    // As one whose delivery an exit has cut short: IF does not matter then.
    control.exit_int_info = number(2) | kEventTypeInterrupt | kEventValid;
  } else if (word(1) == "nmi") {
    context.pending.nmi = true;
  } else if (word(1) == "unvalidate" || word(1) == "share") {
    ChangePage(context);
  } else {
    state_ = State::kUnknown;
  }
}

void HostileHost::ChangePage(VmplContext& context) {
  const VmcbSave& save = context.vmcb->save;
  const GuestVirt address(word(2) == "rip" ? save.rip : save.rsp - 8);
  const auto where =
      GuestSpace(memory_, rmp_, 0, save).Translate(address, AccessKind::kRead, save.cpl == 3);
  if (!where.ok()) {
    state_ = State::kUnknown;
    return;
  }
  const Page page = PageOf(where.value().address);
  if (word(1) == "share") {
    rmp_.Share(page, 1).value();
  } else {
    rmp_.SetValidated(page, 1, false);
  }
}

void HostileHost::AfterSwitch(const VmplContext& from, const VmplContext& to) {
  has_switched_ = to.vmpl == 0;
  watch_.CheckSwitch(from, to);
}

// ---- calls ----

bool HostileHost::AnswersCall(VmplContext& context) {
  answer_address_ = 0;
  if (GHCB_MSR_CODE(context.ghcb_msr) == GHCB_MSR_RUN_VMPL_REQUEST) {
    return AnswerSwitch(context, context.vmpl == 0 ? "return" : "call");
  }
  return context.vmpl == 0 && (context.ghcb_msr & kPageMask) == 0 && AnswerPage(context);
}

bool HostileHost::AnswerSwitch(VmplContext& context, std::string_view kind) {
  if (!IsArmed(kind)) {
    return false;
  }
  if (word(1) == "garbage") {
    context.ghcb_msr = 0x1234'5678'9abc;
  } else {
    context.ghcb_msr = GHCB_MSR_RUN_VMPL_RESPONSE | (word(1) == "refuse" ? kRefused : 0);
  }
  DoneOnce();
  return true;
}

bool HostileHost::AnswerPage(VmplContext& context) {
  const Result<UntrustedBytes> bytes = shared_.At(context.ghcb_msr, kPageSize);
  if (!bytes.ok()) {
    return false;
  }
  UntrustedBytes page = bytes.value();
  const uint64_t code = page.CopyInObject<uint64_t>(offsetof(ghcb_page, sw_exit_code)).value();
  if (code == GHCB_EXIT_GUEST_REQUEST || code == GHCB_EXIT_EXTENDED_GUEST_REQUEST) {
    return AnswerMessage(page);
  }
  if (!IsArmed("ghcb")) {
    return false;
  }
  if (word(1) == "lie") {
    // Nothing has been done.
    if (code == GHCB_EXIT_PAGE_STATE) {
      auto header = page.CopyInObject<ghcb_page_state_header>(offsetof(ghcb_page, buffer)).value();
      header.next = static_cast<uint16_t>(header.end + 1);
      page.CopyOutObject(offsetof(ghcb_page, buffer), header).value();
    }
    GhcbRequest(page).Done();
  } else if (word(1) == "exception") {
    GhcbRequest(page).Answer(GHCB_ANSWER_EXCEPTION, kVectorGeneralProtection | kEventTypeException |
                                                        kEventHasError | kEventValid);
  } else if (word(1) == "malformed") {
    GhcbRequest(page).Malformed(GHCB_MALFORMED_INVALID_EVENT);
  } else if (word(1) == "silence") {
    for (size_t i = 0; i < sizeof(ghcb_page::valid_bitmap); ++i) {
      page.CopyOutObject(offsetof(ghcb_page, valid_bitmap) + i, uint8_t{0}).value();
    }
  } else if (word(1) == "garbage") {
    for (size_t i = 0; i < kPageSize; i += sizeof(uint64_t)) {
      page.CopyOutObject(i, 0x9e37'79b9'7f4a'7c15 * (i + 1)).value();
    }
  }
  DoneOnce();
  return true;
}

bool HostileHost::AnswerMessage(UntrustedBytes page) {
  const uint64_t request = page.CopyInObject<uint64_t>(offsetof(ghcb_page, sw_exit_info_1)).value();
  answer_address_ = page.CopyInObject<uint64_t>(offsetof(ghcb_page, sw_exit_info_2)).value();
  const Result<UntrustedBytes> from = shared_.At(request, kPageSize);
  const Result<UntrustedBytes> to = shared_.At(answer_address_, kPageSize);
  if (!IsArmed("message") || !from.ok() || !to.ok()) {
    return false;
  }
  std::array<std::byte, kPageSize> copy = {};
  uint64_t info2 = 0;
  if (word(1) == "replay") {
    copy = last_answer_;
  } else if (word(1) == "echo") {
    from.value().CopyIn(0, copy).value();
  } else if (word(1) == "busy") {
    info2 = uint64_t{GHCB_REQUEST_BUSY} << 32;
  } else if (word(1) == "error") {
    info2 = 1;
  } else if (word(1) != "nothing") {
    return false;  // the secure processor's own answer is needed
  }
  UntrustedBytes(to.value()).CopyOut(0, copy).value();
  GhcbRequest(page).Done(info2);
  DoneOnce();
  return true;
}

void HostileHost::AfterCall() {
  if (answer_address_ == 0) {
    return;
  }
  const Result<UntrustedBytes> answer = shared_.At(answer_address_, kPageSize);
  answer_address_ = 0;
  if (answer.ok()) {
    answer.value().CopyIn(0, last_answer_).value();
    if (IsArmed("message")) {
      TamperWithMessage(answer.value());
      DoneOnce();
    }
  }
}

void HostileHost::TamperWithMessage(UntrustedBytes answer) {
  size_t at = 0;
  if (word(1) == "tag") {
    at = offsetof(snp_message_header, tag);
  } else if (word(1) == "data") {
    at = SNP_MESSAGE_HEADER_SIZE + 40;
  } else if (word(1) == "sequence") {
    at = offsetof(snp_message_header, sequence);
  } else if (word(1) == "type") {
    at = offsetof(snp_message_header, type);
  } else if (word(1) == "size") {
    at = offsetof(snp_message_header, payload_size);
  } else if (word(1) == "key") {
    at = offsetof(snp_message_header, vmpck);
  }
  const uint8_t byte = answer.CopyInObject<uint8_t>(at).value();
  answer.CopyOutObject(at, static_cast<uint8_t>(byte ^ 1)).value();
}

// ---- the launch ----

void HostileHost::AfterLaunch() {
  if (!IsArmed("launch")) {
    return;
  }
  if (word(1) == "map") {
    ChangeMemoryMap();
  } else if (word(1) == "processors") {
    *reinterpret_cast<uint32_t*>(memory_.At(PageOf(kParameters))) =
        static_cast<uint32_t>(number(2));
  } else {
    ChangeCpuid();
  }
  Done();
}

void HostileHost::ChangeCpuid() {
  auto& page = *reinterpret_cast<snp_cpuid_page*>(memory_.At(PageOf(kCpuidPage)));
  if (word(1) == "cpuid-count") {
    page.count = static_cast<uint32_t>(number(2));
    return;
  }
  for (uint32_t i = 0; i < page.count; ++i) {
    snp_cpuid_entry& entry = page.entries[i];
    if (word(1) == "cpuid-bit" && entry.eax_in == SNP_CPUID_LEAF) {
      entry.ebx = (entry.ebx & ~0x3fu) | static_cast<uint32_t>(number(2));
    } else if (word(1) == "cpuid-random" && entry.eax_in == 1) {
      entry.ecx &= ~(1u << 30);
    } else if (word(1) == "cpuid-random" && entry.eax_in == 7) {
      entry.ebx &= ~(1u << 18);
    } else if (word(1) == "cpuid-xsave" && entry.eax_in == 1) {
      entry.ecx |= 3u << 26;
    }
  }
}

void HostileHost::ChangeMemoryMap() {
  auto* const map = reinterpret_cast<igvm_memory_map_entry*>(memory_.At(PageOf(kMemoryMap)));
  if (word(2) == "longer") {
    map[1].page_count += PageOf(GuestPhys(0x4000000));  // the monitor's memory
  } else if (word(2) == "shorter") {
    map[1].page_count = PageOf(GuestPhys(0x8800000)) - map[1].first_page;
  } else if (word(2) == "wraps") {
    map[1].page_count = ~uint64_t{0};
  } else if (word(2) == "overlaps") {
    map[1].first_page = map[0].first_page + 1;
  } else if (word(2) == "all") {
    // Nobody's memory as RAM: a terabyte of it.
    map[2] = {uint64_t{1} << 28, uint64_t{1} << 28, IGVM_MEMORY_RAM, 0, 0};
  }
}

// ---- the end ----

void HostileHost::AfterEnd() {
  const SecretWatch::Pages pages = watch_.Search();
  LOG(kNotice, "hostile: end: visible ", pages.visible, " hidden ", pages.hidden);
  watch_.Report();
}

Tampering* StartTampering(const StartInfo& info, const GuestMemory& memory, Rmp& rmp) {
  const char* const text = reinterpret_cast<const char*>(info.command_line);
  alignas(HostileHost) static constinit std::byte g_space[sizeof(HostileHost)] = {};
  return new (&g_space) HostileHost(text, memory, rmp);
}

}  // namespace nsgx::emu
