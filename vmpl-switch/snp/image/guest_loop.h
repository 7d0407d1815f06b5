// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/calls/guest_cpus.h"
#include "vmpl-switch/snp/calls/protocol.h"

namespace nsgx::snp {

// Runs the guest and serves its calls, for ever.
[[noreturn]] void ServeGuest(const GuestCpus& cpus, ProtocolTable& protocols);

}  // namespace nsgx::snp
