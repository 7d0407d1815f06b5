// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/monitor/memory.h"
#include "vmpl-switch/emulator/monitor/vmpl_context.h"

namespace nsgx::emu {

// Bitmaps of what exits, page-aligned and for ever; all processors have the same.
struct InterceptMaps {
  alignas(kPageSize) uint8_t msr[8192];
  alignas(kPageSize) uint8_t all_ports[12288];
  alignas(kPageSize) uint8_t guarded_ports[12288];
};

// Requires: the maps are zero.
void FillMaps(InterceptMaps& maps);

// Accesses to this port come to the monitor from now on.
void GuardPort(InterceptMaps& maps, uint16_t port);

// Says in the context's VMCB which exits its VMPL has. Requires: `maps` stays for ever.
void SetIntercepts(const VmplContext& context, const InterceptMaps& maps,
                   bool has_other_processors);

}  // namespace nsgx::emu
