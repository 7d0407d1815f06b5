// SPDX-License-Identifier: Apache-2.0
// Names coming and going: mkdir, mknod, unlink, rmdir, link, symlink, rename.

#include <string>
#include <vector>

#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

using Names = std::vector<std::string>;

class NameTest : public FilesTest {};

TEST_F(NameTest, MakesDirectories) {
  EXPECT_EQ(Mkdir("/tmp/a", 0750), 0);
  const StatResult made = Stat("/tmp/a");
  EXPECT_EQ(made.stat.st_mode, kS_IFDIR | 0750);
  EXPECT_EQ(made.stat.st_nlink, 2u);
  EXPECT_EQ(Mkdir("/tmp/a"), Fails(Errno::kEEXIST));
  EXPECT_EQ(Mkdir("/tmp/a/"), Fails(Errno::kEEXIST));
  EXPECT_EQ(Mkdir("/tmp/b/"), 0);
  EXPECT_EQ(Mkdir("/tmp/none/c"), Fails(Errno::kENOENT));
  EXPECT_EQ(Mkdir("/etc/hosts/c"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Mkdir("/"), Fails(Errno::kEEXIST));
  EXPECT_EQ(Mkdir("/tmp/."), Fails(Errno::kEEXIST));
  EXPECT_EQ(Mkdir("/tmp/.."), Fails(Errno::kEEXIST));
  EXPECT_EQ(Mkdir(""), Fails(Errno::kENOENT));
  Symlink("none", "/tmp/link");
  EXPECT_EQ(Mkdir("/tmp/link"), Fails(Errno::kEEXIST));
  Mkdir("/tmp/a/x");
  Mkdir("/tmp/a/y");
  EXPECT_EQ(Stat("/tmp/a").stat.st_nlink, 4u);
  EXPECT_EQ(Rmdir("/tmp/a/x"), 0);
  EXPECT_EQ(Stat("/tmp/a").stat.st_nlink, 3u);
}

TEST_F(NameTest, MakesNodes) {
  EXPECT_EQ(Mknod("/tmp/regular", 0644), 0);
  EXPECT_EQ(Stat("/tmp/regular").stat.st_mode, kS_IFREG | 0644);
  EXPECT_EQ(Mknod("/tmp/fifo", kS_IFIFO | 0600), 0);
  EXPECT_EQ(Stat("/tmp/fifo").stat.st_mode, kS_IFIFO | 0600);
  EXPECT_EQ(Mknod("/tmp/fifo", kS_IFIFO | 0600), Fails(Errno::kEEXIST));
  EXPECT_EQ(Mknod("/tmp/directory", kS_IFDIR | 0600), Fails(Errno::kEPERM));
  EXPECT_EQ(Mknod("/tmp/link", kS_IFLNK | 0600), Fails(Errno::kEINVAL));
  EXPECT_EQ(Mknod("/tmp/new/", kS_IFREG | 0600), Fails(Errno::kENOENT));
  EXPECT_EQ(Mknod("/tmp/device", kS_IFCHR | 0600, MakeDevice(5, 6)), 0);
  EXPECT_EQ(Stat("/tmp/device").stat.st_rdev, MakeDevice(5, 6));
  BecomeUser(7, 7);
  EXPECT_EQ(Mknod("/tmp/other", kS_IFCHR | 0600, MakeDevice(5, 6)), Fails(Errno::kEPERM));
  EXPECT_EQ(Mknod("/tmp/other", kS_IFIFO | 0600), 0);
}

TEST_F(NameTest, Unlinks) {
  WriteWhole("/tmp/a", "x");
  Mkdir("/tmp/d");
  EXPECT_EQ(Unlink("/tmp/a/"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Unlink("/tmp/a"), 0);
  EXPECT_EQ(Unlink("/tmp/a"), Fails(Errno::kENOENT));
  EXPECT_EQ(Unlink("/tmp/d"), Fails(Errno::kEISDIR));
  EXPECT_EQ(Unlink("/tmp/d/"), Fails(Errno::kEISDIR));
  EXPECT_EQ(Unlink("/tmp/d/."), Fails(Errno::kEISDIR));
  EXPECT_EQ(Unlink("/"), Fails(Errno::kEISDIR));
  EXPECT_EQ(Unlink(""), Fails(Errno::kENOENT));
  EXPECT_EQ(Unlink("/etc/hosts/x"), Fails(Errno::kENOTDIR));
  Symlink("d", "/tmp/link");
  EXPECT_EQ(Unlink("/tmp/link"), 0);
  EXPECT_EQ(Stat("/tmp/d").result, 0);
  EXPECT_EQ(ResultOf(SysUnlinkat(kAtCwd, UserIn<char>(UserString("/tmp/d")), 1)),
            Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysUnlinkat(kAtCwd, UserIn<char>(UserString("/tmp/d")), kAT_REMOVEDIR)), 0);
}

TEST_F(NameTest, AnOpenFileOutlivesItsName) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR);
  Write(fd, "still here");
  EXPECT_EQ(Unlink("/tmp/a"), 0);
  EXPECT_EQ(Fstat(fd).stat.st_nlink, 0u);
  EXPECT_EQ(Pread(fd, 100, 0), Got("still here"));
  EXPECT_EQ(Pwrite(fd, "STILL", 0), 5);
  // The name is free for another file.
  EXPECT_EQ(WriteWhole("/tmp/a", "new"), 3);
  EXPECT_EQ(Pread(fd, 5, 0), Got("STILL"));
  EXPECT_NE(Fstat(fd).stat.st_ino, Stat("/tmp/a").stat.st_ino);
  const size_t before = heap_use().pages;
  Close(fd);
  EXPECT_LT(heap_use().pages, before);
}

