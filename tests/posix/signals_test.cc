// SPDX-License-Identifier: Apache-2.0
// Faults become signals with the right details, and handlers can repair, jump out or be asked for.

#include <gtest/gtest.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

sigjmp_buf jump;
volatile sig_atomic_t last_signal;
volatile sig_atomic_t last_code;
void* volatile last_address;

void JumpOut(int signal, siginfo_t* info, void*) {
  last_signal = signal;
  last_code = info->si_code;
  last_address = info->si_addr;
  siglongjmp(jump, 1);
}

// Handles `signal` by `handler` while it lives.
class Handler {
 public:
  Handler(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0) : signal_(signal) {
    struct sigaction action = {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, &old_);
  }
  ~Handler() { sigaction(signal_, &old_, nullptr); }
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

 private:
  int signal_;
  struct sigaction old_;
};

TEST(Signals, WildPointerIsSegv) {
  Handler handler(SIGSEGV, JumpOut);
  for (int round = 0; round < 100; ++round) {
    last_signal = 0;
    if (sigsetjmp(jump, 1) == 0) {
      *reinterpret_cast<volatile int*>(0x10) = 1;
      FAIL() << "no fault";
    }
    EXPECT_EQ(last_signal, SIGSEGV);
    EXPECT_EQ(last_address, reinterpret_cast<void*>(0x10));
    EXPECT_EQ(last_code, SEGV_MAPERR);
  }
}

TEST(Signals, WriteToReadOnlyPageIsAccerr) {
  Handler handler(SIGSEGV, JumpOut);
  void* page = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  if (sigsetjmp(jump, 1) == 0) {
    *static_cast<volatile char*>(page) = 1;
    FAIL() << "no fault";
  }
  EXPECT_EQ(last_code, SEGV_ACCERR);
  EXPECT_EQ(last_address, page);
  munmap(page, 4096);
}

TEST(Signals, HandlerRepairsAndTheInstructionIsRepeated) {
  static void* page;
  page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  Handler handler(SIGSEGV,
                  [](int, siginfo_t*, void*) { mprotect(page, 4096, PROT_READ | PROT_WRITE); });
  *static_cast<volatile int*>(page) = 42;
  EXPECT_EQ(*static_cast<volatile int*>(page), 42);
  munmap(page, 4096);
}

TEST(Signals, UndefinedInstructionIsIllAndCanBeSkipped) {
  Handler handler(SIGILL, [](int signal, siginfo_t*, void* context) {
    last_signal = signal;
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
  });
  last_signal = 0;
  asm volatile("ud2");
  EXPECT_EQ(last_signal, SIGILL);
}

TEST(Signals, DivisionByZeroIsFpe) {
  Handler handler(SIGFPE, JumpOut);
  volatile int zero = 0;
  volatile int result = 0;
  if (sigsetjmp(jump, 1) == 0) {
    asm volatile("cltd; idivl %2" : "=a"(*const_cast<int*>(&result)) : "0"(1), "r"(zero) : "edx");
    FAIL() << "no fault";
  }
  EXPECT_EQ(last_signal, SIGFPE);
  EXPECT_EQ(last_code, FPE_INTDIV);
}

__attribute__((noinline)) int Recurse(int depth) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : Recurse(depth + 1) + frame[0];
}

TEST(Signals, StackOverflowArrivesOnTheAlternateStack) {
  static std::vector<char> alternate(64 * 1024);
  std::thread([] {
    stack_t stack = {};
    stack.ss_sp = alternate.data();
    stack.ss_size = alternate.size();
    ASSERT_EQ(sigaltstack(&stack, nullptr), 0);
    Handler handler(SIGSEGV, JumpOut, SA_ONSTACK);
    last_signal = 0;
    if (sigsetjmp(jump, 1) == 0) {
      Recurse(0);
    }
    EXPECT_EQ(last_signal, SIGSEGV);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
  }).join();
}

TEST(Signals, RaiseRunsTheHandlerAtOnce) {
  static std::atomic<int> count;
  count = 0;
  Handler handler(SIGUSR1, [](int, siginfo_t*, void*) { ++count; });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(raise(SIGUSR1), 0);
    ASSERT_EQ(count, i + 1);
  }
}

TEST(Signals, BlockedSignalsWait) {
  static std::atomic<int> count;
  count = 0;
  Handler handler(SIGUSR2, [](int, siginfo_t*, void*) { ++count; });
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  raise(SIGUSR2);
  raise(SIGUSR2);
  EXPECT_EQ(count, 0);
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGUSR2), 1);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  EXPECT_EQ(count, 1);
}

TEST(Signals, InterruptsABlockedCall) {
  Handler handler(SIGUSR1, [](int, siginfo_t*, void*) {});
  std::atomic<bool> interrupted = false;
  std::atomic<bool> done = false;
  std::thread sleeper([&] {
    sem_t never;
    sem_init(&never, 0, 0);
    interrupted = sem_wait(&never) == -1 && errno == EINTR;
    done = true;
    sem_destroy(&never);
  });
  while (!done) {
    pthread_kill(sleeper.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  sleeper.join();
  EXPECT_TRUE(interrupted);
}

TEST(Signals, VectorRegistersSurviveAHandler) {
  Handler handler(SIGUSR1, [](int, siginfo_t*, void*) {
    asm volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7; pcmpeqd %%xmm15, %%xmm15" ::
                     : "xmm0", "xmm7", "xmm15");
  });
  // ud2 in a handler-protected region: state is saved and restored by the exception path, not by a
  // call.
  Handler skip(SIGILL, [](int, siginfo_t*, void* context) {
    raise(SIGUSR1);
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
  });
  const double values[2] = {1.25, -7.5};
  double after[2];
  asm volatile("movupd (%0), %%xmm7; ud2; movupd %%xmm7, (%1)"
               :
               : "r"(values), "r"(after)
               : "xmm7", "memory");
  EXPECT_EQ(after[0], values[0]);
  EXPECT_EQ(after[1], values[1]);
}

TEST(Signals, SigsuspendAndSigtimedwait) {
  static std::atomic<int> count;
  count = 0;
  Handler handler(SIGUSR1, [](int, siginfo_t*, void*) { ++count; });
  sigset_t block, old;
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &block, &old);
  raise(SIGUSR1);
  sigset_t none;
  sigemptyset(&none);
  EXPECT_EQ(sigsuspend(&none), -1);
  EXPECT_EQ(count, 1);

  raise(SIGUSR1);
  siginfo_t info;
  const timespec second = {.tv_sec = 1, .tv_nsec = 0};
  EXPECT_EQ(sigtimedwait(&block, &info, &second), SIGUSR1);
  EXPECT_EQ(info.si_signo, SIGUSR1);
  EXPECT_EQ(count, 1);
  const timespec instant = {};
  EXPECT_EQ(sigtimedwait(&block, &info, &instant), -1);
  EXPECT_EQ(errno, EAGAIN);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

// As on Linux, where -1 means neither the sender nor the first process.
TEST(Signals, AProcessAloneCannotSendToEverybodyElse) {
  if (getpid() == 1) {  // natively there are others, who would hear of it
    EXPECT_EQ(kill(-1, SIGKILL), -1);
    EXPECT_EQ(errno, ESRCH);
  }
}

}  // namespace
