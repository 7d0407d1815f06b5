// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/root_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "base/core/format.h"
#include "base/core/scope_exit.h"

namespace nsgx::sim {
namespace {

constexpr mode_t kPrivateFolder = 0700;
constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kOthers = 0077;

// A path, with its NUL. Paths that do not fit are as good as absent.
class Path {
 public:
  // Returns false when the parts do not fit.
  template <typename... Parts>
  bool Set(const Parts&... parts) {
    TextBuffer text(std::span(bytes_).first(bytes_.size() - 1));
    (text.Append(parts), ...);
    bytes_[text.size()] = '\0';
    return text.size() < bytes_.size() - 1;
  }
  const char* c_str() const { return bytes_.data(); }
  std::string_view view() const { return bytes_.data(); }

 private:
  std::array<char, 4096> bytes_ = {};
};

// Makes the folder that holds `path`, and those above it.
bool MakeFolders(std::string_view path) {
  for (size_t slash = path.find('/', 1); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    Path folder;
    if (!folder.Set(path.substr(0, slash)) ||
        (mkdir(folder.c_str(), kPrivateFolder) != 0 && errno != EEXIST)) {
      return false;
    }
  }
  return true;
}

Result<void> ReadKeyFile(const Path& path, std::span<std::byte, 32> out) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return Error(errno == ENOENT ? Status::kNotFound : Status::kPermissionDenied);
  }
  const ScopeExit close_file([fd] { close(fd); });
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
      (info.st_mode & kOthers) != 0) {
    return Error(Status::kPermissionDenied);
  }
  if (info.st_size != static_cast<off_t>(out.size()) ||
      read(fd, out.data(), out.size()) != static_cast<ssize_t>(out.size())) {
    return Error(Status::kMalformed);
  }
  return {};
}

// A complete file appears under the name, or none: a link of a finished temporary file, so the
// first of several makers wins.
Result<void> MakeKeyFile(const Path& path) {
  std::array<std::byte, 32> key;
  TRY(FillRandom(key));
  Path temporary;
  if (!MakeFolders(path.view()) || !temporary.Set(path.view(), ".XXXXXX")) {
    return Error(Status::kNotFound);
  }
  char* name = const_cast<char*>(temporary.c_str());
  const int fd = mkostemp(name, O_CLOEXEC);
  if (fd < 0) {
    return Error(Status::kNotFound);
  }
  const bool is_written = fchmod(fd, kPrivateFile) == 0 &&
                          write(fd, key.data(), key.size()) == static_cast<ssize_t>(key.size()) &&
                          fsync(fd) == 0;
  close(fd);
  const bool is_made = is_written && (link(name, path.c_str()) == 0 || errno == EEXIST);
  unlink(name);
  explicit_bzero(key.data(), key.size());
  if (!is_made) {
    return Error(Status::kNotFound);
  }
  return {};
}

}  // namespace

Result<void> ReadRootKey(std::span<std::byte, 32> out) {
  Path path;
  const char* state = getenv("XDG_STATE_HOME");
  const char* home = getenv("HOME");
  bool fits = false;
  // Relative values are to be ignored, says the XDG specification.
  if (state != nullptr && state[0] == '/') {
    fits = path.Set(std::string_view(state), "/nsgx/sim-root-key");
  } else if (home != nullptr && home[0] == '/') {
    fits = path.Set(std::string_view(home), "/.local/state/nsgx/sim-root-key");
  }
  if (!fits) {
    return Error(Status::kNotFound);
  }
  const Result<void> read = ReadKeyFile(path, out);
  if (read.ok() || read.error() != Status::kNotFound) {
    return read.ok() ? Result<void>() : Result<void>(Error(read.error()));
  }
  TRY(MakeKeyFile(path));
  return ReadKeyFile(path, out);
}

Result<void> FillRandom(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t size = getrandom(out.data(), out.size(), 0);
    if (size <= 0) {
      if (size < 0 && errno == EINTR) {
        continue;
      }
      return Error(Status::kEntropyFailure);
    }
    out = out.subspan(static_cast<size_t>(size));
  }
  return {};
}

}  // namespace nsgx::sim
