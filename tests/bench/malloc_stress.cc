// SPDX-License-Identifier: Apache-2.0
// Allocates and frees: malloc_stress THREADS OPERATIONS. Each thread keeps a thousand blocks of
// random sizes up to 8 KiB, small ones most, and replaces a random one again and again; every 16th
// goes to another thread, which frees it.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace {

constexpr size_t kBlocks = 1000;
std::atomic<char*> passed_on[64];

void Work(uint64_t seed, long operations) {
  std::vector<char*> blocks(kBlocks, nullptr);
  uint64_t random = seed * 0x9e3779b97f4a7c15 + 1;
  for (long i = 0; i < operations; ++i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    const size_t size = 8 + (random & ((size_t{1} << (4 + (random >> 32) % 10)) - 1));
    char* const block = static_cast<char*>(malloc(size));
    block[0] = block[size - 1] = static_cast<char>(i);
    char*& place = blocks[(random >> 16) % kBlocks];
    char* old = place;
    if (i % 16 == 0) {
      old = passed_on[(random >> 48) % 64].exchange(old);
    }
    free(old);
    place = block;
  }
  for (char* block : blocks) {
    free(block);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    return 64;
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < atoi(argv[1]); ++i) {
    threads.emplace_back(Work, static_cast<uint64_t>(i) + 1, atol(argv[2]));
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return 0;
}
