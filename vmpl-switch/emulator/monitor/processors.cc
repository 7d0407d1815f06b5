// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/processors.h"

#include <utility>

#include "base/core/check.h"

namespace nsgx::emu {

Processors::Processors(unsigned count, Hardware& hardware) : count_(count), hardware_(hardware) {
  CHECK(count != 0 && count <= kMaxProcessors);
  for (VirtualProcessor& processor : processors_) {
    for (unsigned vmpl = 0; vmpl < kVmpls; ++vmpl) {
      processor.contexts[vmpl].vmpl = vmpl;
    }
  }
  processors_[0].is_held = false;
}

void Processors::Lock(unsigned self) NO_THREAD_SAFETY_ANALYSIS {
  while (!lock_.TryLock()) {
    while (lock_.is_locked()) {
      hardware_.Pause();
    }
  }
  owner_ = self;
}

void Processors::Unlock() NO_THREAD_SAFETY_ANALYSIS { lock_.Unlock(); }

void Processors::LeaveForGuest(unsigned self) {
  states_[self].is_in_guest.store(true, std::memory_order_relaxed);
  Unlock();
}

void Processors::ReturnFromGuest(unsigned self) {
  states_[self].is_in_guest.store(false, std::memory_order_release);
  Lock(self);
}

// One at a time: as long as it was not looked at, the one that is on its way does for both.
void Processors::Interrupt(unsigned processor) {
  if (!std::exchange(states_[processor].nmi_is_sent, true)) {
    ++counters_.interruptions;
    hardware_.SendNmi(processor);
  }
}

void Processors::StopOthers() {
  for (unsigned i = 0; i < count_; ++i) {
    if (i != owner_ && states_[i].is_in_guest.load(std::memory_order_acquire)) {
      Interrupt(i);
    }
  }
  for (unsigned i = 0; i < count_; ++i) {
    while (i != owner_ && states_[i].is_in_guest.load(std::memory_order_acquire)) {
      hardware_.Pause();
    }
  }
}

bool Processors::TakeGuestNmi(unsigned self) {
  return hardware_.TakeNmi() && !std::exchange(states_[self].nmi_is_sent, false);
}

void Processors::Sleep(unsigned self) {
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
    if (i != owner_) {
      Interrupt(i);
    }
  }
}

}  // namespace nsgx::emu
