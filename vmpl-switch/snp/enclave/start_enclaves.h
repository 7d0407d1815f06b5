// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// Makes this machine one that runs enclaves: sets the processor up for ring 3 and registers the
// protocol. At start, once.
//
// Requires: the services live for ever; the address space of the SEH is complete.
// Errors:   kUnsupported  the processor lacks what enclaves need; kNoMemory.
Result<void> StartEnclaves(const Services& services);

// Sets another processor up for ring 3, if this machine runs enclaves. Requires: there is none yet.
void StartEnclavesOnOther();

}  // namespace nsgx::snp
