// SPDX-License-Identifier: Apache-2.0
#include "libos/boot/start_files.h"

#include "libos/fs/console/console.h"
#include "libos/fs/root.h"

namespace nsgx::libos {

Result<void, Errno> StartFiles() {
  TRY(MountTree());
  return OpenStandardStreams();
}

}  // namespace nsgx::libos
