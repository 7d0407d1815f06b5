// SPDX-License-Identifier: Apache-2.0
// Pseudo-terminals: pairs, line editing, echo, raw mode, window size, hang-ups.

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

namespace {

class Terminals : public testing::Test {
 protected:
  void SetUp() override {
    const winsize size = {.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    ASSERT_EQ(openpty(&master_, &slave_, nullptr, nullptr, &size), 0) << strerror(errno);
    ASSERT_EQ(tcgetattr(slave_, &settings_), 0);
  }
  void TearDown() override {
    close(master_);
    close(slave_);
  }

  void Type(std::string_view text) const {
    ASSERT_EQ(write(master_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // What has come within a moment.
  static std::string ReadAll(int fd) {
    std::string all;
    pollfd entry = {.fd = fd, .events = POLLIN, .revents = 0};
    while (poll(&entry, 1, 50) == 1 && (entry.revents & POLLIN) != 0) {
      char buffer[256];
      const ssize_t got = read(fd, buffer, sizeof(buffer));
      if (got <= 0) {
        break;
      }
      all.append(buffer, static_cast<size_t>(got));
    }
    return all;
  }
  std::string Screen() const { return ReadAll(master_); }
  std::string Input() const { return ReadAll(slave_); }
  void Change(tcflag_t termios::* flags, tcflag_t off, tcflag_t on = 0) {
    settings_.*flags = (settings_.*flags & ~off) | on;
    ASSERT_EQ(tcsetattr(slave_, TCSANOW, &settings_), 0);
  }

  int master_ = -1;
  int slave_ = -1;
  termios settings_ = {};
};

TEST_F(Terminals, HaveNamesAndAreTerminals) {
  EXPECT_EQ(isatty(slave_), 1);
  EXPECT_EQ(isatty(master_), 1);
  char name[64];
  ASSERT_EQ(ptsname_r(master_, name, sizeof(name)), 0);
  EXPECT_EQ(std::string_view(name).substr(0, 9), "/dev/pts/");
  struct stat status;
  ASSERT_EQ(stat(name, &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
  struct stat own;
  ASSERT_EQ(fstat(slave_, &own), 0);
  EXPECT_EQ(own.st_rdev, status.st_rdev);
  winsize size = {};
  ASSERT_EQ(ioctl(master_, TIOCGWINSZ, &size), 0);
  EXPECT_EQ(size.ws_col, 80);
  size.ws_row = 50;
  ASSERT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
  size = {};
  ASSERT_EQ(ioctl(slave_, TIOCGWINSZ, &size), 0);
  EXPECT_EQ(size.ws_row, 50);
}

TEST_F(Terminals, ALockedOneIsNotOpened) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(master, 0);
  char name[64];
  ASSERT_EQ(ptsname_r(master, name, sizeof(name)), 0);
  EXPECT_EQ(open(name, O_RDWR | O_NOCTTY), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(unlockpt(master), 0);
  const int slave = open(name, O_RDWR | O_NOCTTY);
  EXPECT_GE(slave, 0);
  close(slave);
  close(master);
  EXPECT_EQ(open(name, O_RDWR | O_NOCTTY), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(Terminals, LinesAreEchoedAndReadAsLines) {
  Type("one\rtw");
  EXPECT_EQ(Screen(), "one\r\ntw");
  int available = 0;
  EXPECT_EQ(ioctl(slave_, FIONREAD, &available), 0);
  EXPECT_EQ(available, 4);
  EXPECT_EQ(Input(), "one\n");
  Type("o\nthree\n");
  char buffer[64];
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 4);
  EXPECT_EQ(read(slave_, buffer, 2), 2);
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 4);
  EXPECT_EQ(write(slave_, "out\n", 4), 4);
  EXPECT_EQ(Screen(), "o\r\nthree\r\nout\r\n");
}

TEST_F(Terminals, LinesAreEdited) {
  Type(
      "abx\x7f"
      "c\n");
  EXPECT_EQ(Screen(), "abx\b \bc\r\n");
  EXPECT_EQ(Input(), "abc\n");
  Type(
      "kill me\x15"
      "new\n");
  EXPECT_EQ(Input(), "new\n");
  Screen();
  Type(
      "two words\x17"
      "w\n");
  EXPECT_EQ(Input(), "two w\n");
  Screen();
  // The next character as it is.
  Type(
      "a\x16\x7f"
      "b\n");
  EXPECT_EQ(Screen(), "a^\b^?b\r\n");
  EXPECT_EQ(Input(),
            "a\x7f"
            "b\n");
  Type("\x01\x7f\n");
  EXPECT_EQ(Screen(), "^A\b \b\b \b\r\n");
  EXPECT_EQ(Input(), "\n");
}

TEST_F(Terminals, TheEndOfAFile) {
  Type("part\x04");
  char buffer[64];
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 4);
  Type("\x04");
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 0);
  Type("more\n");
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 5);
}

TEST_F(Terminals, WithoutEcho) {
  Change(&termios::c_lflag, ECHO);
  Type("secret\n");
  EXPECT_EQ(Screen(), "");
  EXPECT_EQ(Input(), "secret\n");
  Change(&termios::c_lflag, 0, ECHONL);
  Type("secret\n");
  EXPECT_EQ(Screen(), "\r\n");
}

TEST_F(Terminals, RawMode) {
  termios raw = settings_;
  cfmakeraw(&raw);
  ASSERT_EQ(tcsetattr(slave_, TCSAFLUSH, &raw), 0);
  termios got = {};
  ASSERT_EQ(tcgetattr(master_, &got), 0);
  EXPECT_EQ(got.c_lflag, raw.c_lflag);
  EXPECT_EQ(got.c_cc[VMIN], 1);
  Type("a\r\x03\x04\x7f");
  EXPECT_EQ(Input(), "a\r\x03\x04\x7f");
  EXPECT_EQ(Screen(), "");
  EXPECT_EQ(write(slave_, "x\n", 2), 2);
  EXPECT_EQ(Screen(), "x\n");
  // At least so many bytes.
  raw.c_cc[VMIN] = 3;
  ASSERT_EQ(tcsetattr(slave_, TCSANOW, &raw), 0);
  std::thread typist([&] {
    Type("12");
    usleep(3000);
    Type("3");
  });
  char buffer[8];
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 3);
  typist.join();
  // As many as there are, after a while.
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ASSERT_EQ(tcsetattr(slave_, TCSANOW, &raw), 0);
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 0);
  raw.c_cc[VTIME] = 1;
  ASSERT_EQ(tcsetattr(slave_, TCSANOW, &raw), 0);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(90));
  Type("z");
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 1);
}

