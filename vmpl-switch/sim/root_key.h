// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"

namespace nsgx::sim {

// Reads the machine's root key, 32 bytes in ${XDG_STATE_HOME:-~/.local/state}/nsgx/sim-root-key;
// makes the file and its folders when it is not there. Several processes may do so at once, all get
// the same key.
//
// Trust: whoever may read the user's files. It stands for the key that SNP derives inside the
// processor.
//
// Errors: kNotFound          no home folder is known, or the file cannot be made there.
//         kPermissionDenied  it is there, but others than this user could read or change it, or it
//         is no plain file. kMalformed         it does not have 32 bytes. kEntropyFailure    no
//         random bytes for a new key.
Result<void> ReadRootKey(std::span<std::byte, 32> out);

// Fills `out` with random bytes of Linux. Errors: kEntropyFailure.
Result<void> FillRandom(std::span<std::byte> out);

}  // namespace nsgx::sim
