// SPDX-License-Identifier: Apache-2.0
// The ways into the library OS and back, from a program's point of view: what survives them, and
// what a bad pointer does. Runs inside an enclave and natively.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr size_t kPage = 4096;

// ---- raw system calls
// ----------------------------------------------------------------------------

// All registers around a piece of code.
struct Registers {
  uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
  alignas(16) unsigned char xmm[16][16];
};

// The bytes `syscall; ret`: in an image they are refused, so they are written at run time.
using Code = void (*)();
Code SyscallCode() {
  static Code code = [] {
    void* page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, "\x0f\x05\xc3", 3);
    mprotect(page, kPage, PROT_READ | PROT_EXEC);
    return reinterpret_cast<Code>(page);
  }();
  return code;
}

// Loads all registers from `in`, calls `code`, and stores them in `out`.
__attribute__((naked, noinline)) void CallWith(Code, const Registers*, Registers*) {
  asm volatile(
      R"(
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        push %rdx
        push %rdi
        mov %rsi, %rax
        .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movaps 0x80+16*\n(%rax), %xmm\n
        .endr
        mov 0x08(%rax), %rbx
        mov 0x10(%rax), %rcx
        mov 0x18(%rax), %rdx
        mov 0x20(%rax), %rsi
        mov 0x28(%rax), %rdi
        mov 0x30(%rax), %rbp
        mov 0x38(%rax), %r8
        mov 0x40(%rax), %r9
        mov 0x48(%rax), %r10
        mov 0x50(%rax), %r11
        mov 0x58(%rax), %r12
        mov 0x60(%rax), %r13
        mov 0x68(%rax), %r14
        mov 0x70(%rax), %r15
        mov 0x00(%rax), %rax
        movq $0x1234567, -120(%rsp)
        lea -128(%rsp), %rsp
        call *128(%rsp)
        lea 128(%rsp), %rsp
        push %rax
        mov 16(%rsp), %rax
        .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movaps %xmm\n, 0x80+16*\n(%rax)
        .endr
        mov %rbx, 0x08(%rax)
        mov %rcx, 0x10(%rax)
        mov %rdx, 0x18(%rax)
        mov %rsi, 0x20(%rax)
        mov %rdi, 0x28(%rax)
        mov %rbp, 0x30(%rax)
        mov %r8, 0x38(%rax)
        mov %r9, 0x40(%rax)
        mov %r10, 0x48(%rax)
        mov %r11, 0x50(%rax)
        mov %r12, 0x58(%rax)
        mov %r13, 0x60(%rax)
        mov %r14, 0x68(%rax)
        mov %r15, 0x70(%rax)
        pop %rcx
        mov %rcx, 0x00(%rax)
        add $16, %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret
      )");
}

TEST(RawSyscall, KeepsEveryRegisterButThree) {
  Registers in, out;
  memset(&in, 0, sizeof in);
  uint64_t* words = reinterpret_cast<uint64_t*>(&in);
  for (size_t i = 0; i < sizeof in / sizeof *words; ++i) {
    words[i] = 0x0101010101010101u * (i + 1);
  }
  in.rax = SYS_getppid;
  CallWith(SyscallCode(), &in, &out);
  EXPECT_EQ(out.rax, static_cast<uint64_t>(getppid()));
  EXPECT_EQ(out.rbx, in.rbx);
  EXPECT_EQ(out.rdx, in.rdx);
  EXPECT_EQ(out.rsi, in.rsi);
  EXPECT_EQ(out.rdi, in.rdi);
  EXPECT_EQ(out.rbp, in.rbp);
  EXPECT_EQ(out.r8, in.r8);
  EXPECT_EQ(out.r9, in.r9);
  EXPECT_EQ(out.r10, in.r10);
  EXPECT_EQ(out.r12, in.r12);
  EXPECT_EQ(out.r13, in.r13);
  EXPECT_EQ(out.r14, in.r14);
  EXPECT_EQ(out.r15, in.r15);
  EXPECT_EQ(memcmp(out.xmm, in.xmm, sizeof in.xmm), 0);
}

int64_t RawCall(uint64_t number, uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0, uint64_t a4 = 0,
                uint64_t a5 = 0, uint64_t a6 = 0) {
  Registers registers = {};
  registers.rax = number;
  registers.rdi = a1;
  registers.rsi = a2;
  registers.rdx = a3;
  registers.r10 = a4;
  registers.r8 = a5;
  registers.r9 = a6;
  Registers out;
  CallWith(SyscallCode(), &registers, &out);
  return static_cast<int64_t>(out.rax);
}