TEST_F(NameTest, RemovesDirectories) {
  Mkdir("/tmp/d");
  WriteWhole("/tmp/d/file", "x");
  EXPECT_EQ(Rmdir("/tmp/d"), Fails(Errno::kENOTEMPTY));
  EXPECT_EQ(Rmdir("/tmp/d/file"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Unlink("/tmp/d/file"), 0);
  EXPECT_EQ(Rmdir("/tmp/d/."), Fails(Errno::kEINVAL));
  EXPECT_EQ(Rmdir("/tmp/d/.."), Fails(Errno::kENOTEMPTY));
  EXPECT_EQ(Rmdir("/"), Fails(Errno::kEBUSY));
  EXPECT_EQ(Rmdir("/dev"), Fails(Errno::kEBUSY));
  EXPECT_EQ(Rmdir("/tmp/none"), Fails(Errno::kENOENT));
  Symlink("d", "/tmp/link");
  EXPECT_EQ(Rmdir("/tmp/link"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Rmdir("/tmp/d/"), 0);
  EXPECT_EQ(Stat("/tmp/d").result, Fails(Errno::kENOENT));
}

TEST_F(NameTest, HardLinks) {
  WriteWhole("/tmp/a", "x");
  Mkdir("/tmp/d");
  EXPECT_EQ(Link("/tmp/a", "/tmp/b"), 0);
  EXPECT_EQ(Stat("/tmp/a").stat.st_nlink, 2u);
  EXPECT_EQ(Stat("/tmp/a").stat.st_ino, Stat("/tmp/b").stat.st_ino);
  WriteWhole("/tmp/b", "both");
  EXPECT_EQ(ReadWhole("/tmp/a"), "both");
  EXPECT_EQ(Unlink("/tmp/a"), 0);
  EXPECT_EQ(Stat("/tmp/b").stat.st_nlink, 1u);
  EXPECT_EQ(Link("/tmp/none", "/tmp/c"), Fails(Errno::kENOENT));
  EXPECT_EQ(Link("/tmp/b", "/tmp/b"), Fails(Errno::kEEXIST));
  EXPECT_EQ(Link("/tmp/b", "/tmp/d"), Fails(Errno::kEEXIST));
  EXPECT_EQ(Link("/tmp/b", "/tmp/new/"), Fails(Errno::kENOENT));
  EXPECT_EQ(Link("/tmp/d", "/tmp/e"), Fails(Errno::kEPERM));
  EXPECT_EQ(Link("/tmp/b", "/dev/shm/b"), Fails(Errno::kEXDEV));
  EXPECT_EQ(Link("/tmp/b", "/tmp/none/c"), Fails(Errno::kENOENT));
  // A link to a link is one, unless it is to be followed.
  Symlink("b", "/tmp/link");
  EXPECT_EQ(Link("/tmp/link", "/tmp/link2"), 0);
  EXPECT_EQ(Readlink("/tmp/link2"), Got("b"));
  EXPECT_EQ(ResultOf(SysLinkat(kAtCwd, UserIn<char>(UserString("/tmp/link")), kAtCwd,
                               UserIn<char>(UserString("/tmp/b2")), kAT_SYMLINK_FOLLOW)),
            0);
  EXPECT_EQ(Stat("/tmp/b2").stat.st_ino, Stat("/tmp/b").stat.st_ino);
  EXPECT_EQ(ResultOf(SysLinkat(kAtCwd, UserIn<char>(UserString("/tmp/b")), kAtCwd,
                               UserIn<char>(UserString("/tmp/b3")), 1)),
            Fails(Errno::kEINVAL));
}

TEST_F(NameTest, ANamelessFileCannotBeLinkedBack) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR);
  Unlink("/tmp/a");
  EXPECT_EQ(ResultOf(SysLinkat(fd, UserIn<char>(UserString("")), kAtCwd,
                               UserIn<char>(UserString("/tmp/b")), kAT_EMPTY_PATH)),
            Fails(Errno::kENOENT));
}

