// SPDX-License-Identifier: Apache-2.0
// The C library on native.S: what a system call, a thread, a signal and a new process need from
// below.
#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

TEST(NativeSyscall, PassesSixArgumentsAndErrors) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  ASSERT_EQ(write(pipe_ends[1], "abcdef", 6), 6);
  int target = memfd_create("target", 0);
  ASSERT_GE(target, 0);
  long long offset = 3;
  // splice: six arguments, each of which changes the result.
  EXPECT_EQ(syscall(SYS_splice, pipe_ends[0], nullptr, target, &offset, 4, 0), 4);
  EXPECT_EQ(offset, 7);
  char read_back[8] = {};
  EXPECT_EQ(pread(target, read_back, sizeof(read_back), 3), 4);
  EXPECT_STREQ(read_back, "abcd");
  EXPECT_EQ(syscall(SYS_splice, pipe_ends[0], nullptr, target, &offset, 4, ~0), -1);
  EXPECT_EQ(errno, EINVAL);
  close(target);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(NativeThreads, RunJoinAndDetach) {
  std::atomic<int> ran = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; i++) {
    threads.emplace_back([&] { ran++; });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(ran, 16);
  // A detached thread unmaps the stack that it stands on.
  for (int i = 0; i < 100; i++) {
    std::thread([&] { ran++; }).detach();
  }
  while (ran != 116) {
    sched_yield();
  }
}

void* ReadForEver(void* file) {
  char byte;
  for (;;) {
    if (read(*static_cast<int*>(file), &byte, 1) < 0) {
      return nullptr;
    }
  }
}

TEST(NativeCancellation, ReachesAThreadBeforeAndInsideACall) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  for (int i = 0; i < 500; i++) {
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, nullptr, ReadForEver, &pipe_ends[0]), 0);
    if (i % 50 == 0) {
      usleep(2000);  // long enough, mostly, for the thread to be inside the call
    }
    ASSERT_EQ(pthread_cancel(thread), 0);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    ASSERT_EQ(result, PTHREAD_CANCELED);
  }
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(NativeSignals, HandlersReturn) {
  static std::atomic<int> handled;
  struct sigaction action = {};
  action.sa_handler = [](int) { handled++; };
  ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  EXPECT_EQ(raise(SIGUSR1), 0);
  EXPECT_EQ(handled, 1);
}

TEST(NativeSignals, HandlersJumpOut) {
  static sigjmp_buf before;
  struct sigaction action = {};
  action.sa_handler = [](int) { siglongjmp(before, 1); };
  struct sigaction old;
  ASSERT_EQ(sigaction(SIGSEGV, &action, &old), 0);
  if (sigsetjmp(before, 1) == 0) {
    raise(SIGSEGV);
    ADD_FAILURE() << "the handler did not run";
  }
  EXPECT_EQ(sigaction(SIGSEGV, &old, nullptr), 0);
}

TEST(NativeProcesses, ForkAndSpawn) {
  pid_t child = fork();
  if (child == 0) {
    _exit(7);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);

  char name[] = "false";
  char* arguments[] = {name, nullptr};
  ASSERT_EQ(posix_spawn(&child, "/bin/false", nullptr, nullptr, arguments, environ), 0);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

int Throw(const void*, const void*) { throw std::runtime_error("compared"); }

TEST(NativeCallbacks, ExceptionsPassThroughTheCLibrary) {
  int numbers[] = {3, 2, 1};
  EXPECT_THROW(qsort(numbers, 3, sizeof(int), Throw), std::runtime_error);
  EXPECT_THROW((void)bsearch(numbers, numbers, 3, sizeof(int), Throw), std::runtime_error);
}

}  // namespace
