// SPDX-License-Identifier: Apache-2.0
// Starts another Linux in place of this one, as root: kexec KERNEL COMMAND_LINE.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr int kRebootByKexec = 0x45584543;

}  // namespace

int main(int argc, char** argv) {
  constexpr unsigned long kNoInitramfs = 4;
  const int kernel = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
  if (kernel < 0 ||
      syscall(SYS_kexec_file_load, kernel, -1, strlen(argv[2]) + 1, argv[2], kNoInitramfs) != 0) {
    perror("kexec");
    return 1;
  }
  puts("kexec loaded");
  fflush(stdout);
  reboot(kRebootByKexec);
  perror("kexec");
  return 1;
}
