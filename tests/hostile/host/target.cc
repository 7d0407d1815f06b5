// SPDX-License-Identifier: Apache-2.0
// Holds the secret of ../snp/canary.cc and computes with it for a while, so that an attack finds an
// enclave in ring 3. Says what signals it gets: those are what an attack has made it believe.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

namespace {

constexpr char kMasked[] = "NSGXcanary-of-the-hostile-guest!";
constexpr uint64_t kMask = 0x5a5a5a5a5a5a5a5a;
constexpr size_t kWords = (sizeof(kMasked) - 1) / sizeof(uint64_t);
constexpr size_t kSize = (1u << 20) / sizeof(uint64_t);

void OnSignal(int number) {
  char text[] = "signal 00\n";
  text[7] = static_cast<char>('0' + number / 10);
  text[8] = static_cast<char>('0' + number % 10);
  write(STDOUT_FILENO, text, sizeof(text) - 1);
  _exit(3);
}

}  // namespace

int main(int argc, char** argv) {
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS}) {
    signal(number, OnSignal);
  }
  const int rounds = argc > 1 ? atoi(argv[1]) : 1;
  uint64_t masked[kWords];
  memcpy(masked, kMasked, sizeof(masked));
  std::vector<uint64_t> secret(kSize);
  for (size_t i = 0; i < kSize; ++i) {
    secret[i] = masked[i % kWords] ^ kMask;
  }
  puts("ready");
  fflush(stdout);
  bool intact = true;
  for (int round = 0; round < rounds; ++round) {
    const volatile uint64_t* words = secret.data();
    for (size_t i = 0; i < kSize; ++i) {
      intact = intact && (words[i] ^ kMask) == masked[i % kWords];
    }
  }
  puts(intact ? "intact" : "hurt");
}
