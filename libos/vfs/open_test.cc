// SPDX-License-Identifier: Apache-2.0
// open, creat, close: flags and errors.

#include <string>

#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class OpenTest : public FilesTest {};

TEST_F(OpenTest, CreatesReadsAndWrites) {
  const int fd = Open("/tmp/a", kO_RDWR | kO_CREAT | kO_EXCL, 0644);
  ASSERT_EQ(fd, 0);
  EXPECT_EQ(Write(fd, "hello"), 5);
  EXPECT_EQ(Read(fd, 10), Got(""));
  EXPECT_EQ(Lseek(fd, 0, kSEEK_SET), 0);
  EXPECT_EQ(Read(fd, 10), Got("hello"));
  EXPECT_EQ(Close(fd), 0);
  EXPECT_EQ(Close(fd), Fails(Errno::kEBADF));
  EXPECT_EQ(ReadWhole("/tmp/a"), "hello");
}

TEST_F(OpenTest, GivesOutTheLowestNumber) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Open("/dev/null"), i);
  }
  Close(1);
  Close(3);
  EXPECT_EQ(Open("/dev/null"), 1);
  EXPECT_EQ(Open("/dev/null"), 3);
  EXPECT_EQ(Open("/dev/null"), 5);
}

TEST_F(OpenTest, MissingAndExisting) {
  EXPECT_EQ(Open("/tmp/none"), Fails(Errno::kENOENT));
  EXPECT_EQ(Open(""), Fails(Errno::kENOENT));
  EXPECT_EQ(Open("/none/a", kO_CREAT | kO_RDWR), Fails(Errno::kENOENT));
  WriteWhole("/tmp/a", "x");
  EXPECT_EQ(Open("/tmp/a", kO_CREAT | kO_EXCL | kO_RDWR), Fails(Errno::kEEXIST));
  EXPECT_EQ(Open("/tmp/a/b", kO_CREAT | kO_RDWR), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Open("/tmp/a/"), Fails(Errno::kENOTDIR));
  // A failure leaves no descriptor and no file behind.
  EXPECT_EQ(Open("/dev/null"), 0);
  EXPECT_EQ(ListOf("/tmp"), std::vector<std::string>{"a"});
}

TEST_F(OpenTest, Directories) {
  EXPECT_GE(Open("/tmp", kO_RDONLY | kO_DIRECTORY), 0);
  EXPECT_EQ(Open("/tmp", kO_WRONLY), Fails(Errno::kEISDIR));
  EXPECT_EQ(Open("/tmp", kO_RDWR), Fails(Errno::kEISDIR));
  EXPECT_EQ(Open("/tmp", kO_RDONLY | kO_CREAT), Fails(Errno::kEISDIR));
  EXPECT_EQ(Open("/tmp", kO_RDONLY | kO_TRUNC), Fails(Errno::kEISDIR));
  EXPECT_EQ(Open("/tmp/.", kO_RDONLY | kO_CREAT), Fails(Errno::kEISDIR));
  EXPECT_EQ(Open("/", kO_RDONLY | kO_CREAT | kO_EXCL), Fails(Errno::kEEXIST));
  EXPECT_EQ(Open("/tmp/new/", kO_CREAT | kO_RDWR), Fails(Errno::kEISDIR));
  EXPECT_EQ(Open("/tmp/x", kO_CREAT | kO_DIRECTORY | kO_RDWR), Fails(Errno::kEINVAL));
  WriteWhole("/tmp/a", "x");
  EXPECT_EQ(Open("/tmp/a", kO_RDONLY | kO_DIRECTORY), Fails(Errno::kENOTDIR));
  const int fd = Open("/tmp");
  EXPECT_EQ(Read(fd, 10), Got(Errno::kEISDIR));
  EXPECT_EQ(Pread(fd, 10, 0), Got(Errno::kEISDIR));
  EXPECT_EQ(Write(fd, "x"), Fails(Errno::kEBADF));
}

