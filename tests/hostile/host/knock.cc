// SPDX-License-Identifier: Apache-2.0
// Tells the hostile monitor what to do (vmpl-switch/emulator/monitor/hostile_host.h), as root in
// the guest: knock WORD... Without words: waits until it has been done, and says so.
#include <stdio.h>
#include <sys/io.h>
#include <unistd.h>

namespace {

constexpr unsigned short kPort = 0x5f0;
constexpr int kTries = 500;
constexpr useconds_t kPause = 10'000;

}  // namespace

int main(int argc, char** argv) {
  if (ioperm(kPort, 1, 1) != 0) {
    perror("knock");
    return 1;
  }
  for (int i = 1; i < argc; ++i) {
    for (const char* c = argv[i]; *c != 0; ++c) {
      outb(static_cast<unsigned char>(*c), kPort);
    }
    outb(i + 1 < argc ? ' ' : '\n', kPort);
  }
  char state = static_cast<char>(inb(kPort));
  for (int i = 0; argc == 1 && state == 'a' && i < kTries; ++i) {
    usleep(kPause);
    state = static_cast<char>(inb(kPort));
  }
  if (argc == 1) {
    puts(state == 'd' ? "done" : state == 'a' ? "armed" : "?");
  }
  return state == '?' ? 1 : 0;
}
