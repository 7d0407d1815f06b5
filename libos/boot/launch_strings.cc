// SPDX-License-Identifier: Apache-2.0
#include "libos/boot/launch_strings.h"

#include <cstring>

namespace nsgx::libos {

LaunchStrings::LaunchStrings(const ConfigView& config, std::span<const char> args)
    : config_(config) {
  nsgx_args counts;
  if (args.size() < sizeof counts) {
    return;
  }
  memcpy(&counts, args.data(), sizeof counts);
  argument_count_ = counts.argc;
  variable_count_ = counts.envc;
  strings_ = std::string_view(args.data() + sizeof counts, args.size() - sizeof counts);
}

bool LaunchStrings::IsAskedFor(std::string_view variable) const {
  if ((config_.attributes() & NSGX_ATTRIBUTE_DEBUG) == 0) {
    return false;
  }
  std::string_view rest = strings_;
  for (uint32_t i = 0; i < argument_count_; ++i) {
    TakeString(rest);
  }
  for (uint32_t i = 0; i < variable_count_; ++i) {
    if (TakeString(rest) == variable) {
      return true;
    }
  }
  return false;
}

std::string_view LaunchStrings::TakeString(std::string_view& rest) {
  const size_t size = rest.find('\0');
  if (size == std::string_view::npos) {
    // The SEH has counted the strings, so this does not happen; an empty string keeps the walk
    // inside its bounds.
    rest = {};
    return {};
  }
  const std::string_view string = rest.substr(0, size);
  rest.remove_prefix(size + 1);
  return string;
}

}  // namespace nsgx::libos
