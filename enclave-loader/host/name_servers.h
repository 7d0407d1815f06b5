// SPDX-License-Identifier: Apache-2.0
// The name servers that this machine uses, for enclaves that ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "syscall-shim/hostcall/host_calls.h"

namespace nsgx::loader {

// The "nameserver" lines of a resolv.conf; others are passed over.
std::vector<shim::NameServerRecord> ParseNameServers(std::string_view text);

// Answers HostCall::kNameServers from /etc/resolv.conf, or from the file that the environment
// variable NSGX_RESOLV_CONF names: how many records of `out` were filled.
int64_t NameServers(std::span<std::byte> out);

}  // namespace nsgx::loader
