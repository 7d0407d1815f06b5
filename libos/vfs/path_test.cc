// SPDX-License-Identifier: Apache-2.0
// Walking paths: dots, links, limits, working directory, root.

#include <string>

#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class PathTest : public FilesTest {
 protected:
  // Whether both paths lead to the same object.
  static bool Same(std::string_view a, std::string_view b) {
    const StatResult x = Stat(a);
    const StatResult y = Stat(b);
    return x.result == 0 && y.result == 0 && x.stat.st_ino == y.stat.st_ino &&
           x.stat.st_dev == y.stat.st_dev;
  }
};

TEST_F(PathTest, DotsAndSlashes) {
  Mkdir("/tmp/a");
  Mkdir("/tmp/a/b");
  WriteWhole("/tmp/a/file", "x");
  EXPECT_TRUE(Same("/tmp/a/b/../file", "/tmp/a/file"));
  EXPECT_TRUE(Same("//tmp///a/./b/.././/file", "/tmp/a/file"));
  EXPECT_TRUE(Same("/../../tmp/a", "/tmp/a/b/.."));
  EXPECT_TRUE(Same("/tmp/a/", "/tmp/a"));
  EXPECT_TRUE(Same("/tmp/a/.", "/tmp/a"));
  EXPECT_TRUE(Same("/", "///"));
  EXPECT_TRUE(Same("/..", "/"));
  EXPECT_EQ(Stat("/tmp/a/file/").result, Fails(Errno::kENOTDIR));
  EXPECT_EQ(Stat("/tmp/a/file/.").result, Fails(Errno::kENOTDIR));
  EXPECT_EQ(Stat("/tmp/a/file/..").result, Fails(Errno::kENOTDIR));
  EXPECT_EQ(Stat("/tmp/a/none/..").result, Fails(Errno::kENOENT));
  EXPECT_EQ(Stat("").result, Fails(Errno::kENOENT));
}

TEST_F(PathTest, AcrossMounts) {
  EXPECT_TRUE(Same("/dev/..", "/"));
  EXPECT_TRUE(Same("/dev/../dev/null", "/dev/null"));
  EXPECT_TRUE(Same("/proc/self/../..", "/"));
  EXPECT_NE(Stat("/dev").stat.st_dev, Stat("/").stat.st_dev);
  EXPECT_EQ(Chdir("/dev/shm"), 0);
  EXPECT_EQ(Getcwd(), (Bytes{.result = 9, .data = "/dev/shm"}));
  EXPECT_TRUE(Same("../..", "/"));
}

