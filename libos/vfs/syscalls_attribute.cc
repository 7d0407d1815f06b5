// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "libos/kernel/clock.h"
#include "libos/vfs/access.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kStatFlags = kAT_SYMLINK_NOFOLLOW | kAT_NO_AUTOMOUNT | kAT_EMPTY_PATH;
constexpr uint32_t kUnchanged = ~uint32_t{0};  // of a user or group, in chown

SysResult TellStatus(Inode& inode, UserOut<LinuxStat> out) {
  const FileStatus status = inode.GetStatus();
  const LinuxStat told = {.st_dev = status.device,
                          .st_ino = status.number,
                          .st_nlink = status.links,
                          .st_mode = status.mode,
                          .st_uid = status.user,
                          .st_gid = status.group,
                          .padding = 0,
                          .st_rdev = status.special_device,
                          .st_size = static_cast<int64_t>(status.size),
                          .st_blksize = status.block_size,
                          .st_blocks = static_cast<int64_t>(status.blocks),
                          .st_atime_sec = status.access_time.seconds,
                          .st_atime_nsec = status.access_time.nanoseconds,
                          .st_mtime_sec = status.modification_time.seconds,
                          .st_mtime_nsec = status.modification_time.nanoseconds,
                          .st_ctime_sec = status.change_time.seconds,
                          .st_ctime_nsec = status.change_time.nanoseconds,
                          .reserved = {}};
  TRY(Write(out, told));
  return 0;
}

LinuxStatxTimestamp ToStatx(FileTime time) {
  return {.tv_sec = time.seconds, .tv_nsec = time.nanoseconds, .reserved = 0};
}

SysResult TellSpace(FileSystem& file_system, UserOut<LinuxStatfs> out) {
  LinuxStatfs told = {};
  told.f_fsid = file_system.device();
  told.f_namelen = kNAME_MAX;
  told.f_flags = kST_VALID | (file_system.is_read_only() ? kST_RDONLY : 0);
  file_system.DescribeSpace(told);
  TRY(Write(out, told));
  return 0;
}

SysResult Change(Inode& inode, const AttributeChange& change) {
  TRY(inode.ChangeAttributes(change));
  // As Linux has it: one time alone looks like what usually changes it.
  uint32_t event = kIN_ATTRIB;
  if (!change.permissions && !change.user && !change.group) {
    event = !change.modification_time ? kIN_ACCESS : !change.access_time ? kIN_MODIFY : kIN_ATTRIB;
  }
  notice::Happened(inode, event);
  return 0;
}

SysResult ChangeMode(Inode& inode, uint32_t mode) {
  const Credentials& who = process_credentials.effective;
  TRY(CheckIsOwner(inode, who));
  if (inode.is_symlink()) {
    return Error(Errno::kEOPNOTSUPP);
  }
  uint32_t permissions = mode & kPermissionBits;
  if (!who.is_root() && !who.InGroup(inode.group())) {
    permissions &= ~kS_ISGID;
  }
  return Change(inode, {.permissions = permissions,
                        .user = {},
                        .group = {},
                        .access_time = {},
                        .modification_time = {}});
}

SysResult ChangeOwner(Inode& inode, uint32_t user, uint32_t group) {
  const Credentials& who = process_credentials.effective;
  if (inode.file_system().is_read_only()) {
    return Error(Errno::kEROFS);
  }
  if (!who.is_root()) {
    const bool keeps_user = user == kUnchanged || user == inode.user();
    const bool has_group = group == kUnchanged || group == inode.group() || who.InGroup(group);
    const bool changes_nothing = user == kUnchanged && group == kUnchanged;
    if (!changes_nothing && (who.user != inode.user() || !keeps_user || !has_group)) {
      return Error(Errno::kEPERM);
    }
  }
  AttributeChange change;
  if (user != kUnchanged) {
    change.user = user;
  }
  if (group != kUnchanged) {
    change.group = group;
  }
  if (!inode.is_directory()) {
    // The new owner did not ask for a program that lends its rights.
    const uint32_t mode = inode.mode();
    const uint32_t lent = kS_ISUID | ((mode & kS_IXGRP) != 0 ? kS_ISGID : 0);
    if ((mode & lent) != 0) {
      change.permissions = mode & kPermissionBits & ~lent;
    }
  }
  return Change(inode, change);
}

