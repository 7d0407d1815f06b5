// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace nsgx::emu {

// How the machine ends.
struct End {
  enum class Kind : uint8_t {
    kPort,        // the guest wrote to a port that ends it: power-off, reset, debug exit
    kTerminated,  // the guest asked its host to end it
    kShutdown,    // triple fault
    kHalted,      // nothing will ever wake it
    kAccess,      // it cannot go on: VMPL0 reached for what it does not have
    kState,       // the processor refuses its state
    kMonitor,     // a fault of ours, found by our own checks
  };
  Kind kind;
  unsigned vmpl = 0;
  uint16_t port = 0;
  uint8_t size = 0;
  uint32_t value = 0;
  uint64_t details[2] = {};
};

// Writes one line that says why.
void LogEnd(const End& end);

}  // namespace nsgx::emu
