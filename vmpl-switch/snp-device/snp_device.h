// SPDX-License-Identifier: Apache-2.0
// The machine behind /dev/nsgx: an AMD SEV-SNP guest that the SEH has started, or an emulation of
// one.
#pragma once

#include <memory>
#include <string>

#include "vmpl-switch/device/device.h"

namespace nsgx {

// Is there a device to open? Says nothing about whether it may be.
bool HasSnpDevice();

// Returns null if there is none, and then in `why` one line: CAUSE; REMEDY.
std::unique_ptr<Device> OpenSnpDevice(std::string* why);

}  // namespace nsgx
