// SPDX-License-Identifier: Apache-2.0
// The first process of the emulated machine's guest: runs one program with the streams that the
// starter passes in, says how it ended, and switches the machine off.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "vmpl-switch/emulator/guest/command.h"
#include "vmpl-switch/emulator/guest/guest_protocol.h"
#include "vmpl-switch/emulator/guest/ports.h"
#include "vmpl-switch/emulator/guest/system.h"

namespace nsgx::emulator {
namespace {

constexpr char kTerminalDevice[] = "/dev/hvc0";

struct Streams {
  int input = -1, output = -1, error = -1;
};

// How long a starter may take for the last of the output.
constexpr int kTakenLimitMilliseconds = 60'000;

// Returns when the starter says that it has everything, or is gone.
void AwaitTaken(int control) {
  pollfd ready = {.fd = control, .events = POLLIN, .revents = 0};
  poll(&ready, 1, kTakenLimitMilliseconds);
}

[[noreturn]] void PowerOff() {
  sync();
  reboot(RB_POWER_OFF);
  _exit(1);  // the kernel panics, and the machine ends, too
}

class Init {
 public:
  [[noreturn]] void Run() {
    MountFileSystems();
    control_ = OpenPort(kControlPort, O_RDWR | O_CLOEXEC);
    const std::optional<Command> command = ReadCommand();
    if (!command) {
      Fail("the command cannot be read");
    }
    LoadModules("always");
    LendMemory();
    MountConfigFileSystem();
    if (command->network) {
      LoadModules("network");
    }
    BringUpNetwork(command->network);

    const Streams streams = OpenStreams(command->terminal);
    if (streams.error < 0) {
      Fail("the streams cannot be opened");
    }
    const int status = Wait(Start(*command, streams));
    if (!command->terminal) {
      WriteAll(streams.output, command->marker);
      WriteAll(streams.error, command->marker);
    }
    End(WIFSIGNALED(status) ? std::string(kKilled) + std::to_string(WTERMSIG(status))
                            : std::string(kExited) + std::to_string(WEXITSTATUS(status)));
  }

 private:
  void Report(const std::string& line) const { WriteAll(control_, line + "\n"); }

  [[noreturn]] void End(const std::string& last_line) const {
    Report(last_line);
    AwaitTaken(control_);
    PowerOff();
  }

  [[noreturn]] void Fail(const std::string& why) const {
    Say(why);
    End(std::string(kFailed) + why);
  }

  static std::optional<Command> ReadCommand() {
    std::string text;
    const int fd = open(std::string(kCommandFile).c_str(), O_RDONLY | O_CLOEXEC);
    char block[4096];
    ssize_t size;
    while (fd >= 0 && (size = read(fd, block, sizeof(block))) > 0) {
      text.append(block, static_cast<size_t>(size));
    }
    close(fd);
    return ParseCommand(text);
  }

  static Streams OpenStreams(bool terminal) {
    Streams streams;
    if (terminal) {
      streams.input = open(kTerminalDevice, O_RDWR | O_NOCTTY | O_CLOEXEC);
      streams.output = streams.error = streams.input;
    } else {
      streams.input = OpenPort(kInputPort, O_RDONLY | O_CLOEXEC);
      streams.output = OpenPort(kOutputPort, O_WRONLY | O_CLOEXEC);
      streams.error = OpenPort(kErrorPort, O_WRONLY | O_CLOEXEC);
    }
    return streams;
  }

  // Starts the program, in a session of its own.
  pid_t Start(const Command& command, const Streams& streams) {
    std::vector<char*> arguments, environment;
    for (const std::string& argument : command.arguments) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    for (const std::string& variable : command.environment) {
      environment.push_back(const_cast<char*>(variable.c_str()));
    }
    arguments.push_back(nullptr);
    environment.push_back(nullptr);

    const pid_t program = fork();
    if (program == 0) {
      setsid();
      if (command.terminal) {
        ioctl(streams.input, TIOCSCTTY, 0);
      }
      dup2(streams.input, STDIN_FILENO);
      dup2(streams.output, STDOUT_FILENO);
      dup2(streams.error, STDERR_FILENO);
      chdir(command.folder.c_str());
      execve(arguments[0], arguments.data(), environment.data());
      WriteAll(STDERR_FILENO, std::string(arguments[0]) + ": " + strerror(errno) + "\n");
      _exit(127);
    }
    if (program < 0) {
      Fail(std::string("no process can be made: ") + strerror(errno));
    }
    Report(std::string(kStarted));
    return program;
  }

  // Waits until the program ends. Returns how that was, as wait() has it.
  static int Wait(pid_t program) {
    int status = 0;
    for (pid_t ended = 0; ended != program;) {
      ended = waitpid(-1, &status, 0);  // orphans of the program end here, too
    }
    return status;
  }

  int control_ = -1;
};

}  // namespace
}  // namespace nsgx::emulator

int main() { nsgx::emulator::Init().Run(); }
