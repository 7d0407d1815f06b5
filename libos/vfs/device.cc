// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/device.h"

#include "base/core/spinlock.h"

namespace nsgx::libos {
namespace {

constinit SpinLock devices_lock;
[[clang::no_destroy]] constinit IntrusiveList<Device> devices GUARDED_BY(devices_lock);

Device* FindDevice(uint64_t number) {
  SpinLockGuard guard(devices_lock);
  for (Device& device : devices) {
    if (device.number() == number) {
      return &device;
    }
  }
  return nullptr;
}

}  // namespace

void RegisterDevice(Device& device) {
  SpinLockGuard guard(devices_lock);
  devices.PushBack(device);
}

void UnregisterDevice(Device& device) {
  SpinLockGuard guard(devices_lock);
  devices.Erase(device);
}

Result<void, Errno> OpenDevice(uint64_t number, File& file) {
  Device* const device = FindDevice(number);
  if (device == nullptr) {
    return Error(Errno::kENXIO);
  }
  file.set_object(*TRY(device->OpenObject(file)));
  return {};
}

}  // namespace nsgx::libos