TEST_F(PathTest, RelativeToTheWorkingDirectoryAndToDescriptors) {
  Mkdir("/tmp/a");
  WriteWhole("/tmp/a/file", "x");
  EXPECT_EQ(Getcwd(), (Bytes{.result = 2, .data = "/"}));
  EXPECT_EQ(Chdir("tmp"), 0);
  EXPECT_TRUE(Same("a/file", "/tmp/a/file"));
  EXPECT_EQ(Chdir("a"), 0);
  EXPECT_EQ(Getcwd(), (Bytes{.result = 7, .data = "/tmp/a"}));
  EXPECT_TRUE(Same("file", "/tmp/a/file"));
  EXPECT_TRUE(Same("../a/file", "file"));
  EXPECT_EQ(Chdir("file"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(Chdir("none"), Fails(Errno::kENOENT));
  EXPECT_EQ(Chdir("/"), 0);
  const int directory = Open("/tmp/a", kO_DIRECTORY);
  const int file = OpenAt(directory, "file");
  EXPECT_GE(file, 0);
  EXPECT_GE(OpenAt(directory, "/tmp/a/file"), 0);
  EXPECT_GE(OpenAt(-5, "/tmp/a/file"), 0);  // not looked at
  EXPECT_EQ(OpenAt(file, "x"), Fails(Errno::kENOTDIR));
  EXPECT_EQ(OpenAt(99, "x"), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysFchdir(directory)), 0);
  EXPECT_EQ(Getcwd().data, "/tmp/a");
  EXPECT_EQ(ResultOf(SysFchdir(file)), Fails(Errno::kENOTDIR));
  EXPECT_EQ(ResultOf(SysFchdir(99)), Fails(Errno::kEBADF));
}

TEST_F(PathTest, GetcwdAndItsErrors) {
  Mkdir("/tmp/gone");
  Chdir("/tmp/gone");
  EXPECT_EQ(Getcwd(9).result, Fails(Errno::kERANGE));
  EXPECT_EQ(Getcwd(10).data, "/tmp/gone");
  EXPECT_EQ(ResultOf(SysGetcwd(UserOut<char>(kBadAddress), 100)), Fails(Errno::kEFAULT));
  EXPECT_EQ(Rename("/tmp/gone", "/tmp/moved"), 0);
  EXPECT_EQ(Getcwd().data, "/tmp/moved");
  EXPECT_EQ(Rmdir("/tmp/moved"), 0);
  EXPECT_EQ(Getcwd().result, Fails(Errno::kENOENT));
  // A removed directory still knows where it lay, and nothing can be made in it.
  EXPECT_TRUE(Same("..", "/tmp"));
  EXPECT_EQ(Open("new", kO_CREAT | kO_RDWR), Fails(Errno::kENOENT));
  EXPECT_EQ(Mkdir("new"), Fails(Errno::kENOENT));
  EXPECT_EQ(Rename("/etc/hosts", "x"), Fails(Errno::kENOENT));
  EXPECT_EQ(Link("/etc/hosts", "x"), Fails(Errno::kENOENT));
}

TEST_F(PathTest, LinksOnTheWay) {
  Mkdir("/tmp/a");
  Mkdir("/tmp/a/b");
  WriteWhole("/tmp/a/b/file", "x");
  Symlink("a", "/tmp/relative");
  Symlink("/tmp/a", "/tmp/absolute");
  Symlink("relative/b", "/tmp/nested");
  Symlink("../../tmp/./a//b/", "/tmp/a/back");
  EXPECT_TRUE(Same("/tmp/relative/b/file", "/tmp/a/b/file"));
  EXPECT_TRUE(Same("/tmp/absolute/b/file", "/tmp/a/b/file"));
  EXPECT_TRUE(Same("/tmp/nested/file", "/tmp/a/b/file"));
  EXPECT_TRUE(Same("/tmp/a/back/file", "/tmp/a/b/file"));
  // ".." behind a link is the parent of what it leads to.
  EXPECT_TRUE(Same("/tmp/nested/..", "/tmp/a"));
  EXPECT_TRUE(Same("/tmp/nested/../..", "/tmp"));
  Symlink("file", "/tmp/a/b/to_file");
  EXPECT_EQ(Stat("/tmp/a/b/to_file/x").result, Fails(Errno::kENOTDIR));
  EXPECT_EQ(Stat("/tmp/a/b/to_file/").result, Fails(Errno::kENOTDIR));
  EXPECT_EQ(Lstat("/tmp/relative").stat.st_mode & kS_IFMT, kS_IFLNK);
  EXPECT_EQ(Lstat("/tmp/relative/").stat.st_mode & kS_IFMT, kS_IFDIR);
}

TEST_F(PathTest, FortyLinksAreAllowed) {
  // l1 -> target, l2 -> l1, ...
  WriteWhole("/tmp/target", "x");
  Symlink("target", "/tmp/l1");
  for (int i = 2; i <= 41; ++i) {
    Symlink("l" + std::to_string(i - 1), "/tmp/l" + std::to_string(i));
  }
  EXPECT_EQ(Stat("/tmp/l40").result, 0);
  EXPECT_EQ(Stat("/tmp/l41").result, Fails(Errno::kELOOP));
  Symlink("b", "/tmp/a");
  Symlink("a", "/tmp/b");
  EXPECT_EQ(Stat("/tmp/a").result, Fails(Errno::kELOOP));
  EXPECT_EQ(Stat("/tmp/a/x").result, Fails(Errno::kELOOP));
  EXPECT_EQ(Lstat("/tmp/a").result, 0);
}

TEST_F(PathTest, FortyLinksDeepWithRestsToRemember) {
  // Each link is followed with something left to do behind it.
  Mkdir("/tmp/d0");
  WriteWhole("/tmp/d0/file", "deep");
  for (int i = 1; i <= 41; ++i) {
    Symlink("d" + std::to_string(i - 1) + "/.", "/tmp/d" + std::to_string(i));
  }
  EXPECT_EQ(ReadWhole("/tmp/d40/file"), "deep");
  EXPECT_EQ(Stat("/tmp/d41/file").result, Fails(Errno::kELOOP));
}

TEST_F(PathTest, SearchNeedsTheRight) {
  Mkdir("/tmp/a", 0755);
  Mkdir("/tmp/a/b", 0755);
  WriteWhole("/tmp/a/b/file", "x");
  Chmod("/tmp/a", 0600);
  Symlink("a/b", "/tmp/link");
  BecomeUser(7, 7);
  EXPECT_EQ(Stat("/tmp/a").result, 0);
  EXPECT_EQ(Stat("/tmp/a/b").result, Fails(Errno::kEACCES));
  EXPECT_EQ(Stat("/tmp/a/none").result, Fails(Errno::kEACCES));
  EXPECT_EQ(Stat("/tmp/a/.").result, Fails(Errno::kEACCES));
  EXPECT_EQ(Stat("/tmp/link").result, Fails(Errno::kEACCES));
  EXPECT_EQ(Chdir("/tmp/a"), Fails(Errno::kEACCES));
}

TEST_F(PathTest, Limits) {
  const std::string longest(255, 'n');
  EXPECT_EQ(Mkdir("/tmp/" + longest), 0);
  EXPECT_EQ(Stat("/tmp/" + longest + "/..").result, 0);
  EXPECT_EQ(Mkdir("/tmp/" + longest + "n"), Fails(Errno::kENAMETOOLONG));
  EXPECT_EQ(Stat("/tmp/" + longest + "n/x").result, Fails(Errno::kENAMETOOLONG));
  // As long as a path may be, by way of one that is not remembered on the stack.
  std::string path = "/tmp/" + longest;
  while (path.size() + 2 <= 4094) {
    path += "/.";
  }
  EXPECT_EQ(Stat(path).result, 0);
  EXPECT_EQ(Stat(path + "/...").result, Fails(Errno::kENAMETOOLONG));
}

TEST_F(PathTest, DeepTreesCanBeTold) {
  std::string path = "/tmp";
  int64_t result = 0;
  Chdir("/tmp");
  for (int i = 0; i < 60; ++i) {
    const std::string name(60, static_cast<char>('a' + i % 26));
    result |= Mkdir(name);
    result |= Chdir(name);
    path += "/" + name;
  }
  EXPECT_EQ(result, 0);
  EXPECT_EQ(Getcwd().data, path);
  for (int i = 0; i < 60; ++i) {
    const std::string name(60, 'x');
    Mkdir(name);
    Chdir(name);
  }
  EXPECT_EQ(Getcwd().result, Fails(Errno::kENAMETOOLONG));
  Chdir("/");
}

TEST_F(PathTest, ChangedRoot) {
  Mkdir("/tmp/jail");
  Mkdir("/tmp/jail/in");
  WriteWhole("/tmp/jail/in/file", "x");
  Symlink("/in/file", "/tmp/jail/link");
  EXPECT_EQ(ResultOf(SysChroot(UserIn<char>(UserString("/tmp/jail/link")))), Fails(Errno::kENOENT));
  EXPECT_EQ(ResultOf(SysChroot(UserIn<char>(UserString("/etc/hosts")))), Fails(Errno::kENOTDIR));
  EXPECT_EQ(ResultOf(SysChroot(UserIn<char>(UserString("/tmp/jail")))), 0);
  EXPECT_EQ(Chdir("/"), 0);
  EXPECT_EQ(Stat("/../..").stat.st_ino, Stat("/").stat.st_ino);
  EXPECT_EQ(ReadWhole("/link"), "x");
  EXPECT_EQ(Stat("/tmp").result, Fails(Errno::kENOENT));
  EXPECT_EQ(Chdir("in"), 0);
  EXPECT_EQ(Getcwd().data, "/in");
  BecomeUser(7, 7);
  EXPECT_EQ(ResultOf(SysChroot(UserIn<char>(UserString("/in")))), Fails(Errno::kEPERM));
}

}  // namespace
}  // namespace nsgx::libos::testing
