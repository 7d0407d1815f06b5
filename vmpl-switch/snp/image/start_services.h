// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/calls/guest_cpus.h"
#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// Makes what protocols and enclaves use: random bytes, time, messages to the secure processor, and
// the protocols of SVSMs. Ends the machine without a source of random bytes.
//
// Requires: memory, page tables and GHCB are there.
Services& StartServices(GuestCpus& cpus);

}  // namespace nsgx::snp
