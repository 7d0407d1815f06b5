// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/run/vcpus.h"

#include <signal.h>
#include <unistd.h>

#include "enclave-loader/run/detached_thread.h"
#include "vmpl-switch/abi/gate.h"

namespace nsgx::loader {

Vcpus::Vcpus(Device& device, EndListener& listener, HostFiles& files, const HostileOptions& hostile,
             uint32_t slot_count)
    : device_(device),
      listener_(listener),
      server_(device, *this, files, slot_count),
      slots_(slot_count) {
  if (hostile.lies != 0) {
    hostile_.emplace(server_, device, hostile, slot_count);
  }
  for (uint32_t i = 0; i < slot_count; ++i) {
    slots_[i].owner = this;
    slots_[i].index = i;
  }
}

void Vcpus::Run() {
  slots_[0].started = true;
  RunSlot(0);
}

void Vcpus::RunSlot(uint32_t slot) {
  uint64_t answer = 0;
  while (true) {
    const Exit exit = device_.Enter(slot, answer);
    answer = 0;
    switch (exit.reason) {
      case ExitReason::kHostCall:
        answer = static_cast<uint64_t>(hostile_.has_value() ? hostile_->Answer(slot, exit)
                                                            : server_.Answer(slot, exit));
        listener_.OnHostCall(slot, exit, static_cast<int64_t>(answer));
        break;
      case ExitReason::kIdle:
        if (hostile_.has_value()) {
          hostile_->Idle(slot, exit.arguments[0]);
        } else {
          server_.Idle(slot, exit.arguments[0]);
        }
        break;
      case ExitReason::kWake:
        if (hostile_.has_value()) {
          hostile_->Wake(slot, exit.arguments[0]);
        } else {
          server_.Wake(exit.arguments[0]);
        }
        break;
      case ExitReason::kDone:
      case ExitReason::kException:
      case ExitReason::kRefused:
      case ExitReason::kLost:
        End(exit);
    }
  }
}

void Vcpus::End(const Exit& exit, int outside_signal) {
  if (!ended_.exchange(true)) {
    listener_.OnEnd(exit, outside_signal);
  }
  // Another thread ends the process at this moment.
  while (true) {
    pause();
  }
}

void Vcpus::EndBySignal(int number) {
  Exit exit = {};
  exit.reason = ExitReason::kDone;
  exit.arguments[0] = NSGX_DONE_SIGNAL;
  exit.arguments[1] = static_cast<uint64_t>(number);
  End(exit, number);
}

void* Vcpus::SlotThread(void* argument) {
  const auto* slot = static_cast<const Slot*>(argument);
  slot->owner->RunSlot(slot->index);
}

bool Vcpus::StartVcpu(uint32_t slot) {
  if (slots_[slot].started.exchange(true)) {
    return false;
  }
  const bool created = StartDetachedThread(SlotThread, &slots_[slot]);
  if (!created) {
    slots_[slot].started = false;
  }
  return created;
}

void Vcpus::Log(uint32_t level, std::string_view line) { listener_.OnLog(level, line); }

}  // namespace nsgx::loader
