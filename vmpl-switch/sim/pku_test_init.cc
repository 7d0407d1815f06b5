// SPDX-License-Identifier: Apache-2.0
// The first process of the machine that sim_pku_test.py boots: runs the test, says how it ended,
// switches the machine off. Its arguments, which are the kernel's behind "--", and its environment
// go to the test.
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int, char** argv) {
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("dev", "/dev", "devtmpfs", 0, nullptr);
  mount("tmp", "/tmp", "tmpfs", 0, nullptr);
  const pid_t child = fork();
  if (child == 0) {
    execv("/test", argv);
    _exit(127);
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) {
    printf("switch test: exit status %d\n", WEXITSTATUS(status));
  } else {
    printf("switch test: ended by signal %d\n", WTERMSIG(status));
  }
  fflush(stdout);
  reboot(RB_POWER_OFF);
}
