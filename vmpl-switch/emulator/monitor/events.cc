// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/events.h"

#include <bit>

namespace nsgx::emu {
namespace {

constexpr uint64_t kFirstInterrupt = 32;

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

// Returns the event that was cut short, or 0 for none. QEMU calls an interrupt of a device an
// exception.
uint64_t Interrupted(uint64_t exit_int_info) {
  // Without the valid bit the rest is left over from some earlier delivery.
  if ((exit_int_info & kEventValid) == 0) {
    return 0;
  }
  const uint64_t vector = exit_int_info & 0xff;
  if ((exit_int_info & kEventTypeMask) == kEventTypeException && vector >= kFirstInterrupt) {
    return vector | kEventTypeInterrupt | kEventValid;
  }
  return exit_int_info;
}

// Restarting the instruction raises it again, so injecting it would raise it twice.
bool ComesBack(uint64_t event) {
  const uint64_t type = event & kEventTypeMask;
  const uint64_t vector = event & 0xff;
  return type == kEventTypeSoftware ||
         (type == kEventTypeException &&
          (vector == kVectorBreakpoint || vector == kVectorOverflow || vector == SNP_VECTOR_VC));
}

// Requires: pending.HasInterrupt().
uint64_t TakeHighest(PendingEvents& pending) {
  size_t word = pending.interrupts.size() - 1;
  while (pending.interrupts[word] == 0) {
    --word;
  }
  const uint64_t highest = std::bit_floor(pending.interrupts[word]);
  pending.interrupts[word] &= ~highest;
  return word * 64 + static_cast<uint64_t>(std::countr_zero(highest));
}

}  // namespace

void PendingEvents::Keep(uint64_t exit_int_info) {
  const uint64_t event = Interrupted(exit_int_info);
  if (event == 0) {
    return;
  }
  const uint64_t vector = event & 0xff;
  switch (event & kEventTypeMask) {
    case kEventTypeInterrupt:
      interrupts[vector / 64] |= uint64_t{1} << (vector % 64);
      break;
    case kEventTypeNmi:
      nmi = true;
      break;
    case kEventTypeException:
      doorbell = doorbell || vector == SNP_VECTOR_HV;
      break;
    default:
      break;
  }
}

EntryPlan PrepareEntry(uint64_t exit_int_info, const EventWindow& window, PendingEvents& pending) {
  EntryPlan plan;
  const uint64_t interrupted = Interrupted(exit_int_info);
  if (interrupted != 0 && !ComesBack(interrupted)) {
    if (!pending.exception.has_value()) {
      plan.event_inj = interrupted;
    } else {
      pending.Keep(interrupted);
      if ((interrupted & kEventTypeMask) == kEventTypeException) {
        pending.exception = Combine(interrupted & 0xff, *pending.exception);
        if (!pending.exception.has_value()) {
          plan.kind = EntryKind::kShutdown;
          return plan;
        }
      }
    }
  }
  if (plan.event_inj != 0) {
    // It has its turn already.
  } else if (pending.exception.has_value()) {
    plan.event_inj = EncodeException(*pending.exception);
    pending.exception.reset();
  } else if (pending.nmi && !window.in_nmi) {
    plan.event_inj = kVectorNmi | kEventTypeNmi | kEventValid;
    pending.nmi = false;
  } else if (pending.doorbell) {
    plan.event_inj = EncodeException({SNP_VECTOR_HV, std::nullopt});
    pending.doorbell = false;
  } else if (pending.HasInterrupt() && window.interrupts_enabled) {
    plan.event_inj = TakeHighest(pending) | kEventTypeInterrupt | kEventValid;
  }
  plan.wants_window = pending.HasInterrupt();
  return plan;
}

}  // namespace nsgx::emu
