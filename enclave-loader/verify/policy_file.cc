// SPDX-License-Identifier: Apache-2.0
// toml++ without exceptions.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "enclave-loader/verify/request.h"

namespace nsgx::verify {

namespace {

using loader::Complain;

Result<void, Complaint> ApplyValue(Request& request, const std::string& name,
                                   const toml::node& value) {
  if (const auto* text = value.as_string()) {
    return ApplyPolicyOption(request, name, text->get());
  }
  if (const auto* number = value.as_integer()) {
    return ApplyPolicyOption(request, name, std::to_string(number->get()));
  }
  if (const auto* list = value.as_array()) {
    for (const toml::node& item : *list) {
      if (!item.is_string()) {
        return Complain("policy: ", name.substr(2),
                        " is a list of something else than strings; quote its items");
      }
      TRY(ApplyPolicyOption(request, name, item.as_string()->get()));
    }
    return {};
  }
  return Complain("policy: ", name.substr(2),
                  " is no string, number, boolean or list; see nsgx-verify --help");
}

bool IsFlag(std::string_view name) {
  for (const loader::Option& option : VerifyTool().commands.front().options) {
    if (option.name == name) {
      return !option.takes_value();
    }
  }
  return false;
}

}  // namespace

Result<void, Complaint> ApplyPolicyText(Request& request, std::string_view toml) {
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    return Complain("policy, line ", parsed.error().source().begin.line, ": ",
                    std::string_view(parsed.error().description()), "; correct it");
  }
  for (const auto& [key, value] : parsed.table()) {
    const std::string name = "--" + std::string(key.str());
    const auto* flag = value.as_boolean();
    if (IsFlag(name) != (flag != nullptr)) {
      return Complain("policy: ", key.str(),
                      flag != nullptr ? " takes a value" : " is true or false",
                      "; see nsgx-verify --help");
    }
    if (flag == nullptr) {
      TRY(ApplyValue(request, name, value));
    } else if (flag->get()) {
      TRY(ApplyPolicyOption(request, name, ""));
    }
  }
  return {};
}

}  // namespace nsgx::verify
