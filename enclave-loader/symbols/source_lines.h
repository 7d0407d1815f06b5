// SPDX-License-Identifier: Apache-2.0
// Source lines by address, from the line tables of DWARF 5 and 4.
#pragma once

#include <cstdint>
#include <string>

#include "enclave-loader/symbols/debug_file.h"

namespace nsgx::loader {

struct SourceLine {
  std::string file;  // as the compiler was told; empty: not known
  uint32_t line = 0;
};

// Runs all tables until one holds the address. One that breaks the format is passed over.
SourceLine LineAt(const DebugFile& file, uint64_t address);

}  // namespace nsgx::loader
