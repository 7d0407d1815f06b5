// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/hostfs/mounts.h"

#include <array>
#include <string_view>
#include <utility>

#include "base/core/log.h"
#include "libos/fs/hostfs/host_fs.h"
#include "libos/fs/hostfs/host_tokens.h"
#include "libos/fs/new_folder.h"
#include "libos/host/files.h"
#include "libos/mm/kernel_heap.h"
#include "vmpl-switch/image/mount_rule.h"

namespace nsgx::libos {
namespace {

constexpr size_t kMaxFolders = 64;
constinit HostFs* folders[kMaxFolders] = {};
constinit size_t folder_count = 0;

// EBUSY: something is mounted there. ENOENT: it would have to be made on the host.
Result<void, Errno> MountFolder(const host::FileMount& mount, bool is_read_only) {
  const Ref<Inode> place = TRY(FolderAt(mount.target));
  if (place.get() == &place->file_system().root()) {
    return Error(Errno::kEBUSY);
  }
  HostFs* const folder = TRY(New<HostFs>(mount.root, is_read_only));
  auto started = folder->Init();
  if (!started.ok()) {
    Delete(folder);
    return started;
  }
  Mount(*place, *folder);
  folders[folder_count++] = folder;
  return {};
}

}  // namespace

void MountHostFolders(const ConfigView& config) {
  if (config.mounts().is_empty()) {
    return;  // nor may the host be asked
  }
  for (uint32_t index = 0; folder_count < kMaxFolders; ++index) {
    std::array<char, 4096> buffer;
    auto mount = host::GetFileMount(index, buffer);
    if (!mount.ok()) {
      return;
    }
    const std::string_view target = mount.value().target;
    const FoundMountRule found = FindMountRule(config, target);
    if (!found.hidden.empty()) {
      LOG(kNotice, "not mounted from outside: ", target, ": it would hide the image's file ",
          found.hidden);
      continue;
    }
    if (!found.found) {
      LOG(kNotice, "not mounted from outside: ", target,
          ": no rule of the configuration's mounts lets it in (see nsgx-inspect)");
      continue;
    }
    auto mounted =
        MountFolder(mount.value(), !found.rule.is_writable || !mount.value().is_writable);
    if (!mounted.ok()) {
      LOG(kNotice, "not mounted from outside: ", target, ": ",
          mounted.error() == Errno::kEBUSY    ? "something is mounted there already"
          : mounted.error() == Errno::kENOENT ? "the folder that it lies in, of another mount, has "
                                                "no such folder"
                                              : "the host gave no folder for it");
    }
  }
}

void ForgetHostFolders() {
  while (folder_count != 0) {
    Delete(std::exchange(folders[--folder_count], nullptr));
  }
  ReleaseAllHostTokens();
}

}  // namespace nsgx::libos
