// SPDX-License-Identifier: Apache-2.0
// What nsgx-sign does to a file: fills in the launch configuration, appends the signature.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/core/result.h"
#include "base/crypto/rsa_key.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/sign/files_to_embed.h"
#include "enclave-loader/sign/launch_config.h"

namespace nsgx::loader {

// Returns `file`, an image with a place for its configuration, as a signed image that holds
// `files`, whose paths are plain and differ. Configuration, files and signature that are there are
// replaced. The same input gives the same bytes.
//
// Errors: `file` is no image, has a malformed list of host calls, no room for the configuration or
// for the files' segment, or a rule for a mount would hide one of them.
Result<std::vector<std::byte>, Complaint> SignImage(std::span<const std::byte> file,
                                                    const LaunchConfig& config,
                                                    const RsaPrivateKey& key, uint32_t date,
                                                    std::span<const FileToEmbed> files = {});

}  // namespace nsgx::loader
