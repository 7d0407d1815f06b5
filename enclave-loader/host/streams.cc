// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/host/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

namespace nsgx::loader {
namespace {

bool IsReady(uint32_t stream, short events) {
  pollfd fd = {.fd = static_cast<int>(stream), .events = events, .revents = 0};
  // An error is an answer too: the read or write that follows gives it a name.
  return poll(&fd, 1, 0) != 0;
}

// Repeats `move` while signals interrupt it; returns what it moved or a negative errno.
template <typename Move>
int64_t Moved(Move move) {
  ssize_t count;
  do {
    count = move();
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

}  // namespace

void OccupyClosedStreams() {
  for (int stream = 0; stream < static_cast<int>(kStreamCount); ++stream) {
    if (fcntl(stream, F_GETFD) < 0) {
      // The lowest number that is free is this one: those below are taken.
      open("/", O_PATH | O_CLOEXEC);
    }
  }
}

Streams::Streams() {
  constexpr unsigned kMemoryDevices = 1;  // major number of /dev/null, /dev/zero, ...
  for (uint32_t stream = 0; stream < kStreamCount; ++stream) {
    struct stat status = {};
    fstat(static_cast<int>(stream), &status);
    const bool is_memory_device =
        S_ISCHR(status.st_mode) && major(status.st_rdev) == kMemoryDevices;
    may_wait_[stream] = !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) && !is_memory_device;
    knows_nowait_[stream] = true;
  }
}

// A stream that may wait is asked in one system call not to, which pipes and sockets understand.
// Others (terminals; pipes of Linux before 5.x) are asked first whether they are ready. Their flags
// stay as they are: O_NONBLOCK would be seen by everybody who has the same terminal.
int64_t Streams::Read(uint32_t stream, std::span<std::byte> out) const {
  const int fd = static_cast<int>(stream);
  if (may_wait_[stream]) {
    if (knows_nowait_[stream].load(std::memory_order_relaxed)) {
      const iovec vector = {.iov_base = out.data(), .iov_len = out.size()};
      const int64_t count = Moved([&] { return preadv2(fd, &vector, 1, -1, RWF_NOWAIT); });
      if (count != -EOPNOTSUPP) {
        return count;
      }
      knows_nowait_[stream].store(false, std::memory_order_relaxed);
    }
    if (!IsReady(stream, POLLIN)) {
      return -EAGAIN;
    }
  }
  return Moved([&] { return read(fd, out.data(), out.size()); });
}

int64_t Streams::Write(uint32_t stream, std::span<const std::byte> data) const {
  const int fd = static_cast<int>(stream);
  size_t size = data.size();
  if (may_wait_[stream]) {
    if (knows_nowait_[stream].load(std::memory_order_relaxed)) {
      const iovec vector = {.iov_base = const_cast<std::byte*>(data.data()), .iov_len = size};
      const int64_t count = Moved([&] { return pwritev2(fd, &vector, 1, -1, RWF_NOWAIT); });
      if (count != -EOPNOTSUPP) {
        return count;
      }
      knows_nowait_[stream].store(false, std::memory_order_relaxed);
    }
    if (!IsReady(stream, POLLOUT)) {
      return -EAGAIN;
    }
    // A pipe that is ready takes this much without waiting; a terminal waits for nothing but
    // Ctrl-S.
    size = std::min<size_t>(size, PIPE_BUF);
  }
  return Moved([&] { return write(fd, data.data(), size); });
}

Streams::Size Streams::Query(uint32_t stream) const {
  winsize size = {};
  const bool is_terminal = isatty(static_cast<int>(stream)) == 1;
  if (is_terminal) {
    ioctl(static_cast<int>(stream), TIOCGWINSZ, &size);
  }
  return {.is_terminal = is_terminal, .rows = size.ws_row, .columns = size.ws_col};
}

}  // namespace nsgx::loader
