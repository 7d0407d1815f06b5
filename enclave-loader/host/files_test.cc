// SPDX-License-Identifier: Apache-2.0
// The folders of the host against an enclave that asks for whatever it wants: nothing outside of
// them is reached, and nothing is written where it may only read.
#include "enclave-loader/host/files.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/bytes.h"

namespace nsgx::loader {
namespace {

namespace fs = std::filesystem;
using shim::HostCall;

// A folder with "open" (mounted rw), "closed" (mounted ro) and "outside" (not mounted).
class HostFilesTest : public testing::Test {
 protected:
  static constexpr uint64_t kOpen = 0;
  static constexpr uint64_t kClosed = 1;

  void SetUp() override {
    std::string path = (fs::temp_directory_path() / "nsgx-host-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    for (const char* name : {"open", "closed", "outside"}) {
      fs::create_directory(folder_ / name);
      std::ofstream(folder_ / name / "file") << name;
    }
    ASSERT_TRUE(files_
                    .Open(std::vector<Mount>{{folder_ / "open", "/open", true},
                                             {folder_ / "closed", "/closed", false}})
                    .ok());
  }
  void TearDown() override { fs::remove_all(folder_); }

  // The call with this data and room for so many bytes; what comes back is in `room_`.
  int64_t Call(HostCall call, shim::HostCallValues values, std::string_view data = {},
               size_t room = 0) {
    room_.assign(room, std::byte{0});
    return files_.Answer(call, values, BytesOf(data), room_);
  }
  shim::FileRecord Record() const {
    shim::FileRecord record;
    std::memcpy(&record, room_.data(), sizeof(record));
    return record;
  }
  int64_t LookUp(uint64_t directory, std::string_view name) {
    return Call(HostCall::kFileLookUp, {directory, name.size(), 1}, name, sizeof(shim::FileRecord));
  }
  // The token of what is there.
  uint64_t Token(uint64_t directory, std::string_view name) {
    EXPECT_EQ(LookUp(directory, name), 1) << name;
    return Record().token;
  }
  int64_t Make(uint64_t directory, uint32_t mode, std::string_view text) {
    return Call(HostCall::kFileMake, {directory, mode, text.size(), 1}, text,
                sizeof(shim::FileRecord));
  }
  std::string ReadAll(uint64_t token) {
    EXPECT_EQ(Call(HostCall::kFileOpen, {token, 1}), 0);
    const int64_t count = Call(HostCall::kFileRead, {token, 0, 100}, {}, 100);
    return count < 0
               ? ""
               : std::string(reinterpret_cast<char*>(room_.data()), static_cast<size_t>(count));
  }
  std::string Contents(const fs::path& path) {
    std::ifstream stream(folder_ / path);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  fs::path folder_;
  HostFiles files_;
  std::vector<std::byte> room_;
};

TEST_F(HostFilesTest, ReadsAndWrites) {
  const uint64_t file = Token(kOpen, "file");
  EXPECT_EQ(ReadAll(file), "open");
  EXPECT_EQ(Call(HostCall::kFileOpen, {file, 2}), 0);
  EXPECT_EQ(Call(HostCall::kFileWrite, {file, 4, 3}, "ed!"), 3);
  EXPECT_EQ(Contents("open/file"), "opened!");
  EXPECT_EQ(Call(HostCall::kFileResize, {file, 2}), 0);
  EXPECT_EQ(Contents("open/file"), "op");
  EXPECT_EQ(Make(kOpen, S_IFREG | 0640, "new"), 1);
  EXPECT_EQ(Record().mode, uint32_t{S_IFREG | 0640});
  EXPECT_EQ(Call(HostCall::kFileWrite, {Record().token, 0, 1}, "x"), 1) << "open at once";
  EXPECT_EQ(Make(kOpen, S_IFREG | 0640, "new"), -EEXIST);
}

// Everything that leads out of a directory by its name.
TEST_F(HostFilesTest, NamesLeadNowhereElse) {
  const uint64_t file = Token(kOpen, "file");
  const uint64_t folder = (Make(kOpen, S_IFDIR | 0700, "folder"), Record().token);
  using namespace std::string_view_literals;
  using namespace std::string_literals;
  for (const std::string_view name :
       {""sv, "."sv, ".."sv, "../outside"sv, "../outside/file"sv, "folder/../../outside"sv, "/"sv,
        "/etc"sv, "a/b"sv, "folder/"sv}) {
    EXPECT_LT(LookUp(kOpen, name), 0) << name;
    EXPECT_LT(LookUp(folder, name), 0) << name;
    EXPECT_LT(Make(kOpen, S_IFDIR | 0700, name), 0) << name;
    if (!name.empty()) {
      EXPECT_LT(Make(kOpen, S_IFREG | 0700, name), 0) << name;
    }
    EXPECT_LT(Call(HostCall::kFileLink, {file, kOpen, name.size()}, name), 0) << name;
    EXPECT_LT(Call(HostCall::kFileRemove, {kOpen, 0, name.size()}, name), 0) << name;
    EXPECT_LT(Call(HostCall::kFileRemove, {kOpen, 1, name.size()}, name), 0) << name;
    const std::string there = "file\0"s + std::string(name);
    const std::string back = std::string(name) + "\0file"s;
    EXPECT_LT(Call(HostCall::kFileRename, {kOpen, kOpen, 0, there.size()}, there), 0) << name;
    EXPECT_LT(Call(HostCall::kFileRename, {kOpen, kOpen, 0, back.size()}, back), 0) << name;
  }
  EXPECT_LT(LookUp(kOpen, "x\0y"sv), 0);
  EXPECT_EQ(LookUp(kOpen, std::string(256, 'x')), -EINVAL);
  EXPECT_EQ(Contents("outside/file"), "outside");
}

TEST_F(HostFilesTest, LinksAreNeverFollowed) {
  fs::create_symlink(folder_ / "outside", folder_ / "open/absolute");
  fs::create_symlink("../outside", folder_ / "open/relative");
  fs::create_symlink("/proc/self/root", folder_ / "open/magic");
  fs::create_symlink("../outside/file", folder_ / "open/to_file");
  for (const char* name : {"absolute", "relative", "magic", "to_file"}) {
    const uint64_t link = Token(kOpen, name);
    EXPECT_EQ(Record().mode & S_IFMT, uint32_t{S_IFLNK}) << name;
    EXPECT_LT(LookUp(link, "file"), 0) << name << ": used as a directory";
    EXPECT_LT(Call(HostCall::kFileList, {link, 0, 1000}, {}, 1000), 0) << name;
    EXPECT_LT(Call(HostCall::kFileOpen, {link, 1}), 0) << name;
    EXPECT_LT(Call(HostCall::kFileOpen, {link, 2}), 0) << name;
    EXPECT_LT(Call(HostCall::kFileResize, {link, 0}), 0) << name;
    EXPECT_LT(Make(kOpen, S_IFREG | 0600, name), 0) << name;
    EXPECT_GT(Call(HostCall::kFileReadLink, {link, 100}, {}, 100), 0) << name;
  }
  EXPECT_EQ(Contents("outside/file"), "outside");
}

TEST_F(HostFilesTest, WhatIsMountedReadOnlyStaysAsItIs) {
  const uint64_t file = Token(kClosed, "file");
  EXPECT_EQ(ReadAll(file), "closed");
  EXPECT_EQ(Call(HostCall::kFileOpen, {file, 2}), -EROFS);
  EXPECT_EQ(Call(HostCall::kFileOpen, {file, 3}), -EROFS);
  EXPECT_EQ(Call(HostCall::kFileWrite, {file, 0, 1}, "x"), -EROFS);
  EXPECT_EQ(Call(HostCall::kFileResize, {file, 0}), -EROFS);
  EXPECT_EQ(Call(HostCall::kFileAllocate, {file, 0, 0, 100}), -EROFS);
  EXPECT_EQ(Make(kClosed, S_IFREG | 0600, "new"), -EROFS);
  EXPECT_EQ(Make(kClosed, S_IFREG | 0600, ""), -EROFS);
  EXPECT_EQ(Call(HostCall::kFileRemove, {kClosed, 0, 4}, "file"), -EROFS);
  shim::FileChangeRecord change = {};
  change.what = shim::kFileChangePermissions;
  EXPECT_EQ(Call(HostCall::kFileChange, {file, 1},
                 {reinterpret_cast<const char*>(&change), sizeof(change)}),
            -EROFS);
  // By way of the folder that may be written to.
  const uint64_t open_file = Token(kOpen, "file");
  EXPECT_EQ(Call(HostCall::kFileLink, {file, kOpen, 3}, "new"), -EROFS);
  EXPECT_EQ(Call(HostCall::kFileLink, {open_file, kClosed, 3}, "new"), -EXDEV);
  using namespace std::string_literals;
  const std::string names = "file\0new"s;
  EXPECT_EQ(Call(HostCall::kFileRename, {kOpen, kClosed, 0, names.size()}, names), -EXDEV);
  EXPECT_EQ(Call(HostCall::kFileRename, {kClosed, kOpen, 0, names.size()}, names), -EROFS);
  EXPECT_EQ(Contents("closed/file"), "closed");
}

TEST_F(HostFilesTest, DevicesAndFifosAreNotOpened) {
  ASSERT_EQ(mkfifo((folder_ / "open/fifo").c_str(), 0600), 0);
  const uint64_t fifo = Token(kOpen, "fifo");
  EXPECT_EQ(Call(HostCall::kFileOpen, {fifo, 1}), -EACCES) << "and it does not wait";
  EXPECT_EQ(Call(HostCall::kFileOpen, {fifo, 2}), -EACCES);
  EXPECT_EQ(Make(kOpen, S_IFCHR | 0600, "device"), -EPERM);
  EXPECT_EQ(Make(kOpen, S_IFIFO | 0600, "other"), -EPERM);
}

TEST_F(HostFilesTest, TokensAreChecked) {
  for (const uint64_t token : {uint64_t{2}, uint64_t{77}, uint64_t{0xffffff}}) {
    EXPECT_EQ(LookUp(token, "file"), -EBADF);
    EXPECT_EQ(Call(HostCall::kFileRead, {token, 0, 10}, {}, 10), -EBADF);
    EXPECT_EQ(Call(HostCall::kFileLink, {kOpen, token, 1}, "x"), -EBADF);
  }
  const uint64_t file = Token(kOpen, "file");
  EXPECT_EQ(Call(HostCall::kFileRead, {file, 0, 10}, {}, 10), -EBADF) << "not opened";
  EXPECT_EQ(Call(HostCall::kFileRead, {kOpen, 0, 10}, {}, 10), -EBADF) << "a directory";
  EXPECT_EQ(Call(HostCall::kFileLookUp, {kOpen, 4, 0}, "file"), -EINVAL) << "no room";
  const std::array<uint32_t, 4> released = {static_cast<uint32_t>(file),
                                            static_cast<uint32_t>(file), 0, 0xffffffff};
  EXPECT_EQ(Call(HostCall::kFileRelease, {released.size()},
                 {reinterpret_cast<const char*>(released.data()), sizeof(released)}),
            0);
  EXPECT_EQ(Call(HostCall::kFileStatus, {file, 1}, {}, sizeof(shim::FileRecord)), -EBADF);
  EXPECT_EQ(LookUp(kOpen, "file"), 1) << "roots stay";
}

TEST_F(HostFilesTest, AMovedFolderIsStillThatFolder) {
  fs::rename(folder_ / "open", folder_ / "elsewhere");
  fs::create_symlink("outside", folder_ / "open");
  EXPECT_EQ(ReadAll(Token(kOpen, "file")), "open");
}

TEST_F(HostFilesTest, ListsNames) {
  {
    const std::ofstream file(folder_ / "open/a");
  }
  std::vector<std::string> names;
  uint64_t position = 0;
  while (true) {
    const int64_t size = Call(HostCall::kFileList, {kOpen, position, 40}, {}, 1000);
    ASSERT_GE(size, 0);
    if (size == 0) {
      break;
    }
    for (size_t at = 0; at < static_cast<size_t>(size);) {
      shim::FileEntryRecord record;
      std::memcpy(&record, &room_[at], sizeof(record));
      at += sizeof(record);
      names.emplace_back(reinterpret_cast<const char*>(&room_[at]), record.name_size);
      at += record.name_size;
      position = record.next;
    }
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "file"}));
}

TEST_F(HostFilesTest, AFolderThatIsNotThereIsSaid) {
  HostFiles files;
  const auto opened = files.Open(std::vector<Mount>{{folder_ / "nothing", "/data", true}});
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(std::string(opened.error().text()).find("nothing"), std::string::npos);
}

}  // namespace
}  // namespace nsgx::loader
