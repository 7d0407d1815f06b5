// SPDX-License-Identifier: Apache-2.0
// POSIX message queues.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <thread>

namespace {

// A queue of four messages of sixteen bytes, with a name that nobody else has.
class Queue {
 public:
  explicit Queue(int flags = 0) : name_("/nsgx-test-" + std::to_string(getpid())) {
    mq_unlink(name_.c_str());
    mq_attr attributes = {};
    attributes.mq_maxmsg = 4;
    attributes.mq_msgsize = 16;
    fd_ = mq_open(name_.c_str(), O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attributes);
    EXPECT_NE(fd_, -1) << errno;
  }
  ~Queue() {
    mq_close(fd_);
    mq_unlink(name_.c_str());
  }

  mqd_t fd() const { return fd_; }
  const char* name() const { return name_.c_str(); }

  int Send(std::string_view text, unsigned priority = 0) const {
    return mq_send(fd_, text.data(), text.size(), priority) == 0 ? 0 : errno;
  }
  // "priority:text", or the error's number.
  std::string Receive() const {
    char text[16];
    unsigned priority = 0;
    const ssize_t size = mq_receive(fd_, text, sizeof(text), &priority);
    return size < 0 ? std::to_string(errno)
                    : std::to_string(priority) + ":" + std::string(text, static_cast<size_t>(size));
  }

