// SPDX-License-Identifier: Apache-2.0
// Why there is no /dev/nsgx, and what to do about it.
#pragma once

#include <optional>
#include <string>

namespace nsgx::snp {

// What was found on this machine.
struct Findings {
  int open_error = 0;          // errno of opening the device
  bool module_loaded = false;  // /sys/module/nsgx is there
  std::optional<int> vmpl;     // /sys/devices/system/cpu/sev/vmpl; Linux has it since 6.11
};

// Looks around.
Findings Examine(int open_error);

// One line: CAUSE; REMEDY.
std::string Diagnose(const Findings& findings);

}  // namespace nsgx::snp
