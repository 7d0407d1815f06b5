// SPDX-License-Identifier: Apache-2.0
// Makes system calls with arguments that make no sense, from several threads at once:
//   syscall_fuzz SEED THREADS CALLS [trace]
// The library OS must answer each, must not touch memory that it was not given, and must work
// afterwards. Never to be run natively: it would do the same to the machine.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

namespace {

constexpr size_t kPage = 4096;
constexpr long kCalls = 475;   // and some numbers that no call has
constexpr int kReport = 1000;  // standard output, out of reach of the calls

// What would end the program or the thread, put it to sleep for good, or take away what it needs to
// find out whether all is well.
constexpr long kLeftOut[] = {
    SYS_exit,
    SYS_exit_group,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_set_tid_address,
    SYS_arch_prctl,
    SYS_setrlimit,
    SYS_prlimit64,
    SYS_munmap,
    SYS_mremap,
    SYS_brk,
    SYS_membarrier,
    SYS_clone,
    SYS_chroot,
    SYS_close_range,
};

// Pages that are each thread's own, with nothing behind them; and around them bytes that nobody
// gives to any call.
struct Arena {
  static constexpr size_t kSize = 4 * kPage;
  char* canary = nullptr;  // a page before, and one behind the guard
  char* data = nullptr;
  char* read_only = nullptr;
  char* scratch = nullptr;  // for the calls about memory

