// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {

struct Exception {
  uint32_t vector = 0;
  std::optional<uint32_t> error_code;

  friend bool operator==(const Exception&, const Exception&) = default;
};

constexpr uint64_t EncodeException(const Exception& exception) {
  return exception.vector | kEventTypeException | kEventValid |
         (exception.error_code.has_value() ? kEventHasError | uint64_t{*exception.error_code} << 32
                                           : 0);
}

// What one VMPL still has to be told.
struct PendingEvents {
  std::optional<Exception> exception;  // by the instruction that exited
  bool doorbell = false;               // #HV
  bool nmi = false;
  // Interrupts that the interrupt controller has handed over and that lost their turn: bit n of
  // word n / 64.
  std::array<uint64_t, 4> interrupts = {};

  bool HasInterrupt() const {
    return (interrupts[0] | interrupts[1] | interrupts[2] | interrupts[3]) != 0;
  }

  // Keeps an event whose delivery an exit cut short (as in exit_int_info), if it is one that no
  // instruction raises again: an interrupt, an NMI, #HV.
  void Keep(uint64_t exit_int_info);

  friend bool operator==(const PendingEvents&, const PendingEvents&) = default;
};

// What the guest can take now.
struct EventWindow {
  bool interrupts_enabled = false;  // IF, and not in the shadow of STI or MOV SS
  bool in_nmi = false;              // no IRET since the last one
};

enum class EntryKind : uint8_t {
  kEnter,
  kShutdown,  // a fault while delivering a double fault
};

struct EntryPlan {
  EntryKind kind = EntryKind::kEnter;
  uint64_t event_inj = 0;
  bool wants_window = false;  // exit when the guest can take an interrupt
};

// Decides what the next entry injects: one event, in the order: what an exit interrupted, an
// exception of our own, NMI, #HV, an interrupt. What does not get its turn stays in `pending`.
//
// `exit_int_info`: of the exit before. An event that was being delivered then is injected again,
// but for those that the instruction itself raises when it is restarted: INT n, INT3, INTO and #VC.
EntryPlan PrepareEntry(uint64_t exit_int_info, const EventWindow& window, PendingEvents& pending);

}  // namespace nsgx::emu
