// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/cli/plain_parser.h"

#include "base/core/checked.h"

namespace nsgx::loader {

const Option* PlainParser::Find(std::string_view name) const {
  for (const Option& option : options_) {
    if (option.name == name) {
      return &option;
    }
  }
  return nullptr;
}

Result<PlainParser::Parsed, Complaint> PlainParser::Next() {
  if (arguments_.empty()) {
    return Parsed{};
  }
  const std::string_view argument = arguments_.front();
  if (!argument.starts_with('-') || argument == "-") {
    return Parsed{};
  }
  arguments_ = arguments_.subspan(1);
  if (argument == "--") {
    return Parsed{};
  }
  const size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const Option* const option = Find(name);
  if (option == nullptr) {
    return Complain("there is no option ", name, "; see ", tool_, " --help");
  }
  if (equals != std::string_view::npos) {
    if (option->value.empty()) {
      return Complain("option ", name, " takes no value; leave out what follows it");
    }
    return Parsed{option, argument.substr(equals + 1)};
  }
  if (!option->takes_value()) {
    return Parsed{option, {}};
  }
  if (arguments_.empty()) {
    return Complain("option ", name, " lacks its value; write ", name, " ", option->value);
  }
  const std::string_view value = arguments_.front();
  arguments_ = arguments_.subspan(1);
  return Parsed{option, value};
}

Result<uint64_t> ParseNumber(std::string_view text, uint64_t limit) {
  if (text.empty()) {
    return Error(Status::kMalformed);
  }
  uint64_t number = 0;
  for (const char character : text) {
    if (character < '0' || character > '9') {
      return Error(Status::kMalformed);
    }
    number = TRY(CheckedMul(number, uint64_t{10}));
    number = TRY(CheckedAdd(number, static_cast<uint64_t>(character - '0')));
  }
  if (number > limit) {
    return Error(Status::kOutOfRange);
  }
  return number;
}

}  // namespace nsgx::loader
