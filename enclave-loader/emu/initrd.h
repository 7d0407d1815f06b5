// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/emu/emu.h"

namespace nsgx::loader {

// Where in the guest a program finds itself: its image, and the folder that it starts in, both
// without "/" in front. Chosen so that the image's path, as the user wrote it, leads there.
struct GuestPlace {
  std::string image;
  std::string folder;
};
GuestPlace PlaceImage(std::string_view path);

// Returns a descriptor of a file without a name: the base initramfs, then the image, the shared
// folders and the command.
Result<int, Complaint> MakeInitrd(const std::string& base, const EmulatorOptions& options,
                                  const EmulatedRun& run, std::string_view marker, bool terminal);

}  // namespace nsgx::loader
