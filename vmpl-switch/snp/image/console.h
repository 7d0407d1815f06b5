// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/cpu/ghcb.h"

namespace nsgx::snp {

// Lets log lines go to the machine's first serial port, by way of the host. Before that they go
// nowhere. Nothing secret is ever logged.
// Requires: lines are written by the processor of `ghcb` alone.
void StartConsole(Ghcb& ghcb);

}  // namespace nsgx::snp
