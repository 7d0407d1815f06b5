// SPDX-License-Identifier: Apache-2.0
// What the System V ABI puts on the stack of a program that begins: argc, argv, environment,
// auxiliary vector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libos/boot/launch_strings.h"

namespace nsgx::libos {

struct AuxiliaryEntry {
  uint64_t type;
  uint64_t value;
};

// Lays everything out at the upper end of `stack`; the strings are copied there too, as programs
// may write to them. `auxiliary` does not hold AT_RANDOM, AT_EXECFN and AT_NULL: these are added,
// AT_RANDOM from `random`.
//
// Returns the address of argc, aligned to 16 bytes; nothing if the strings leave less than half of
// the stack free.
std::optional<uint64_t> BuildProgramStack(std::span<std::byte> stack, const LaunchStrings& strings,
                                          std::span<const AuxiliaryEntry> auxiliary,
                                          std::span<const std::byte, 16> random);

}  // namespace nsgx::libos
