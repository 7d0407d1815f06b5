// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/root_key.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace nsgx::sim {
namespace {

using Key = std::array<std::byte, 32>;

// Has a state folder of its own, which does not exist yet.
class RootKey : public testing::Test {
 protected:
  RootKey() {
    std::string pattern = testing::TempDir() + "nsgx-root-key-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    setenv("XDG_STATE_HOME", (folder_ + "/deep/state").c_str(), 1);
  }
  ~RootKey() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return folder_ + "/deep/state/nsgx/sim-root-key"; }

  std::string folder_;
};

TEST_F(RootKey, IsMadeOnceAndStays) {
  Key first = {};
  Key second = {};
  ASSERT_TRUE(ReadRootKey(first).ok());
  ASSERT_TRUE(ReadRootKey(second).ok());
  EXPECT_EQ(first, second);
  EXPECT_NE(first, Key{});
  struct stat info;
  ASSERT_EQ(stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  // Nothing but the file is left behind.
  const auto entries = std::filesystem::directory_iterator(folder_ + "/deep/state/nsgx");
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST_F(RootKey, SeveralMakersGetTheSame) {
  std::vector<Key> keys(8);
  std::vector<std::thread> makers;
  for (Key& key : keys) {
    makers.emplace_back([&key] { EXPECT_TRUE(ReadRootKey(key).ok()); });
  }
  for (std::thread& maker : makers) {
    maker.join();
  }
  for (const Key& key : keys) {
    EXPECT_EQ(key, keys[0]);
  }
}

TEST_F(RootKey, IsNotBelievedWhenOthersCanReadIt) {
  Key key = {};
  ASSERT_TRUE(ReadRootKey(key).ok());
  ASSERT_EQ(chmod(file().c_str(), 0644), 0);
  EXPECT_EQ(ReadRootKey(key).error(), Status::kPermissionDenied);
}

TEST_F(RootKey, IsNotReadThroughALink) {
  Key key = {};
  ASSERT_TRUE(ReadRootKey(key).ok());
  const std::string other = folder_ + "/other";
  ASSERT_EQ(rename(file().c_str(), other.c_str()), 0);
  ASSERT_EQ(symlink(other.c_str(), file().c_str()), 0);
  EXPECT_EQ(ReadRootKey(key).error(), Status::kPermissionDenied);
}

TEST_F(RootKey, MustBeWhole) {
  Key key = {};
  ASSERT_TRUE(ReadRootKey(key).ok());
  ASSERT_EQ(truncate(file().c_str(), 31), 0);
  EXPECT_EQ(ReadRootKey(key).error(), Status::kMalformed);
}

TEST_F(RootKey, NeedsAFolder) {
  unsetenv("XDG_STATE_HOME");
  unsetenv("HOME");
  Key key = {};
  EXPECT_EQ(ReadRootKey(key).error(), Status::kNotFound);
}

TEST_F(RootKey, FallsBackToTheHomeFolder) {
  setenv("XDG_STATE_HOME", "relative/is/ignored", 1);
  setenv("HOME", folder_.c_str(), 1);
  Key key = {};
  ASSERT_TRUE(ReadRootKey(key).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/.local/state/nsgx/sim-root-key"));
}

}  // namespace
}  // namespace nsgx::sim
