// SPDX-License-Identifier: Apache-2.0
// stat and its kin, rights, owners, times, file systems.

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <termios.h>

#include <chrono>
#include <cstddef>
#include <thread>

#include "libos/mm/mapped_file.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/file_time.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

// The build machine's headers know the same ABI.
static_assert(sizeof(LinuxStat) == sizeof(struct stat));
static_assert(offsetof(LinuxStat, st_size) == offsetof(struct stat, st_size));
static_assert(offsetof(LinuxStat, st_ctime_sec) == offsetof(struct stat, st_ctim));
static_assert(sizeof(LinuxStatfs) == sizeof(struct statfs));
static_assert(kO_TMPFILE == O_TMPFILE && kO_PATH == O_PATH && kO_NOATIME == O_NOATIME);
static_assert(kO_DIRECTORY == O_DIRECTORY && kO_SYNC == O_SYNC && kO_APPEND == O_APPEND);
static_assert(kAT_FDCWD == AT_FDCWD && kAT_EMPTY_PATH == AT_EMPTY_PATH);
static_assert(kS_IFSOCK == S_IFSOCK && kS_IFCHR == S_IFCHR);
static_assert(kPOLLRDHUP == POLLRDHUP && kPOLLWRBAND == POLLWRBAND);
static_assert(kEPOLLET == EPOLLET && sizeof(LinuxEpollEvent) == sizeof(epoll_event));
static_assert(kTIOCGWINSZ == TIOCGWINSZ && kFIONREAD == FIONREAD && kTCGETS == TCGETS);
static_assert(kMFD_ALLOW_SEALING == MFD_ALLOW_SEALING);
static_assert(kF_OFD_SETLKW == F_OFD_SETLKW && kF_SETPIPE_SZ == F_SETPIPE_SZ);
static_assert(sizeof(LinuxStatx) == sizeof(struct statx));
static_assert(offsetof(LinuxStatx, stx_mnt_id) == offsetof(struct statx, stx_mnt_id));
static_assert(kUTIME_NOW == UTIME_NOW && kUTIME_OMIT == UTIME_OMIT);
static_assert(kF_ADD_SEALS == F_ADD_SEALS && kF_SEAL_FUTURE_WRITE == F_SEAL_FUTURE_WRITE);

// Longer than time stamps may lag behind.
void LetTimePass() { std::this_thread::sleep_for(std::chrono::milliseconds(3)); }

class AttributeTest : public FilesTest {
 protected:
  static FileTime Modified(const LinuxStat& status) {
    return {.seconds = status.st_mtime_sec,
            .nanoseconds = static_cast<uint32_t>(status.st_mtime_nsec)};
  }
  static FileTime Accessed(const LinuxStat& status) {
    return {.seconds = status.st_atime_sec,
            .nanoseconds = static_cast<uint32_t>(status.st_atime_nsec)};
  }
  static FileTime Changed(const LinuxStat& status) {
    return {.seconds = status.st_ctime_sec,
            .nanoseconds = static_cast<uint32_t>(status.st_ctime_nsec)};
  }

  static int64_t SetTimes(std::string_view path, LinuxTimespec access, LinuxTimespec modification,
                          uint32_t flags = 0) {
    const auto memory = AllocateUser(2 * sizeof(LinuxTimespec));
    auto* const times = reinterpret_cast<LinuxTimespec*>(memory.data());
    times[0] = access;
    times[1] = modification;
    return ResultOf(SysUtimensat(kAtCwd, UserIn<char>(UserString(path)),
                                 UserIn<LinuxTimespec>(AddressOf(memory)), flags));
  }
};

