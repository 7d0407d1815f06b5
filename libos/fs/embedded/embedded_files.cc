// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/embedded/embedded_files.h"

#include <string_view>
#include <utility>

#include "base/core/log.h"
#include "libos/fs/embedded/image_file.h"
#include "libos/fs/new_folder.h"
#include "vmpl-switch/image/mount_rule.h"

namespace nsgx::libos {
namespace {

// One that is mounted, in a list.
struct Embedded {
  ImageFs file_system;
  Embedded* next = nullptr;
};
constinit Embedded* first = nullptr;

// The file that is to be hidden, made if it is not there. EEXIST: it is hidden already. EISDIR.
Result<Ref<Inode>, Errno> PlaceFor(std::string_view path) {
  const size_t slash = path.rfind('/');
  const Ref<Inode> folder = TRY(FolderAt(path.substr(0, slash)));
  const std::string_view name = path.substr(slash + 1);
  auto found = folder->Lookup(name);
  if (!found.ok()) {
    return folder->Create(name, {.mode = kS_IFREG | 0444});
  }
  if (found.value()->mounted() != nullptr) {
    return Error(Errno::kEEXIST);
  }
  if (found.value()->is_directory()) {
    return Error(Errno::kEISDIR);
  }
  return found;
}

Result<void, Errno> MountFile(const EmbeddedFile& file, std::span<const std::byte> image) {
  if (file.offset > image.size() || file.size > image.size() - file.offset) {
    return Error(Errno::kEINVAL);
  }
  const Ref<Inode> place = TRY(PlaceFor(file.path));
  Embedded* const made = TRY(New<Embedded>());
  auto started = made->file_system.Init(image.subspan(file.offset, file.size), file.is_executable);
  if (!started.ok()) {
    Delete(made);
    return started;
  }
  Mount(*place, made->file_system);
  made->next = std::exchange(first, made);
  return {};
}

}  // namespace

Result<void, Errno> MountEmbeddedFiles(const ConfigView& config, std::span<const std::byte> image) {
  for (const std::string_view text : config.files()) {
    const Result<EmbeddedFile> file = ParseEmbeddedFile(text);
    if (!file.ok()) {
      return Error(Errno::kEINVAL);  // ParseConfig has accepted it
    }
    auto mounted = MountFile(file.value(), image);
    if (!mounted.ok()) {
      LOG(kError, "the image's file ", file.value().path, " cannot be mounted: ",
          mounted.error() == Errno::kENOMEM || mounted.error() == Errno::kENOSPC
              ? "out of memory"
              : "another is in its place, or it is not in the image; sign the image again");
      return mounted;
    }
  }
  return {};
}

void ForgetEmbeddedFiles() {
  while (first != nullptr) {
    Delete(std::exchange(first, first->next));
  }
}

}  // namespace nsgx::libos
