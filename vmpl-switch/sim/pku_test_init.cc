// SPDX-License-Identifier: Apache-2.0
// The first process of the machine that sim_pku_test.py boots: runs each program in /tests, says
// how it ended, and switches the machine off. Its arguments, which are the kernel's behind "--",
// and its environment go to the programs.
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace {

void Run(const std::string& path, char** argv) {
  printf("%s\n", path.c_str());
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    execv(path.c_str(), argv);
    _exit(127);
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) {
    printf("%s: exit status %d\n", path.c_str(), WEXITSTATUS(status));
  } else {
    printf("%s: ended by signal %d\n", path.c_str(), WTERMSIG(status));
  }
  fflush(stdout);
}

}  // namespace

int main(int, char** argv) {
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("dev", "/dev", "devtmpfs", 0, nullptr);
  mount("tmp", "/tmp", "tmpfs", 0, nullptr);
  std::vector<std::string> programs;
  for (const auto& entry : std::filesystem::directory_iterator("/tests")) {
    programs.push_back(entry.path());
  }
  std::sort(programs.begin(), programs.end());
  for (const std::string& program : programs) {
    Run(program, argv);
  }
  reboot(RB_POWER_OFF);
}
