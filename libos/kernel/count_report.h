// SPDX-License-Identifier: Apache-2.0
// What the library OS counted, told to nsgx-run --stats when the program ends. For debug enclaves
// only: how threads waited for each other may say what they did.
#pragma once

namespace nsgx::libos {

// Once, at boot: nsgx-run asks for the counts. Requires: the enclave is a debug enclave.
void EnableCountReport();

// Does nothing unless enabled.
void ReportCounts();

}  // namespace nsgx::libos
