// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/guest/ports.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace nsgx::emulator {
namespace {

constexpr char kPorts[] = "/sys/class/virtio-ports";

std::string ReadLine(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return "";
  }
  char line[64];
  const ssize_t size = read(fd, line, sizeof(line));
  close(fd);
  std::string_view text(line, size > 0 ? static_cast<size_t>(size) : 0);
  return std::string(text.substr(0, text.find('\n')));
}

// Returns the device's name, "vport1p2", or "".
std::string FindPort(std::string_view name) {
  std::string found;
  if (DIR* folder = opendir(kPorts)) {
    while (const dirent* entry = readdir(folder)) {
      if (ReadLine(std::string(kPorts) + "/" + entry->d_name + "/name") == name) {
        found = entry->d_name;
      }
    }
    closedir(folder);
  }
  return found;
}

}  // namespace

int OpenPort(std::string_view name, int flags) {
  constexpr int kTries = 500;
  constexpr useconds_t kPause = 10'000;
  for (int i = 0; i < kTries; ++i) {
    if (const std::string port = FindPort(name); !port.empty()) {
      if (const int fd = open(("/dev/" + port).c_str(), flags); fd >= 0) {
        return fd;
      }
    }
    usleep(kPause);
  }
  return -1;
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) {
      return false;
    }
    text.remove_prefix(written > 0 ? static_cast<size_t>(written) : 0);
  }
  return true;
}

}  // namespace nsgx::emulator
