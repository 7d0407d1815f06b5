// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/tampering.h"

namespace nsgx::emu {

Tampering* StartTampering(const StartInfo&, const GuestMemory&, Rmp&) { return nullptr; }

}  // namespace nsgx::emu
