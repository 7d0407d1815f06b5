// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/new_folder.h"

#include <utility>

#include "libos/vfs/file_system.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {

Result<Ref<Inode>, Errno> FolderAt(std::string_view path) {
  Ref<Inode> at = process_files.root();
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size());
    auto found = at->Lookup(name);
    if (found.ok()) {
      at = Uncovered(std::move(found).value());
    } else if (found.error() == Errno::kENOENT &&
               &at->file_system() == &process_files.root()->file_system()) {
      at = TRY(at->Create(name, {.mode = kS_IFDIR | 0755}));
    } else {
      return Error(found.error());
    }
    if (!at->is_directory()) {
      return Error(Errno::kENOTDIR);
    }
  }
  return at;
}

}  // namespace nsgx::libos
