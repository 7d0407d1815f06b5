// SPDX-License-Identifier: Apache-2.0
// The launch configuration as people write it (TOML, nsgx.toml(5)) and as images hold it
// (abi/image.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"

namespace nsgx::loader {

struct LaunchConfig {
  uint64_t address_range = uint64_t{64} << 30;
  uint64_t main_stack = uint64_t{8} << 20;
  uint64_t max_vcpus = 64;
  uint64_t product_id = 0;
  uint64_t svn = 0;
  bool debug = false;
  bool host_sigterm = false;
  bool any_args = false;
  bool any_env = false;
  std::vector<std::string> fixed_args;
  std::vector<std::string> allowed_env;
  std::vector<std::string> fixed_env;
  std::vector<std::string> mounts;
  std::vector<std::string> files;  // to embed: HOST=PATH
};

// Reads TOML. A key that nsgx.toml(5) does not name is an error, like a value out of its limits;
// the complaint names both and the line, after `file`.
Result<LaunchConfig, Complaint> ParseLaunchConfig(std::string_view toml, std::string_view file);

// Writes the configuration into `section`, all of it. `embedded`: what nsgx_config.files says.
//
// Errors: it does not fit, or breaks the format in a way that the parser has not seen (which would
// be our bug).
Result<void, Complaint> EncodeLaunchConfig(const LaunchConfig& config,
                                           const std::array<uint64_t, 2>& host_calls,
                                           const std::vector<std::string>& embedded,
                                           std::span<std::byte> section);

// The page nsgx.toml(5), made from the table that the parser uses.
std::string LaunchConfigManPage();

}  // namespace nsgx::loader
