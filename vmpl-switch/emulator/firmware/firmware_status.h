// SPDX-License-Identifier: Apache-2.0
// How AMD's SEV firmware answers the commands of a host.
#pragma once

#include <cstdint>

namespace nsgx::firmware {

// The values are the hardware's. A guest gets them in the lower half of sw_exit_info_2 when it has
// sent a message (GHCB_EXIT_GUEST_REQUEST).
enum class FirmwareStatus : uint32_t {
  kSuccess = 0x00,
  kInvalidGuestState = 0x02,  // the guest's launch is not at the point where this may be asked
  kPolicyFailure = 0x07,      // the guest asks for a policy that this machine cannot keep
  kBadMeasurement = 0x0b,     // a message was not sealed with the key that it names
  kHardwarePlatform = 0x13,   // the machine itself failed
  kInvalidParameter = 0x16,
  kAeadOverflow = 0x1d,  // the key has no nonce left
};

}  // namespace nsgx::firmware
