// SPDX-License-Identifier: Apache-2.0
// Names of functions by address.
#pragma once

#include <cstdint>
#include <string>

#include "enclave-loader/symbols/debug_file.h"

namespace nsgx::loader {

struct NamedPlace {
  std::string function;  // as C++ writes it; empty: none is known there
  uint64_t offset = 0;   // in the function
};

// Looks through the whole table: for a report, not for a profile.
NamedPlace FunctionAt(const DebugFile& file, uint64_t address);

}  // namespace nsgx::loader
