// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "libos/vfs/access.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"

namespace nsgx::libos {
namespace {

// How a watch is made, besides its events.
constexpr uint32_t kIN_UNMOUNT = 0x2000;
constexpr uint32_t kIN_ONLYDIR = 0x01000000;
constexpr uint32_t kIN_DONT_FOLLOW = 0x02000000;
constexpr uint32_t kIN_EXCL_UNLINK = 0x04000000;
constexpr uint32_t kIN_MASK_CREATE = 0x10000000;
constexpr uint32_t kIN_MASK_ADD = 0x20000000;
constexpr uint32_t kIN_ONESHOT = 0x80000000;
constexpr uint32_t kKnown = kIN_ALL_EVENTS | kIN_UNMOUNT | kIN_Q_OVERFLOW | kIN_IGNORED |
                            kIN_ONLYDIR | kIN_DONT_FOLLOW | kIN_EXCL_UNLINK | kIN_MASK_CREATE |
                            kIN_MASK_ADD | kIN_ISDIR | kIN_ONESHOT;

}  // namespace

SysResult SysInotifyInit1(uint32_t flags) {
  if ((flags & ~(kO_CLOEXEC | kO_NONBLOCK)) != 0) {
    return Error(Errno::kEINVAL);
  }
  return int64_t{TRY(process_files.descriptors.Add(TRY(MakeNotifier(flags & kO_NONBLOCK)), 0,
                                                   (flags & kO_CLOEXEC) != 0))};
}

SysResult SysInotifyInit() { return SysInotifyInit1(0); }

SysResult SysInotifyAddWatch(int32_t fd, UserIn<char> path, uint32_t mask) {
  if ((mask & kKnown) == 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<File> file = TRY(GetFile(fd));
  if ((mask & kIN_MASK_ADD) != 0 && (mask & kIN_MASK_CREATE) != 0) {
    return Error(Errno::kEINVAL);
  }
  Notifier& notifier = *TRY(NotifierOf(*file));
  Ref<Inode> inode = TRY(ResolvePath(kAT_FDCWD, path, (mask & kIN_DONT_FOLLOW) == 0));
  if ((mask & kIN_ONLYDIR) != 0 && !inode->is_directory()) {
    return Error(Errno::kENOTDIR);
  }
  TRY(CheckAccess(*inode, kR_OK, process_credentials.effective));
  const WatchAgain again = (mask & kIN_MASK_ADD) != 0      ? WatchAgain::kAdd
                           : (mask & kIN_MASK_CREATE) != 0 ? WatchAgain::kRefuse
                                                           : WatchAgain::kReplace;
  return int64_t{TRY(AddWatch(notifier, std::move(inode), mask & kIN_ALL_EVENTS,
                              (mask & kIN_ONESHOT) != 0, again))};
}

SysResult SysInotifyRmWatch(int32_t fd, int32_t watch) {
  const Ref<File> file = TRY(GetFile(fd));
  TRY(RemoveWatch(*TRY(NotifierOf(*file)), watch));
  return 0;
}

}  // namespace nsgx::libos