TEST_F(AttributeTest, StatTellsTheTruth) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR, 0640);
  Pwrite(fd, "x", 10000);
  const LinuxStat status = Fstat(fd).stat;
  EXPECT_EQ(status.st_mode, kS_IFREG | 0640);
  EXPECT_EQ(status.st_nlink, 1u);
  EXPECT_EQ(status.st_size, 10001);
  EXPECT_EQ(status.st_blocks, 8);  // one page, the rest is a hole
  EXPECT_EQ(status.st_blksize, 4096);
  EXPECT_EQ(status.st_dev, Stat("/tmp").stat.st_dev);
  EXPECT_NE(status.st_ino, Stat("/tmp").stat.st_ino);
  EXPECT_EQ(status.st_ino, Stat("/tmp/a").stat.st_ino);
  EXPECT_EQ(Stat("/tmp/none").result, Fails(Errno::kENOENT));
  EXPECT_EQ(Fstat(77).result, Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysStat(UserIn<char>(UserString("/tmp")), UserOut<LinuxStat>(kBadAddress))),
            Fails(Errno::kEFAULT));
}

TEST_F(AttributeTest, StatAt) {
  WriteWhole("/tmp/a", "abc");
  Symlink("a", "/tmp/link");
  const int directory = Open("/tmp");
  LinuxStat& out = NewUser<LinuxStat>();
  const UserOut<LinuxStat> to(AddressOf(out));
  const auto call = [&](int fd, std::string_view path, uint32_t flags) {
    return ResultOf(SysNewfstatat(fd, UserIn<char>(UserString(path)), to, flags));
  };
  EXPECT_EQ(call(directory, "link", 0), 0);
  EXPECT_EQ(out.st_size, 3);
  EXPECT_EQ(call(directory, "link", kAT_SYMLINK_NOFOLLOW), 0);
  EXPECT_EQ(out.st_size, 1);
  EXPECT_EQ(call(directory, "", kAT_EMPTY_PATH), 0);
  EXPECT_EQ(out.st_mode & kS_IFMT, kS_IFDIR);
  EXPECT_EQ(call(Open("/tmp/a"), "", kAT_EMPTY_PATH), 0);
  EXPECT_EQ(out.st_size, 3);
  EXPECT_EQ(call(directory, "", 0), Fails(Errno::kENOENT));
  EXPECT_EQ(call(kAtCwd, "", kAT_EMPTY_PATH), 0);
  EXPECT_EQ(call(77, "", kAT_EMPTY_PATH), Fails(Errno::kEBADF));
  EXPECT_EQ(call(directory, "a", 1), Fails(Errno::kEINVAL));
}

TEST_F(AttributeTest, Statx) {
  WriteWhole("/tmp/a", "abc");
  LinuxStatx& out = NewUser<LinuxStatx>();
  const UserOut<LinuxStatx> to(AddressOf(out));
  const auto call = [&](std::string_view path, uint32_t flags, uint32_t mask) {
    return ResultOf(SysStatx(kAtCwd, UserIn<char>(UserString(path)), flags, mask, to));
  };
  EXPECT_EQ(call("/tmp/a", 0, kSTATX_BASIC_STATS), 0);
  const LinuxStat status = Stat("/tmp/a").stat;
  EXPECT_EQ(out.stx_mode, status.st_mode);
  EXPECT_EQ(out.stx_ino, status.st_ino);
  EXPECT_EQ(out.stx_size, 3u);
  EXPECT_EQ(out.stx_blocks, 8u);
  EXPECT_EQ(out.stx_mtime.tv_sec, status.st_mtime_sec);
  EXPECT_EQ(MakeDevice(out.stx_dev_major, out.stx_dev_minor), status.st_dev);
  EXPECT_EQ(out.stx_mask & (kSTATX_BASIC_STATS | kSTATX_BTIME), kSTATX_BASIC_STATS | kSTATX_BTIME);
  EXPECT_LE(out.stx_btime.tv_sec, out.stx_mtime.tv_sec);
  EXPECT_EQ(out.stx_attributes, 0u);
  EXPECT_EQ(call("/dev", 0, kSTATX_MNT_ID), 0);
  EXPECT_EQ(out.stx_attributes, kSTATX_ATTR_MOUNT_ROOT);
  EXPECT_EQ(call("/tmp/a", kAT_STATX_SYNC_TYPE, 0), Fails(Errno::kEINVAL));
  EXPECT_EQ(call("/tmp/a", 0, kSTATX_RESERVED), Fails(Errno::kEINVAL));
  EXPECT_EQ(call("/tmp/a", 1, 0), Fails(Errno::kEINVAL));
}

