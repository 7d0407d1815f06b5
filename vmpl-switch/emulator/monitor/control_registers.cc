// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/control_registers.h"

#include "vmpl-switch/abi/snp.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kWritableEfer =
    kEferSyscall | kEferLongEnable | kEferNoExecute | kEferFastFxsave | kEferLongActive;

}  // namespace

bool WriteCr0(VmcbSave& save, uint64_t value) {
  value |= kCr0ExtensionType;
  const bool was_paging = (save.cr0 & kCr0Paging) != 0;
  const bool is_paging = (value & kCr0Paging) != 0;
  const bool enters_long_mode = !was_paging && is_paging && (save.efer & kEferLongEnable) != 0;
  if (value >> 32 != 0 || (is_paging && (value & kCr0Protection) == 0) ||
      ((value & kCr0NotWriteThrough) != 0 && (value & kCr0CacheDisable) == 0) ||
      (enters_long_mode && (save.cr4 & kCr4Pae) == 0) ||
      (was_paging && !is_paging && (save.cs.attributes & kSegmentLongCode) != 0)) {
    return false;
  }
  save.cr0 = value;
  if (enters_long_mode) {
    save.efer |= kEferLongActive;
  } else if (!is_paging) {
    save.efer &= ~kEferLongActive;
  }
  return true;
}

bool WriteEfer(VmcbSave& save, uint64_t value) {
  const bool is_paging = (save.cr0 & kCr0Paging) != 0;
  if ((value & ~(kWritableEfer | SNP_EFER_SVME)) != 0 ||
      (is_paging && ((value ^ save.efer) & kEferLongEnable) != 0)) {
    return false;
  }
  save.efer = (value & ~kEferLongActive) | (save.efer & kEferLongActive) | SNP_EFER_SVME;
  return true;
}

}  // namespace nsgx::emu
