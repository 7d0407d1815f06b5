// SPDX-License-Identifier: Apache-2.0
// Reports of the library OS with names: "image+0x1234" becomes "image+0x1234 function+0x12
// (file.cc:34)".
#pragma once

#include <string>
#include <string_view>

#include "enclave-loader/symbols/debug_file.h"

namespace nsgx::loader {

// `line` was written by the enclave and can hold anything. Places of which nothing is known stay as
// they are.
std::string WithNames(std::string_view line, const DebugFile& file);

}  // namespace nsgx::loader
