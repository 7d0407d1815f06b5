// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/host/streams.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

namespace nsgx::loader {
namespace {

bool IsReady(uint32_t stream, short events) {
  pollfd fd = {.fd = static_cast<int>(stream), .events = events, .revents = 0};
  // An error is an answer too: the read or write that follows gives it a name.
  return poll(&fd, 1, 0) != 0;
}

}  // namespace

Streams::Streams() {
  constexpr unsigned kMemoryDevices = 1;  // major number of /dev/null, /dev/zero, ...
  for (uint32_t stream = 0; stream < kStreamCount; ++stream) {
    struct stat status = {};
    fstat(static_cast<int>(stream), &status);
    const bool is_memory_device =
        S_ISCHR(status.st_mode) && major(status.st_rdev) == kMemoryDevices;
    may_wait_[stream] = !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) && !is_memory_device;
    is_socket_[stream] = S_ISSOCK(status.st_mode);
  }
}

int64_t Streams::Read(uint32_t stream, std::span<std::byte> out) const {
  if (may_wait_[stream] && !IsReady(stream, POLLIN)) {
    return -EAGAIN;
  }
  ssize_t count;
  do {
    count = read(static_cast<int>(stream), out.data(), out.size());
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

int64_t Streams::Write(uint32_t stream, std::span<const std::byte> data) const {
  size_t size = data.size();
  if (may_wait_[stream]) {
    if (!IsReady(stream, POLLOUT)) {
      return -EAGAIN;
    }
    if (!is_socket_[stream]) {
      // A pipe that is ready takes this much without waiting; a terminal waits for nothing but
      // Ctrl-S.
      size = std::min<size_t>(size, PIPE_BUF);
    }
  }
  ssize_t count;
  do {
    count = is_socket_[stream]
                ? send(static_cast<int>(stream), data.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL)
                : write(static_cast<int>(stream), data.data(), size);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
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