TEST(RawSyscall, SixArgumentsArrive) {
  const int64_t address = RawCall(SYS_mmap, 0, kPage, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, static_cast<uint64_t>(-1), 0);
  ASSERT_GT(address, 0);
  *reinterpret_cast<volatile char*>(address) = 1;
  EXPECT_EQ(RawCall(SYS_munmap, static_cast<uint64_t>(address), kPage), 0);
}

TEST(RawSyscall, UnknownNumbersAreEnosys) {
  EXPECT_EQ(RawCall(100'000), -ENOSYS);
  EXPECT_EQ(RawCall(static_cast<uint64_t>(-1)), -ENOSYS);
}

TEST(RawSyscall, AHandlerRunsOnTheWayBack) {
  static std::atomic<int> count;
  count = 0;
  struct sigaction action = {}, old;
  action.sa_handler = [](int) { ++count; };
  sigaction(SIGUSR1, &action, &old);
  const uint64_t tid = static_cast<uint64_t>(RawCall(SYS_gettid));
  EXPECT_EQ(RawCall(SYS_tkill, tid, SIGUSR1), 0);
  EXPECT_EQ(count, 1);
  sigaction(SIGUSR1, &old, nullptr);
}

// ---- preemption
// ----------------------------------------------------------------------------------

// Fills registers, spins, and looks whether they are as they were. Returns false if not.
bool RegistersSurviveASpin(uint64_t seed, uint64_t spins) {
  uint64_t bad;
  asm volatile(
      R"(
        movq %[seed], %%xmm0
        movddup %%xmm0, %%xmm15
        mov %[seed], %%r8
        lea 1(%[seed]), %%r9
        lea 2(%[seed]), %%r10
        lea 3(%[seed]), %%r11
        lea 4(%[seed]), %%r12
        lea 5(%[seed]), %%r13
        lea 6(%[seed]), %%r14
        lea 7(%[seed]), %%r15
        fninit
        fld1
        movq %[seed], -64(%%rsp)
        std
        cld
      1:
        dec %[spins]
        jnz 1b
        xor %[bad], %[bad]
        xor -64(%%rsp), %[seed]
        or %[seed], %[bad]
        movq %%xmm15, %[seed]
        xor %%r8, %[seed]
        or %[seed], %[bad]
        sub %%r8, %%r9
        dec %%r9
        or %%r9, %[bad]
        sub %%r8, %%r10
        sub $2, %%r10
        or %%r10, %[bad]
        sub %%r8, %%r11
        sub $3, %%r11
        or %%r11, %[bad]
        sub %%r8, %%r12
        sub $4, %%r12
        or %%r12, %[bad]
        sub %%r8, %%r13
        sub $5, %%r13
        or %%r13, %[bad]
        sub %%r8, %%r14
        sub $6, %%r14
        or %%r14, %[bad]
        sub %%r8, %%r15
        sub $7, %%r15
        or %%r15, %[bad]
        fld1
        fcompp
        fnstsw %%ax
        and $0x4000, %%eax
        xor $0x4000, %%eax
        or %%rax, %[bad]
      )"
      : [bad] "=&b"(bad), [seed] "+&d"(seed), [spins] "+&c"(spins)
      :
      : "rax", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm15", "cc",
        "memory");
  return bad == 0;
}

thread_local uint64_t own_number;

TEST(Preemption, RegistersAndThreadPointerSurvive) {
  constexpr int kThreads = 6;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&failures, i] {
      own_number = static_cast<uint64_t>(i) * 1000 + 7;
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(60);
      uint64_t round = 0;
      while (std::chrono::steady_clock::now() < end) {
        const uint64_t seed = own_number * 0x9e3779b97f4a7c15u + round++;
        failures += RegistersSurviveASpin(seed, 20'000) ? 0 : 1;
        failures += own_number == static_cast<uint64_t>(i) * 1000 + 7 ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failures, 0);
}

TEST(Preemption, CallsAndSpinsMix) {
  // Half of the threads only compute, half only call: both get on.
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> calls = 0, spins = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      while (!stop) {
        if (i % 2 == 0) {
          sched_yield();
          ++calls;
        } else {
          spins += RegistersSurviveASpin(static_cast<uint64_t>(i), 1000) ? 1 : 0;
        }
      }
    });
  }
  while (calls < 100 || spins < 100) {
    sched_yield();
  }
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
}

// ---- pointers
// ------------------------------------------------------------------------------------

