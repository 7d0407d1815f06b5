// SPDX-License-Identifier: Apache-2.0
// Signals that somebody sends to nsgx-run. They reach the program only if its measured
// configuration allows it; else they end the enclave, as they would end a program without handlers.
#pragma once

#include <cstdint>

#include "enclave-loader/run/vcpus.h"

namespace nsgx::loader {

// From here on a thread of its own waits for such signals, and no other thread takes them; those
// that are ignored already stay so. Requires: no vCPU runs yet. Without memory for a thread signals
// end the process at once.
// `attributes`: of the image.
void WatchOutsideSignals(Vcpus& vcpus, uint64_t attributes);

}  // namespace nsgx::loader