  Arena() {
    canary = static_cast<char*>(mmap(nullptr, 4 * kPage + 2 * kSize, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(canary, 0x5a, 4 * kPage + 2 * kSize);
    data = canary + kPage;
    mprotect(data + kSize, kPage, PROT_NONE);
    read_only = data + kSize + 2 * kPage;
    mprotect(read_only, kPage, PROT_READ);
    scratch = static_cast<char*>(
        mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  bool IsWell() const {
    const auto is_canary = [](char byte) { return byte == 0x5a; };
    char* behind = data + kSize + kPage;
    return std::all_of(canary, canary + kPage, is_canary) &&
           std::all_of(behind, behind + kPage, is_canary) &&
           std::all_of(read_only, read_only + kPage, is_canary);
  }
};

class Fuzzer {
 public:
  Fuzzer(uint64_t seed, bool trace) : random_(seed), trace_(trace) {}

  void Call() {
    long number;
    do {
      number = static_cast<long>(Below(kCalls));
    } while (std::ranges::find(kLeftOut, number) != std::end(kLeftOut));
    unsigned long a[6];
    for (unsigned long& argument : a) {
      argument = Argument();
    }
    switch (number) {
      case SYS_mmap:
        // At fixed places only where nobody else can be.
        a[0] = reinterpret_cast<unsigned long>(arena_.scratch) + Below(4) * kPage;
        a[1] = Below(2) != 0 ? kPage : a[1];
        a[3] &= a[1] == kPage ? ~0ul : ~0x100010ul;
        break;
      case SYS_mprotect:
      case SYS_madvise:
      case SYS_pkey_mprotect:
        a[0] = reinterpret_cast<unsigned long>(arena_.scratch) + Below(3) * kPage + Below(3) / 2;
        a[1] = Below(2) != 0 ? Below(3) * kPage : ~0ul - Below(2 * kPage);
        break;
      case SYS_close:
      case SYS_dup2:
      case SYS_dup3:
        a[0] = Below(64);
        a[1] = Below(64);
        break;
      case SYS_prctl:
        a[0] = Below(70);
        break;
      default:
        break;
    }
    if (trace_) {
      dprintf(kReport, "%ld(%lx, %lx, %lx, %lx, %lx, %lx)\n", number, a[0], a[1], a[2], a[3], a[4],
              a[5]);
    }
    syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }

  bool IsWell() const { return arena_.IsWell(); }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  unsigned long Pointer() {
    char* end = arena_.data + Arena::kSize;
    switch (Below(12)) {
      case 0:
        return 0;
      case 1:
        return 1 + Below(kPage);
      case 2:
        return 0xffff800000000000 + Below(1 << 20);  // a kernel's
      case 3:
        return 0x7ffffffff000 - Below(16);
      case 4:
        return 0x8000000000000000 + random_();  // canonical or not
      case 5:
        return reinterpret_cast<unsigned long>(end) - 1 - Below(64);
      case 6:
        return reinterpret_cast<unsigned long>(end) + Below(kPage);
      case 7:
        return reinterpret_cast<unsigned long>(arena_.read_only) + Below(kPage);
      case 8: {
        // Words that are pointers, numbers and sizes themselves.
        uint64_t* words =
            reinterpret_cast<uint64_t*>(arena_.data + Below(Arena::kSize / 8 - 16) * 8);
        for (int i = 0; i < 16; ++i) {
          words[i] = Below(3) == 0 ? Number() : Pointer();
        }
        return reinterpret_cast<unsigned long>(words);
      }
      case 9: {
        // A path, maybe.
        static constexpr const char* kPaths[] = {"/tmp/a",          "/tmp/b/c",   "/proc/self/maps",
                                                 "/dev/null",       "/dev/shm/x", "..",
                                                 "/proc/self/fd/3", "/tmp/l"};
        char* place = arena_.data + Below(Arena::kSize - 32);
        strcpy(place, kPaths[Below(std::size(kPaths))]);
        return reinterpret_cast<unsigned long>(place);
      }
      default:
        return reinterpret_cast<unsigned long>(arena_.data + Below(Arena::kSize));
    }
  }

  unsigned long Number() {
    switch (Below(8)) {
      case 0:
        return 0;
      case 1:
        return ~0ul - Below(16);
      case 2:
        return 1ul << Below(64);
      case 3:
        return (1ul << Below(64)) - 1;
      case 4:
        return 0x7fffffff - Below(2);
      case 5:
        return random_();
      default:
        return Below(200);
    }
  }

  unsigned long Argument() {
    switch (Below(4)) {
      case 0:
        return Below(40);  // a descriptor, a flag, a small size
      case 1:
        return Number();
      default:
        return Pointer();
    }
  }

  std::mt19937_64 random_;
  const bool trace_;
  Arena arena_;
};

// The library OS does what it should.
bool WorksStill() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return false;
  }
  int sum = 0;
  std::thread writer([&] {
    for (int i = 0; i < 100; ++i) {
      if (write(ends[1], &i, sizeof(i)) != sizeof(i)) {
        return;
      }
    }
  });
  for (int i = 0, read_number = 0; i < 100; ++i) {
    if (read(ends[0], &read_number, sizeof(read_number)) == sizeof(read_number)) {
      sum += read_number;
    }
  }
  writer.join();
  std::vector<char> memory(8 << 20, 'x');
  return sum == 4950 && std::ranges::count(memory, 'x') == 8 << 20;
}

void Nothing(int) {}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "syscall_fuzz SEED THREADS CALLS [trace]\n");
    return 2;
  }
  const uint64_t seed = strtoull(argv[1], nullptr, 0);
  const int thread_count = atoi(argv[2]);
  const int calls = atoi(argv[3]);
  const bool trace = argc > 4;
  dup2(1, kReport);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action = {};
    // Wakes who sleeps in a call; what else comes, of timers for example, does nothing.
    action.sa_handler = signal == SIGUSR1 ? Nothing : SIG_IGN;
    if (signal != SIGSEGV && signal != SIGBUS && signal != SIGILL && signal != SIGFPE &&
        signal != SIGTRAP && signal != SIGABRT && (signal < 32 || signal > 34)) {
      sigaction(signal, &action, nullptr);
    }
  }
  std::atomic<int> running = thread_count;
  std::atomic<int> ill = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) {
    threads.emplace_back([&, i] {
      Fuzzer fuzzer(seed * 1000 + static_cast<uint64_t>(i), trace);
      for (int call = 0; call < calls; ++call) {
        fuzzer.Call();
      }
      ill += fuzzer.IsWell() ? 0 : 1;
      --running;
    });
  }
  while (running != 0) {
    for (std::thread& thread : threads) {
      pthread_kill(thread.native_handle(), SIGUSR1);
    }
    const timespec pause = {0, 2'000'000};
    syscall(SYS_nanosleep, &pause, nullptr);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const bool works = WorksStill();
  dprintf(kReport, "%d threads made %d calls each; %d found foreign bytes changed; %s\n",
          thread_count, calls, ill.load(), works ? "all works" : "something is broken");
  _exit(ill == 0 && works ? 0 : 1);
}
