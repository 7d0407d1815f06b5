// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/run/launch_policy.h"

namespace nsgx::loader {

Result<void, Complaint> CheckArguments(const ConfigView& config, std::span<char* const> arguments) {
  if (arguments.size() <= 1 || (config.attributes() & NSGX_ATTRIBUTE_ANY_ARGS) != 0) {
    return {};
  }
  return Complain("takes no arguments from outside: its configuration ",
                  config.args_fixed().is_empty() ? "does not allow any" : "fixes them (args.fixed)",
                  "; leave ", std::string_view(arguments[1]),
                  " out, or sign the image with args.any = true");
}

std::vector<Complaint> VariablesLeftOut(const ConfigView& config,
                                        std::span<const std::string_view> environment) {
  std::vector<Complaint> lines;
  for (const std::string_view variable : environment) {
    if (IsForLibraryOs(variable)) {
      continue;
    }
    const std::string_view name = variable.substr(0, variable.find('='));
    if (FixesVariable(config, name)) {
      lines.push_back(Complaint::Of("variable ", name,
                                    " is not passed on: the image's configuration fixes it "
                                    "(env.fixed); leave it out"));
    } else if (!AllowsVariable(config, name)) {
      lines.push_back(Complaint::Of("variable ", name,
                                    " is not passed on: the image's env.allow has no rule for it; "
                                    "leave it out, or sign the image with env.allow = [\"",
                                    name, "\"]"));
    }
  }
  return lines;
}

}  // namespace nsgx::loader
