// SPDX-License-Identifier: Apache-2.0
// Arguments and environment: which of the strings from outside reach the program. The rules are
// measured; the strings are the untrusted loader's, and the report holds their hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/image/config.h"

namespace nsgx::libos {

// Why a string from outside was left out.
enum class Refusal : uint8_t {
  kArgumentsFixed,  // the configuration fixes the arguments
  kNotAllowed,      // no rule of the configuration lets this variable in
  kVariableFixed,   // the configuration sets this variable itself
  kNotAVariable,    // not of the form NAME=value
};

// What the program gets to see. Both walks give the same strings each time, so they can be counted
// first and copied then.
class LaunchStrings {
 public:
  // Requires: `args` is the SEH's copy of struct nsgx_args and its strings, `config` outlives this
  // object.
  LaunchStrings(const ConfigView& config, std::span<const char> args);

  // Calls `take(std::string_view)` for argv[0], argv[1], ... and `refuse(Refusal,
  // std::string_view)` for what is left out.
  template <typename Take, typename Refuse>
  void ForEachArgument(Take take, Refuse refuse) const {
    const bool any = (config_.attributes() & NSGX_ATTRIBUTE_ANY_ARGS) != 0;
    std::string_view rest = strings_;
    for (uint32_t i = 0; i < argument_count_; ++i) {
      const std::string_view argument = TakeString(rest);
      if (i == 0 || any) {
        take(argument);
      } else {
        refuse(Refusal::kArgumentsFixed, argument);
      }
    }
    if (!any) {
      for (const std::string_view argument : config_.args_fixed()) {
        take(argument);
      }
    }
  }

  // The same for the environment: what the configuration fixes comes first.
  template <typename Take, typename Refuse>
  void ForEachVariable(Take take, Refuse refuse) const {
    for (const std::string_view variable : config_.env_fixed()) {
      take(variable);
    }
    std::string_view rest = strings_;
    for (uint32_t i = 0; i < argument_count_; ++i) {
      TakeString(rest);
    }
    for (uint32_t i = 0; i < variable_count_; ++i) {
      const std::string_view variable = TakeString(rest);
      if (IsForLibraryOs(variable)) {
        continue;
      }
      const size_t equals = variable.find('=');
      const std::string_view name = variable.substr(0, equals);
      if (equals == std::string_view::npos || equals == 0) {
        refuse(Refusal::kNotAVariable, variable);
      } else if (FixesVariable(config_, name)) {
        refuse(Refusal::kVariableFixed, name);
      } else if (!AllowsVariable(config_, name)) {
        refuse(Refusal::kNotAllowed, name);
      } else {
        take(variable);
      }
    }
  }

  // Whether nsgx-run asks for it, and this is a debug enclave.
  bool WantsTrace() const { return IsAskedFor(kTraceVariable); }
  bool WantsCore() const { return IsAskedFor(kCoreVariable); }
  bool WantsCounts() const { return IsAskedFor(kCountsVariable); }

 private:
  // Cuts the first string off `rest`.
  static std::string_view TakeString(std::string_view& rest);
  bool IsAskedFor(std::string_view variable) const;

  const ConfigView& config_;
  std::string_view strings_;
  uint32_t argument_count_ = 0;
  uint32_t variable_count_ = 0;
};

}  // namespace nsgx::libos