TEST_F(OpenTest, TruncatesAndAppends) {
  WriteWhole("/tmp/a", "0123456789");
  int fd = Open("/tmp/a", kO_WRONLY | kO_APPEND);
  EXPECT_EQ(Lseek(fd, 0, kSEEK_SET), 0);
  EXPECT_EQ(Write(fd, "AB"), 2);
  EXPECT_EQ(Lseek(fd, 0, kSEEK_CUR), 12);
  // Linux appends even then.
  EXPECT_EQ(Pwrite(fd, "C", 3), 1);
  EXPECT_EQ(ReadWhole("/tmp/a"), "0123456789ABC");
  Close(fd);
  fd = Open("/tmp/a", kO_RDONLY | kO_TRUNC);
  EXPECT_EQ(Fstat(fd).stat.st_size, 0);
  Close(fd);
}

TEST_F(OpenTest, AccessModesAreKept) {
  WriteWhole("/tmp/a", "x");
  const int reader = Open("/tmp/a", kO_RDONLY);
  const int writer = Open("/tmp/a", kO_WRONLY);
  EXPECT_EQ(Write(reader, "y"), Fails(Errno::kEBADF));
  EXPECT_EQ(Read(writer, 1), Got(Errno::kEBADF));
  const int neither = Open("/tmp/a", 3);
  EXPECT_EQ(Read(neither, 1), Got(Errno::kEBADF));
  EXPECT_EQ(Write(neither, "y"), Fails(Errno::kEBADF));
}

TEST_F(OpenTest, LinksAtTheEnd) {
  WriteWhole("/tmp/file", "x");
  Symlink("file", "/tmp/link");
  Symlink("none", "/tmp/dangling");
  Symlink("loop", "/tmp/loop");
  EXPECT_GE(Open("/tmp/link"), 0);
  EXPECT_EQ(Open("/tmp/link", kO_RDONLY | kO_NOFOLLOW), Fails(Errno::kELOOP));
  EXPECT_GE(Open("/tmp/link", kO_PATH | kO_NOFOLLOW), 0);
  EXPECT_EQ(Open("/tmp/dangling"), Fails(Errno::kENOENT));
  EXPECT_EQ(Open("/tmp/loop"), Fails(Errno::kELOOP));
  EXPECT_EQ(Open("/tmp/link", kO_RDWR | kO_CREAT | kO_EXCL), Fails(Errno::kEEXIST));
  EXPECT_EQ(Open("/tmp/dangling", kO_RDWR | kO_CREAT | kO_EXCL), Fails(Errno::kEEXIST));
  // Makes what the link names.
  EXPECT_GE(Open("/tmp/dangling", kO_RDWR | kO_CREAT), 0);
  EXPECT_EQ(Stat("/tmp/none").result, 0);
}

TEST_F(OpenTest, PathOnly) {
  WriteWhole("/tmp/a", "x");
  const int fd = Open("/tmp/a", kO_PATH | kO_RDWR | kO_TRUNC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(Fstat(fd).stat.st_size, 1);
  EXPECT_EQ(Read(fd, 1), Got(Errno::kEBADF));
  EXPECT_EQ(Write(fd, "y"), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysFchmod(fd, 0600)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysIoctl(fd, kFIONREAD, 0)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysFcntl(fd, kF_GETFL, 0)), int64_t{kO_PATH});
  EXPECT_EQ(Lseek(fd, 0, kSEEK_SET), Fails(Errno::kEBADF));
  const int directory = Open("/tmp", kO_PATH | kO_DIRECTORY);
  EXPECT_GE(OpenAt(directory, "a"), 0);
  EXPECT_EQ(Open("/tmp/a", kO_PATH | kO_DIRECTORY), Fails(Errno::kENOTDIR));
}

