// SPDX-License-Identifier: Apache-2.0
// Folders of the host, with the program's system calls on one side and a real folder, or a host
// that lies about it, on the other.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "libos/fs/hostfs/mounts.h"
#include "libos/vfs/linux_abi.h"
#include "libos/vfs/testing/fake_files.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/program.h"
#include "vmpl-switch/image/config_builder.h"

namespace nsgx::libos::testing {
namespace {

namespace fs = std::filesystem;

class HostFsTest : public FilesTest {
 protected:
  void SetUp() override {
    FilesTest::SetUp();
    std::string path = (fs::temp_directory_path() / "nsgx-hostfs-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  void TearDown() override {
    SpoilFacts(nullptr);
    SpoilNames(nullptr);
    FailData(Errno{});
    FilesTest::TearDown();
    EXPECT_EQ(token_count(), 0u) << "all that was given out has been released";
    ProvideFolder({}, {});
    fs::remove_all(folder_);
  }

  // The folder is there at `target` for a program whose configuration has this rule.
  void MountAt(std::string_view target, std::string_view rule) {
    ProvideFolder(folder_.string(), target);
    ConfigBuilder builder;
    builder.Add(&nsgx_config::mounts, std::string(rule));
    const auto section = builder.Build();
    const auto config = ParseConfig(section);
    ASSERT_TRUE(config.ok());
    MountHostFolders(config.value());
  }
  void Mount() { MountAt("/data", "hostfs:/data:rw"); }

  std::string OnHost(const fs::path& name) {
    std::ifstream stream(folder_ / name);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void PutOnHost(const fs::path& name, std::string_view text) {
    std::ofstream(folder_ / name) << text;
  }

  fs::path folder_;
};

TEST_F(HostFsTest, FilesGoBothWays) {
  PutOnHost("given", "from outside");
  Mount();
  EXPECT_EQ(ReadWhole("/data/given"), "from outside");
  EXPECT_EQ(WriteWhole("/data/made", "from inside"), 11);
  EXPECT_EQ(OnHost("made"), "from inside");
  EXPECT_EQ(ListOf("/data"), (std::vector<std::string>{"given", "made"}));
  EXPECT_EQ(Mkdir("/data/folder", 0750), 0);
  EXPECT_EQ(WriteWhole("/data/folder/x", "y"), 1);
  EXPECT_EQ(OnHost("folder/x"), "y");
  EXPECT_EQ(Stat("/data/folder").stat.st_mode, kS_IFDIR | 0750u);
  EXPECT_EQ(Rename("/data/folder", "/data/moved"), 0);
  EXPECT_EQ(ReadWhole("/data/moved/x"), "y");
  EXPECT_EQ(Stat("/data/folder").result, Fails(Errno::kENOENT));
  EXPECT_EQ(Rmdir("/data/moved"), Fails(Errno::kENOTEMPTY));
  EXPECT_EQ(Unlink("/data/moved/x"), 0);
  EXPECT_EQ(Rmdir("/data/moved"), 0);
  EXPECT_EQ(Rename("/data/made", "/tmp/made"), Fails(Errno::kEXDEV));
}

TEST_F(HostFsTest, OnlyWhatARuleLetsInIsMounted) {
  PutOnHost("given", "x");
  MountAt("/other", "hostfs:/data:rw");
  EXPECT_EQ(Stat("/other").result, Fails(Errno::kENOENT));
  for (const std::string_view target :
       {"/", "", "data", "/proc", "/dev", "/etc", "/etc/ssl", "/../data", "/data/", "/a//b"}) {
    MountAt(target, "hostfs:/*:rw");
    EXPECT_EQ(Stat("/given").result, Fails(Errno::kENOENT)) << target;
    EXPECT_EQ(Stat("/etc/given").result, Fails(Errno::kENOENT)) << target;
  }
  MountAt("/deep/in/it", "hostfs:/*:ro");
  EXPECT_EQ(ReadWhole("/deep/in/it/given"), "x");
  EXPECT_EQ(Open("/deep/in/it/given", kO_RDWR), Fails(Errno::kEROFS));
  EXPECT_EQ(Mkdir("/deep/in/it/new"), Fails(Errno::kEROFS));
  EXPECT_EQ(Unlink("/deep/in/it/given"), Fails(Errno::kEROFS));
}

TEST_F(HostFsTest, WhatOthersWroteIsSeen) {
  PutOnHost("log", "1");
  Mount();
  const int fd = Open("/data/log", kO_RDWR | kO_APPEND);
  EXPECT_EQ(testing::Write(fd, "2"), 1);
  std::ofstream(folder_ / "log", std::ios::app) << "345";
  EXPECT_EQ(testing::Write(fd, "6"), 1);
  EXPECT_EQ(OnHost("log"), "123456") << "appended to what is there now";
  // Read ahead, then changed: who opens it anew gets the new bytes.
  PutOnHost("text", std::string(1000, 'a'));
  const int old = Open("/data/text");
  EXPECT_EQ(Read(old, 10), Got("aaaaaaaaaa"));
  EXPECT_EQ(Read(old, 10), Got("aaaaaaaaaa"));
  PutOnHost("text", std::string(1000, 'b'));
  EXPECT_EQ(ReadWhole("/data/text"), std::string(1000, 'b'));
  Close(old);
  Close(fd);
}

TEST_F(HostFsTest, AFileIsOneHoweverItIsFound) {
  PutOnHost("a", "12345");
  Mount();
  const int one = Open("/data/a", kO_RDWR);
  ASSERT_EQ(Link("/data/a", "/data/b"), 0);
  const int other = Open("/data/b", kO_RDWR);
  EXPECT_EQ(Fstat(one).stat.st_ino, Fstat(other).stat.st_ino);
  EXPECT_EQ(Fstat(one).stat.st_nlink, 2u);
  EXPECT_EQ(Pwrite(one, "xyz", 5), 3);
  EXPECT_EQ(Pread(other, 10, 0), Got("12345xyz")) << "one size";
  EXPECT_EQ(Unlink("/data/a"), 0);
  EXPECT_EQ(Unlink("/data/b"), 0);
  EXPECT_EQ(Fstat(one).stat.st_nlink, 0u);
  EXPECT_EQ(Pread(one, 10, 0), Got("12345xyz")) << "still there for who has it open";
  Close(one);
  Close(other);
}

TEST_F(HostFsTest, SmallReadsAreReadAheadAndNeverStale) {
  std::string text;
  for (int i = 0; text.size() < 300'000; ++i) {
    text += std::to_string(i) + "\n";
  }
  PutOnHost("text", text);
  Mount();
  const int fd = Open("/data/text", kO_RDWR);
  std::string read;
  while (true) {
    const Bytes part = Read(fd, 1000);
    if (part.data.empty()) {
      break;
    }
    read += part.data;
  }
  EXPECT_EQ(read, text);
  EXPECT_LT(file_calls("read"), 20u) << "not one a piece";
  EXPECT_EQ(Lseek(fd, 1000, kSEEK_SET), 1000);
  Read(fd, 100);
  Read(fd, 100);
  EXPECT_EQ(Pwrite(fd, "CHANGED", 1250), 7);
  EXPECT_EQ(Pread(fd, 7, 1250), Got("CHANGED"));
  EXPECT_EQ(Ftruncate(fd, 1252), 0);
  EXPECT_EQ(Pread(fd, 100, 1250), Got("CH"));
  Close(fd);
}

TEST_F(HostFsTest, AppendingAndHoles) {
  Mount();
  const int fd = Open("/data/log", kO_CREAT | kO_WRONLY | kO_APPEND, 0600);
  const int other = Open("/data/log", kO_WRONLY | kO_APPEND);
  EXPECT_EQ(Write(fd, "one"), 3);
  EXPECT_EQ(Write(other, "two"), 3);
  EXPECT_EQ(Write(fd, "three"), 5);
  EXPECT_EQ(OnHost("log"), "onetwothree");
  Close(fd);
  Close(other);
  EXPECT_EQ(Truncate("/data/log", 100'000), 0);
  EXPECT_EQ(Stat("/data/log").stat.st_size, 100'000);
  EXPECT_EQ(ReadWhole("/data/log").substr(11, 3), std::string(3, '\0'));
}

TEST_F(HostFsTest, LargeTransfersAreWhole) {
  Mount();
  std::string text(1'000'000, '\0');
  for (size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(i * 31 >> 4);
  }
  EXPECT_EQ(WriteWhole("/data/large", text), static_cast<int64_t>(text.size()));
  EXPECT_TRUE(ReadWhole("/data/large") == text);
  EXPECT_TRUE(OnHost("large") == text);
}

TEST_F(HostFsTest, LinksAreFollowedInsideOnly) {
  PutOnHost("file", "here");
  fs::create_symlink("file", folder_ / "near");
  fs::create_symlink("../../../etc/passwd", folder_ / "up");
  fs::create_symlink("/etc/passwd", folder_ / "absolute");
  fs::create_symlink("round", folder_ / "round");
  Mount();
  EXPECT_EQ(ReadWhole("/data/near"), "here");
  EXPECT_EQ(Readlink("/data/up"), Got("../../../etc/passwd"));
  EXPECT_EQ(ReadWhole("/data/up"), ReadWhole("/etc/passwd")) << "the enclave's own";
  EXPECT_EQ(ReadWhole("/data/absolute"), ReadWhole("/etc/passwd"));
  EXPECT_EQ(Open("/data/round"), Fails(Errno::kELOOP));
  EXPECT_EQ(Open("/data/near", kO_NOFOLLOW), Fails(Errno::kELOOP));
  EXPECT_EQ(Symlink("file", "/data/made"), 0);
  EXPECT_EQ(fs::read_symlink(folder_ / "made"), "file");
  EXPECT_EQ(Open("/data/made", kO_CREAT | kO_EXCL | kO_WRONLY), Fails(Errno::kEEXIST));
}

TEST_F(HostFsTest, PathsAndParentsFollowRenames) {
  Mount();
  ASSERT_EQ(Mkdir("/data/a"), 0);
  ASSERT_EQ(Mkdir("/data/a/b"), 0);
  ASSERT_EQ(Chdir("/data/a/b"), 0);
  EXPECT_EQ(Getcwd().data.substr(0, 9), "/data/a/b");
  ASSERT_EQ(Rename("/data/a", "/data/z"), 0);
  EXPECT_EQ(Getcwd().data.substr(0, 9), "/data/z/b");
  EXPECT_EQ(WriteWhole("../x", "1"), 1);
  EXPECT_EQ(OnHost("z/x"), "1");
  EXPECT_EQ(Rename("/data/z", "/data/z/b/in"), Fails(Errno::kEINVAL));
  ASSERT_EQ(Rmdir("/data/z/b"), 0);
  EXPECT_EQ(Getcwd().result, Fails(Errno::kENOENT));
  ASSERT_EQ(Chdir("/"), 0);
}

TEST_F(HostFsTest, AListingStaysWhatItWas) {
  for (int i = 0; i < 20; ++i) {
    PutOnHost("file" + std::to_string(i), "");
  }
  Mount();
  const int fd = Open("/data", kO_RDONLY | kO_DIRECTORY);
  const DirectoryPart first = Getdents(fd, 200);
  ASSERT_GT(first.result, 0);
  for (int i = 0; i < 20; ++i) {
    fs::remove(folder_ / ("file" + std::to_string(i)));
  }
  size_t count = first.items.size();
  while (true) {
    const DirectoryPart part = Getdents(fd, 200);
    if (part.items.empty()) {
      break;
    }
    count += part.items.size();
  }
  EXPECT_EQ(count, 22u);
  EXPECT_EQ(Lseek(fd, 0, kSEEK_SET), 0);
  EXPECT_EQ(Getdents(fd, 1000).items.size(), 2u) << "read anew";
  Close(fd);
}

TEST_F(HostFsTest, SpecialFilesAreShownAndNotOpened) {
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  Mount();
  EXPECT_EQ(Stat("/data/fifo").stat.st_mode & kS_IFMT, kS_IFIFO);
  EXPECT_EQ(Open("/data/fifo", kO_RDONLY), Fails(Errno::kENXIO));
  EXPECT_EQ(Mknod("/data/other", kS_IFIFO | 0600), Fails(Errno::kEPERM));
  EXPECT_EQ(Chown("/data/fifo", 5, 5), Fails(Errno::kEPERM));
}

TEST_F(HostFsTest, ErrorsOfTheHostReachTheProgram) {
  PutOnHost("file", "text");
  Mount();
  const int fd = Open("/data/file", kO_RDWR);
  FailData(Errno::kENOSPC);
  EXPECT_EQ(Write(fd, "x"), Fails(Errno::kENOSPC));
  FailData(Errno::kEIO);
  EXPECT_EQ(Read(fd, 4), Got(Errno::kEIO));
  FailData(Errno{});
  EXPECT_EQ(Read(fd, 4), Got("text")) << "the position has not moved";
  Close(fd);
}

// ---- a host that lies

TEST_F(HostFsTest, ATokenIsGivenOutOnce) {
  PutOnHost("a", "1");
  PutOnHost("b", "2");
  Mount();
  const int a = Open("/data/a");
  uint32_t token = 0;
  SpoilFacts([&](host::FileFacts& facts) {
    token = facts.token;
    facts.token = 1;  // that of "a"
  });
  EXPECT_EQ(Open("/data/b"), Fails(Errno::kEIO));
  SpoilFacts(nullptr);
  host::FileRelease(std::span(&token, 1));
  EXPECT_EQ(Read(a, 1), Got("1"));
  Close(a);
}

TEST_F(HostFsTest, AnObjectHasOneType) {
  PutOnHost("a", "1");
  Mount();
  const int a = Open("/data/a");
  SpoilFacts([](host::FileFacts& facts) { facts.mode = kS_IFDIR | 0777; });
  EXPECT_EQ(Stat("/data/a").result, Fails(Errno::kEIO));
  SpoilFacts(nullptr);
  EXPECT_EQ(Stat("/data/a").result, 0);
  Close(a);
}

TEST_F(HostFsTest, ADirectoryIsNotInsideOfItself) {
  fs::create_directories(folder_ / "a/b");
  Mount();
  const uint64_t root = Stat("/data").stat.st_ino;
  struct stat status;
  ASSERT_EQ(stat(folder_.c_str(), &status), 0);
  SpoilFacts([&](host::FileFacts& facts) { facts.number = root; });
  EXPECT_EQ(Stat("/data/a").result, Fails(Errno::kEIO)) << "the root in the root";
  SpoilFacts(nullptr);
  const int a = Open("/data/a");
  const uint64_t number = Fstat(a).stat.st_ino;
  SpoilFacts([&](host::FileFacts& facts) { facts.number = number; });
  EXPECT_EQ(Stat("/data/a/b").result, Fails(Errno::kEIO));
  SpoilFacts(nullptr);
  Close(a);
}

TEST_F(HostFsTest, RepeatedNamesAreTold) {
  PutOnHost("a", "");
  PutOnHost("b", "");
  Mount();
  SpoilNames([](std::string& name) { name = "same"; });
  EXPECT_EQ(ListOf("/data"), (std::vector<std::string>{"same"}));
}

TEST_F(HostFsTest, AListWithoutEndEnds) {
  for (int i = 0; i < 20; ++i) {
    PutOnHost("file" + std::to_string(i), "");
  }
  Mount();
  SpoilNames([](std::string& name) { name = "same"; });
  const int fd = Open("/data", kO_RDONLY | kO_DIRECTORY);
  EXPECT_EQ(Getdents(fd, 1000).result, Fails(Errno::kEIO));
  Close(fd);
}

TEST_F(HostFsTest, ASizeThatTheHostTakesBackIsShortReads) {
  PutOnHost("a", "12345");
  Mount();
  const int fd = Open("/data/a");
  fs::resize_file(folder_ / "a", 2);
  EXPECT_EQ(Pread(fd, 5, 0), Got("12"));
  EXPECT_EQ(Pread(fd, 5, 2), Got(""));
  Close(fd);
}

}  // namespace
}  // namespace nsgx::libos::testing
