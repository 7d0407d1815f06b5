// SPDX-License-Identifier: Apache-2.0
// Makes system calls that are known, for trace_option_test.py.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

namespace {

// Does not end before a byte comes.
void* Wait(void* argument) {
  char byte;
  (void)!read(*static_cast<int*>(argument), &byte, 1);
  return nullptr;
}

}  // namespace

int main() {
  if (getenv("NSGX_TRACE") != nullptr) {
    return 1;  // not the program's affair
  }
  open("/etc/none", O_RDONLY | O_CLOEXEC);
  const int file = open("/name", O_RDWR | O_CREAT | O_TRUNC, 0640);
  const iovec parts[] = {{const_cast<char*>("one "), 4}, {const_cast<char*>("two\n"), 4}};
  writev(file, parts, 2);
  char text[16];
  pread(file, text, sizeof text, 4);
  struct stat status;
  fstat(file, &status);
  lseek(file, 0, SEEK_END);
  timespec moment = {.tv_sec = 0, .tv_nsec = 1000};
  nanosleep(&moment, nullptr);
  write(-1, "x", 1);

  int ends[2];
  pipe(ends);
  pthread_t thread;
  pthread_create(&thread, nullptr, Wait, &ends[0]);
  moment.tv_nsec = 50'000'000;
  nanosleep(&moment, nullptr);
  write(ends[1], "!", 1);
  pthread_join(thread, nullptr);
  return 3;
}
