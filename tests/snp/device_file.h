// SPDX-License-Identifier: Apache-2.0
// /dev/nsgx as a test sees it: without the loader's care.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "vmpl-switch/guest-module/nsgx_ioctl.h"

namespace nsgx {

class DeviceFile {
 public:
  DeviceFile() : fd_(open(NSGX_DEVICE_PATH, O_RDWR | O_CLOEXEC)) {}
  DeviceFile(const DeviceFile&) = delete;
  DeviceFile& operator=(const DeviceFile&) = delete;
  ~DeviceFile() { Close(); }

  int fd() const { return fd_; }
  void Close() {
    if (fd_ >= 0) {
      close(std::exchange(fd_, -1));
    }
  }

  // 0, the number of the SEH's status, or -errno.
  int64_t Call(uint64_t request, void* argument) const {
    const int64_t result = syscall(SYS_ioctl, fd_, request, argument);
    return result < 0 ? -errno : result;
  }

  // Null: refused.
  std::byte* Map(uint64_t size, uint64_t offset = 0, int protection = PROT_READ | PROT_WRITE,
                 int flags = MAP_SHARED) const {
    void* memory = mmap(nullptr, size, protection, flags, fd_, static_cast<off_t>(offset));
    return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
  }

 private:
  int fd_;
};

inline uint64_t Word(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

}  // namespace nsgx
