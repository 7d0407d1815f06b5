// SPDX-License-Identifier: Apache-2.0
// Copies standard input to standard output with plain read() and write(). Exit status: 0, or the
// errno of what failed.
#include <errno.h>
#include <unistd.h>

#include <array>
#include <cstddef>

int main() {
  std::array<std::byte, 100'000> buffer;
  for (;;) {
    const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0) {
      return errno;
    }
    if (count == 0) {
      return 0;
    }
    for (ssize_t done = 0; done < count;) {
      const ssize_t written =
          write(STDOUT_FILENO, buffer.data() + done, static_cast<size_t>(count - done));
      if (written < 0) {
        return errno;
      }
      done += written;
    }
  }
}
