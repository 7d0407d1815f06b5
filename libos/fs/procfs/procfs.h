// SPDX-License-Identifier: Apache-2.0
// /proc: what the library OS knows of the process and the enclave, in Linux's formats. What it does
// not know is not there.
#pragma once

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file_system.h"

namespace nsgx::libos {

FileSystem& ProcFileSystem();

// Makes the root of ProcFileSystem. Once, at boot. ENOMEM.
Result<void, Errno> InitProcFileSystem();
// At the end of a test.
void ClearProcFileSystem();

}  // namespace nsgx::libos