TEST(Pointers, BadOnesAreEfault) {
  char* page = static_cast<char*>(
      mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(page, MAP_FAILED);
  munmap(page + kPage, kPage);
  char* const gone = page + kPage;
  char* const wild = reinterpret_cast<char*>(0x10);
  char* const not_canonical = reinterpret_cast<char*>(0x8000'0000'0000'0000u);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  for (char* bad : {gone, wild, not_canonical}) {
    errno = 0;
    EXPECT_EQ(write(ends[1], bad, 16), -1);
    EXPECT_EQ(errno, EFAULT);
    errno = 0;
    EXPECT_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad), -1);
    EXPECT_EQ(errno, EFAULT);
    errno = 0;
    EXPECT_EQ(syscall(SYS_futex, bad, 0, 0, nullptr, nullptr, 0), -1);
    EXPECT_EQ(errno, EFAULT);
    errno = 0;
    EXPECT_EQ(open(bad, O_RDONLY), -1);
    EXPECT_EQ(errno, EFAULT);
  }
  // Across the border of what is mapped.
  errno = 0;
  EXPECT_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, gone - 8), -1);
  EXPECT_EQ(errno, EFAULT);
  // What can be read only is no place for a result.
  ASSERT_EQ(mprotect(page, kPage, PROT_READ), 0);
  errno = 0;
  EXPECT_EQ(getrandom(page, 16, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  close(ends[0]);
  close(ends[1]);
  munmap(page, kPage);
}

TEST(Pointers, MemoryThatNobodyHasTouchedYetServes) {
  constexpr size_t kSize = size_t{64} << 20;
  char* memory = static_cast<char*>(
      mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "hello", 6), 6);
  EXPECT_EQ(read(ends[0], memory + kSize / 2 - 3, 6), 6);
  EXPECT_STREQ(memory + kSize / 2 - 3, "hello");
  ASSERT_EQ(write(ends[1], memory + kSize / 4, 6), 6);
  EXPECT_EQ(read(ends[0], memory, 6), 6);
  EXPECT_STREQ(memory, "");
  close(ends[0]);
  close(ends[1]);
  munmap(memory, kSize);
}

// ---- small stacks
// ----------------------------------------------------------------------------------

TEST(SmallStack, CallsNeedHardlyAny) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, &attributes,
                [](void*) -> void* {
                  const int fd = open("/proc/self/../../tmp/./small-stack", O_RDWR | O_CREAT, 0600);
                  const ssize_t written = write(fd, "x", 1);
                  unlink("/tmp/small-stack");
                  close(fd);
                  return reinterpret_cast<void*>(written);
                },
                nullptr),
            0);
  void* result = nullptr;
  pthread_join(thread, &result);
  EXPECT_EQ(result, reinterpret_cast<void*>(1));
  pthread_attr_destroy(&attributes);
}

// ---- interrupted calls
// -------------------------------------------------------------------------------

// Sends SIGUSR1 to a thread that reads from an empty pipe until the handler has run, then writes a
// byte.
ssize_t InterruptedRead(int flags, int* error) {
  static std::atomic<int> handled;
  handled = 0;
  struct sigaction action = {}, old;
  action.sa_handler = [](int) { ++handled; };
  action.sa_flags = flags;
  sigaction(SIGUSR1, &action, &old);
  int ends[2];
  if (pipe(ends) != 0) {
    return -2;
  }
  std::atomic<bool> reading = false;
  ssize_t result = -3;
  std::thread reader([&] {
    char byte;
    reading = true;
    result = read(ends[0], &byte, 1);
    *error = errno;
  });
  while (!reading) {
    sched_yield();
  }
  // Before the read begins a handler changes nothing; so it may take more than one.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  while (handled == 0) {
    pthread_kill(reader.native_handle(), SIGUSR1);
    sched_yield();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  if (write(ends[1], "x", 1) != 1) {
    return -2;
  }
  reader.join();
  close(ends[0]);
  close(ends[1]);
  sigaction(SIGUSR1, &old, nullptr);
  return result;
}

TEST(Interrupted, WithoutRestartItIsEintr) {
  int error = 0;
  EXPECT_EQ(InterruptedRead(0, &error), -1);
  EXPECT_EQ(error, EINTR);
}

TEST(Interrupted, WithRestartItGoesOn) {
  int error = 0;
  EXPECT_EQ(InterruptedRead(SA_RESTART, &error), 1);
}

