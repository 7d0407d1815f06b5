// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nsgx::emulator {

// What init has to do, see guest_protocol.h.
struct Command {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string folder = "/";
  std::string marker;
  bool network = false;
  bool terminal = false;
};

// Returns nothing when `text` is not what the protocol says.
std::optional<Command> ParseCommand(std::string_view text);

}  // namespace nsgx::emulator