TEST_F(AttributeTest, WhatChangesWhichTime) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR);
  Write(fd, "data");
  const LinuxStat first = Fstat(fd).stat;
  LetTimePass();
  Read(fd, 0);
  Pread(fd, 1, 0);
  const LinuxStat after_read = Fstat(fd).stat;
  EXPECT_GT(Accessed(after_read), Accessed(first));
  EXPECT_EQ(Modified(after_read), Modified(first));
  LetTimePass();
  // As with relatime, only the first read after a change is told.
  Pread(fd, 1, 0);
  EXPECT_EQ(Accessed(Fstat(fd).stat), Accessed(after_read));
  Write(fd, "more");
  const LinuxStat after_write = Fstat(fd).stat;
  EXPECT_GT(Modified(after_write), Modified(first));
  EXPECT_GT(Changed(after_write), Changed(first));
  LetTimePass();
  Chmod("/tmp/a", 0600);
  const LinuxStat after_chmod = Fstat(fd).stat;
  EXPECT_EQ(Modified(after_chmod), Modified(after_write));
  EXPECT_GT(Changed(after_chmod), Changed(after_write));
  LetTimePass();
  Link("/tmp/a", "/tmp/b");
  const LinuxStat after_link = Fstat(fd).stat;
  EXPECT_GT(Changed(after_link), Changed(after_chmod));
  LetTimePass();
  Ftruncate(fd, 2);
  EXPECT_GT(Modified(Fstat(fd).stat), Modified(after_link));
}

TEST_F(AttributeTest, ToMapAFileIsToReadIt) {
  WriteWhole("/tmp/a", "x");
  const FileTime before = Accessed(Stat("/tmp/a").stat);
  LetTimePass();
  OpenForMapping(Open("/tmp/a", kO_RDONLY | kO_NOATIME), false).value()->DropMappingReference();
  EXPECT_EQ(Accessed(Stat("/tmp/a").stat), before);
  OpenForMapping(Open("/tmp/a"), false).value()->DropMappingReference();
  EXPECT_GT(Accessed(Stat("/tmp/a").stat), before);
}

TEST_F(AttributeTest, ADirectorysTimesFollowItsNames) {
  Mkdir("/tmp/d");
  const auto modified = [] { return Modified(Stat("/tmp/d").stat); };
  FileTime last = modified();
  const auto expect_changed = [&](int64_t result) {
    EXPECT_EQ(result, 0);
    EXPECT_GT(modified(), last);
    last = modified();
    LetTimePass();
  };
  LetTimePass();
  expect_changed(Mknod("/tmp/d/a", 0600));
  expect_changed(Link("/tmp/d/a", "/tmp/d/b"));
  expect_changed(Rename("/tmp/d/b", "/tmp/d/c"));
  expect_changed(Unlink("/tmp/d/c"));
  expect_changed(Mkdir("/tmp/d/e"));
  expect_changed(Rmdir("/tmp/d/e"));
  Chmod("/tmp/d/a", 0644);
  EXPECT_EQ(modified(), last);
}

