// SPDX-License-Identifier: Apache-2.0
#include "libos/net/control_message.h"

#include <algorithm>
#include <cstring>

#include "base/core/bytes.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {

Result<bool, Errno> ControlMessageReader::Next(ControlMessage& out) {
  LinuxCmsghdr header;
  // Less than a header at the end is padding, as Linux has it.
  if (rest_.size() < sizeof(header)) {
    return false;
  }
  std::memcpy(&header, rest_.data(), sizeof(header));
  if (header.cmsg_len < sizeof(header) || header.cmsg_len > rest_.size()) {
    return Error(Errno::kEINVAL);
  }
  const size_t length = static_cast<size_t>(header.cmsg_len);
  out = {.level = header.cmsg_level,
         .type = header.cmsg_type,
         .data = rest_.subspan(sizeof(header), length - sizeof(header))};
  rest_ = rest_.subspan(std::min(rest_.size(), (length + 7) & ~size_t{7}));
  return true;
}

Result<void, Errno> ControlMessageWriter::Put(int32_t level, int32_t type,
                                              std::span<const std::byte> data) {
  if (room_ < sizeof(LinuxCmsghdr)) {
    was_cut_ = true;
    return {};
  }
  if (data.size() > RoomForData()) {
    was_cut_ = true;
    data = data.first(RoomForData());
  }
  const LinuxCmsghdr header = {
      .cmsg_len = sizeof(header) + data.size(), .cmsg_level = level, .cmsg_type = type};
  TRY(CopyToUser(address_, BytesOf(header)));
  TRY(CopyToUser(address_ + sizeof(header), data));
  const size_t space = std::min(ControlMessageSpace(data.size()), room_);
  address_ += space;
  room_ -= space;
  size_ += space;
  return {};
}

}  // namespace nsgx::libos
