// SPDX-License-Identifier: Apache-2.0
// The strings of the configuration's lists `mounts` and `files` (abi/image.h), read and checked in
// one place for SEH, loader, signer and library OS.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "vmpl-switch/image/config.h"

namespace nsgx {

// An absolute path without empty components, "." and "..", that does not end with a slash, and is
// not "/" itself.
bool IsPlainPath(std::string_view path);

// "hostfs:TARGET:OPTIONS": a folder of the host may be mounted at TARGET.
struct MountRule {
  // A path, or all below one: "/srv/*", "/*". A pattern never stands for /dev, /etc, /proc, /sys
  // and what is below them.
  std::string_view target;
  bool is_pattern = false;
  bool is_writable = false;  // "rw", else "ro"
  // ",source=PATH": the host's folder, if the operator names no other. Not for a pattern.
  std::string_view source;

  // Whether it speaks of this path, which may be anything.
  bool Covers(std::string_view path) const;
};

// Errors: kMalformed.
Result<MountRule> ParseMountRule(std::string_view text);

// Returns the first rule that covers `path`, which may be anything; without one: nothing. A folder
// that would hide a file of the image is covered by no rule: `hidden` is the file.
struct FoundMountRule {
  bool found = false;
  MountRule rule = {};
  std::string_view hidden = {};
};
FoundMountRule FindMountRule(const ConfigView& config, std::string_view path);

// "OFFSET:SIZE:MODE:PATH": the bytes of the image at OFFSET are shown as the file PATH, which is
// neither /dev, /proc or /sys nor below them.
struct EmbeddedFile {
  uint64_t offset = 0;  // in the image, a multiple of the page size
  uint64_t size = 0;
  bool is_executable = false;  // MODE is "x", else "r"
  std::string_view path;
};

// Errors: kMalformed.
Result<EmbeddedFile> ParseEmbeddedFile(std::string_view text);

}  // namespace nsgx
