// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/emu/emu.h"
#include "enclave-loader/emu/machine_files.h"

namespace nsgx::loader {

// Descriptors of the machine's ends of its streams, as numbers in QEMU's process.
struct MachineStreams {
  int console = -1, control = -1;
  int input = -1, output = -1, error = -1;  // without a terminal
  int terminal = -1;                        // with one
};

// Returns QEMU's arguments, its program first.
std::vector<std::string> QemuArguments(const MachineFiles& files, int initrd,
                                       const MachineStreams& streams,
                                       const EmulatorOptions& options);

// Starts QEMU, which ends when this process does. Its own messages go to `messages`; it inherits
// all descriptors that are not closed on exec.
Result<pid_t, Complaint> StartQemu(std::vector<std::string> arguments, int messages);

}  // namespace nsgx::loader
