// SPDX-License-Identifier: Apache-2.0
// splice, tee and vmsplice between pipes, files and sockets.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include "tests/conformance/files/folder.h"

namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(pipe(ends), 0); }
  ~Pipe() {
    Close(0);
    Close(1);
  }
  void Close(int end) {
    if (ends[end] >= 0) {
      close(ends[end]);
    }
    ends[end] = -1;
  }
  int in() const { return ends[1]; }
  int out() const { return ends[0]; }

  int ends[2] = {-1, -1};
};

void Put(int fd, std::string_view text) {
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}
std::string Take(int fd, size_t size) {
  std::string text(size, '\0');
  const ssize_t got = read(fd, text.data(), size);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

class Splice : public InFolder {};

TEST_F(Splice, FromFileToPipeAndBack) {
  const int file = open("file", O_CREAT | O_RDWR, 0644);
  Put(file, "0123456789");
  Pipe pipe;
  off_t at = 2;
  EXPECT_EQ(splice(file, &at, pipe.in(), nullptr, 5, 0), 5);
  EXPECT_EQ(at, 7);
  EXPECT_EQ(lseek(file, 0, SEEK_CUR), 10);
  EXPECT_EQ(splice(file, nullptr, pipe.in(), nullptr, 5, 0), 0) << "the end of the file";
  at = 20;
  EXPECT_EQ(splice(pipe.out(), nullptr, file, &at, 3, 0), 3);
  EXPECT_EQ(at, 23);
  EXPECT_EQ(splice(pipe.out(), nullptr, file, nullptr, 100, 0), 2);
  EXPECT_EQ(lseek(file, 0, SEEK_SET), 0);
  EXPECT_EQ(Take(file, 100), std::string("012345678956\0\0\0\0\0\0\0\0"
                                         "234",
                                         23));
  close(file);
}

TEST_F(Splice, BetweenPipesAndSockets) {
  Pipe first;
  Pipe second;
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  Put(first.in(), "hello world");
  EXPECT_EQ(tee(first.out(), second.in(), 5, 0), 5);
  EXPECT_EQ(Take(second.out(), 100), "hello");
  EXPECT_EQ(splice(first.out(), nullptr, second.in(), nullptr, 6, 0), 6);
  EXPECT_EQ(splice(first.out(), nullptr, sockets[0], nullptr, 100, 0), 5);
  EXPECT_EQ(Take(second.out(), 100), "hello ");
  EXPECT_EQ(splice(sockets[1], nullptr, second.in(), nullptr, 100, 0), 5);
  EXPECT_EQ(Take(second.out(), 100), "world");
  EXPECT_EQ(splice(first.out(), nullptr, second.in(), nullptr, 1, SPLICE_F_NONBLOCK), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(tee(first.out(), second.in(), 1, SPLICE_F_NONBLOCK), -1);
  EXPECT_EQ(errno, EAGAIN);
  first.Close(1);
  EXPECT_EQ(splice(first.out(), nullptr, second.in(), nullptr, 1, 0), 0);
  EXPECT_EQ(tee(first.out(), second.in(), 1, 0), 0);
  close(sockets[0]);
  close(sockets[1]);
}

TEST_F(Splice, MovesMuchWithoutLossWhileOthersWaitAtBothEnds) {
  constexpr size_t kSize = 1 << 20;
  Pipe first;
  Pipe second;
  std::thread writer([&] {
    for (size_t at = 0; at < kSize; at += 4) {
      const auto number = static_cast<uint32_t>(at);
      ASSERT_EQ(write(first.in(), &number, sizeof(number)), 4);
    }
    first.Close(1);
  });
  std::thread mover([&] {
    while (splice(first.out(), nullptr, second.in(), nullptr, 50'000, 0) > 0) {
    }
    second.Close(1);
  });
  size_t at = 0;
  std::string buffer(3000, '\0');
  std::string all;
  ssize_t got;
  while ((got = read(second.out(), buffer.data(), buffer.size())) > 0) {
    all.append(buffer, 0, static_cast<size_t>(got));
  }
  writer.join();
  mover.join();
  ASSERT_EQ(all.size(), kSize);
  for (; at < kSize; at += 4) {
    uint32_t number;
    all.copy(reinterpret_cast<char*>(&number), 4, at);
    ASSERT_EQ(number, at);
  }
}

TEST_F(Splice, VmspliceTakesMemory) {
  Pipe pipe;
  char text[] = "hello world";
  const iovec parts[] = {{text, 5}, {text + 5, 6}};
  EXPECT_EQ(vmsplice(pipe.in(), parts, 2, 0), 11);
  EXPECT_EQ(Take(pipe.out(), 100), "hello world");
  Put(pipe.in(), "abc");
  EXPECT_EQ(vmsplice(pipe.out(), parts, 1, 0), 3);
  EXPECT_EQ(std::string_view(text, 5), "abclo");
  const int file = open("file", O_CREAT | O_RDWR, 0644);
  EXPECT_EQ(vmsplice(file, parts, 1, 0), -1);
  EXPECT_EQ(errno, EBADF);
  close(file);
}

TEST_F(Splice, ErrorsAreLinuxs) {
  Pipe pipe;
  const int file = open("file", O_CREAT | O_RDWR, 0644);
  const int appending = open("file", O_WRONLY | O_APPEND);
  off_t at = 0;
  const auto fails = [&](int in, off_t* in_at, int out, off_t* out_at, unsigned flags = 0) {
    return splice(in, in_at, out, out_at, 4, flags) == -1 ? errno : 0;
  };
  Put(pipe.in(), "data");
  EXPECT_EQ(fails(file, nullptr, file, nullptr), EINVAL);
  EXPECT_EQ(fails(pipe.out(), nullptr, pipe.in(), nullptr), EINVAL);
  EXPECT_EQ(fails(pipe.out(), &at, file, nullptr), ESPIPE);
  EXPECT_EQ(fails(file, nullptr, pipe.in(), &at), ESPIPE);
  EXPECT_EQ(fails(pipe.out(), nullptr, appending, nullptr), EINVAL);
  EXPECT_EQ(fails(pipe.in(), nullptr, file, nullptr), EBADF);
  EXPECT_EQ(fails(pipe.out(), nullptr, -1, nullptr), EBADF);
  EXPECT_EQ(fails(pipe.out(), nullptr, file, nullptr, 0x100), EINVAL);
  EXPECT_EQ(tee(pipe.out(), pipe.in(), 4, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(tee(file, pipe.in(), 4, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(Take(pipe.out(), 10), "data") << "nothing was lost";
  const auto old = signal(SIGPIPE, SIG_IGN);
  Put(file, "more");
  lseek(file, 0, SEEK_SET);
  pipe.Close(0);
  EXPECT_EQ(fails(file, nullptr, pipe.in(), nullptr), EPIPE);
  signal(SIGPIPE, old);
  close(appending);
  close(file);
}

}  // namespace
