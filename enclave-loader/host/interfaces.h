// SPDX-License-Identifier: Apache-2.0
// The network interfaces of this machine, for enclaves that ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx::loader {

// Answers HostCall::kInterfaces: how many records of `out` were filled.
int64_t Interfaces(std::span<std::byte> out);

}  // namespace nsgx::loader
