// SPDX-License-Identifier: Apache-2.0
// inotify: what is told about files and directories, in which order, and by which names.

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/files/folder.h"

namespace {

using Told = std::vector<std::string>;

std::string NameOf(uint32_t mask) {
  static const std::map<uint32_t, const char*> kNames = {
      {IN_ACCESS, "ACCESS"},
      {IN_MODIFY, "MODIFY"},
      {IN_ATTRIB, "ATTRIB"},
      {IN_CLOSE_WRITE, "CLOSE_WRITE"},
      {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
      {IN_OPEN, "OPEN"},
      {IN_MOVED_FROM, "MOVED_FROM"},
      {IN_MOVED_TO, "MOVED_TO"},
      {IN_CREATE, "CREATE"},
      {IN_DELETE, "DELETE"},
      {IN_DELETE_SELF, "DELETE_SELF"},
      {IN_MOVE_SELF, "MOVE_SELF"},
      {IN_Q_OVERFLOW, "Q_OVERFLOW"},
      {IN_IGNORED, "IGNORED"},
  };
  const auto name = kNames.find(mask & ~static_cast<uint32_t>(IN_ISDIR));
  return std::string(name == kNames.end() ? "?" : name->second) +
         ((mask & IN_ISDIR) != 0 ? "|ISDIR" : "");
}

class Watching : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ASSERT_GE(fd_, 0);
  }
  void TearDown() override {
    close(fd_);
    InFolder::TearDown();
  }

  int Watch(const char* path, uint32_t mask) {
    const int number = inotify_add_watch(fd_, path, mask);
    if (number > 0) {
      paths_[number] = path;
    }
    return number;
  }

  // All that has been told so far: "path: EVENT name".
  Told Read() {
    Told told;
    alignas(inotify_event) char buffer[4096];
    while (true) {
      const ssize_t size = read(fd_, buffer, sizeof(buffer));
      if (size <= 0) {
        EXPECT_EQ(errno, EAGAIN);
        return told;
      }
      for (ssize_t at = 0; at < size;) {
        inotify_event event;
        memcpy(&event, buffer + at, sizeof(event));
        std::string line = paths_[event.wd] + ": " + NameOf(event.mask);
        if (event.len != 0) {
          line += std::string(" ") + (buffer + at + sizeof(event));
        }
        EXPECT_EQ(event.len % sizeof(event), 0u);
        EXPECT_EQ(event.cookie != 0, (event.mask & IN_MOVE) != 0);
        cookies_.push_back(event.cookie);
        told.push_back(line);
        at += static_cast<ssize_t>(sizeof(event) + event.len);
      }
    }
  }

  static void Put(const char* path, const char* text = "text") {
    const int fd = open(path, O_CREAT | O_WRONLY, 0644);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(write(fd, text, strlen(text)), static_cast<ssize_t>(strlen(text)));
    close(fd);
  }

  int fd_ = -1;
  std::map<int, std::string> paths_ = {{-1, "*"}};
  std::vector<uint32_t> cookies_;
};

TEST_F(Watching, FilesOfADirectory) {
  EXPECT_EQ(Watch(".", IN_ALL_EVENTS), 1);
  Put("file");
  EXPECT_EQ(Read(),
            (Told{".: CREATE file", ".: OPEN file", ".: MODIFY file", ".: CLOSE_WRITE file"}));
  char byte;
  const int fd = open("file", O_RDONLY);
  EXPECT_EQ(read(fd, &byte, 1), 1);
  close(fd);
  EXPECT_EQ(Read(), (Told{".: OPEN file", ".: ACCESS file", ".: CLOSE_NOWRITE file"}));
  chmod("file", 0600);
  truncate("file", 1);
  link("file", "other");
  symlink("file", "link");
  mkfifo("fifo", 0600);
  EXPECT_EQ(Read(), (Told{".: ATTRIB file", ".: MODIFY file", ".: CREATE other", ".: CREATE link",
                          ".: CREATE fifo"}));
  unlink("other");
  unlink("file");
  EXPECT_EQ(Read(), (Told{".: DELETE other", ".: DELETE file"}));
  // Nothing happens to what cannot be opened, or is only looked at.
  EXPECT_EQ(open("none", O_RDONLY), -1);
  EXPECT_EQ(open("link", O_RDONLY), -1);
  struct stat status;
  lstat("link", &status);
  close(open("fifo", O_PATH));
  EXPECT_EQ(Read(), (Told{}));
}

