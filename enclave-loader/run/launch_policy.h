// SPDX-License-Identifier: Apache-2.0
// What of the operator's arguments and variables an image lets in. The enclave decides; this says
// it to the operator before anything runs.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "vmpl-switch/image/config.h"

namespace nsgx::loader {

// `arguments` with that of the program's name. A program that does not get them would do something
// else than what it is told, so that is an error: a line for the user.
Result<void, Complaint> CheckArguments(const ConfigView& config, std::span<char* const> arguments);

// A line for each of `environment` (NAME=VALUE) that will not be passed on. No error: variables are
// often given to several programs at once.
std::vector<Complaint> VariablesLeftOut(const ConfigView& config,
                                        std::span<const std::string_view> environment);

}  // namespace nsgx::loader
