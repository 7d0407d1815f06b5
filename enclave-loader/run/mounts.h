// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/host/files.h"
#include "enclave-loader/run/options.h"
#include "vmpl-switch/image/config.h"

namespace nsgx::loader {

// The folders that this run shows to the enclave: those of the options, and for what they do not
// name, those that the configuration names. The enclave checks the same rules again.
//
// Errors: a line for the user: no rule lets a mount in, or not for writing.
Result<std::vector<Mount>, Complaint> ChooseMounts(const ConfigView& config,
                                                   std::span<const MountOption> options);

}  // namespace nsgx::loader
