// SPDX-License-Identifier: Apache-2.0
// Files and streams as tools write them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"

namespace nsgx::loader {

// Writes everything, or as much as the descriptor takes before it fails; returns whether that was
// all.
bool WriteAll(int fd, std::string_view text);

// Puts a file with these contents at `path`, whole or not at all. `mode` as for open().
Result<void, Complaint> ReplaceFile(const std::string& path, std::span<const std::byte> contents,
                                    unsigned mode);

// Returns the contents of a regular file of at most `limit` bytes.
Result<std::string, Complaint> ReadSmallFile(const std::string& path, size_t limit);

}  // namespace nsgx::loader