TEST_F(Terminals, OutputStops) {
  Type("\x13");
  pollfd entry = {.fd = slave_, .events = POLLOUT, .revents = 0};
  EXPECT_EQ(poll(&entry, 1, 0), 0);
  fcntl(slave_, F_SETFL, O_NONBLOCK);
  EXPECT_EQ(write(slave_, "x", 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  Type("\x11");
  EXPECT_EQ(poll(&entry, 1, -1), 1);
  EXPECT_EQ(write(slave_, "x", 1), 1);
  EXPECT_EQ(Screen(), "x");
}

TEST_F(Terminals, InputIsDiscarded) {
  Type("line\n");
  Screen();
  EXPECT_EQ(tcflush(slave_, TCIFLUSH), 0);
  EXPECT_EQ(Input(), "");
  // ^C throws away what has been typed and not been shown, whoever gets the signal.
  Type("half\x03");
  EXPECT_EQ(Screen(), "^C");
  Type("x\n");
  EXPECT_EQ(Input(), "x\n");
}

TEST_F(Terminals, TheProgramSideGoes) {
  EXPECT_EQ(write(slave_, "bye\n", 4), 4);
  close(slave_);
  slave_ = -1;
  pollfd entry = {.fd = master_, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLIN | POLLHUP);
  char buffer[16];
  EXPECT_EQ(read(master_, buffer, sizeof(buffer)), 5);
  EXPECT_EQ(read(master_, buffer, sizeof(buffer)), -1);
  EXPECT_EQ(errno, EIO);
}

TEST_F(Terminals, TheMasterGoes) {
  close(master_);
  master_ = -1;
  char buffer[16];
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 0);
  EXPECT_EQ(write(slave_, "x", 1), -1);
  EXPECT_EQ(errno, EIO);
  pollfd entry = {.fd = slave_, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_NE(entry.revents & POLLHUP, 0);
}

TEST_F(Terminals, ReadersSleep) {
  std::thread typist([&] {
    usleep(3000);
    Type("late\n");
  });
  char buffer[16];
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), 5);
  typist.join();
  fcntl(slave_, F_SETFL, O_NONBLOCK);
  EXPECT_EQ(read(slave_, buffer, sizeof(buffer)), -1);
  EXPECT_EQ(errno, EAGAIN);
}

}  // namespace
