// SPDX-License-Identifier: Apache-2.0
// Ends in the way that its argument names.

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <thread>

// long HiddenSyscall(long number): the link check refuses an image with a `syscall` instruction,
// but it cannot see one that lies inside a longer instruction. At run time nothing is gained by
// that: it is trapped and answered inside.
extern "C" long HiddenSyscall(long number);
asm(R"(
        .text
HiddenSyscall:
        mov %rdi, %rax
        jmp 1f + 1
1:      mov $0x00c3050f, %edx           # its bytes from the second on: syscall; ret
)");

namespace {

struct SaysGoodbye {
  ~SaysGoodbye() { printf("static destructor\n"); }
};
const SaysGoodbye says_goodbye;

__attribute__((noinline)) int Recurse(int depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : Recurse(depth + 1) + frame[0];
}

volatile sig_atomic_t signals_had = 0;

// Says so, and that it is ready for them.
void CountSignals() {
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2}) {
    signal(number, [](int) {
      write(1, "handled\n", 8);
      signals_had = signals_had + 1;
    });
  }
  write(1, "ready\n", 6);
}

struct Ending {
  std::string_view name;
  int (*run)();
};

constexpr Ending kEndings[] = {
    {"return", [] { return 7; }},
    {"exit",
     [] {
       std::atexit([] { printf("atexit\n"); });
       std::exit(8);
       return 0;
     }},
    {"quick_exit",
     [] {
       std::quick_exit(9);
       return 0;
     }},
    {"_exit",
     [] {
       _exit(300);
       return 0;
     }},
    {"exit_in_thread",
     [] {
       std::thread([] { std::exit(11); }).join();
       return 0;
     }},
    {"pthread_exit",
     [] {
       // The process lives on until the last thread ends; then its status is 0.
       std::thread([] { printf("last thread\n"); }).detach();
       pthread_exit(nullptr);
       return 1;
     }},
    {"abort",
     [] {
       std::abort();
       return 0;
     }},
    {"throw", []() -> int { throw std::runtime_error("nobody catches this"); }},
    {"segv",
     [] {
       *reinterpret_cast<volatile int*>(0x18) = 1;
       return 0;
     }},
    {"ill",
     [] {
       asm volatile("ud2");
       return 0;
     }},
    {"overflow", [] { return Recurse(0); }},
    {"kill",
     [] {
       kill(getpid(), SIGTERM);
       return 0;
     }},
    {"wait_for_signal",
     [] {
       CountSignals();
       while (signals_had == 0) {
         pause();
       }
       return 20;
     }},
    {"spin_for_signal",
     [] {
       CountSignals();
       while (signals_had == 0) {
       }
       return 20;
     }},
    {"spin_beside_sleepers",
     [] {
       std::thread([] { pause(); }).detach();
       std::thread([] {
         while (true) {
         }
       }).detach();
       CountSignals();
       while (signals_had == 0) {
       }
       _exit(20);
       return 0;
     }},
    {"give_back",
     [] {
       constexpr size_t kSize = size_t{64} << 20;
       char byte;
       void* const memory =
           mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       for (const bool for_good : {false, true}) {
         memset(memory, 1, kSize);
         write(1, "full\n", 5);
         read(0, &byte, 1);
         for_good ? munmap(memory, kSize) : madvise(memory, kSize, MADV_DONTNEED);
         write(1, "empty\n", 6);
         read(0, &byte, 1);
       }
       return 21;
     }},
    {"ignored",
     [] {
       kill(getpid(), SIGCHLD);
       return 12;
     }},
    {"fork",
     [] {
       const pid_t child = fork();
       perror("fork");
       return child == -1 ? 13 : 0;
     }},
    {"posix_spawn",
     [] {
       const char* const arguments[] = {"sh", nullptr};
       pid_t child = 0;
       return posix_spawn(&child, "/bin/sh", nullptr, nullptr, const_cast<char**>(arguments),
                          environ) == ENOSYS
                  ? 16
                  : 1;
     }},
    {"system", [] { return system("true") == -1 && errno == ENOSYS ? 16 : 1; }},
    {"popen", [] { return popen("true", "r") == nullptr && errno == ENOSYS ? 16 : 1; }},
    {"execve",
     [] {
       const char* const arguments[] = {"sh", nullptr};
       return execve("/bin/sh", const_cast<char**>(arguments), environ) == -1 && errno == ENOSYS
                  ? 16
                  : 1;
     }},
    {"out_of_memory",
     [] {
       constexpr size_t kPart = size_t{64} << 20;
       while (mmap(nullptr, kPart, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
       }
       return errno == ENOMEM ? 17 : 1;
     }},
    {"abort_handler",
     [] {
       signal(SIGABRT, [](int) { write(1, "handled\n", 8); });
       std::abort();
       return 0;
     }},
    {"at_quick_exit",
     [] {
       std::at_quick_exit([] { write(1, "first\n", 6); });
       std::at_quick_exit([] { write(1, "second\n", 7); });
       std::quick_exit(18);
       return 0;
     }},
    {"cpu_limit",
     [] {
       const rlimit limit = {.rlim_cur = 1, .rlim_max = 1};
       setrlimit(RLIMIT_CPU, &limit);
       for (volatile int i = 0;; i = i + 1) {
       }
       return 0;
     }},
    {"unknown_call",
     [] {
       for (int i = 0; i < 3; ++i) {
         syscall(SYS_io_setup, 0, 0, 0);
       }
       return 14;
     }},
    {"raw_syscall", [] { return HiddenSyscall(SYS_getpid) == getpid() ? 15 : 1; }},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "";
  const auto* found = std::find_if(std::begin(kEndings), std::end(kEndings),
                                   [&](const Ending& each) { return each.name == wanted; });
  if (found == std::end(kEndings)) {
    fprintf(stderr, "ending: what?\n");
    return 2;
  }
  return found->run();
}
