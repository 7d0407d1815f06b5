// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/calls/guest_cpus.h"

namespace nsgx::snp {

// Puts Linux, its files and everything that it wants to find into the guest's memory, and makes its
// first processor known to the host. Ends the machine if there is no Linux that fits.
//
// Requires: the guest has its memory. Adds the processor to `cpus`.
void LaunchLinux(GuestCpus& cpus);

}  // namespace nsgx::snp
