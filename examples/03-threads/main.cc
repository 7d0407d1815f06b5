// SPDX-License-Identifier: Apache-2.0
// A thousand threads count primes. Creating, waking and joining them needs no exit from the
// enclave.

#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <vector>

namespace {

constexpr uint32_t kLimit = 200'000;

bool IsPrime(uint32_t number) {
  if (number < 2) {
    return false;
  }
  for (uint32_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const uint32_t thread_count =
      argc > 1 ? static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10)) : 1000;
  if (thread_count == 0 || thread_count > 10'000) {
    std::cerr << "threads: between 1 and 10000 threads, please\n";
    return 2;
  }

  std::atomic<uint32_t> primes = 0;
  std::barrier all_started(thread_count);
  {
    std::vector<std::jthread> threads;
    threads.reserve(thread_count);
    for (uint32_t first = 0; first < thread_count; ++first) {
      threads.emplace_back([&, first] {
        all_started.arrive_and_wait();
        uint32_t mine = 0;
        for (uint32_t number = first; number < kLimit; number += thread_count) {
          mine += IsPrime(number) ? 1 : 0;
        }
        primes += mine;
      });
    }
  }
  std::cout << thread_count << " threads found " << primes << " primes below " << kLimit << '\n';
  return primes == 17'984 ? 0 : 1;
}