TEST(Interrupted, SleepTellsWhatIsLeft) {
  struct sigaction action = {}, old;
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;  // has no effect on sleeping
  sigaction(SIGUSR1, &action, &old);
  std::atomic<bool> done = false;
  timespec rest = {};
  int result = 0;
  std::thread sleeper([&] {
    const timespec long_time = {.tv_sec = 100, .tv_nsec = 0};
    result = nanosleep(&long_time, &rest);
    done = true;
  });
  while (!done) {
    pthread_kill(sleeper.native_handle(), SIGUSR1);
    sched_yield();
  }
  sleeper.join();
  EXPECT_EQ(result, -1);
  EXPECT_GE(rest.tv_sec, 50);
  sigaction(SIGUSR1, &old, nullptr);
}

// ---- handlers
// ------------------------------------------------------------------------------------------

sigjmp_buf jump;

TEST(Handler, JumpingOutOfItManyTimesLeavesNothingBehind) {
  struct sigaction action = {}, old;
  action.sa_handler = [](int) { siglongjmp(jump, 1); };
  sigaction(SIGSEGV, &action, &old);
  for (volatile int i = 0; i < 3000; i = i + 1) {
    if (sigsetjmp(jump, 1) == 0) {
      *reinterpret_cast<volatile char*>(0x20) = 1;
      FAIL();
    }
  }
  sigaction(SIGSEGV, &old, nullptr);
}

TEST(Handler, NestsAndKeepsMasks) {
  static std::atomic<int> depth, deepest;
  depth = deepest = 0;
  struct sigaction action = {}, old1, old2;
  action.sa_handler = [](int signal) {
    const int now = ++depth;
    if (now > deepest) {
      deepest = now;
    }
    if (now < 5) {
      raise(signal == SIGUSR1 ? SIGUSR2 : SIGUSR1);
    }
    --depth;
  };
  action.sa_flags = SA_NODEFER;
  sigaction(SIGUSR1, &action, &old1);
  sigaction(SIGUSR2, &action, &old2);
  raise(SIGUSR1);
  EXPECT_EQ(deepest, 5);
  EXPECT_EQ(depth, 0);
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGUSR1), 0);
  sigaction(SIGUSR1, &old1, nullptr);
  sigaction(SIGUSR2, &old2, nullptr);
}

TEST(Handler, SeesAndChangesRegisters) {
  struct sigaction action = {}, old;
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RBX] += registers[REG_R12];
    registers[REG_RIP] += 2;
  };
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &old);
  uint64_t value = 5;
  asm volatile("mov $37, %%r12d; ud2" : "+b"(value) : : "r12");
  EXPECT_EQ(value, 42u);
  sigaction(SIGILL, &old, nullptr);
}

TEST(Handler, RunsOnTheAlternateStackAndKnowsIt) {
  std::vector<char> memory(64 * 1024);
  stack_t stack = {}, old_stack;
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  ASSERT_EQ(sigaltstack(&stack, &old_stack), 0);
  static char *lowest, *highest;
  lowest = memory.data();
  highest = lowest + memory.size();
  static std::atomic<int> seen;
  seen = 0;
  struct sigaction action = {}, old;
  action.sa_handler = [](int) {
    char here;
    stack_t now;
    sigaltstack(nullptr, &now);
    seen = (&here > lowest && &here < highest ? 1 : 0) + (now.ss_flags == SS_ONSTACK ? 2 : 0);
    errno = 0;
    stack_t other = {};
    other.ss_flags = SS_DISABLE;
    seen += sigaltstack(&other, nullptr) == -1 && errno == EPERM ? 4 : 0;
  };
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, &old);
  raise(SIGUSR1);
  EXPECT_EQ(seen, 7);
  stack.ss_flags = SS_DISABLE;
  EXPECT_EQ(sigaltstack(&stack, nullptr), 0);
  sigaction(SIGUSR1, &old, nullptr);
}

TEST(Handler, QueuedSignalsComeInOrderWithTheirValues) {
  static std::vector<int> values;
  values.clear();
  struct sigaction action = {}, old;
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    values.push_back(info->si_value.sival_int);
  };
  action.sa_flags = SA_SIGINFO;
  const int signal = SIGRTMIN + 3;
  sigaction(signal, &action, &old);
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, &before);
  for (int i = 0; i < 10; ++i) {
    sigval value = {};
    value.sival_int = i;
    ASSERT_EQ(sigqueue(getpid(), signal, value), 0);
  }
  EXPECT_TRUE(values.empty());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(values, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  sigaction(signal, &old, nullptr);
}

// ---- timers
// ----------------------------------------------------------------------------------------

