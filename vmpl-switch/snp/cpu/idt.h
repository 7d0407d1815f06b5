// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace nsgx::snp {

// Fills in the table of exceptions that all processors share, at the first call, and loads it.
void LoadIdt();

}  // namespace nsgx::snp