TEST_F(OpenTest, UnnamedFiles) {
  const int fd = Open("/tmp", kO_TMPFILE | kO_RDWR, 0600);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(Fstat(fd).stat.st_nlink, 0u);
  EXPECT_EQ(Write(fd, "data"), 4);
  EXPECT_TRUE(ListOf("/tmp").empty());
  EXPECT_EQ(Open("/tmp", kO_TMPFILE | kO_RDONLY), Fails(Errno::kEINVAL));
  EXPECT_EQ(Open("/tmp/none", kO_TMPFILE | kO_RDWR), Fails(Errno::kENOENT));
  // It may be given a name.
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  EXPECT_EQ(ResultOf(SysLinkat(kAtCwd, UserIn<char>(UserString(path)), kAtCwd,
                               UserIn<char>(UserString("/tmp/named")), kAT_SYMLINK_FOLLOW)),
            0);
  EXPECT_EQ(ReadWhole("/tmp/named"), "data");
  EXPECT_EQ(Fstat(fd).stat.st_nlink, 1u);
  // Unless it was made for one's own.
  const int exclusive = Open("/tmp", kO_TMPFILE | kO_RDWR | kO_EXCL, 0600);
  EXPECT_EQ(ResultOf(SysLinkat(exclusive, UserIn<char>(UserString("")), kAtCwd,
                               UserIn<char>(UserString("/tmp/other")), kAT_EMPTY_PATH)),
            Fails(Errno::kENOENT));
}

TEST_F(OpenTest, RightsDecide) {
  WriteWhole("/tmp/private", "x");
  Chmod("/tmp/private", 0600);
  WriteWhole("/tmp/readable", "x");
  Chmod("/tmp/readable", 0644);
  Mkdir("/tmp/closed", 0700);
  WriteWhole("/tmp/closed/a", "x");
  Mkdir("/tmp/listable", 0744);
  BecomeUser(1000, 1000);
  EXPECT_EQ(Open("/tmp/private"), Fails(Errno::kEACCES));
  EXPECT_GE(Open("/tmp/readable"), 0);
  EXPECT_EQ(Open("/tmp/readable", kO_WRONLY), Fails(Errno::kEACCES));
  EXPECT_EQ(Open("/tmp/readable", kO_RDONLY | kO_TRUNC), Fails(Errno::kEACCES));
  EXPECT_EQ(Open("/tmp/readable", kO_RDONLY | kO_NOATIME), Fails(Errno::kEPERM));
  EXPECT_EQ(Open("/tmp/closed/a"), Fails(Errno::kEACCES));
  EXPECT_EQ(Open("/tmp/closed"), Fails(Errno::kEACCES));
  EXPECT_GE(Open("/tmp/listable"), 0);
  EXPECT_EQ(Open("/tmp/listable/new", kO_CREAT | kO_RDWR), Fails(Errno::kEACCES));
  EXPECT_EQ(Open("/etc/new", kO_CREAT | kO_RDWR), Fails(Errno::kEACCES));
  EXPECT_EQ(Open("/etc", kO_TMPFILE | kO_RDWR), Fails(Errno::kEACCES));
  // Whoever makes a file may write it, whatever its mode.
  const int fd = Open("/tmp/mine", kO_CREAT | kO_RDWR, 0400);
  EXPECT_GE(fd, 0);
  EXPECT_EQ(Write(fd, "y"), 1);
  EXPECT_EQ(Open("/tmp/mine", kO_RDWR), Fails(Errno::kEACCES));
  EXPECT_EQ(Fstat(fd).stat.st_uid, 1000u);
  EXPECT_EQ(Fstat(fd).stat.st_gid, 1000u);
}

TEST_F(OpenTest, ModeAndUmask) {
  EXPECT_EQ(ResultOf(SysUmask(027)), 022);
  Close(Open("/tmp/a", kO_CREAT | kO_RDWR, 0666));
  EXPECT_EQ(Stat("/tmp/a").stat.st_mode, kS_IFREG | 0640);
  EXPECT_EQ(ResultOf(SysUmask(0)), 027);
  Close(Open("/tmp/b", kO_CREAT | kO_RDWR, 07777));
  EXPECT_EQ(Stat("/tmp/b").stat.st_mode, kS_IFREG | 07777);
}

