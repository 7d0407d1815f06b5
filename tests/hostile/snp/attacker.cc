// SPDX-License-Identifier: Apache-2.0
// Attacks by a program, as root in the guest: memory that nsgx_attack.ko maps for it, and the way
// to the host. One line an attack, as nsgx_attack.ko says them.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <initializer_list>

namespace {

constexpr size_t kPage = 4096;
constexpr off_t kSeh = 0x8000000;
constexpr off_t kOfEnclave = 0;  // nsgx_attack.ko chooses it

sigjmp_buf g_back;

void OnFault(int) { siglongjmp(g_back, 1); }

// Says whether `action` got through.
template <typename Action>
void Try(const char* name, Action&& action) {
  volatile bool done = false;
  if (sigsetjmp(g_back, 1) == 0) {
    action();
    done = true;
  }
  printf("%s %s\n", name, done ? "0x1" : "fault");
}

void TryPage(const char* read, const char* write, const char* run, off_t address) {
  const int fd = open("/dev/nsgx_attack", O_RDWR);
  void* const page =
      mmap(nullptr, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, address);
  if (page == MAP_FAILED) {
    perror("mmap");
    return;
  }
  Try(read, [&] { (void)*static_cast<volatile uint64_t*>(page); });
  Try(write, [&] { *static_cast<volatile uint64_t*>(page) = 0; });
  Try(run, [&] { reinterpret_cast<void (*)()>(page)(); });
  munmap(page, kPage);
  close(fd);
}

}  // namespace

int main() {
  struct sigaction action = {};
  action.sa_handler = OnFault;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP}) {
    sigaction(number, &action, nullptr);
  }
  TryPage("program.enclave_read", "program.enclave_write", "program.enclave_run", kOfEnclave);
  TryPage("program.seh_read", "program.seh_write", "program.seh_run", kSeh);
  Try("program.vmgexit", [] { asm volatile("rep; vmmcall" ::: "rax", "memory"); });
  Try("program.pvalidate", [] {
    uint64_t rax = 0;
    asm volatile(".byte 0xf2, 0x0f, 0x01, 0xff" : "+a"(rax) : "c"(0), "d"(1) : "memory", "cc");
  });
  return 0;
}
