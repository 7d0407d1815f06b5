// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace nsgx::snp {

// Lets log lines go to the machine's first serial port, by way of the host. Before that they go
// nowhere. Nothing secret is ever logged.
// Requires: this processor has a GHCB page. Each writes by its own, a line at a time.
void StartConsole();

}  // namespace nsgx::snp
