// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/events.h"

namespace nsgx::emu {
namespace {

enum class FaultClass : uint8_t { kBenign, kContributory, kPageFault, kDoubleFault };

FaultClass ClassOf(uint32_t vector) {
  switch (vector) {
    case kVectorPageFault:
      return FaultClass::kPageFault;
    case kVectorDoubleFault:
      return FaultClass::kDoubleFault;
    case kVectorDivide:
    case kVectorInvalidTss:
    case kVectorInvalidTss + 1:
    case kVectorStack:
    case kVectorGeneralProtection:
      return FaultClass::kContributory;
    default:
      return FaultClass::kBenign;
  }
}

// A second exception during the delivery of a first. Returns what is delivered; nothing: shutdown.
std::optional<Exception> Combine(uint32_t first, const Exception& second) {
  const FaultClass first_class = ClassOf(first);
  const FaultClass second_class = ClassOf(second.vector);
  if (first_class == FaultClass::kDoubleFault && second_class != FaultClass::kBenign) {
    return std::nullopt;
  }
  const bool is_double =
      (first_class == FaultClass::kContributory && second_class == FaultClass::kContributory) ||
      (first_class == FaultClass::kPageFault && second_class != FaultClass::kBenign);
  if (is_double) {
    return Exception{.vector = kVectorDoubleFault, .error_code = 0};
  }
  return second;
}

// Restarting the instruction raises it again, so injecting it would raise it twice.
bool ComesBack(uint64_t event) {
  const uint64_t type = event & kEventTypeMask;
  const uint64_t vector = event & 0xff;
  return type == kEventTypeSoftware ||
         (type == kEventTypeException &&
          (vector == kVectorBreakpoint || vector == kVectorOverflow || vector == SNP_VECTOR_VC));
}

}  // namespace

uint64_t NormalizeInterrupted(uint64_t exit_int_info) {
  constexpr uint64_t kFirstInterrupt = 32;
  const bool is_exception = (exit_int_info & kEventTypeMask) == kEventTypeException;
  if ((exit_int_info & kEventValid) != 0 && is_exception &&
      (exit_int_info & 0xff) >= kFirstInterrupt) {
    return (exit_int_info & 0xff) | kEventTypeInterrupt | kEventValid;
  }
  return exit_int_info;
}

EntryPlan PrepareEntry(uint64_t exit_int_info, const EventWindow& window, PendingEvents& pending) {
  EntryPlan plan;
  // Without the valid bit the rest is left over from some earlier delivery.
  if ((exit_int_info & kEventValid) != 0 && !ComesBack(exit_int_info)) {
    const uint64_t type = exit_int_info & kEventTypeMask;
    if (!pending.exception.has_value()) {
      plan.event_inj = exit_int_info;
    } else if (type == kEventTypeException) {
      pending.exception = Combine(exit_int_info & 0xff, *pending.exception);
      if (!pending.exception.has_value()) {
        plan.kind = EntryKind::kShutdown;
        return plan;
      }
    } else {
      pending.interrupted = exit_int_info;
    }
  }
  if (plan.event_inj == 0 && pending.exception.has_value()) {
    plan.event_inj = EncodeException(*pending.exception);
    pending.exception.reset();
  }
  if (plan.event_inj == 0 && pending.doorbell) {
    plan.event_inj = EncodeException({SNP_VECTOR_HV, std::nullopt});
    pending.doorbell = false;
  }
  if (plan.event_inj == 0 && pending.interrupted.has_value()) {
    const bool is_nmi = (*pending.interrupted & kEventTypeMask) == kEventTypeNmi;
    if (window.interrupts_enabled || is_nmi) {
      plan.event_inj = *pending.interrupted;
      pending.interrupted.reset();
    }
  }
  plan.wants_window = pending.interrupted.has_value();
  return plan;
}

}  // namespace nsgx::emu
