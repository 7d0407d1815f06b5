// SPDX-License-Identifier: Apache-2.0
// Character devices: what is behind a device node, by its number.
#pragma once

#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file.h"

namespace nsgx::libos {

class Device : public ListNode<> {
 public:
  constexpr explicit Device(uint64_t number) : number_(number) {}
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  uint64_t number() const { return number_; }

  // The object that an open file of this device behaves as; it lives as long as the program. ENXIO:
  // there is none now.
  virtual Result<FileObject*, Errno> OpenObject(File& file) = 0;

 protected:
  ~Device() = default;

 private:
  const uint64_t number_;
};

// Makes a device known, at boot or at any time later.
void RegisterDevice(Device& device);
void UnregisterDevice(Device& device);

// Gives `file` the behaviour of the device with this number. ENXIO.
Result<void, Errno> OpenDevice(uint64_t number, File& file);

}  // namespace nsgx::libos
