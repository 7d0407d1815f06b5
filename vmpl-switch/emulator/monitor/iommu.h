// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace nsgx::emu {

// QEMU's emulated VT-d, seen through its registers.
class Iommu {
 public:
  // Whether the machine has one.
  static bool IsPresent();

  // From now on all devices go through the tables at `root` (struct DmaTables::buses). Returns
  // false when it does not come on.
  bool Start(uint64_t root);
  bool is_on() const { return is_on_; }

  // Makes it forget what it remembers of the tables. Requires: is_on().
  void Flush();

 private:
  bool is_on_ = false;
};

}  // namespace nsgx::emu
