// SPDX-License-Identifier: Apache-2.0
// Reading directories: contents, positions that stay valid while names come and go, errors.

#include <cstring>
#include <set>
#include <string>

#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class DirectoryTest : public FilesTest {
 protected:
  void Fill(int count) {
    Mkdir("/tmp/d");
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(Mknod("/tmp/d/f" + std::to_string(i), 0600), 0);
    }
  }
};

TEST_F(DirectoryTest, TellsNamesNumbersAndTypes) {
  Mkdir("/tmp/d");
  WriteWhole("/tmp/d/file", "x");
  Mkdir("/tmp/d/sub");
  Symlink("x", "/tmp/d/link");
  Mknod("/tmp/d/fifo", kS_IFIFO | 0600);
  const int fd = Open("/tmp/d");
  const DirectoryPart part = Getdents(fd, 4096);
  ASSERT_EQ(part.items.size(), 6u);
  const char* const names[] = {".", "..", "file", "sub", "link", "fifo"};
  const uint32_t types[] = {kS_IFDIR, kS_IFDIR, kS_IFREG, kS_IFDIR, kS_IFLNK, kS_IFIFO};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(part.items[i].name, names[i]);
    EXPECT_EQ(part.items[i].type, DirectoryEntryType(types[i]));
    const LinuxStat status = Lstat("/tmp/d/" + part.items[i].name).stat;
    EXPECT_EQ(part.items[i].number, status.st_ino);
  }
  EXPECT_EQ(Getdents(fd, 4096).result, 0);
  EXPECT_EQ(Stat("/tmp/d").stat.st_size, 4 * 20);
}

TEST_F(DirectoryTest, ReadsOnWhereItStopped) {
  Fill(100);
  const int fd = Open("/tmp/d");
  std::multiset<std::string> seen;
  while (true) {
    const DirectoryPart part = Getdents(fd, 100);
    ASSERT_GE(part.result, 0);
    if (part.result == 0) {
      break;
    }
    for (const DirectoryItem& item : part.items) {
      seen.insert(item.name);
    }
  }
  EXPECT_EQ(seen.size(), 102u);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 102u);
}

TEST_F(DirectoryTest, WhatStaysIsSeenExactlyOnceWhileOthersComeAndGo) {
  Fill(200);
  const int fd = Open("/tmp/d");
  std::multiset<std::string> seen;
  int round = 0;
  while (true) {
    const DirectoryPart part = Getdents(fd, 200);
    if (part.result == 0) {
      break;
    }
    for (const DirectoryItem& item : part.items) {
      seen.insert(item.name);
    }
    // Odd ones go, one after the other, before and behind the reader; new ones come.
    for (int i = 0; i < 10; ++i) {
      Unlink("/tmp/d/f" + std::to_string((round * 20 + 2 * i * 7 + 1) % 200));
    }
    if (round < 20) {
      Mknod("/tmp/d/new" + std::to_string(round), 0600);
      Rename("/tmp/d/new" + std::to_string(round), "/tmp/d/renamed" + std::to_string(round));
    }
    ++round;
  }
  for (int i = 0; i < 200; i += 2) {
    EXPECT_EQ(seen.count("f" + std::to_string(i)), 1u) << i;
  }
}

TEST_F(DirectoryTest, RemovingEverythingWhileReading) {
  Fill(300);
  const int fd = Open("/tmp/d");
  int removed = 0;
  while (true) {
    const DirectoryPart part = Getdents(fd, 300);
    if (part.result == 0) {
      break;
    }
    for (const DirectoryItem& item : part.items) {
      if (item.name[0] == 'f') {
        EXPECT_EQ(Unlink("/tmp/d/" + item.name), 0);
        ++removed;
      }
    }
  }
  EXPECT_EQ(removed, 300);
  EXPECT_EQ(Rmdir("/tmp/d"), 0);
  EXPECT_EQ(Getdents(fd, 300).result, 0);
}

TEST_F(DirectoryTest, PositionsCanBeReturnedTo) {
  Fill(20);
  const int fd = Open("/tmp/d");
  const DirectoryPart all = Getdents(fd, 4096);
  ASSERT_EQ(all.items.size(), 22u);
  for (size_t i = 0; i + 1 < all.items.size(); ++i) {
    EXPECT_EQ(Lseek(fd, all.items[i].next, kSEEK_SET), all.items[i].next);
    EXPECT_EQ(Getdents(fd, 4096).items.front(), all.items[i + 1]);
  }
  EXPECT_EQ(Lseek(fd, 0, kSEEK_SET), 0);
  EXPECT_EQ(Getdents(fd, 4096).items.size(), 22u);
  EXPECT_EQ(Lseek(fd, 0, kSEEK_END), Fails(Errno::kEINVAL));
  EXPECT_EQ(Lseek(fd, -1, kSEEK_SET), Fails(Errno::kEINVAL));
}

TEST_F(DirectoryTest, Errors) {
  Fill(3);
  const int fd = Open("/tmp/d");
  EXPECT_EQ(Getdents(fd, 23).result, Fails(Errno::kEINVAL));
  EXPECT_EQ(Getdents(fd, 24).items.size(), 1u);
  EXPECT_EQ(ResultOf(SysGetdents64(static_cast<uint32_t>(fd), UserOut<std::byte>(kBadAddress), 99)),
            Fails(Errno::kEFAULT));
  EXPECT_EQ(Getdents(Open("/tmp/d/f0"), 4096).result, Fails(Errno::kENOTDIR));
  EXPECT_EQ(Getdents(99, 4096).result, Fails(Errno::kEBADF));
  EXPECT_EQ(Getdents(Open("/tmp/d", kO_PATH), 4096).result, Fails(Errno::kEBADF));
  // Nothing was lost by what failed.
  EXPECT_EQ(Getdents(fd, 4096).items.size(), 4u);
}

TEST_F(DirectoryTest, OldForm) {
  Mkdir("/tmp/d");
  Mkdir("/tmp/d/sub");
  const int fd = Open("/tmp/d");
  const auto buffer = AllocateUser(512);
  const int64_t size =
      ResultOf(SysGetdents(static_cast<uint32_t>(fd), UserOut<std::byte>(AddressOf(buffer)), 512));
  ASSERT_GT(size, 0);
  std::vector<std::string> names;
  for (int64_t at = 0; at < size;) {
    uint16_t record;
    std::memcpy(&record, buffer.data() + at + 16, 2);
    names.push_back(reinterpret_cast<const char*>(buffer.data() + at + 18));
    EXPECT_EQ(std::to_integer<uint8_t>(buffer[static_cast<size_t>(at) + record - 1u]),
              DirectoryEntryType(kS_IFDIR));
    at += record;
  }
  EXPECT_EQ(names, (std::vector<std::string>{".", "..", "sub"}));
}

TEST_F(DirectoryTest, FilesThatComeAndGoDoNotMakePositionsGrow) {
  Fill(1);
  const int fd = Open("/tmp/d");
  for (int i = 0; i < 1000; ++i) {
    Mknod("/tmp/d/temporary", 0600);
    Unlink("/tmp/d/temporary");
  }
  Mknod("/tmp/d/last", 0600);
  EXPECT_LT(Getdents(fd, 4096).items.back().next, 10);
}

}  // namespace
}  // namespace nsgx::libos::testing
