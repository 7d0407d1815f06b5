// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/guest/command.h"

#include "vmpl-switch/emulator/guest/guest_protocol.h"

namespace nsgx::emulator {

std::optional<Command> ParseCommand(std::string_view text) {
  Command command;
  while (!text.empty()) {
    const size_t end = text.find('\0');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view record = text.substr(0, end);
    text.remove_prefix(end + 1);
    const size_t space = record.find(' ');
    const std::string_view word = record.substr(0, space);
    const std::string value(space == std::string_view::npos ? "" : record.substr(space + 1));
    if (word == kArgument) {
      command.arguments.push_back(value);
    } else if (word == kEnvironment) {
      command.environment.push_back(value);
    } else if (word == kFolder) {
      command.folder = value;
    } else if (word == kMarker) {
      command.marker = value;
    } else if (word == kNetwork) {
      command.network = true;
    } else if (word == kTerminal) {
      command.terminal = true;
    } else {
      return std::nullopt;
    }
  }
  if (command.arguments.empty() || command.marker.size() != kMarkerSize) {
    return std::nullopt;
  }
  return command;
}

}  // namespace nsgx::emulator
