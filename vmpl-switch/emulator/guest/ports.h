// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace nsgx::emulator {

// Opens the port of virtio-serial that has this name, with open()'s flags; waits a while until it
// appears. Returns -1 when it does not.
int OpenPort(std::string_view name, int flags);

// Writes all of it, or as much as the other side takes. Returns whether that was all.
bool WriteAll(int fd, std::string_view text);

}  // namespace nsgx::emulator
