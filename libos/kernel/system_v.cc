// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/system_v.h"

#include "libos/vfs/file_time.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kAllRights = 0777;

}  // namespace

int64_t SystemVNow() { return FileTimeNow().seconds; }

SystemVObject::SystemVObject(int32_t key, uint32_t flags) : change_time(SystemVNow()) {
  const Credentials& who = process_credentials.effective;
  permission_ = {.key = key,
                 .user = who.user,
                 .group = who.group,
                 .creator_user = who.user,
                 .creator_group = who.group,
                 .mode = flags & kAllRights,
                 .sequence = 0,
                 .padding0 = 0,
                 .padding1 = 0,
                 .unused = {}};
}

Result<void, Errno> SystemVObject::CheckAccess(uint32_t wanted) const {
  const Credentials& who = process_credentials.effective;
  uint32_t granted = permission_.mode;
  if (who.user == permission_.user || who.user == permission_.creator_user) {
    granted >>= 6;
  } else if (who.InGroup(permission_.group) || who.InGroup(permission_.creator_group)) {
    granted >>= 3;
  }
  const uint32_t asked = (wanted >> 6 | wanted >> 3 | wanted) & 7;
  if ((asked & ~granted) != 0 && !who.is_root()) {
    return Error(Errno::kEACCES);
  }
  return {};
}

Result<void, Errno> SystemVObject::CheckIsOwner() const {
  const Credentials& who = process_credentials.effective;
  if (who.user != permission_.user && who.user != permission_.creator_user && !who.is_root()) {
    return Error(Errno::kEPERM);
  }
  return {};
}

void SystemVObject::ChangePermission(const LinuxIpcPerm& wanted) {
  permission_.user = wanted.user;
  permission_.group = wanted.group;
  permission_.mode = wanted.mode & kAllRights;
}

}  // namespace nsgx::libos
