// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/core/scope_exit.h"

namespace nsgx::loader {

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void PrintComplaint(std::string_view tool, const Complaint& complaint) {
  std::array<char, 600> buffer;
  TextBuffer line(buffer);
  line.Append(tool);
  line.Append(": ");
  line.Append(complaint.text());
  line.Append('\n');
  WriteAll(STDERR_FILENO, line.text());
}

Result<void, Complaint> ReplaceFile(const std::string& path, std::span<const std::byte> contents,
                                    unsigned mode) {
  const auto complain = [&](const char* what) {
    return Complain(path, ": cannot ", what, " (", strerror(errno),
                    "); choose another output file");
  };
  std::string temporary = path + ".XXXXXX";
  const int fd = mkstemp(temporary.data());
  if (fd < 0) {
    return complain("create it");
  }
  ScopeExit close_fd([&] { close(fd); });
  ScopeExit remove_temporary([&] { unlink(temporary.c_str()); });
  const std::string_view text(reinterpret_cast<const char*>(contents.data()), contents.size());
  const mode_t mask = umask(0);
  umask(mask);
  if (!WriteAll(fd, text) || fchmod(fd, mode & ~mask) != 0) {
    return complain("write it");
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return complain("put it there");
  }
  remove_temporary.Cancel();
  return {};
}

Result<std::string, Complaint> ReadSmallFile(const std::string& path, size_t limit) {
  const auto complain = [&](const char* why) {
    return Complain(path, ": cannot be read (", why, "); give another file");
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    return complain(strerror(errno));
  }
  ScopeExit close_fd([&] { close(fd); });
  struct stat status;
  if (fstat(fd, &status) != 0) {
    return complain(strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return complain("no regular file");
  }
  std::string contents(limit + 1, '\0');
  size_t size = 0;
  while (size < contents.size()) {
    const ssize_t count = read(fd, contents.data() + size, contents.size() - size);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return complain(strerror(errno));
    }
    if (count == 0) {
      break;
    }
    size += static_cast<size_t>(count);
  }
  if (size > limit) {
    return complain("it is too large");
  }
  contents.resize(size);
  return contents;
}

}  // namespace nsgx::loader