std::atomic<int> timer_signals;
std::atomic<int> timer_value;

// Counts a signal while it lives.
class CountedSignal {
 public:
  explicit CountedSignal(int signal) : signal_(signal) {
    timer_signals = 0;
    struct sigaction action = {};
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
      timer_value = info->si_value.sival_int;
      ++timer_signals;
    };
    action.sa_flags = SA_SIGINFO;
    sigaction(signal, &action, &old_);
  }
  ~CountedSignal() { sigaction(signal_, &old_, nullptr); }

 private:
  int signal_;
  struct sigaction old_;
};

TEST(Timers, OneTimerIsOneSignal) {
  CountedSignal counted(SIGALRM);
  // It waits for sigsuspend, however soon it comes.
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &set, &before);
  itimerval soon = {};
  soon.it_value.tv_usec = 3000;
  ASSERT_EQ(setitimer(ITIMER_REAL, &soon, nullptr), 0);
  EXPECT_EQ(sigsuspend(&before), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(timer_signals, 1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(timer_signals, 1);
}

TEST(Timers, AlarmEndsAPause) {
  CountedSignal counted(SIGALRM);
  // Again and again: the first may come before the pause begins.
  itimerval soon = {};
  soon.it_value.tv_usec = soon.it_interval.tv_usec = 3000;
  ASSERT_EQ(setitimer(ITIMER_REAL, &soon, nullptr), 0);
  EXPECT_EQ(pause(), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_GE(timer_signals, 1);
  const itimerval none = {};
  ASSERT_EQ(setitimer(ITIMER_REAL, &none, nullptr), 0);
  EXPECT_EQ(alarm(100), 0u);
  EXPECT_GE(alarm(0), 99u);
  EXPECT_EQ(alarm(0), 0u);
}

TEST(Timers, IntervalsInterruptAComputation) {
  CountedSignal counted(SIGALRM);
  itimerval often = {};
  often.it_value.tv_usec = often.it_interval.tv_usec = 2000;
  ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  while (timer_signals < 5) {
    RegistersSurviveASpin(1, 1000);
  }
  itimerval none = {}, before = {};
  ASSERT_EQ(setitimer(ITIMER_REAL, &none, &before), 0);
  EXPECT_EQ(before.it_interval.tv_usec, 2000);
  EXPECT_LE(before.it_value.tv_usec, 2000);
  ASSERT_EQ(getitimer(ITIMER_REAL, &before), 0);
  EXPECT_EQ(before.it_value.tv_sec + before.it_value.tv_usec, 0);
}

TEST(Timers, OneSignalIsQueuedAndTheRestIsCounted) {
  const int signal = SIGRTMIN + 1;
  CountedSignal counted(signal);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = signal;
  event.sigev_value.sival_int = 42;
  timer_t timer;
  ASSERT_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  itimerspec often = {};
  often.it_value.tv_nsec = often.it_interval.tv_nsec = 1'000'000;
  ASSERT_EQ(timer_settime(timer, 0, &often, nullptr), 0);
  itimerspec now = {};
  ASSERT_EQ(timer_gettime(timer, &now), 0);
  EXPECT_EQ(now.it_interval.tv_nsec, 1'000'000);
  EXPECT_LE(now.it_value.tv_nsec, 1'000'000);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  siginfo_t info = {};
  const timespec no_time = {};
  EXPECT_EQ(sigtimedwait(&set, &info, &no_time), signal);
  EXPECT_EQ(info.si_value.sival_int, 42);
  EXPECT_EQ(info.si_code, SI_TIMER);
  EXPECT_GT(info.si_overrun, 3);
  ASSERT_EQ(timer_delete(timer), 0);
  EXPECT_EQ(syscall(SYS_timer_settime, 4711, 0, &often, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
  sigtimedwait(&set, &info, &no_time);  // one may have come before the end
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

TEST(Timers, AFunctionIsCalledInAThread) {
  static std::atomic<int> called;
  called = 0;
  sigevent event = {};
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = [](sigval value) { called += value.sival_int; };
  event.sigev_value.sival_int = 7;
  timer_t timer;
  ASSERT_EQ(timer_create(CLOCK_REALTIME, &event, &timer), 0);
  itimerspec once = {};
  once.it_value.tv_nsec = 2'000'000;
  ASSERT_EQ(timer_settime(timer, 0, &once, nullptr), 0);
  while (called == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(called, 7);
  ASSERT_EQ(timer_delete(timer), 0);
}

}  // namespace
