// SPDX-License-Identifier: Apache-2.0
// openat2: what a path may lead through.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>

#include "tests/conformance/files/folder.h"

namespace {

struct How {
  uint64_t flags, mode, resolve;
};
constexpr uint64_t kNoXdev = 1, kNoMagicLinks = 2, kNoSymlinks = 4, kBeneath = 8, kInRoot = 16;

class Openat2 : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    ASSERT_EQ(mkdir("top", 0755), 0);
    ASSERT_EQ(mkdir("top/inner", 0755), 0);
    for (const char* const path : {"outside", "top/file", "top/inner/file"}) {
      close(open(path, O_CREAT | O_WRONLY, 0644));
    }
    ASSERT_EQ(symlink("inner/file", "top/link"), 0);
    ASSERT_EQ(symlink("/file", "top/absolute"), 0);
    ASSERT_EQ(symlink("../outside", "top/up"), 0);
    top_ = open("top", O_PATH | O_DIRECTORY);
  }
  void TearDown() override {
    close(top_);
    InFolder::TearDown();
  }

  // 0, or the error.
  static int Try(int directory, const char* path, How how, size_t size = sizeof(How)) {
    const long fd = syscall(SYS_openat2, directory, path, &how, size);
    if (fd < 0) {
      return errno;
    }
    close(static_cast<int>(fd));
    return 0;
  }
  int Try(const char* path, uint64_t resolve) const {
    return Try(top_, path, {O_RDONLY, 0, resolve});
  }

  int top_ = -1;
};

TEST_F(Openat2, StaysBeneath) {
  EXPECT_EQ(Try("file", kBeneath), 0);
  EXPECT_EQ(Try("inner/../file", kBeneath), 0);
  EXPECT_EQ(Try("link", kBeneath), 0);
  EXPECT_EQ(Try("../outside", 0), 0);
  EXPECT_EQ(Try("../outside", kBeneath), EXDEV);
  EXPECT_EQ(Try("inner/../../outside", kBeneath), EXDEV);
  EXPECT_EQ(Try("..", kBeneath), EXDEV);
  EXPECT_EQ(Try("up", kBeneath), EXDEV);
  EXPECT_EQ(Try("absolute", kBeneath), EXDEV);
  EXPECT_EQ(Try("/etc/passwd", kBeneath), EXDEV);
}

TEST_F(Openat2, TakesTheStartForTheRoot) {
  EXPECT_EQ(Try("/file", kInRoot), 0);
  EXPECT_EQ(Try("absolute", kInRoot), 0);
  EXPECT_EQ(Try("../../file", kInRoot), 0);
  EXPECT_EQ(Try("up", kInRoot), ENOENT);
  EXPECT_EQ(Try("/etc/passwd", kInRoot), ENOENT);
}

TEST_F(Openat2, RefusesLinks) {
  EXPECT_EQ(Try("link", kNoSymlinks), ELOOP);
  EXPECT_EQ(Try("inner/file", kNoSymlinks), 0);
  EXPECT_EQ(Try(top_, "link", {O_PATH | O_NOFOLLOW, 0, kNoSymlinks}), 0);
  EXPECT_EQ(Try("link", kNoMagicLinks), 0);
  EXPECT_EQ(Try("/proc/self/fd/0/..", kNoMagicLinks), ELOOP);
}

TEST_F(Openat2, StaysInTheFileSystem) {
  EXPECT_EQ(Try("inner/file", kNoXdev), 0);
  EXPECT_EQ(Try("/proc/self/status", 0), 0);
  EXPECT_EQ(Try("/proc/self/status", kNoXdev), EXDEV);
}

TEST_F(Openat2, ChecksItsArguments) {
  EXPECT_EQ(Try(top_, "new", {O_CREAT | O_RDWR, 0600, kBeneath}), 0);
  EXPECT_EQ(Try(top_, "file", {O_RDONLY, 0600, 0}), EINVAL);
  EXPECT_EQ(Try(top_, "x", {O_CREAT | O_RDWR, 010000, 0}), EINVAL);
  EXPECT_EQ(Try(top_, "file", {O_RDONLY, 0, 1 << 10}), EINVAL);
  EXPECT_EQ(Try(top_, "file", {O_RDONLY, 0, kBeneath | kInRoot}), EINVAL);
  EXPECT_EQ(Try(top_, "file", {uint64_t{1} << 40, 0, 0}), EINVAL);
  EXPECT_EQ(Try(top_, "file", {O_PATH | O_RDWR, 0, 0}), EINVAL);
  EXPECT_EQ(Try(top_, "file", {}, sizeof(How) - 8), EINVAL);
  EXPECT_EQ(Try(top_, "file", {}, 5000), E2BIG);
  struct {
    How how;
    uint64_t later;
  } larger = {};
  const long fd = syscall(SYS_openat2, top_, "file", &larger, sizeof(larger));
  EXPECT_GE(fd, 0);
  close(static_cast<int>(fd));
  larger.later = 1;
  EXPECT_EQ(syscall(SYS_openat2, top_, "file", &larger, sizeof(larger)), -1);
  EXPECT_EQ(errno, E2BIG);
}

}  // namespace
