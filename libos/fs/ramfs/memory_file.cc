// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/memory_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "libos/fs/ramfs/ramfs.h"
#include "libos/vfs/credentials.h"

namespace nsgx::libos {
namespace {

// Without a root: no path leads to these files.
[[clang::no_destroy]] constinit RamFs memory_files("tmpfs", MakeDevice(0, 3));

}  // namespace

Result<Ref<File>, Errno> MakeMemoryFile(std::string_view name, uint32_t flags) {
  const Credentials& who = process_credentials.effective;
  const bool no_exec = (flags & kMFD_NOEXEC_SEAL) != 0;
  // What /proc/self/fd shows, cut to what a RamFile keeps.
  constexpr std::string_view kPrefix = "/memfd::";
  std::array<char, 64> label;
  const size_t prefix = kPrefix.size() - 1;
  const size_t size = std::min(name.size(), label.size() - prefix);
  std::memcpy(label.data(), kPrefix.data(), prefix);
  std::memcpy(label.data() + prefix, name.data(), size);
  Ref<RamFile> inode = TRY(memory_files.CreateMemoryFile(
      {label.data(), prefix + size},
      {.mode = kS_IFREG | (no_exec ? 0666u : 0777u), .user = who.user, .group = who.group}));
  const bool sealable = no_exec || (flags & kMFD_ALLOW_SEALING) != 0;
  inode->InitSeals((sealable ? 0 : kF_SEAL_SEAL) | (no_exec ? kF_SEAL_EXEC : 0));
  RamFile& object = *inode;
  return File::New(Ref<Inode>(std::move(inode)), object, kO_RDWR | kO_LARGEFILE);
}

}  // namespace nsgx::libos