TEST_F(Watching, Directories) {
  mkdir("sub", 0755);
  Watch(".", IN_ALL_EVENTS);
  mkdir("new", 0755);
  rmdir("new");
  EXPECT_EQ(Read(), (Told{".: CREATE|ISDIR new", ".: DELETE|ISDIR new"}));
  chmod("sub", 0700);
  EXPECT_EQ(Read(), (Told{".: ATTRIB|ISDIR sub"}));
  close(open("sub", O_RDONLY | O_DIRECTORY));
  close(open(".", O_RDONLY | O_DIRECTORY));
  EXPECT_EQ(Read(), (Told{".: OPEN|ISDIR sub", ".: CLOSE_NOWRITE|ISDIR sub", ".: OPEN|ISDIR",
                          ".: CLOSE_NOWRITE|ISDIR"}));
}

TEST_F(Watching, AFileAndItsDirectory) {
  Put("file");
  Watch("file", IN_ALL_EVENTS);
  Watch(".", IN_ALL_EVENTS);
  const int fd = open("file", O_RDWR);
  EXPECT_EQ(write(fd, "x", 1), 1);
  EXPECT_EQ(Read(), (Told{".: OPEN file", "file: OPEN", ".: MODIFY file", "file: MODIFY"}));
  link("file", "second");
  EXPECT_EQ(Read(), (Told{"file: ATTRIB", ".: CREATE second"}));
  unlink("second");
  unlink("file");
  EXPECT_EQ(Read(), (Told{"file: ATTRIB", ".: DELETE second", "file: ATTRIB", ".: DELETE file"}));
  // It lives on until it is closed.
  close(fd);
  const Told end = Read();
  ASSERT_GE(end.size(), 3u);
  EXPECT_EQ(Told(end.end() - 3, end.end()),
            (Told{"file: CLOSE_WRITE", "file: DELETE_SELF", "file: IGNORED"}));
  EXPECT_EQ(inotify_rm_watch(fd_, 1), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(Watching, Moves) {
  mkdir("a", 0755);
  mkdir("b", 0755);
  Put("a/file");
  Put("b/old");
  Watch("a", IN_MOVE);
  Watch("b", IN_MOVE | IN_DELETE);
  Watch("a/file", IN_MOVE_SELF);
  Watch("b/old", IN_ATTRIB | IN_DELETE_SELF);
  EXPECT_EQ(rename("a/file", "b/new"), 0);
  EXPECT_EQ(Read(), (Told{"a: MOVED_FROM file", "b: MOVED_TO new", "a/file: MOVE_SELF"}));
  ASSERT_EQ(cookies_.size(), 3u);
  EXPECT_EQ(cookies_[0], cookies_[1]);
  const uint32_t first = cookies_[0];
  EXPECT_EQ(rename("b/new", "b/old"), 0);
  EXPECT_EQ(Read(), (Told{"b: MOVED_FROM new", "b: MOVED_TO old", "b/old: ATTRIB",
                          "a/file: MOVE_SELF", "b/old: DELETE_SELF", "b/old: IGNORED"}));
  EXPECT_NE(cookies_[3], first);
  mkdir("b/sub", 0755);
  EXPECT_EQ(rename("b/sub", "a/sub"), 0);
  EXPECT_EQ(Read(), (Told{"b: MOVED_FROM|ISDIR sub", "a: MOVED_TO|ISDIR sub"}));
  EXPECT_EQ(rename("a/sub", "a/sub"), 0);
  EXPECT_EQ(Read(), (Told{}));
}

TEST_F(Watching, ADirectoryThatGoes) {
  mkdir("sub", 0755);
  Watch("sub", IN_ALL_EVENTS);
  EXPECT_EQ(rename("sub", "gone"), 0);
  EXPECT_EQ(rmdir("gone"), 0);
  EXPECT_EQ(Read(), (Told{"sub: MOVE_SELF", "sub: DELETE_SELF", "sub: IGNORED"}));
}

TEST_F(Watching, TheSameInodeHasOneWatch) {
  Put("file");
  EXPECT_EQ(Watch("file", IN_OPEN), 1);
  EXPECT_EQ(inotify_add_watch(fd_, "./file", IN_MODIFY), 1);
  close(open("file", O_RDONLY));
  EXPECT_EQ(Read(), (Told{}));
  EXPECT_EQ(inotify_add_watch(fd_, "file", IN_OPEN | IN_MASK_ADD), 1);
  Put("file");
  EXPECT_EQ(Read(), (Told{"file: OPEN", "file: MODIFY"}));
  EXPECT_EQ(inotify_add_watch(fd_, "file", IN_OPEN | IN_MASK_CREATE), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(inotify_add_watch(fd_, "file", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(inotify_rm_watch(fd_, 1), 0);
  EXPECT_EQ(Read(), (Told{"file: IGNORED"}));
  Put("file");
  EXPECT_EQ(Read(), (Told{}));
  // Numbers are not used again at once.
  EXPECT_EQ(Watch("file", IN_OPEN), 2);
}

TEST_F(Watching, OnceOnly) {
  Watch(".", IN_CREATE | IN_ONESHOT);
  Put("one");
  Put("two");
  EXPECT_EQ(Read(), (Told{".: CREATE one", ".: IGNORED"}));
}

TEST_F(Watching, TheSameThingTwiceIsToldOnce) {
  Put("file");
  Watch("file", IN_MODIFY | IN_ATTRIB);
  const int fd = open("file", O_WRONLY);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(write(fd, "x", 1), 1);
  }
  fchmod(fd, 0600);
  EXPECT_EQ(write(fd, "x", 1), 1);
  close(fd);
  EXPECT_EQ(Read(), (Told{"file: MODIFY", "file: ATTRIB", "file: MODIFY"}));
}

TEST_F(Watching, LinksAndTypes) {
  Put("file");
  symlink("file", "link");
  EXPECT_EQ(inotify_add_watch(fd_, "file", IN_OPEN | IN_ONLYDIR), -1);
  EXPECT_EQ(errno, ENOTDIR);
  EXPECT_EQ(Watch("link", IN_OPEN), 1);
  EXPECT_EQ(Watch("link", IN_ATTRIB | IN_DONT_FOLLOW), 2);
  EXPECT_EQ(inotify_add_watch(fd_, "none", IN_OPEN), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(inotify_add_watch(fd_, "file", 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(inotify_add_watch(0x7ff, "file", IN_OPEN), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(inotify_rm_watch(fd_, 77), -1);
  EXPECT_EQ(errno, EINVAL);
  const int other = open("file", O_RDONLY);
  EXPECT_EQ(inotify_add_watch(other, "file", IN_OPEN), -1);
  EXPECT_EQ(errno, EINVAL);
  close(other);
  EXPECT_EQ(inotify_init1(1), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(Watching, BuffersAndReadiness) {
  pollfd entry = {.fd = fd_, .events = POLLIN | POLLOUT, .revents = 0};
  EXPECT_EQ(poll(&entry, 1, 0), 0);
  Watch(".", IN_CREATE);
  const std::string name(20, 'n');
  Put(name.c_str());
  Put("b");
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLIN);
  int available = 0;
  EXPECT_EQ(ioctl(fd_, FIONREAD, &available), 0);
  EXPECT_EQ(available, 16 + 32 + 16 + 16);
  char buffer[64];
  EXPECT_EQ(read(fd_, buffer, 47), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(read(fd_, buffer, 48 + 31), 48);
  EXPECT_EQ(read(fd_, buffer, sizeof(buffer)), 32);
  EXPECT_EQ(poll(&entry, 1, 0), 0);
}

TEST_F(Watching, AReaderSleepsAndEpollTells) {
  fcntl(fd_, F_SETFL, 0);
  Watch(".", IN_CREATE);
  const int set = epoll_create1(0);
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = 3}};
  ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd_, &event), 0);
  std::thread maker([] {
    usleep(3000);
    mkdir("sub", 0755);
  });
  alignas(inotify_event) char buffer[64];
  EXPECT_EQ(read(fd_, buffer, sizeof(buffer)), 32);
  maker.join();
  EXPECT_EQ(epoll_wait(set, &event, 1, 0), 0);
  mkdir("other", 0755);
  EXPECT_EQ(epoll_wait(set, &event, 1, -1), 1);
  close(set);
}

TEST_F(Watching, ReadingADirectoryAndTimes) {
  mkdir("sub", 0755);
  Put("sub/file");
  Watch("sub", IN_ALL_EVENTS);
  DIR* const directory = opendir("sub");
  ASSERT_NE(directory, nullptr);
  while (readdir(directory) != nullptr) {
  }
  closedir(directory);
  EXPECT_EQ(Read(), (Told{"sub: OPEN|ISDIR", "sub: ACCESS|ISDIR", "sub: CLOSE_NOWRITE|ISDIR"}));
  timespec times[2] = {{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
  utimensat(AT_FDCWD, "sub/file", times, 0);
  times[0] = {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  times[1] = {.tv_sec = 5, .tv_nsec = 0};
  utimensat(AT_FDCWD, "sub/file", times, 0);
  utimensat(AT_FDCWD, "sub/file", nullptr, 0);
  EXPECT_EQ(Read(), (Told{"sub: ACCESS file", "sub: MODIFY file", "sub: ATTRIB file"}));
}

TEST_F(Watching, TooMuch) {
  Watch(".", IN_CREATE | IN_DELETE);
  constexpr int kFiles = 9000;
  for (int i = 0; i < kFiles; ++i) {
    close(open("file", O_CREAT | O_WRONLY, 0600));
    unlink("file");
  }
  const Told told = Read();
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back(), "*: Q_OVERFLOW");
  mkdir("later", 0755);
  EXPECT_EQ(Read(), (Told{".: CREATE|ISDIR later"}));
}

}  // namespace
