// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"

namespace nsgx::loader {

// What the emulated machine is made of, by path.
struct MachineFiles {
  std::string qemu, monitor, seh, kernel, initramfs;
};

// Finds them in `folder`, which the build has filled. Complains when it has not, and says why if
// the build knows.
Result<void, Complaint> FindMachineFiles(const std::string& folder, MachineFiles* files);

// Returns the folder "emu" beside this program.
std::string MachineFolder();

}  // namespace nsgx::loader