TEST_F(NameTest, SymbolicLinks) {
  EXPECT_EQ(Symlink("any text", "/tmp/link"), 0);
  EXPECT_EQ(Readlink("/tmp/link"), Got("any text"));
  EXPECT_EQ(Readlink("/tmp/link", 3), Got("any"));
  EXPECT_EQ(Readlink("/tmp/link", 0).result, Fails(Errno::kEINVAL));
  EXPECT_EQ(Readlink("/tmp").result, Fails(Errno::kEINVAL));
  EXPECT_EQ(Readlink("/tmp/none").result, Fails(Errno::kENOENT));
  EXPECT_EQ(Readlink("").result, Fails(Errno::kENOENT));
  EXPECT_EQ(Symlink("x", "/tmp/link"), Fails(Errno::kEEXIST));
  EXPECT_EQ(Symlink("", "/tmp/empty"), Fails(Errno::kENOENT));
  EXPECT_EQ(Symlink("x", "/tmp/slash/"), Fails(Errno::kENOENT));
  EXPECT_EQ(Symlink(std::string(4095, 'x'), "/tmp/long"), 0);
  EXPECT_EQ(Readlink("/tmp/long").result, 4095);
  EXPECT_EQ(Symlink(std::string(4096, 'x'), "/tmp/longer"), Fails(Errno::kENAMETOOLONG));
  const LinuxStat status = Lstat("/tmp/link").stat;
  EXPECT_EQ(status.st_mode, kS_IFLNK | 0777);
  EXPECT_EQ(status.st_size, 8);
  const int fd = Open("/tmp/link", kO_PATH | kO_NOFOLLOW);
  const auto buffer = AllocateUser(100);
  EXPECT_EQ(ResultOf(SysReadlinkat(fd, UserIn<char>(UserString("")),
                                   UserOut<char>(AddressOf(buffer)), 100)),
            8);
  EXPECT_EQ(
      ResultOf(SysReadlink(UserIn<char>(UserString("/tmp/link")), UserOut<char>(kBadAddress), 100)),
      Fails(Errno::kEFAULT));
}

