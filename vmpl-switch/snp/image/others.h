// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/calls/guest_cpus.h"
#include "vmpl-switch/snp/calls/protocol.h"

namespace nsgx::snp {

// What other processors work with.
struct OthersWork {
  GuestCpus& cpus;
  ProtocolTable& protocols;
};

// Starts the SEH on all other processors that the host names, if the processor can tell them all to
// forget translations (INVLPGB). Returns when each of them waits for a processor of the guest.
//
// Trust: a host that names a processor and does not start it keeps its machine waiting.
void StartOthers(const OthersWork& work);

}  // namespace nsgx::snp
