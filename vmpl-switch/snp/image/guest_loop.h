// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/calls/guest_cpus.h"
#include "vmpl-switch/snp/calls/protocol.h"

namespace nsgx::snp {

// Runs the guest on this processor and serves its calls, for ever. As long as it has no processor
// here, the host is asked to wait.
[[noreturn]] void ServeGuest(GuestCpus& cpus, ProtocolTable& protocols);

}  // namespace nsgx::snp