TEST_F(NameTest, RenamesFiles) {
  WriteWhole("/tmp/a", "a");
  WriteWhole("/tmp/b", "b");
  Mkdir("/tmp/d");
  EXPECT_EQ(Rename("/tmp/a", "/tmp/c"), 0);
  EXPECT_EQ(ListOf("/tmp"), (Names{"b", "c", "d"}));
  EXPECT_EQ(Rename("/tmp/c", "/tmp/b"), 0);
  EXPECT_EQ(ReadWhole("/tmp/b"), "a");
  EXPECT_EQ(Rename("/tmp/b", "/tmp/d/b"), 0);
  EXPECT_EQ(ListOf("/tmp"), (Names{"d"}));
  EXPECT_EQ(Rename("/tmp/none", "/tmp/x"), Fails(Errno::kENOENT));
  EXPECT_EQ(Rename("/tmp/d/b", "/tmp/none/x"), Fails(Errno::kENOENT));
  EXPECT_EQ(Rename("/tmp/d/b", "/home"), Fails(Errno::kEISDIR));
  EXPECT_EQ(Rename("/tmp/d/b", "/tmp/d"), Fails(Errno::kENOTEMPTY));
  EXPECT_EQ(Rename("/tmp/d/b", "/dev/shm/b"), Fails(Errno::kEXDEV));
  EXPECT_EQ(Rename("/tmp/d/b/", "/tmp/x"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Rename("/tmp/d/b", "/tmp/x/"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Rename("/tmp/d/b", "/tmp/d/b"), 0);
  // Two names of one file: nothing happens.
  Link("/tmp/d/b", "/tmp/second");
  EXPECT_EQ(Rename("/tmp/d/b", "/tmp/second"), 0);
  EXPECT_EQ(Stat("/tmp/d/b").stat.st_nlink, 2u);
  // Links are moved, not followed.
  Symlink("d", "/tmp/link");
  EXPECT_EQ(Rename("/tmp/link", "/tmp/link2"), 0);
  EXPECT_EQ(Readlink("/tmp/link2"), Got("d"));
}

TEST_F(NameTest, RenamesDirectories) {
  Mkdir("/tmp/a");
  Mkdir("/tmp/a/sub");
  WriteWhole("/tmp/a/sub/file", "x");
  Mkdir("/tmp/b");
  WriteWhole("/tmp/file", "x");
  EXPECT_EQ(Rename("/tmp/a/sub", "/tmp/b/moved/"), 0);
  EXPECT_EQ(ReadWhole("/tmp/b/moved/file"), "x");
  EXPECT_EQ(Stat("/tmp/a").stat.st_nlink, 2u);
  EXPECT_EQ(Stat("/tmp/b").stat.st_nlink, 3u);
  EXPECT_EQ(Stat("/tmp/b/moved/..").stat.st_ino, Stat("/tmp/b").stat.st_ino);
  EXPECT_EQ(Rename("/tmp/b", "/tmp/file"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Rename("/tmp/a", "/tmp/b"), Fails(Errno::kENOTEMPTY));
  // An empty directory gives way.
  EXPECT_EQ(Rename("/tmp/b", "/tmp/a"), 0);
  EXPECT_EQ(ListOf("/tmp"), (Names{"a", "file"}));
  EXPECT_EQ(ListOf("/tmp/a"), (Names{"moved"}));
  EXPECT_EQ(Stat("/tmp").stat.st_nlink, 3u);
}

TEST_F(NameTest, ADirectoryCannotMoveBelowItself) {
  Mkdir("/tmp/a");
  Mkdir("/tmp/a/b");
  Mkdir("/tmp/a/b/c");
  EXPECT_EQ(Rename("/tmp/a", "/tmp/a/x"), Fails(Errno::kEINVAL));
  EXPECT_EQ(Rename("/tmp/a", "/tmp/a/b/c/x"), Fails(Errno::kEINVAL));
  EXPECT_EQ(Rename("/tmp/a", "/tmp/a/b"), Fails(Errno::kEINVAL));
  EXPECT_EQ(Rename("/tmp/a/b/c", "/tmp/a"), Fails(Errno::kENOTEMPTY));
  EXPECT_EQ(Rename("/tmp/a", "/tmp/a"), 0);
  EXPECT_EQ(Rename("/tmp/.", "/tmp/x"), Fails(Errno::kEBUSY));
  EXPECT_EQ(Rename("/tmp/a/..", "/tmp/x"), Fails(Errno::kEBUSY));
  EXPECT_EQ(Rename("/tmp/a", "/tmp/a/."), Fails(Errno::kEBUSY));
  EXPECT_EQ(Rename("/", "/tmp/x"), Fails(Errno::kEBUSY));
  EXPECT_EQ(Rename("/dev", "/device"), Fails(Errno::kEBUSY));
  EXPECT_EQ(Rename("/tmp/a", "/dev"), Fails(Errno::kEBUSY));
}

TEST_F(NameTest, RenameWithoutReplacing) {
  WriteWhole("/tmp/a", "a");
  WriteWhole("/tmp/b", "b");
  EXPECT_EQ(Rename("/tmp/a", "/tmp/b", kRENAME_NOREPLACE), Fails(Errno::kEEXIST));
  EXPECT_EQ(Rename("/tmp/a", "/tmp/a", kRENAME_NOREPLACE), Fails(Errno::kEEXIST));
  EXPECT_EQ(Rename("/tmp/a", "/tmp/c", kRENAME_NOREPLACE), 0);
  EXPECT_EQ(Rename("/tmp/c", "/tmp/.", kRENAME_NOREPLACE), Fails(Errno::kEEXIST));
  EXPECT_EQ(Rename("/tmp/c", "/tmp/d", kRENAME_NOREPLACE | kRENAME_EXCHANGE),
            Fails(Errno::kEINVAL));
  EXPECT_EQ(Rename("/tmp/c", "/tmp/d", kRENAME_WHITEOUT), Fails(Errno::kEINVAL));
}

TEST_F(NameTest, Exchanges) {
  WriteWhole("/tmp/file", "file");
  Mkdir("/tmp/d");
  Mkdir("/tmp/d/sub");
  WriteWhole("/tmp/d/sub/x", "x");
  EXPECT_EQ(Rename("/tmp/file", "/tmp/none", kRENAME_EXCHANGE), Fails(Errno::kENOENT));
  EXPECT_EQ(Rename("/tmp/file", "/tmp/d/sub", kRENAME_EXCHANGE), 0);
  EXPECT_EQ(ReadWhole("/tmp/d/sub"), "file");
  EXPECT_EQ(ReadWhole("/tmp/file/x"), "x");
  EXPECT_EQ(Stat("/tmp/d").stat.st_nlink, 2u);
  EXPECT_EQ(Stat("/tmp").stat.st_nlink, 4u);
  EXPECT_EQ(Stat("/tmp/file/..").stat.st_ino, Stat("/tmp").stat.st_ino);
  EXPECT_EQ(Rename("/tmp/file", "/tmp/d", kRENAME_EXCHANGE), 0);
  EXPECT_EQ(ListOf("/tmp/d"), (Names{"x"}));
  Mkdir("/tmp/d/inner");
  EXPECT_EQ(Rename("/tmp/d", "/tmp/d/inner", kRENAME_EXCHANGE), Fails(Errno::kEINVAL));
  EXPECT_EQ(Rename("/tmp/d/inner", "/tmp/d", kRENAME_EXCHANGE), Fails(Errno::kEINVAL));
}

TEST_F(NameTest, OpenFilesAndWorkingDirectoriesMoveAlong) {
  Mkdir("/tmp/a");
  const int fd = Open("/tmp/a/file", kO_CREAT | kO_RDWR);
  Chdir("/tmp/a");
  EXPECT_EQ(Rename("/tmp/a", "/tmp/b"), 0);
  EXPECT_EQ(Getcwd().data, "/tmp/b");
  EXPECT_EQ(Write(fd, "x"), 1);
  EXPECT_EQ(ReadWhole("/tmp/b/file"), "x");
  EXPECT_EQ(Readlink("/proc/self/fd/" + std::to_string(fd)), Got("/tmp/b/file"));
}

TEST_F(NameTest, RightsOverNames) {
  Mkdir("/tmp/mine", 0755);
  WriteWhole("/tmp/mine/file", "x");
  Mkdir("/tmp/open");
  Chmod("/tmp/open", 0777);
  WriteWhole("/tmp/open/file", "x");
  WriteWhole("/tmp/sticky", "x");
  BecomeUser(7, 7);
  EXPECT_EQ(Mkdir("/tmp/mine/new"), Fails(Errno::kEACCES));
  EXPECT_EQ(Mkdir("/tmp/mine/file"), Fails(Errno::kEEXIST));
  EXPECT_EQ(Unlink("/tmp/mine/file"), Fails(Errno::kEACCES));
  EXPECT_EQ(Link("/tmp/mine/file", "/tmp/mine/new"), Fails(Errno::kEACCES));
  EXPECT_EQ(Symlink("x", "/tmp/mine/new"), Fails(Errno::kEACCES));
  EXPECT_EQ(Rename("/tmp/mine/file", "/tmp/open/x"), Fails(Errno::kEACCES));
  EXPECT_EQ(Rename("/tmp/open/file", "/tmp/mine/file"), Fails(Errno::kEACCES));
  // Names are the directory's: the file's owner is of no interest...
  EXPECT_EQ(Rename("/tmp/open/file", "/tmp/open/file2"), 0);
  EXPECT_EQ(Unlink("/tmp/open/file2"), 0);
  // ...but in a sticky directory.
  EXPECT_EQ(Unlink("/tmp/sticky"), Fails(Errno::kEPERM));
  EXPECT_EQ(Rename("/tmp/sticky", "/tmp/x"), Fails(Errno::kEPERM));
  EXPECT_EQ(Rmdir("/tmp/open"), Fails(Errno::kEPERM));
  EXPECT_EQ(WriteWhole("/tmp/own", "x"), 1);
  EXPECT_EQ(Rename("/tmp/own", "/tmp/sticky"), Fails(Errno::kEPERM));
  EXPECT_EQ(Unlink("/tmp/own"), 0);
  // A directory that changes its parent is written to.
  Mkdir("/tmp/open/d", 0555);
  EXPECT_EQ(Rename("/tmp/open/d", "/tmp/d"), Fails(Errno::kEACCES));
  EXPECT_EQ(Rename("/tmp/open/d", "/tmp/open/e"), 0);
}

TEST_F(NameTest, ThousandsOfNames) {
  Mkdir("/tmp/many");
  constexpr int kCount = 3000;
  int64_t errors = 0;
  for (int i = 0; i < kCount; ++i) {
    errors |= Mknod("/tmp/many/file" + std::to_string(i), 0600);
  }
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(ListOf("/tmp/many").size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; i += 3) {
    errors |= Unlink("/tmp/many/file" + std::to_string(i));
  }
  for (int i = 0; i < kCount; ++i) {
    const int64_t expected = i % 3 == 0 ? Fails(Errno::kENOENT) : 0;
    errors |= Stat("/tmp/many/file" + std::to_string(i)).result - expected;
  }
  EXPECT_EQ(errors, 0);
}

TEST_F(NameTest, WithoutMemoryNothingChanges) {
  WriteWhole("/tmp/a", "a");
  WriteWhole("/tmp/b", "b");
  Mkdir("/tmp/d");
  bool done = false;
  for (uint64_t allowed = 0; !done && allowed < 10; ++allowed) {
    FailAllocationsAfter(allowed);
    const int64_t result = Rename("/tmp/a", "/tmp/d/b", 0);
    StopFailingAllocations();
    done = result == 0;
    if (!done) {
      EXPECT_EQ(result, Fails(Errno::kENOSPC));
      EXPECT_EQ(ListOf("/tmp"), (Names{"a", "b", "d"}));
      EXPECT_TRUE(ListOf("/tmp/d").empty());
    }
  }
  EXPECT_TRUE(done);
  done = false;
  for (uint64_t allowed = 0; !done && allowed < 10; ++allowed) {
    FailAllocationsAfter(allowed);
    const int64_t result = Rename("/tmp/b", "/tmp/d/b", kRENAME_EXCHANGE);
    StopFailingAllocations();
    done = result == 0;
    if (!done) {
      EXPECT_EQ(ReadWhole("/tmp/b"), "b");
      EXPECT_EQ(ReadWhole("/tmp/d/b"), "a");
    }
  }
  EXPECT_EQ(ReadWhole("/tmp/b"), "a");
  for (uint64_t allowed = 0; allowed < 3; ++allowed) {
    FailAllocationsAfter(allowed);
    const int64_t made = Mkdir("/tmp/new");
    const int64_t linked = Symlink("x", "/tmp/link");
    StopFailingAllocations();
    if (made == 0 || linked == 0) {
      break;
    }
    EXPECT_EQ(made, Fails(Errno::kENOSPC));
    EXPECT_EQ(linked, Fails(Errno::kENOSPC));
    EXPECT_EQ(Stat("/tmp").stat.st_nlink, 3u);
  }
}

}  // namespace
}  // namespace nsgx::libos::testing
