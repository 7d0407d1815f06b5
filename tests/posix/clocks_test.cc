// SPDX-License-Identifier: Apache-2.0
// Clocks of processor time, and what can be timed by them; timers of all kinds.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>

namespace {

constexpr int64_t kMillisecond = 1'000'000;

int64_t Now(clockid_t clock) {
  timespec time = {};
  EXPECT_EQ(clock_gettime(clock, &time), 0);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

timespec Time(int64_t nanoseconds) {
  return {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
}

// Uses the processor for so long.
void Burn(int64_t nanoseconds) {
  const int64_t end = Now(CLOCK_THREAD_CPUTIME_ID) + nanoseconds;
  while (Now(CLOCK_THREAD_CPUTIME_ID) < end) {
  }
}

std::atomic<int> signals;
std::atomic<int> last_value;

void Count(int signal, void (*handler)(int, siginfo_t*, void*) = nullptr) {
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  action.sa_sigaction = handler != nullptr ? handler : [](int, siginfo_t* info, void*) {
    last_value = info->si_value.sival_int;
    ++signals;
  };
  sigaction(signal, &action, nullptr);
  signals = 0;
}

TEST(CpuClocks, CountWorkAndNotSleep) {
  const int64_t process = Now(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t thread = Now(CLOCK_THREAD_CPUTIME_ID);
  usleep(50'000);
  EXPECT_LT(Now(CLOCK_THREAD_CPUTIME_ID) - thread, 40 * kMillisecond);
  Burn(20 * kMillisecond);
  EXPECT_GE(Now(CLOCK_THREAD_CPUTIME_ID) - thread, 20 * kMillisecond);
  EXPECT_GE(Now(CLOCK_PROCESS_CPUTIME_ID) - process, 20 * kMillisecond);
}

TEST(CpuClocks, OfOtherThreads) {
  std::atomic<bool> end = false;
  std::thread worker([&] {
    while (!end) {
    }
  });
  clockid_t clock = 0;
  ASSERT_EQ(pthread_getcpuclockid(worker.native_handle(), &clock), 0);
  const int64_t begin = Now(clock);
  int64_t last = begin;
  while (last < begin + 20 * kMillisecond) {
    const int64_t now = Now(clock);
    ASSERT_GE(now, last) << "goes back";
    last = now;
  }
  // And can be waited for.
  const timespec target = Time(last + 20 * kMillisecond);
  EXPECT_EQ(clock_nanosleep(clock, TIMER_ABSTIME, &target, nullptr), 0);
  EXPECT_GE(Now(clock), last + 20 * kMillisecond);
  end = true;
  worker.join();
  // Linux may still have the thread for a moment after it was joined.
  timespec time;
  for (int i = 0; i < 1000 && clock_gettime(clock, &time) == 0; ++i) {
    usleep(1000);
  }
  EXPECT_EQ(clock_gettime(clock, &time), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(CpuClocks, SleepUntilTheProcessHasWorked) {
  std::atomic<bool> end = false;
  std::thread worker([&] {
    while (!end) {
    }
  });
  const int64_t begin = Now(CLOCK_PROCESS_CPUTIME_ID);
  const timespec some = Time(30 * kMillisecond);
  EXPECT_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &some, nullptr), 0);
  EXPECT_GE(Now(CLOCK_PROCESS_CPUTIME_ID) - begin, 30 * kMillisecond);
  EXPECT_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &some, nullptr), EINVAL);
  end = true;
  worker.join();
}

TEST(Timers, ByProcessorTime) {
  Count(SIGUSR1);
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  event.sigev_value.sival_int = 77;
  for (clockid_t clock : {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID}) {
    signals = 0;
    timer_t timer;
    ASSERT_EQ(timer_create(clock, &event, &timer), 0);
    const itimerspec setting = {.it_interval = Time(10 * kMillisecond),
                                .it_value = Time(20 * kMillisecond)};
    ASSERT_EQ(timer_settime(timer, 0, &setting, nullptr), 0);
    itimerspec left = {};
    ASSERT_EQ(timer_gettime(timer, &left), 0);
    EXPECT_LE(left.it_value.tv_nsec, 20 * kMillisecond);
    EXPECT_EQ(left.it_interval.tv_nsec, 10 * kMillisecond);
    usleep(60'000);
    EXPECT_EQ(signals.load(), 0) << "sleep does not count";
    while (signals < 3) {
    }
    EXPECT_EQ(last_value.load(), 77);
    EXPECT_EQ(timer_delete(timer), 0);
    const int before = signals;
    Burn(30 * kMillisecond);
    EXPECT_EQ(signals.load(), before);
  }
}

TEST(Timers, IntervalTimersOfTheProcess) {
  const struct {
    int which, signal;
  } kinds[] = {{ITIMER_VIRTUAL, SIGVTALRM}, {ITIMER_PROF, SIGPROF}, {ITIMER_REAL, SIGALRM}};
  for (const auto& kind : kinds) {
    Count(kind.signal);
    const itimerval setting = {.it_interval = {0, 10'000}, .it_value = {0, 10'000}};
    ASSERT_EQ(setitimer(kind.which, &setting, nullptr), 0);
    while (signals < 3) {
    }
    const itimerval none = {};
    itimerval old = {};
    ASSERT_EQ(setitimer(kind.which, &none, &old), 0);
    EXPECT_EQ(old.it_interval.tv_usec, 10'000);
    ASSERT_EQ(getitimer(kind.which, &old), 0);
    EXPECT_EQ(old.it_value.tv_sec, 0);
    EXPECT_EQ(old.it_value.tv_usec, 0);
  }
  EXPECT_EQ(syscall(SYS_getitimer, 3, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(Timers, CallAFunctionInAThread) {
  static std::atomic<int> calls;
  static std::atomic<int> value;
  calls = 0;
  sigevent event = {};
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_value.sival_int = 42;
  event.sigev_notify_function = [](sigval given) {
    value = given.sival_int;
    ++calls;
  };
  timer_t timer;
  ASSERT_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  const itimerspec setting = {.it_interval = Time(5 * kMillisecond),
                              .it_value = Time(5 * kMillisecond)};
  ASSERT_EQ(timer_settime(timer, 0, &setting, nullptr), 0);
  while (calls < 3) {
    usleep(1000);
  }
  EXPECT_EQ(value.load(), 42);
  EXPECT_EQ(timer_delete(timer), 0);
}

TEST(Timers, CountWhatNobodyHasTaken) {
  for (const int signal : {SIGUSR1, SIGRTMIN}) {
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, signal);
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
    sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    timer_t timer;
    ASSERT_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    const itimerspec setting = {.it_interval = Time(5 * kMillisecond),
                                .it_value = Time(5 * kMillisecond)};
    ASSERT_EQ(timer_settime(timer, 0, &setting, nullptr), 0);
    usleep(60'000);
    EXPECT_EQ(timer_getoverrun(timer), 0) << "no signal has been taken";
    siginfo_t info = {};
    ASSERT_EQ(sigwaitinfo(&set, &info), signal);
    EXPECT_GE(info.si_overrun, 5);
    EXPECT_EQ(timer_getoverrun(timer), info.si_overrun);
    ASSERT_EQ(sigwaitinfo(&set, &info), signal);
    EXPECT_EQ(timer_delete(timer), 0);
    const timespec none = {};
    while (sigtimedwait(&set, &info, &none) == signal) {
    }
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
  }
}

TEST(Timers, ReachOneThread) {
  static std::atomic<int> taker;
  Count(SIGUSR2, [](int, siginfo_t*, void*) {
    taker = static_cast<int>(syscall(SYS_gettid));
    ++signals;
  });
  std::atomic<int> tid = 0;
  std::thread worker([&] {
    tid = static_cast<int>(syscall(SYS_gettid));
    while (signals == 0) {
      usleep(1000);
    }
  });
  while (tid == 0) {
    sched_yield();
  }
  struct {
    sigval value;
    int signal, notify, thread;
    int padding[11];
  } event = {{}, SIGUSR2, 4 /* SIGEV_THREAD_ID */, tid, {}};
  int timer = -1;
  ASSERT_EQ(syscall(SYS_timer_create, CLOCK_REALTIME, &event, &timer), 0);
  const itimerspec setting = {.it_interval = {}, .it_value = Time(5 * kMillisecond)};
  EXPECT_EQ(syscall(SYS_timer_settime, timer, 0, &setting, nullptr), 0);
  worker.join();
  EXPECT_EQ(taker.load(), tid.load());
  EXPECT_EQ(syscall(SYS_timer_delete, timer), 0);
  event.thread = 0x3ffffff0;
  EXPECT_EQ(syscall(SYS_timer_create, CLOCK_REALTIME, &event, &timer), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(Limits, ProcessorTimeRunsOut) {
  Count(SIGXCPU);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_CPU, &before), 0);
  const rlim_t used = static_cast<rlim_t>(Now(CLOCK_PROCESS_CPUTIME_ID) / 1'000'000'000);
  const rlimit limit = {.rlim_cur = used + 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_CPU, &limit), 0);
  while (signals == 0) {
  }
  // Linux goes by its timer ticks here, each of which it counts in full: on a busy machine they
  // were seen to be 0.3 s ahead of the clock.
  EXPECT_GE(Now(CLOCK_PROCESS_CPUTIME_ID) + 500 * kMillisecond,
            static_cast<int64_t>(used + 1) * 1'000'000'000);
  ASSERT_EQ(setrlimit(RLIMIT_CPU, &before), 0);
}

TEST(Usage, IsCounted) {
  rusage before = {};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &before), 0);
  Burn(20 * kMillisecond);
  rusage usage = {};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  const auto used = [](const rusage& of) {
    return (of.ru_utime.tv_sec + of.ru_stime.tv_sec) * 1'000'000 + of.ru_utime.tv_usec +
           of.ru_stime.tv_usec;
  };
  EXPECT_GT(used(usage), used(before));
  EXPECT_GT(usage.ru_maxrss, 0);
  ASSERT_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
  EXPECT_GT(used(usage), 0);
  EXPECT_EQ(getrusage(12345, &usage), -1);
  EXPECT_EQ(errno, EINVAL);
  tms times_now = {};
  EXPECT_NE(times(&times_now), static_cast<clock_t>(-1));
}

TEST(Clocks, AllOfThemTell) {
  for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                          CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
                          CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI}) {
    timespec time = {};
    EXPECT_EQ(clock_getres(clock, &time), 0) << clock;
    const int64_t first = Now(clock);
    EXPECT_GE(Now(clock), first) << clock;
  }
  timespec time;
  for (clockid_t clock : {12, 15, 99, -1, -5}) {
    EXPECT_EQ(syscall(SYS_clock_gettime, clock, &time), -1) << clock;
    EXPECT_EQ(errno, EINVAL) << clock;
  }
  const timespec no_time = {};
  EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &no_time, nullptr), EOPNOTSUPP);
  EXPECT_EQ(clock_nanosleep(CLOCK_REALTIME_COARSE, 0, &no_time, nullptr), EOPNOTSUPP);
}

TEST(Clocks, StateCanBeRead) {
  timex state = {};
  EXPECT_GE(adjtimex(&state), 0);
  EXPECT_GT(state.time.tv_sec, 1'600'000'000);
  EXPECT_EQ(state.tick, 10'000);
}

}  // namespace
