// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/core/spinlock.h"
#include "vmpl-switch/emulator/monitor/counters.h"
#include "vmpl-switch/emulator/monitor/end.h"
#include "vmpl-switch/emulator/monitor/hardware.h"
#include "vmpl-switch/emulator/monitor/nested_tables.h"
#include "vmpl-switch/emulator/monitor/vmpl_context.h"

namespace nsgx::emu {

// The processors of one machine, and the one lock for all that they share: RMP, tables, counters,
// log, what the host knows. A processor holds it from an exit of its guest to the next entry, so
// one exit is handled at a time, and guests run meanwhile.
//
// What is taken away from a guest is taken from all processors before the change is made: they are
// interrupted by an NMI, leave their guests, and wait for the lock; when they enter again they
// flush. An NMI that comes outside a guest stays pending there (GIF is 0) and ends the next run at
// once.
//
// Who has waited for some time goes to sleep until an NMI tells him to look again: where QEMU has
// fewer processors to run on than the machine has, those that he waits for need them.
class Processors final : public Revoker {
 public:
  // All but the first are held. Requires: 0 < count <= kMaxProcessors; the hardware stays for ever.
  Processors(unsigned count, Hardware& hardware);

  unsigned count() const { return count_; }
  VirtualProcessor& At(unsigned index) { return processors_[index]; }
  Counters& counters() { return counters_; }

  void Lock(unsigned self);
  void Unlock();

  // ---- `self` holds the lock ----

  // To a guest, without the lock, and back. Between the two others may interrupt `self`.
  // `may_lose_nmi`: whether an NMI may get lost on its way into this guest.
  void LeaveForGuest(unsigned self, bool may_lose_nmi);
  void ReturnFromGuest(unsigned self);

  // Takes every other processor out of its guest. None gets in again before the lock is given up.
  void StopOthers() override;

  // Whether an NMI has come that is not ours.
  bool TakeGuestNmi(unsigned self);

  // Gives up the lock until somebody interrupts `self`.
  void Sleep(unsigned self);
  // A held processor goes on.
  void Release(unsigned processor);
  bool AllOthersAreHeld(unsigned self) const;

  // Ends the machine: nobody enters a guest any more. The first end counts.
  void EndMachine(const End& end);
  const std::optional<End>& end() const { return end_; }

 private:
  struct State {
    std::atomic<bool> is_in_guest = false;
    std::atomic<bool> may_lose_nmi = false;
    // Waits for another one, who wakes it: for the lock, or as its owner for all to leave guests.
    std::atomic<bool> is_asleep = false;
    // Our NMI is on its way to it, or has come and was not looked at yet.
    std::atomic<bool> nmi_is_sent = false;
    // Others of ours that may come after that one, if none was lost.
    std::atomic<unsigned> more_nmis = 0;
    bool guest_nmi = false;  // one that is not ours
  };

  template <typename Condition>
  void Await(unsigned self, Condition is_met);
  void Interrupt(unsigned processor);
  // All others, by NMIs that get through where one of ours did not.
  void InterruptAgain();
  void LookForNmi(unsigned self);

  unsigned count_;
  Hardware& hardware_;
  SpinLock lock_;
  std::atomic<unsigned> owner_ = 0;  // of the lock
  std::array<State, kMaxProcessors> states_;
  std::array<VirtualProcessor, kMaxProcessors> processors_ = {};
  Counters counters_ = {};
  std::optional<End> end_;
};

}  // namespace nsgx::emu
