// SPDX-License-Identifier: Apache-2.0
// Runs an image on the machine emu: an emulated AMD machine with SEV-SNP, in which another nsgx-run
// runs it on the machine snp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"

namespace nsgx::loader {

struct EmulatorOptions {
  static constexpr unsigned kMaxProcessors = 8;  // as many as its monitor has room for

  // A port of this machine's loopback interface that leads to one of the emulated machine.
  struct Port {
    uint16_t host, guest;
  };
  struct Share {
    std::string_view host, guest;  // folders
  };

  std::vector<Share> shares;
  std::vector<Port> ports;
  unsigned processors = 1;
  const char* console = nullptr;  // file for what the machine itself says
  bool shell = false;
};

struct EmulatedRun {
  const char* image = nullptr;           // nullptr: none, for a shell
  std::span<char* const> arguments;      // the program's, argv[0] (the image) included
  std::vector<std::string> run_options;  // for the nsgx-run inside
};

// Returns the exit status of the nsgx-run inside, 128 plus the signal that ended it, or
// `failure_status` after a complaint. Ends by the same signal when this process is told to end by
// SIGINT, SIGTERM or SIGHUP. Nothing is left behind in either case.
int RunOnEmulator(const EmulatorOptions& options, const EmulatedRun& run, int failure_status);

// Parses "HOST_DIR[:GUEST_DIR]", "HOST_PORT:GUEST_PORT" and a number of processors.
Result<EmulatorOptions::Share, Complaint> ParseShare(std::string_view text);
Result<EmulatorOptions::Port, Complaint> ParsePort(std::string_view text);
Result<unsigned, Complaint> ParseProcessors(std::string_view text);

}  // namespace nsgx::loader
