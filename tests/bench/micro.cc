// SPDX-License-Identifier: Apache-2.0
// Small measurements, the same source inside an enclave and as native twin. Each argument names one
// measurement; every result is one JSON line on standard error: {"name": ..., "ns": ... per
// operation}. Standard output is the sink of the write measurement and should be /dev/null.

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>

namespace {

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// Median of several rounds of `body(count)`, in nanoseconds per operation.
template <typename Body>
double MedianNs(uint64_t count, Body body) {
  std::array<double, 9> rounds;
  body(count / 10 + 1);
  for (double& round : rounds) {
    const uint64_t start = NowNs();
    body(count);
    round = static_cast<double>(NowNs() - start) / static_cast<double>(count);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[rounds.size() / 2];
}

double Getpid() {
  return MedianNs(200'000, [](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      getppid();
    }
  });
}

double ClockGettime() {
  return MedianNs(200'000, [](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      timespec now;
      clock_gettime(CLOCK_MONOTONIC, &now);
    }
  });
}

double UncontendedMutex() {
  return MedianNs(1'000'000, [](uint64_t count) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    for (uint64_t i = 0; i < count; ++i) {
      pthread_mutex_lock(&mutex);
      pthread_mutex_unlock(&mutex);
    }
  });
}

// FUTEX_WAKE with nobody waiting: the shortest way through the futex code.
double FutexWakeNobody() {
  return MedianNs(200'000, [](uint64_t count) {
    static int word = 0;
    for (uint64_t i = 0; i < count; ++i) {
      syscall(SYS_futex, &word, 129, 1, nullptr, nullptr, 0);
    }
  });
}

double WriteOneByteToStandardOutput() {
  return MedianNs(200'000, [](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      if (write(STDOUT_FILENO, "x", 1) != 1) {
        std::abort();
      }
    }
  });
}

double CreateAndJoin() {
  return MedianNs(20'000, [](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      pthread_t thread;
      if (pthread_create(&thread, nullptr, [](void* argument) { return argument; }, nullptr) != 0) {
        std::abort();
      }
      pthread_join(thread, nullptr);
    }
  });
}

// Round trips between two threads through one mutex and one condition variable.
double ConditionVariablePingPong() {
  return MedianNs(20'000, [](uint64_t count) {
    std::mutex mutex;
    std::condition_variable changed;
    bool ball_is_here = true;
    std::thread peer([&] {
      for (uint64_t i = 0; i < count; ++i) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return !ball_is_here; });
        ball_is_here = true;
        changed.notify_one();
      }
    });
    for (uint64_t i = 0; i < count; ++i) {
      std::unique_lock lock(mutex);
      ball_is_here = false;
      changed.notify_one();
      changed.wait(lock, [&] { return ball_is_here; });
    }
    peer.join();
  });
}

double PipePingPong() {
  return MedianNs(10'000, [](uint64_t count) {
    int there[2], back[2];
    if (pipe(there) != 0 || pipe(back) != 0) {
      std::abort();
    }
    std::thread peer([&] {
      char byte;
      for (uint64_t i = 0; i < count; ++i) {
        if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) {
          std::abort();
        }
      }
    });
    char byte = 'x';
    for (uint64_t i = 0; i < count; ++i) {
      if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) {
        std::abort();
      }
    }
    peer.join();
    for (int fd : {there[0], there[1], back[0], back[1]}) {
      close(fd);
    }
  });
}

double Memcpy64KiB() {
  return MedianNs(20'000, [](uint64_t count) {
    static std::vector<char> from(65536, 'a'), to(65536);
    for (uint64_t i = 0; i < count; ++i) {
      memcpy(to.data(), from.data(), to.size());
      asm volatile("" : : "r"(to.data()) : "memory");
    }
  });
}

double ComputeLoop() {
  return MedianNs(20'000'000, [](uint64_t count) {
    uint64_t value = 88172645463325252u;
    for (uint64_t i = 0; i < count; ++i) {
      value ^= value << 13;
      value ^= value >> 7;
      value ^= value << 17;
    }
    asm volatile("" : : "r"(value));
  });
}

// A file in memory: the library OS's /tmp inside, a tmpfs folder (environment MICRO_TMPFS) outside.
int OpenScratchFile() {
  const char* folder = std::getenv("MICRO_TMPFS");
  const std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/nsgx-micro";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) {
    std::abort();
  }
  unlink(path.c_str());
  return fd;
}

double PwriteOneByte() {
  const int fd = OpenScratchFile();
  const double result = MedianNs(200'000, [fd](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      pwrite(fd, "x", 1, 0);
    }
  });
  close(fd);
  return result;
}

// 64 MiB in blocks of 4 KiB, written once and read once; nanoseconds per block.
double FileBlocks() {
  constexpr uint64_t kBlocks = 16384;
  std::array<double, 5> rounds;
  std::vector<char> block(4096, 'b');
  for (double& round : rounds) {
    const int fd = OpenScratchFile();
    const uint64_t start = NowNs();
    for (uint64_t i = 0; i < kBlocks; ++i) {
      if (write(fd, block.data(), block.size()) != 4096) {
        std::abort();
      }
    }
    lseek(fd, 0, SEEK_SET);
    for (uint64_t i = 0; i < kBlocks; ++i) {
      if (read(fd, block.data(), block.size()) != 4096) {
        std::abort();
      }
    }
    round = static_cast<double>(NowNs() - start) / (2.0 * kBlocks);
    close(fd);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[rounds.size() / 2];
}

double AllocateAndFree64KiB() {
  return MedianNs(20'000, [](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      void* memory = std::aligned_alloc(4096, 65536);
      *static_cast<volatile char*>(memory) = 1;
      std::free(memory);
    }
  });
}

struct Measurement {
  std::string_view name;
  double (*run)();
};

constexpr Measurement kMeasurements[] = {
    {"getppid", Getpid},
    {"clock_gettime", ClockGettime},
    {"mutex_uncontended", UncontendedMutex},
    {"futex_wake_nobody", FutexWakeNobody},
    {"write_1_byte_host", WriteOneByteToStandardOutput},
    {"pthread_create_join", CreateAndJoin},
    {"condvar_ping_pong", ConditionVariablePingPong},
    {"pipe_ping_pong", PipePingPong},
    {"memcpy_64k", Memcpy64KiB},
    {"compute", ComputeLoop},
    {"pwrite_1_byte_memory_file", PwriteOneByte},
    {"file_4k_blocks", FileBlocks},
    {"malloc_64k_free", AllocateAndFree64KiB},
};

}  // namespace

int main(int argc, char** argv) {
  const auto wanted = std::span(argv, static_cast<size_t>(argc)).subspan(1);
  for (const char* name : wanted) {
    const auto* found = std::find_if(std::begin(kMeasurements), std::end(kMeasurements),
                                     [&](const Measurement& each) { return each.name == name; });
    if (found == std::end(kMeasurements)) {
      fprintf(stderr, "micro: no measurement is called %s\n", name);
      return 2;
    }
  }
  for (const Measurement& each : kMeasurements) {
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), each.name) != wanted.end()) {
      fprintf(stderr, "{\"name\": \"%s\", \"ns\": %.2f}\n", each.name.data(), each.run());
    }
  }
  return 0;
}