// One time of utimensat: not at all, now, or as given. EINVAL.
struct WantedTimes {
  bool touch;  // both are "now", which needs fewer rights
  AttributeChange change;
};

Result<std::optional<FileTime>, Errno> WantedTime(const LinuxTimespec& time, FileTime now) {
  if (time.tv_nsec == kUTIME_OMIT) {
    return std::optional<FileTime>();
  }
  if (time.tv_nsec == kUTIME_NOW) {
    return std::optional(now);
  }
  if (time.tv_nsec < 0 || time.tv_nsec >= static_cast<int64_t>(kNanosecondsPerSecond)) {
    return Error(Errno::kEINVAL);
  }
  return std::optional(
      FileTime{.seconds = time.tv_sec, .nanoseconds = static_cast<uint32_t>(time.tv_nsec)});
}

Result<WantedTimes, Errno> ToWanted(const LinuxTimespec (&times)[2]) {
  const FileTime now = FileTimeNow();
  WantedTimes wanted = {.touch = times[0].tv_nsec == kUTIME_NOW && times[1].tv_nsec == kUTIME_NOW,
                        .change = {}};
  wanted.change.access_time = TRY(WantedTime(times[0], now));
  wanted.change.modification_time = TRY(WantedTime(times[1], now));
  return wanted;
}

constexpr LinuxTimespec kBothNow[2] = {{.tv_sec = 0, .tv_nsec = kUTIME_NOW},
                                       {.tv_sec = 0, .tv_nsec = kUTIME_NOW}};

SysResult ChangeTimes(Inode& inode, const LinuxTimespec (&times)[2]) {
  const WantedTimes wanted = TRY(ToWanted(times));
  if (!wanted.change.access_time && !wanted.change.modification_time) {
    return 0;
  }
  const Credentials& who = process_credentials.effective;
  auto owner = CheckIsOwner(inode, who);
  if (!owner.ok()) {
    if (!wanted.touch || owner.error() != Errno::kEPERM) {
      return Error(owner.error());
    }
    TRY(CheckAccess(inode, kW_OK, who));
  }
  return Change(inode, wanted.change);
}

// As utimes and futimesat have them: microseconds, or null for now.
SysResult ChangeTimesOf(int32_t directory, UserIn<char> path, UserIn<LinuxTimeval> times) {
  LinuxTimespec wanted[2] = {kBothNow[0], kBothNow[1]};
  if (!times.is_null()) {
    for (size_t i = 0; i < 2; ++i) {
      const LinuxTimeval given = TRY(Read(times, i));
      if (given.tv_usec < 0 || given.tv_usec >= 1'000'000) {
        return Error(Errno::kEINVAL);
      }
      wanted[i] = {.tv_sec = given.tv_sec, .tv_nsec = given.tv_usec * 1000};
    }
  }
  const Ref<Inode> inode = path.is_null() ? Ref<Inode>::Share(TRY(GetFile(directory))->inode())
                                          : TRY(ResolvePath(directory, path, true));
  return ChangeTimes(*inode, wanted);
}

}  // namespace

// ---- asking