 private:
  std::string name_;
  mqd_t fd_;
};

timespec InMilliseconds(long milliseconds) {
  timespec time = {};
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_nsec += milliseconds * 1'000'000;
  time.tv_sec += time.tv_nsec / 1'000'000'000;
  time.tv_nsec %= 1'000'000'000;
  return time;
}

TEST(MessageQueue, GivesTheHighestPriorityFirstAndTheOldestOfIt) {
  const Queue queue;
  EXPECT_EQ(queue.Send("a", 1), 0);
  EXPECT_EQ(queue.Send("b", 7), 0);
  EXPECT_EQ(queue.Send("", 1), 0);
  EXPECT_EQ(queue.Send("c", 3), 0);
  mq_attr attributes = {};
  EXPECT_EQ(mq_getattr(queue.fd(), &attributes), 0);
  EXPECT_EQ(attributes.mq_maxmsg, 4);
  EXPECT_EQ(attributes.mq_msgsize, 16);
  EXPECT_EQ(attributes.mq_curmsgs, 4);
  EXPECT_EQ(queue.Receive(), "7:b");
  EXPECT_EQ(queue.Receive(), "3:c");
  EXPECT_EQ(queue.Receive(), "1:a");
  EXPECT_EQ(queue.Receive(), "1:");
}

TEST(MessageQueue, NamesLeadToIt) {
  const Queue queue;
  EXPECT_EQ(mq_open(queue.name(), O_CREAT | O_EXCL | O_RDWR, 0600, nullptr), -1);
  EXPECT_EQ(errno, EEXIST);
  const mqd_t other = mq_open(queue.name(), O_RDONLY);
  ASSERT_NE(other, -1);
  EXPECT_EQ(queue.Send("x"), 0);
  EXPECT_EQ(mq_send(other, "x", 1, 0), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(mq_unlink(queue.name()), 0);
  EXPECT_EQ(mq_unlink(queue.name()), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(mq_open(queue.name(), O_RDWR), -1);
  EXPECT_EQ(errno, ENOENT);
  char text[16];
  EXPECT_EQ(mq_receive(other, text, sizeof(text), nullptr), 1) << "it lives while it is open";
  EXPECT_EQ(mq_close(other), 0);
  EXPECT_EQ(mq_open("/a/b", O_CREAT | O_RDWR, 0600, nullptr), -1);
  EXPECT_EQ(errno, EACCES);
  mq_attr nonsense = {};
  nonsense.mq_maxmsg = -1;
  nonsense.mq_msgsize = 1;
  EXPECT_EQ(mq_open(queue.name(), O_CREAT | O_RDWR, 0600, &nonsense), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(MessageQueue, WaitsForRoomAndForMessages) {
  const Queue queue;
  std::thread sender([&] {
    for (int i = 0; i < 500; ++i) {
      ASSERT_EQ(queue.Send(std::to_string(i)), 0);
    }
  });
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(queue.Receive(), "0:" + std::to_string(i));
  }
  sender.join();
  char text[16];
  timespec until = InMilliseconds(20);
  EXPECT_EQ(mq_timedreceive(queue.fd(), text, sizeof(text), nullptr, &until), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(queue.Send("x"), 0);
  }
  until = InMilliseconds(20);
  EXPECT_EQ(mq_timedsend(queue.fd(), text, 1, 0, &until), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  until.tv_nsec = -1;
  EXPECT_EQ(mq_timedsend(queue.fd(), text, 1, 0, &until), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(MessageQueue, ErrorsAreLinuxs) {
  const Queue queue(O_NONBLOCK);
  char text[20];
  EXPECT_EQ(queue.Receive(), std::to_string(EAGAIN));
  EXPECT_EQ(queue.Send("0123456789abcdefg"), EMSGSIZE);
  EXPECT_EQ(mq_receive(queue.fd(), text, 15, nullptr), -1);
  EXPECT_EQ(errno, EMSGSIZE);
  EXPECT_EQ(queue.Send("x", 32768), EINVAL);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(queue.Send("x"), 0);
  }
  EXPECT_EQ(queue.Send("x"), EAGAIN);
  EXPECT_EQ(mq_send(0, "x", 1, 0), -1);
  EXPECT_EQ(errno, EBADF);
  mq_attr attributes = {};
  mq_attr old = {};
  EXPECT_EQ(mq_setattr(queue.fd(), &attributes, &old), 0);
  EXPECT_EQ(old.mq_flags, O_NONBLOCK);
  attributes.mq_flags = O_APPEND;
  EXPECT_EQ(mq_setattr(queue.fd(), &attributes, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(MessageQueue, CanBePolled) {
  const Queue queue;
  pollfd ready = {.fd = queue.fd(), .events = POLLIN | POLLOUT, .revents = 0};
  EXPECT_EQ(poll(&ready, 1, 0), 1);
  EXPECT_EQ(ready.revents, POLLOUT);
  std::thread sender([&] { EXPECT_EQ(queue.Send("x"), 0); });
  ready.events = POLLIN;
  EXPECT_EQ(poll(&ready, 1, -1), 1);
  sender.join();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(queue.Send("x"), 0);
  }
  ready.events = POLLIN | POLLOUT;
  EXPECT_EQ(poll(&ready, 1, 0), 1);
  EXPECT_EQ(ready.revents, POLLIN);
}

TEST(MessageQueue, TellsOnceOfTheFirstMessage) {
  const Queue queue;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN;
  event.sigev_value.sival_int = 77;
  EXPECT_EQ(mq_notify(queue.fd(), &event), 0);
  EXPECT_EQ(mq_notify(queue.fd(), &event), -1);
  EXPECT_EQ(errno, EBUSY);
  EXPECT_EQ(queue.Send("x"), 0);
  siginfo_t info = {};
  const timespec long_time = {.tv_sec = 30, .tv_nsec = 0};
  EXPECT_EQ(sigtimedwait(&set, &info, &long_time), SIGRTMIN);
  EXPECT_EQ(info.si_code, SI_MESGQ);
  EXPECT_EQ(info.si_value.sival_int, 77);
  EXPECT_EQ(info.si_pid, getpid());
  EXPECT_EQ(mq_notify(queue.fd(), &event), 0) << "it was told once";
  EXPECT_EQ(queue.Send("x"), 0);
  const timespec instant = {};
  EXPECT_EQ(sigtimedwait(&set, &info, &instant), -1) << "it was not the first";
  EXPECT_EQ(mq_notify(queue.fd(), nullptr), 0);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace
