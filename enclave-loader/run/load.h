// SPDX-License-Identifier: Apache-2.0
// From an image file to an enclave that is ready to run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/image/image.h"
#include "enclave-loader/run/options.h"
#include "vmpl-switch/device/device.h"

namespace nsgx::loader {

// Why there is no enclave: a line for the user and nsgx-run's exit status.
struct LoadFailure {
  Complaint complaint;
  int exit_status;
};

// struct nsgx_args and its strings.
std::vector<std::byte> PackArguments(std::span<char* const> arguments,
                                     std::span<const std::string_view> environment);

// How many slots this run uses: what was asked for, or one for each processor within the
// configuration's limit.
uint32_t ChooseVcpus(const RunOptions& options, uint32_t max_vcpus);

// Creates the enclave, gives its pages to the machine in ascending order, and has it measured and
// checked. `fd` is the image's file; `image` was parsed from it. The signer and identity that the
// options insist on are checked last, against what the machine found.
Result<void, LoadFailure> LoadEnclave(Device& device, const Image& image, int fd,
                                      const RunOptions& options, uint32_t vcpus);

}  // namespace nsgx::loader