TEST_F(AttributeTest, GivenTimes) {
  WriteWhole("/tmp/a", "x");
  const LinuxTimespec early = {.tv_sec = 1000, .tv_nsec = 5};
  const LinuxTimespec ancient = {.tv_sec = -10, .tv_nsec = 999'999'999};
  const LinuxTimespec omit = {.tv_sec = 0, .tv_nsec = kUTIME_OMIT};
  const LinuxTimespec now = {.tv_sec = 0, .tv_nsec = kUTIME_NOW};
  EXPECT_EQ(SetTimes("/tmp/a", early, ancient), 0);
  EXPECT_EQ(Accessed(Stat("/tmp/a").stat), (FileTime{.seconds = 1000, .nanoseconds = 5}));
  EXPECT_EQ(Modified(Stat("/tmp/a").stat), (FileTime{.seconds = -10, .nanoseconds = 999'999'999}));
  EXPECT_EQ(SetTimes("/tmp/a", omit, early), 0);
  EXPECT_EQ(Accessed(Stat("/tmp/a").stat).seconds, 1000);
  EXPECT_EQ(Modified(Stat("/tmp/a").stat).seconds, 1000);
  EXPECT_EQ(SetTimes("/tmp/a", now, omit), 0);
  EXPECT_GT(Accessed(Stat("/tmp/a").stat).seconds, 1'600'000'000);
  EXPECT_EQ(SetTimes("/tmp/none", omit, omit), 0);
  EXPECT_EQ(SetTimes("/tmp/none", now, omit), Fails(Errno::kENOENT));
  EXPECT_EQ(SetTimes("/tmp/a", {.tv_sec = 0, .tv_nsec = 1'000'000'000}, now),
            Fails(Errno::kEINVAL));
  EXPECT_EQ(SetTimes("/tmp/a", {.tv_sec = 0, .tv_nsec = -1}, now), Fails(Errno::kEINVAL));
  Symlink("a", "/tmp/link");
  EXPECT_EQ(SetTimes("/tmp/link", early, early, kAT_SYMLINK_NOFOLLOW), 0);
  EXPECT_EQ(Modified(Lstat("/tmp/link").stat).seconds, 1000);
  EXPECT_EQ(SetTimes("/tmp/a", now, now, 1), Fails(Errno::kEINVAL));
  // Without a path: of the descriptor.
  const int fd = Open("/tmp/a");
  EXPECT_EQ(ResultOf(SysUtimensat(fd, UserIn<char>(0), UserIn<LinuxTimespec>(0), 0)), 0);
  EXPECT_GT(Modified(Fstat(fd).stat).seconds, 1'600'000'000);
  EXPECT_EQ(ResultOf(SysUtimensat(fd, UserIn<char>(0), UserIn<LinuxTimespec>(kBadAddress), 0)),
            Fails(Errno::kEFAULT));
}

TEST_F(AttributeTest, OldWaysToSetTimes) {
  WriteWhole("/tmp/a", "x");
  const LinuxUtimbuf& buffer = NewUser<LinuxUtimbuf>({.actime = 11, .modtime = 22});
  const UserIn<char> path(UserString("/tmp/a"));
  EXPECT_EQ(ResultOf(SysUtime(path, UserIn<LinuxUtimbuf>(AddressOf(buffer)))), 0);
  EXPECT_EQ(Accessed(Stat("/tmp/a").stat).seconds, 11);
  EXPECT_EQ(Modified(Stat("/tmp/a").stat).seconds, 22);
  const auto memory = AllocateUser(2 * sizeof(LinuxTimeval));
  auto* const times = reinterpret_cast<LinuxTimeval*>(memory.data());
  times[0] = {.tv_sec = 33, .tv_usec = 4};
  times[1] = {.tv_sec = 55, .tv_usec = 999'999};
  EXPECT_EQ(ResultOf(SysUtimes(path, UserIn<LinuxTimeval>(AddressOf(memory)))), 0);
  EXPECT_EQ(Modified(Stat("/tmp/a").stat), (FileTime{.seconds = 55, .nanoseconds = 999'999'000}));
  times[1].tv_usec = 1'000'000;
  EXPECT_EQ(ResultOf(SysUtimes(path, UserIn<LinuxTimeval>(AddressOf(memory)))),
            Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysFutimesat(kAtCwd, path, UserIn<LinuxTimeval>(0))), 0);
  EXPECT_GT(Modified(Stat("/tmp/a").stat).seconds, 1'600'000'000);
  EXPECT_EQ(ResultOf(SysUtime(path, UserIn<LinuxUtimbuf>(0))), 0);
}

TEST_F(AttributeTest, WhoMaySetTimes) {
  WriteWhole("/tmp/a", "x");
  Chmod("/tmp/a", 0644);
  WriteWhole("/tmp/b", "x");
  Chmod("/tmp/b", 0666);
  const LinuxTimespec now = {.tv_sec = 0, .tv_nsec = kUTIME_NOW};
  const LinuxTimespec given = {.tv_sec = 1, .tv_nsec = 0};
  BecomeUser(7, 7);
  EXPECT_EQ(SetTimes("/tmp/a", now, now), Fails(Errno::kEACCES));
  EXPECT_EQ(SetTimes("/tmp/b", now, now), 0);
  EXPECT_EQ(SetTimes("/tmp/b", given, now), Fails(Errno::kEPERM));
  EXPECT_EQ(SetTimes("/tmp/b", given, given), Fails(Errno::kEPERM));
}

TEST_F(AttributeTest, ChangesModes) {
  WriteWhole("/tmp/a", "x");
  EXPECT_EQ(Chmod("/tmp/a", 04751), 0);
  EXPECT_EQ(Stat("/tmp/a").stat.st_mode, kS_IFREG | 04751);
  EXPECT_EQ(Chmod("/tmp/a", 0xffff0000 | 0600), 0);
  EXPECT_EQ(Stat("/tmp/a").stat.st_mode, kS_IFREG | 0600);
  EXPECT_EQ(Chmod("/tmp/none", 0600), Fails(Errno::kENOENT));
  EXPECT_EQ(ResultOf(SysFchmod(Open("/tmp/a"), 0640)), 0);
  EXPECT_EQ(ResultOf(SysFchmod(77, 0640)), Fails(Errno::kEBADF));
  Symlink("a", "/tmp/link");
  EXPECT_EQ(ResultOf(SysFchmodat2(kAtCwd, UserIn<char>(UserString("/tmp/link")), 0600,
                                  kAT_SYMLINK_NOFOLLOW)),
            Fails(Errno::kEOPNOTSUPP));
  Chown("/tmp/a", 7, 8);
  BecomeUser(7, 7);
  // Not one of its owner's groups.
  EXPECT_EQ(Chmod("/tmp/a", 02770), 0);
  EXPECT_EQ(Stat("/tmp/a").stat.st_mode, kS_IFREG | 0770);
  BecomeUser(9, 9);
  EXPECT_EQ(Chmod("/tmp/a", 0777), Fails(Errno::kEPERM));
}

TEST_F(AttributeTest, ChangesOwners) {
  WriteWhole("/tmp/a", "x");
  Chmod("/tmp/a", 06777);
  EXPECT_EQ(Chown("/tmp/a", 7, 8), 0);
  const LinuxStat status = Stat("/tmp/a").stat;
  EXPECT_EQ(status.st_uid, 7u);
  EXPECT_EQ(status.st_gid, 8u);
  EXPECT_EQ(status.st_mode, kS_IFREG | 0777);
  EXPECT_EQ(Chown("/tmp/a", ~0u, 9), 0);
  EXPECT_EQ(Stat("/tmp/a").stat.st_uid, 7u);
  EXPECT_EQ(Stat("/tmp/a").stat.st_gid, 9u);
  Symlink("a", "/tmp/link");
  EXPECT_EQ(ResultOf(SysLchown(UserIn<char>(UserString("/tmp/link")), 5, 5)), 0);
  EXPECT_EQ(Lstat("/tmp/link").stat.st_uid, 5u);
  EXPECT_EQ(Stat("/tmp/link").stat.st_uid, 7u);
  EXPECT_EQ(ResultOf(SysFchown(Open("/tmp/a"), 7, 7)), 0);
  BecomeUser(7, 7);
  EXPECT_EQ(Chown("/tmp/a", 8, ~0u), Fails(Errno::kEPERM));
  EXPECT_EQ(Chown("/tmp/a", ~0u, 8), Fails(Errno::kEPERM));
  EXPECT_EQ(Chown("/tmp/a", 7, 7), 0);
  process_credentials.effective.groups[0] = 8;
  process_credentials.effective.group_count = 1;
  EXPECT_EQ(Chown("/tmp/a", ~0u, 8), 0);
  BecomeUser(9, 9);
  EXPECT_EQ(Chown("/tmp/a", ~0u, 9), Fails(Errno::kEPERM));
  EXPECT_EQ(Chown("/tmp/a", ~0u, ~0u), 0);
}

TEST_F(AttributeTest, WritingTakesLentRightsAway) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR);
  Chown("/tmp/a", 7, 7);
  Chmod("/tmp/a", 06777);
  BecomeUser(7, 7);
  Write(fd, "x");
  EXPECT_EQ(Stat("/tmp/a").stat.st_mode, kS_IFREG | 0777);
}

TEST_F(AttributeTest, Access) {
  WriteWhole("/tmp/a", "x");
  Chmod("/tmp/a", 0640);
  EXPECT_EQ(Access("/tmp/a", kF_OK), 0);
  EXPECT_EQ(Access("/tmp/a", kR_OK | kW_OK), 0);
  // Nobody may run it, so root may not.
  EXPECT_EQ(Access("/tmp/a", kX_OK), Fails(Errno::kEACCES));
  EXPECT_EQ(Access("/tmp", kX_OK), 0);
  EXPECT_EQ(Access("/tmp/none", kF_OK), Fails(Errno::kENOENT));
  EXPECT_EQ(Access("/tmp/a", 8), Fails(Errno::kEINVAL));
  // The owner's, the group's and the others' rights, the first that fits.
  Chown("/tmp/a", 5, 6);
  Chmod("/tmp/a", 0047);
  BecomeUser(5, 6);
  EXPECT_EQ(Access("/tmp/a", kR_OK), Fails(Errno::kEACCES));
  BecomeUser(8, 6);
  EXPECT_EQ(Access("/tmp/a", kR_OK), 0);
  EXPECT_EQ(Access("/tmp/a", kW_OK), Fails(Errno::kEACCES));
  BecomeUser(8, 8);
  EXPECT_EQ(Access("/tmp/a", kR_OK | kW_OK | kX_OK), 0);
  // The real user asks, unless told otherwise.
  process_credentials.real = {.user = 5, .group = 6, .group_count = 0, .groups = {}};
  EXPECT_EQ(Access("/tmp/a", kR_OK), Fails(Errno::kEACCES));
  EXPECT_EQ(ResultOf(SysFaccessat2(kAtCwd, UserIn<char>(UserString("/tmp/a")), kR_OK, kAT_EACCESS)),
            0);
  EXPECT_EQ(ResultOf(SysFaccessat2(kAtCwd, UserIn<char>(UserString("/tmp/a")), kR_OK, 1)),
            Fails(Errno::kEINVAL));
}

TEST_F(AttributeTest, FileSystems) {
  LinuxStatfs& out = NewUser<LinuxStatfs>();
  const UserOut<LinuxStatfs> to(AddressOf(out));
  EXPECT_EQ(ResultOf(SysStatfs(UserIn<char>(UserString("/tmp")), to)), 0);
  EXPECT_EQ(out.f_type, kTMPFS_MAGIC);
  EXPECT_EQ(out.f_bsize, 4096);
  EXPECT_EQ(out.f_namelen, 255);
  EXPECT_GT(out.f_bfree, 0u);
  EXPECT_LE(out.f_bfree, out.f_blocks);
  EXPECT_EQ(ResultOf(SysStatfs(UserIn<char>(UserString("/proc/self")), to)), 0);
  EXPECT_EQ(out.f_type, kPROC_SUPER_MAGIC);
  EXPECT_EQ(ResultOf(SysFstatfs(MakePipePair().read, to)), 0);
  EXPECT_EQ(out.f_type, kPIPEFS_MAGIC);
  EXPECT_EQ(ResultOf(SysStatfs(UserIn<char>(UserString("/none")), to)), Fails(Errno::kENOENT));
  EXPECT_EQ(ResultOf(SysFstatfs(77, to)), Fails(Errno::kEBADF));
}

}  // namespace
}  // namespace nsgx::libos::testing
