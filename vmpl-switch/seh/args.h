// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"

namespace nsgx::seh {

// Checks the format of a program's arguments (abi/boot.h): struct nsgx_args, then exactly as many
// strings as it says, each with its NUL, at least one of them argv[0], and nothing behind the last.
// What they say is for the library OS to judge.
//
// Requires: nobody else can change the bytes.
// Errors:   kMalformed  anything is wrong.
Result<void> CheckArgs(std::span<const std::byte> args);

}  // namespace nsgx::seh