SysResult SysNewfstatat(int32_t directory, UserIn<char> path, UserOut<LinuxStat> out,
                        uint32_t flags) {
  if ((flags & ~kStatFlags) != 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<Inode> inode = TRY(ResolvePath(directory, path, (flags & kAT_SYMLINK_NOFOLLOW) == 0,
                                           (flags & kAT_EMPTY_PATH) != 0));
  return TellStatus(*inode, out);
}

SysResult SysStat(UserIn<char> path, UserOut<LinuxStat> out) {
  return SysNewfstatat(kAT_FDCWD, path, out, 0);
}

SysResult SysLstat(UserIn<char> path, UserOut<LinuxStat> out) {
  return SysNewfstatat(kAT_FDCWD, path, out, kAT_SYMLINK_NOFOLLOW);
}

SysResult SysFstat(int32_t fd, UserOut<LinuxStat> out) {
  return TellStatus(TRY(GetFileOrPath(fd))->inode(), out);
}

SysResult SysStatx(int32_t directory, UserIn<char> path, uint32_t flags, uint32_t mask,
                   UserOut<LinuxStatx> out) {
  if ((flags & ~(kStatFlags | kAT_STATX_SYNC_TYPE)) != 0 ||
      (flags & kAT_STATX_SYNC_TYPE) == kAT_STATX_SYNC_TYPE || (mask & kSTATX_RESERVED) != 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<Inode> inode = TRY(ResolvePath(directory, path, (flags & kAT_SYMLINK_NOFOLLOW) == 0,
                                           (flags & kAT_EMPTY_PATH) != 0));
  const FileStatus status = inode->GetStatus();
  LinuxStatx told = {};
  told.stx_mask = kSTATX_BASIC_STATS | kSTATX_BTIME | (mask & kSTATX_MNT_ID);
  told.stx_blksize = status.block_size;
  told.stx_attributes_mask = kSTATX_ATTR_MOUNT_ROOT;
  told.stx_nlink = status.links;
  told.stx_uid = status.user;
  told.stx_gid = status.group;
  told.stx_mode = static_cast<uint16_t>(status.mode);
  told.stx_ino = status.number;
  told.stx_size = status.size;
  told.stx_blocks = status.blocks;
  told.stx_atime = ToStatx(status.access_time);
  told.stx_btime = ToStatx(status.birth_time);
  told.stx_ctime = ToStatx(status.change_time);
  told.stx_mtime = ToStatx(status.modification_time);
  told.stx_rdev_major = DeviceMajor(status.special_device);
  told.stx_rdev_minor = DeviceMinor(status.special_device);
  told.stx_dev_major = DeviceMajor(status.device);
  told.stx_dev_minor = DeviceMinor(status.device);
  // A file system is mounted once at most.
  told.stx_mnt_id = status.device;
  if (inode->is_directory() && inode->file_system().is_linked() &&
      inode.get() == &inode->file_system().root()) {
    told.stx_attributes = kSTATX_ATTR_MOUNT_ROOT;
  }
  TRY(Write(out, told));
  return 0;
}

SysResult SysStatfs(UserIn<char> path, UserOut<LinuxStatfs> out) {
  return TellSpace(TRY(ResolvePath(kAT_FDCWD, path, true))->file_system(), out);
}

SysResult SysFstatfs(int32_t fd, UserOut<LinuxStatfs> out) {
  return TellSpace(TRY(GetFileOrPath(fd))->inode().file_system(), out);
}

SysResult SysFaccessat2(int32_t directory, UserIn<char> path, uint32_t mode, uint32_t flags) {
  if ((mode & ~(kR_OK | kW_OK | kX_OK)) != 0 ||
      (flags & ~(kAT_EACCESS | kAT_SYMLINK_NOFOLLOW | kAT_EMPTY_PATH)) != 0) {
    return Error(Errno::kEINVAL);
  }
  const Credentials& who =
      (flags & kAT_EACCESS) != 0 ? process_credentials.effective : process_credentials.real;
  const Ref<Inode> inode = TRY(ResolvePath(directory, path, (flags & kAT_SYMLINK_NOFOLLOW) == 0,
                                           (flags & kAT_EMPTY_PATH) != 0, who));
  if (mode != kF_OK) {
    TRY(CheckAccess(*inode, mode, who));
  }
  return 0;
}

SysResult SysFaccessat(int32_t directory, UserIn<char> path, uint32_t mode) {
  return SysFaccessat2(directory, path, mode, 0);
}

SysResult SysAccess(UserIn<char> path, uint32_t mode) {
  return SysFaccessat2(kAT_FDCWD, path, mode, 0);
}

// ---- changing

SysResult SysFchmodat2(int32_t directory, UserIn<char> path, uint32_t mode, uint32_t flags) {
  if ((flags & ~(kAT_SYMLINK_NOFOLLOW | kAT_EMPTY_PATH)) != 0) {
    return Error(Errno::kEINVAL);
  }
  return ChangeMode(*TRY(ResolvePath(directory, path, (flags & kAT_SYMLINK_NOFOLLOW) == 0,
                                     (flags & kAT_EMPTY_PATH) != 0)),
                    mode);
}

SysResult SysFchmodat(int32_t directory, UserIn<char> path, uint32_t mode) {
  return SysFchmodat2(directory, path, mode, 0);
}

SysResult SysChmod(UserIn<char> path, uint32_t mode) {
  return SysFchmodat2(kAT_FDCWD, path, mode, 0);
}

SysResult SysFchmod(int32_t fd, uint32_t mode) {
  return ChangeMode(TRY(GetFile(fd))->inode(), mode);
}

SysResult SysFchownat(int32_t directory, UserIn<char> path, uint32_t user, uint32_t group,
                      uint32_t flags) {
  if ((flags & ~(kAT_SYMLINK_NOFOLLOW | kAT_EMPTY_PATH)) != 0) {
    return Error(Errno::kEINVAL);
  }
  return ChangeOwner(*TRY(ResolvePath(directory, path, (flags & kAT_SYMLINK_NOFOLLOW) == 0,
                                      (flags & kAT_EMPTY_PATH) != 0)),
                     user, group);
}

SysResult SysChown(UserIn<char> path, uint32_t user, uint32_t group) {
  return SysFchownat(kAT_FDCWD, path, user, group, 0);
}

SysResult SysLchown(UserIn<char> path, uint32_t user, uint32_t group) {
  return SysFchownat(kAT_FDCWD, path, user, group, kAT_SYMLINK_NOFOLLOW);
}

SysResult SysFchown(int32_t fd, uint32_t user, uint32_t group) {
  return ChangeOwner(TRY(GetFile(fd))->inode(), user, group);
}

SysResult SysUtimensat(int32_t directory, UserIn<char> path, UserIn<LinuxTimespec> times,
                       uint32_t flags) {
  if ((flags & ~(kAT_SYMLINK_NOFOLLOW | kAT_EMPTY_PATH)) != 0) {
    return Error(Errno::kEINVAL);
  }
  LinuxTimespec wanted[2] = {kBothNow[0], kBothNow[1]};
  if (!times.is_null()) {
    wanted[0] = TRY(Read(times, 0));
    wanted[1] = TRY(Read(times, 1));
    if (wanted[0].tv_nsec == kUTIME_OMIT && wanted[1].tv_nsec == kUTIME_OMIT) {
      return 0;  // the path is not even looked at
    }
  }
  if (path.is_null()) {
    if (flags != 0) {
      return Error(Errno::kEINVAL);
    }
    return ChangeTimes(TRY(GetFile(directory))->inode(), wanted);
  }
  return ChangeTimes(*TRY(ResolvePath(directory, path, (flags & kAT_SYMLINK_NOFOLLOW) == 0,
                                      (flags & kAT_EMPTY_PATH) != 0)),
                     wanted);
}

SysResult SysUtime(UserIn<char> path, UserIn<LinuxUtimbuf> times) {
  LinuxTimespec wanted[2] = {kBothNow[0], kBothNow[1]};
  if (!times.is_null()) {
    const LinuxUtimbuf given = TRY(Read(times));
    wanted[0] = {.tv_sec = given.actime, .tv_nsec = 0};
    wanted[1] = {.tv_sec = given.modtime, .tv_nsec = 0};
  }
  return ChangeTimes(*TRY(ResolvePath(kAT_FDCWD, path, true)), wanted);
}

SysResult SysUtimes(UserIn<char> path, UserIn<LinuxTimeval> times) {
  if (path.is_null()) {
    return Error(Errno::kEFAULT);
  }
  return ChangeTimesOf(kAT_FDCWD, path, times);
}

SysResult SysFutimesat(int32_t directory, UserIn<char> path, UserIn<LinuxTimeval> times) {
  return ChangeTimesOf(directory, path, times);
}

SysResult SysUmask(uint32_t mask) { return int64_t{process_files.SetUmask(mask)}; }

}  // namespace nsgx::libos
