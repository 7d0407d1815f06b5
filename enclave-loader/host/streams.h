// SPDX-License-Identifier: Apache-2.0
// nsgx-run's standard streams as an enclave uses them: never waiting, without changing the streams'
// flags, which the shell and other programs share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx::loader {

inline constexpr uint32_t kStreamCount = 3;

// Gives each standard stream that was closed when the program began a descriptor that can be
// neither read nor written (EBADF, as for a closed one), so that nothing else gets its number. Call
// it before anything is opened.
void OccupyClosedStreams();

// Used by all vCPU threads at once.
class Streams {
 public:
  // Looks at what the streams are: whether read and write may wait.
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
  // False once a stream's driver was found not to know RWF_NOWAIT.
  mutable std::atomic<bool> knows_nowait_[kStreamCount];
};

}  // namespace nsgx::loader
