// SPDX-License-Identifier: Apache-2.0
// Control messages (cmsg): what travels beside the data of sendmsg and recvmsg.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/net/linux_abi.h"

namespace nsgx::libos {

struct ControlMessage {
  int32_t level;
  int32_t type;
  std::span<const std::byte> data;
};

// Walks the control messages of a sendmsg, already copied from the program.
class ControlMessageReader {
 public:
  explicit ControlMessageReader(std::span<const std::byte> control) : rest_(control) {}

  // False: there is no more. EINVAL: a header that is too short or says more than there is.
  Result<bool, Errno> Next(ControlMessage& out);

 private:
  std::span<const std::byte> rest_;
};

// The room that the program has for control messages in a recvmsg.
class ControlMessageWriter {
 public:
  ControlMessageWriter(uint64_t address, size_t room) : address_(address), room_(room) {}

  // How many bytes of data the next message can have; none: not even its header fits.
  size_t RoomForData() const {
    return room_ < sizeof(LinuxCmsghdr) ? 0 : room_ - sizeof(LinuxCmsghdr);
  }
  // Writes one message. What does not fit is cut off, and `was_cut` tells so. EFAULT.
  Result<void, Errno> Put(int32_t level, int32_t type, std::span<const std::byte> data);

  // How many bytes have been written.
  size_t size() const { return size_; }
  bool was_cut() const { return was_cut_; }
  // For who finds out before Put that something will be missing.
  void NoteCut() { was_cut_ = true; }

 private:
  uint64_t address_;
  size_t room_;
  size_t size_ = 0;
  bool was_cut_ = false;
};

}  // namespace nsgx::libos
