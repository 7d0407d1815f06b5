// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/files_to_embed.h"

#include <sys/stat.h>
#include <array>

#include "vmpl-switch/image/mount_rule.h"

namespace nsgx::loader {
namespace {

bool IsBelow(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

// Which name is wrong, and how; empty: none.
Result<void, Complaint> CheckPath(std::string_view path, std::span<const FileToEmbed> others) {
  if (!IsPlainPath(path)) {
    return Complain("file ", path,
                    " cannot be embedded: its name has to be absolute, without empty "
                    "parts, . and .., and each part of at most 255 bytes");
  }
  for (const std::string_view own : {"/dev", "/proc", "/sys"}) {
    if (path == own || IsBelow(path, own)) {
      return Complain("file ", path, " cannot be embedded: what is in ", own,
                      " is the library OS's; choose another name");
    }
  }
  for (const FileToEmbed& other : others) {
    if (other.path == path) {
      return Complain("file ", path, " is embedded twice; remove one of them");
    }
    if (IsBelow(path, other.path) || IsBelow(other.path, path)) {
      return Complain("file ", path, " cannot be embedded beside ", other.path,
                      ": one would be a folder of the other; choose other names");
    }
  }
  return {};
}

}  // namespace

Result<void, Complaint> FilesToEmbed::Add(std::string_view text, std::string_view folder) {
  const size_t equals = text.rfind("=/");
  if (equals == text.npos || equals == 0) {
    return Complain("file to embed ", text, " is not of the form HOST=/PATH");
  }
  const std::string_view path = text.substr(equals + 1);
  TRY(CheckPath(path, files_));
  std::string host(text.substr(0, equals));
  if (!host.starts_with('/')) {
    host.insert(0, folder);
  }
  auto opened = MappedFile::Open(host.c_str());
  if (!opened.ok() && opened.error().cause == Cause::kNotElf) {
    files_.push_back({.path = std::string(path), .bytes = {}});  // it is empty
    return {};
  }
  if (!opened.ok()) {
    std::array<char, 256> buffer;
    TextBuffer why(buffer);
    AppendCause(why, opened.error());
    return Complain("file to embed ", host, ' ', why.text(), "; correct its name");
  }
  struct stat status;
  const bool is_executable =
      fstat(opened.value().fd(), &status) == 0 && (status.st_mode & S_IXUSR) != 0;
  mapped_.push_back(std::move(opened).value());
  files_.push_back(
      {.path = std::string(path), .bytes = mapped_.back().bytes(), .is_executable = is_executable});
  return {};
}

}  // namespace nsgx::loader
