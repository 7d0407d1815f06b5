// SPDX-License-Identifier: Apache-2.0
// Wall time of whole programs from spawn to exit, interleaved so that a noisy moment hits all of
// them alike. spawn_bench ROUNDS NAME=COMMAND [ARGUMENT ...] [-- NAME=COMMAND ...]: one JSON line
// for each on standard output. The commands' own output goes to /dev/null.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Program {
  std::string name;
  std::vector<char*> arguments;  // ends with a null pointer
  std::vector<double> microseconds;
};

double NowMicroseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// Runs the program once; false if it could not be run or did not exit with 0.
bool RunOnce(Program& program, char** environment) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const double start = NowMicroseconds();
  pid_t child;
  const int error = posix_spawn(&child, program.arguments[0], &actions, nullptr,
                                program.arguments.data(), environment);
  int status = 0;
  const bool finished = error == 0 && waitpid(child, &status, 0) == child;
  program.microseconds.push_back(NowMicroseconds() - start);
  posix_spawn_file_actions_destroy(&actions);
  return finished && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char** argv, char** environment) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 0;
  if (rounds < 1 || rounds > 10'000 || argc < 3) {
    fprintf(stderr,
            "usage: spawn_bench ROUNDS NAME=COMMAND [ARGUMENT ...] [-- NAME=COMMAND ...]\n");
    return 2;
  }
  std::vector<Program> programs;
  bool begins = true;
  for (int i = 2; i < argc; ++i) {
    if (std::strcmp(argv[i], "--") == 0) {
      begins = true;
      continue;
    }
    if (begins) {
      char* equals = std::strchr(argv[i], '=');
      if (equals == nullptr) {
        fprintf(stderr, "spawn_bench: %s: NAME=COMMAND expected\n", argv[i]);
        return 2;
      }
      programs.push_back({std::string(argv[i], equals), {equals + 1}, {}});
      begins = false;
    } else {
      programs.back().arguments.push_back(argv[i]);
    }
  }
  for (Program& program : programs) {
    program.arguments.push_back(nullptr);
  }
  for (int round = 0; round < rounds; ++round) {
    for (Program& program : programs) {
      if (!RunOnce(program, environment)) {
        fprintf(stderr, "spawn_bench: %s did not run or failed\n", program.arguments[0]);
        return 1;
      }
    }
  }
  for (Program& program : programs) {
    std::sort(program.microseconds.begin(), program.microseconds.end());
    printf("{\"name\": \"%s\", \"rounds\": %d, \"min_us\": %.1f, \"median_us\": %.1f}\n",
           program.name.c_str(), rounds, program.microseconds.front(),
           program.microseconds[program.microseconds.size() / 2]);
  }
  return 0;
}
