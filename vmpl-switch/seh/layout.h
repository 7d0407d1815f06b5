// SPDX-License-Identifier: Apache-2.0
// Where things lie in an enclave's address range (abi/slot.h): a function of measured values alone.
#pragma once

#include <cstdint>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::seh {

struct EnclaveLayout {
  // Errors: kOutOfRange  the range that the configuration asks for has no room for image, slots and
  // boot area.
  static Result<EnclaveLayout> Make(const nsgx_config& config, uint64_t config_size,
                                    uint64_t image_size);

  uint64_t SlotOffset(uint32_t slot) const {
    return slot_area_offset + uint64_t{slot} * NSGX_SLOT_STRIDE;
  }

  // Offsets from the base of the range.
  uint64_t slot_area_offset = 0;
  uint64_t boot_offset = 0;
  uint64_t config_offset = 0;  // the SEH's copy, behind struct nsgx_boot
  uint64_t args_offset = 0;
  uint64_t heap_offset = 0;
  uint64_t size = 0;  // of the range
};

}  // namespace nsgx::seh
