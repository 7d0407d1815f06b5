// SPDX-License-Identifier: Apache-2.0
// Files that are part of the image (nsgx_config.files): measured with it, so what a program reads
// there is what was signed. Each is mounted read-only in the place of its name.
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "vmpl-switch/image/config.h"

namespace nsgx::libos {

// Mounts them. Requires: the tree is there and nothing of the host is in it; `image` is the whole
// image, and stays. Errors: ENOMEM; EINVAL: the configuration names what the image has not, or two
// files for one name, and a line has said so.
Result<void, Errno> MountEmbeddedFiles(const ConfigView& config, std::span<const std::byte> image);

// At the end of a test, when nothing is mounted any more.
void ForgetEmbeddedFiles();

}  // namespace nsgx::libos