TEST_F(OpenTest, SetGroupDirectoriesHandTheirGroupOn) {
  Mkdir("/tmp/shared");
  Chown("/tmp/shared", 0, 77);
  Chmod("/tmp/shared", 02777);
  BecomeUser(1000, 1000);
  Close(Open("/tmp/shared/file", kO_CREAT | kO_RDWR));
  Mkdir("/tmp/shared/sub");
  EXPECT_EQ(Stat("/tmp/shared/file").stat.st_gid, 77u);
  EXPECT_EQ(Stat("/tmp/shared/sub").stat.st_gid, 77u);
  EXPECT_EQ(Stat("/tmp/shared/sub").stat.st_mode & kS_ISGID, kS_ISGID);
  EXPECT_EQ(Stat("/tmp/shared/file").stat.st_mode & kS_ISGID, 0u);
}

TEST_F(OpenTest, BadPointersAndLongPaths) {
  EXPECT_EQ(ResultOf(SysOpen(UserIn<char>(kBadAddress), kO_RDONLY, 0)), Fails(Errno::kEFAULT));
  EXPECT_EQ(ResultOf(SysOpen(UserIn<char>(0), kO_RDONLY, 0)), Fails(Errno::kEFAULT));
  EXPECT_EQ(Open("/" + std::string(4094, 'a')), Fails(Errno::kENAMETOOLONG));
  EXPECT_EQ(Open(std::string(4096, '/')), Fails(Errno::kENAMETOOLONG));
  EXPECT_GE(Open(std::string(4095, '/')), 0);
  EXPECT_EQ(Open("/tmp/" + std::string(256, 'a')), Fails(Errno::kENAMETOOLONG));
  EXPECT_GE(Open("/tmp/" + std::string(255, 'a'), kO_CREAT | kO_RDWR), 0);
}

TEST_F(OpenTest, NodesWithNothingBehindThem) {
  EXPECT_EQ(Mknod("/tmp/device", kS_IFCHR | 0666, MakeDevice(99, 1)), 0);
  EXPECT_EQ(Open("/tmp/device"), Fails(Errno::kENXIO));
  EXPECT_EQ(Mknod("/tmp/block", kS_IFBLK | 0666, MakeDevice(8, 0)), 0);
  EXPECT_EQ(Open("/tmp/block"), Fails(Errno::kENXIO));
  EXPECT_EQ(Mknod("/tmp/socket", kS_IFSOCK | 0666), 0);
  EXPECT_EQ(Open("/tmp/socket"), Fails(Errno::kENXIO));
  // A device node works wherever it lies.
  EXPECT_EQ(Mknod("/tmp/null", kS_IFCHR | 0666, MakeDevice(1, 3)), 0);
  EXPECT_EQ(Read(Open("/tmp/null"), 10), Got(""));
}

TEST_F(OpenTest, WithoutMemoryNothingIsLeft) {
  for (uint64_t allowed = 0; allowed < 6; ++allowed) {
    FailAllocationsAfter(allowed);
    const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR);
    StopFailingAllocations();
    if (fd >= 0) {
      EXPECT_GT(allowed, 1u);
      return;
    }
    EXPECT_TRUE(fd == Fails(Errno::kENOSPC) || fd == Fails(Errno::kENOMEM)) << fd;
    if (fd == Fails(Errno::kENOSPC)) {
      EXPECT_TRUE(ListOf("/tmp").empty());
    }
    EXPECT_EQ(Open("/dev/null"), 0);
    Close(0);
  }
  FAIL() << "more allocations than expected";
}

}  // namespace
}  // namespace nsgx::libos::testing
