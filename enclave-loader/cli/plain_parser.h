// SPDX-License-Identifier: Apache-2.0
// Takes a command line apart by a table of options, without a heap: for nsgx-run, where every
// microsecond counts.
#pragma once

#include <span>
#include <string_view>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/cli/tool.h"

namespace nsgx::loader {

// Walks over the options in front of the first operand: "--name", "--name VALUE" or "--name=VALUE".
// "--" ends them.
class PlainParser {
 public:
  // `arguments` is argv without the name of the program.
  PlainParser(std::string_view tool, std::span<const Option> options,
              std::span<char* const> arguments)
      : tool_(tool), options_(options), arguments_(arguments) {}

  struct Parsed {
    const Option* option = nullptr;  // null: there is none left
    std::string_view value;          // empty when an optional one was left out
  };

  // Errors: an option that is not in the table, has no value, or has one that it does not take.
  Result<Parsed, Complaint> Next();

  // What follows the options. Requires: Next has found none left.
  std::span<char* const> operands() const { return arguments_; }

 private:
  const Option* Find(std::string_view name) const;

  std::string_view tool_;
  std::span<const Option> options_;
  std::span<char* const> arguments_;
};

// Reads a decimal number of at most `limit`, without sign or anything else around it.
//
// Errors: kMalformed, kOutOfRange.
Result<uint64_t> ParseNumber(std::string_view text, uint64_t limit);

}  // namespace nsgx::loader
