// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/processors.h"

#include <utility>

#include "base/core/check.h"

namespace nsgx::emu {
namespace {

// Turns of waiting: before one goes to sleep, and before a processor is interrupted once more.
constexpr unsigned kWakefulTurns = 20;
constexpr unsigned kPatience = 100'000;

}  // namespace

Processors::Processors(unsigned count, Hardware& hardware) : count_(count), hardware_(hardware) {
  CHECK(count != 0 && count <= kMaxProcessors);
  for (VirtualProcessor& processor : processors_) {
    for (unsigned vmpl = 0; vmpl < kVmpls; ++vmpl) {
      processor.contexts[vmpl].vmpl = vmpl;
    }
  }
  processors_[0].is_held = false;
}

// Whoever makes the condition true looks at is_asleep afterwards, and we say that we sleep before
// we look at the condition for the last time: one sees the other.
template <typename Condition>
void Processors::Await(unsigned self, Condition is_met) {
  for (unsigned turns = 0; turns < kWakefulTurns; ++turns) {
    if (is_met()) {
      return;
    }
    hardware_.Pause();
  }
  // Nobody sends another NMI before the last one was looked at.
  LookForNmi(self);
  states_[self].is_asleep.store(true);
  while (!is_met()) {
    hardware_.WaitForNmi();
    LookForNmi(self);
  }
  states_[self].is_asleep.store(false);
}

void Processors::Lock(unsigned self) NO_THREAD_SAFETY_ANALYSIS {
  Await(self, [this]() NO_THREAD_SAFETY_ANALYSIS { return lock_.TryLock(); });
  owner_.store(self);
}

void Processors::Unlock() NO_THREAD_SAFETY_ANALYSIS {
  lock_.Unlock();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (unsigned i = 0; i < count_; ++i) {
    if (states_[i].is_asleep.load()) {
      // One is enough: it wakes the next.
      Interrupt(i);
      return;
    }
  }
}

void Processors::LeaveForGuest(unsigned self, bool may_lose_nmi) {
  states_[self].may_lose_nmi.store(may_lose_nmi);
  states_[self].is_in_guest.store(true);
  Unlock();
}

void Processors::ReturnFromGuest(unsigned self) {
  states_[self].is_in_guest.store(false);
  if (const unsigned owner = owner_.load(); states_[owner].is_asleep.load()) {
    Interrupt(owner);
  }
  Lock(self);
}

// One at a time: as long as it was not looked at, the one that is on its way does for both.
void Processors::Interrupt(unsigned processor) {
  if (!states_[processor].nmi_is_sent.exchange(true)) {
    hardware_.SendNmi(processor);
  }
}

void Processors::InterruptAgain() {
  ++counters_.interruptions_again;
  for (unsigned i = 0; i < count_; ++i) {
    if (i != owner_.load() && states_[i].nmi_is_sent.exchange(true)) {
      ++states_[i].more_nmis;
    }
  }
  hardware_.SendNmiToOthers();
}

void Processors::StopOthers() {
  const unsigned self = owner_.load();
  const auto is_in_guest = [&](unsigned i) { return i != self && states_[i].is_in_guest.load(); };
  for (unsigned i = 0; i < count_; ++i) {
    if (is_in_guest(i)) {
      ++counters_.interruptions;
      Interrupt(i);
    }
  }
  for (unsigned i = 0; i < count_; ++i) {
    for (unsigned turns = 1; is_in_guest(i) && states_[i].may_lose_nmi.load(); ++turns) {
      hardware_.Pause();
      if (turns % kPatience == 0) {
        InterruptAgain();
      }
    }
    Await(self, [&] { return !is_in_guest(i); });
  }
}

void Processors::LookForNmi(unsigned self) {
  State& state = states_[self];
  if (!hardware_.TakeNmi() || state.nmi_is_sent.exchange(false)) {
    return;
  }
  if (state.more_nmis.load() != 0) {
    --state.more_nmis;
    return;
  }
  state.guest_nmi = true;
}

bool Processors::TakeGuestNmi(unsigned self) {
  LookForNmi(self);
  return std::exchange(states_[self].guest_nmi, false);
}

void Processors::Sleep(unsigned self) {
  LookForNmi(self);
  Unlock();
  hardware_.WaitForNmi();
  Lock(self);
}

void Processors::Release(unsigned processor) {
  processors_[processor].is_held = false;
  Interrupt(processor);
}

bool Processors::AllOthersAreHeld(unsigned self) const {
  for (unsigned i = 0; i < count_; ++i) {
    if (i != self && !processors_[i].is_held) {
      return false;
    }
  }
  return true;
}

void Processors::EndMachine(const End& end) {
  if (end_.has_value()) {
    return;
  }
  end_ = end;
  for (unsigned i = 0; i < count_; ++i) {
    if (i != owner_.load()) {
      Interrupt(i);
    }
  }
  StopOthers();
}

}  // namespace nsgx::emu
