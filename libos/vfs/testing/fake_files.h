// SPDX-License-Identifier: Apache-2.0
// The host's folders in a test (libos/host/files.h): one real folder, mounted as number 0.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "libos/host/files.h"

namespace nsgx::libos::testing {

// From now on the host has this folder, for `target`; empty: none. All tokens are void.
void ProvideFolder(std::string_view folder, std::string_view target);
// The host spoils what it says of objects and names from now on; null: not any more.
void SpoilFacts(std::function<void(host::FileFacts&)> spoiler);
void SpoilNames(std::function<void(std::string&)> spoiler);
// The next calls on data fail so; 0: not any more.
void FailData(Errno error);
// Tokens that are in use, but for the root's, and calls that were made, by name.
size_t token_count();
uint64_t file_calls(std::string_view name);

}  // namespace nsgx::libos::testing
