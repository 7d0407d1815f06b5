// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace nsgx::libos {

// /dev/null, zero, full, random and urandom: devices 1:3, 1:5, 1:7, 1:8 and 1:9. Once, at boot.
void RegisterMemoryDevices();
// At the end of a test.
void UnregisterMemoryDevices();

}  // namespace nsgx::libos
