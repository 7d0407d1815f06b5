// SPDX-License-Identifier: Apache-2.0
// Extended attributes by path, by link and by descriptor.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "tests/conformance/files/folder.h"

namespace {

class ExtendedAttributes : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    fd_ = open("file", O_CREAT | O_RDWR, 0644);
    ASSERT_GE(fd_, 0);
    // A file system of the machine may keep none; an enclave's always does.
    are_kept_ = fsetxattr(fd_, "user.probe", "x", 1, 0) == 0;
    ASSERT_TRUE(are_kept_ || errno == EOPNOTSUPP);
    fremovexattr(fd_, "user.probe");
  }
  void TearDown() override {
    close(fd_);
    InFolder::TearDown();
  }

  int fd_ = -1;
  bool are_kept_ = false;
};

std::string Value(const char* path, const char* name) {
  char value[64];
  const ssize_t size = getxattr(path, name, value, sizeof(value));
  return size < 0 ? "-" : std::string(value, static_cast<size_t>(size));
}

std::vector<std::string> UserNames(const char* path) {
  char list[1024];
  const ssize_t size = listxattr(path, list, sizeof(list));
  std::vector<std::string> names;
  for (ssize_t at = 0; at < size;) {
    std::string name = list + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    if (name.starts_with("user.")) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST_F(ExtendedAttributes, AreKeptWithTheFile) {
  if (!are_kept_) {
    return;
  }
  EXPECT_EQ(setxattr("file", "user.colour", "blue", 4, 0), 0);
  EXPECT_EQ(fsetxattr(fd_, "user.empty", "", 0, XATTR_CREATE), 0);
  EXPECT_EQ(Value("file", "user.colour"), "blue");
  EXPECT_EQ(Value("file", "user.empty"), "");
  EXPECT_EQ(rename("file", "other"), 0);
  EXPECT_EQ(Value("other", "user.colour"), "blue");
  EXPECT_EQ(UserNames("other"), (std::vector<std::string>{"user.colour", "user.empty"}));
  EXPECT_EQ(fsetxattr(fd_, "user.colour", "green", 5, XATTR_REPLACE), 0);
  EXPECT_EQ(Value("other", "user.colour"), "green");
  EXPECT_EQ(removexattr("other", "user.empty"), 0);
  EXPECT_EQ(UserNames("other"), std::vector<std::string>{"user.colour"});
  EXPECT_EQ(mkdir("folder", 0755), 0);
  EXPECT_EQ(setxattr("folder", "user.a", "b", 1, 0), 0);
  EXPECT_EQ(Value("folder", "user.a"), "b");
  const std::string large(60000, 'x');
  if (setxattr("other", "user.large", large.data(), 2000, 0) == 0) {
    EXPECT_EQ(getxattr("other", "user.large", nullptr, 0), 2000);
  }
}

TEST_F(ExtendedAttributes, ErrorsAreLinuxs) {
  if (!are_kept_) {
    return;
  }
  char value[8];
  EXPECT_EQ(getxattr("file", "user.none", value, sizeof(value)), -1);
  EXPECT_EQ(errno, ENODATA);
  EXPECT_EQ(removexattr("file", "user.none"), -1);
  EXPECT_EQ(errno, ENODATA);
  EXPECT_EQ(setxattr("file", "user.none", "x", 1, XATTR_REPLACE), -1);
  EXPECT_EQ(errno, ENODATA);
  EXPECT_EQ(setxattr("file", "user.a", "0123456789", 10, 0), 0);
  EXPECT_EQ(setxattr("file", "user.a", "x", 1, XATTR_CREATE), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(getxattr("file", "user.a", value, sizeof(value)), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(getxattr("file", "user.a", nullptr, 0), 10);
  EXPECT_EQ(listxattr("file", value, 3), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(setxattr("file", "user.a", "x", 1, 8), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(setxattr("file", "", "x", 1, 0), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(setxattr("file", ("user." + std::string(251, 'n')).c_str(), "x", 1, 0), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(setxattr("file", "user.", "x", 1, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(setxattr("file", "user.a", value, 65537, 0), -1);
  EXPECT_EQ(errno, E2BIG);
  EXPECT_EQ(setxattr("file", "nobody.a", "x", 1, 0), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_EQ(setxattr("file", "user.a", reinterpret_cast<void*>(8), 4, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(setxattr("none", "user.a", "x", 1, 0), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(fgetxattr(-1, "user.a", value, 1), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST_F(ExtendedAttributes, LinksAndPipesHaveNoneOfTheUsers) {
  if (!are_kept_) {
    return;
  }
  ASSERT_EQ(symlink("file", "link"), 0);
  ASSERT_EQ(mkfifo("fifo", 0644), 0);
  EXPECT_EQ(setxattr("link", "user.a", "x", 1, 0), 0);
  EXPECT_EQ(Value("file", "user.a"), "x");
  char value[8];
  for (const char* const path : {"link", "fifo"}) {
    EXPECT_EQ(lsetxattr(path, "user.a", "x", 1, 0), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(lgetxattr(path, "user.a", value, sizeof(value)), -1);
    EXPECT_EQ(errno, ENODATA);
  }
}

}  // namespace
