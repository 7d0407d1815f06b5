// SPDX-License-Identifier: Apache-2.0
// nsgx-run's standard streams as an enclave uses them: never waiting, without changing the streams'
// flags, which the shell and other programs share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx::loader {

inline constexpr uint32_t kStreamCount = 3;

// What is known of a stream from its type: whether read and write may wait.
class Streams {
 public:
  Streams();

  // Bytes moved, 0 at the end of the stream, or a negative errno; -EAGAIN when it would wait.
  // Require: stream < kStreamCount.
  int64_t Read(uint32_t stream, std::span<std::byte> out) const;
  int64_t Write(uint32_t stream, std::span<const std::byte> data) const;

  struct Size {
    bool is_terminal;
    uint16_t rows, columns;
  };
  Size Query(uint32_t stream) const;

 private:
  // Regular files and devices like /dev/null never wait, so they need not be asked first.
  bool may_wait_[kStreamCount];
  bool is_socket_[kStreamCount];
};

}  // namespace nsgx::loader
