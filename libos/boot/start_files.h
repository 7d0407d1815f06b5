// SPDX-License-Identifier: Apache-2.0
// What boot needs of the virtual file system, which implements it.
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "vmpl-switch/image/config.h"

namespace nsgx::libos {

// Mounts the file systems and opens the standard streams as descriptors 0 to 2. Once, before there
// is a thread of the program; it may allocate, read time and random bytes, and does not sleep.
// `image` is the whole image. ENOMEM, and what MountEmbeddedFiles says.
Result<void, Errno> StartFiles(const ConfigView& config, std::span<const std::byte> image);

}  // namespace nsgx::libos
