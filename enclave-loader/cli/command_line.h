// SPDX-License-Identifier: Apache-2.0
// The command line of a tool, parsed by CLI11 from the tool's own table. For programs: CLI11
// throws.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "enclave-loader/cli/tool.h"

namespace nsgx::loader {

struct CommandLine {
  const Command* command = nullptr;
  std::map<std::string_view, std::string>
      options;  // those that were given, by name; flags have empty values
  std::map<std::string_view, std::vector<std::string>> lists;  // of options that can be repeated
  std::vector<std::string> operands;

  bool Has(std::string_view name) const { return options.contains(name); }
  // Returns the option's value, or `fallback` without it.
  std::string Value(std::string_view name, std::string_view fallback = {}) const {
    const auto found = options.find(name);
    return found == options.end() ? std::string(fallback) : found->second;
  }
  // Returns all values of an option that can be repeated, in order.
  std::vector<std::string> Values(std::string_view name) const {
    const auto found = lists.find(name);
    return found == lists.end() ? std::vector<std::string>() : found->second;
  }
};

// Answers --help, --version and --man by itself, complains about what the table does not know, and
// then ends the program: with 0, or with `failure_status`.
CommandLine ParseOrExit(const Tool& tool, int argc, char** argv, int failure_status);

}  // namespace nsgx::loader
