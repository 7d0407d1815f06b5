// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/layout.h"

#include "base/core/align.h"
#include "base/core/checked.h"

namespace nsgx::seh {

Result<EnclaveLayout> EnclaveLayout::Make(const nsgx_config& config, uint64_t config_size,
                                          uint64_t image_size) {
  EnclaveLayout layout;
  layout.size = config.address_range_size;
  layout.slot_area_offset = TRY(CheckedAlignUp(image_size, uint64_t{NSGX_SLOT_STRIDE}));
  layout.boot_offset =
      TRY(CheckedAdd(layout.slot_area_offset, uint64_t{config.max_vcpus} * NSGX_SLOT_STRIDE));
  layout.config_offset = TRY(CheckedAdd(layout.boot_offset, kPageSize));
  layout.args_offset = TRY(CheckedAdd(layout.config_offset, config_size));
  layout.heap_offset = TRY(CheckedAlignUp(
      TRY(CheckedAdd(layout.args_offset, uint64_t{NSGX_ARGS_MAX_SIZE})), kLargePageSize));
  // A library OS without any memory of its own could not even say so.
  if (layout.heap_offset >= layout.size) {
    return Error(Status::kOutOfRange);
  }
  return layout;
}

}  // namespace nsgx::seh
