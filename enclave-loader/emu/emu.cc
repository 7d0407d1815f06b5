// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/emu/emu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/core/hex.h"
#include "base/core/scope_exit.h"
#include "enclave-loader/emu/initrd.h"
#include "enclave-loader/emu/machine_files.h"
#include "enclave-loader/emu/qemu.h"
#include "enclave-loader/emu/session.h"
#include "vmpl-switch/emulator/guest/guest_protocol.h"

namespace nsgx::loader {
namespace {

constexpr std::string_view kTool = "nsgx-run";

// Descriptors that close themselves.
class Descriptors {
 public:
  ~Descriptors() { CloseAll(); }
  int Add(int fd) {
    all_.push_back(fd);
    return fd;
  }
  void CloseAll() {
    for (int fd : all_) {
      close(fd);
    }
    all_.clear();
  }

 private:
  std::vector<int> all_;
};

// Makes a pair of connected sockets: ours, and one that QEMU inherits.
int Connect(Descriptors& ours, Descriptors& theirs, int* their_end) {
  int ends[2] = {-1, -1};
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  *their_end = theirs.Add(ends[1]);
  return ours.Add(ends[0]);
}

// Random, so that no program's output holds it.
std::string MakeMarker() {
  std::array<std::byte, emulator::kMarkerSize / 2> random = {};
  (void)getrandom(random.data(), random.size(), 0);
  std::array<char, emulator::kMarkerSize> text;
  return std::string(EncodeHex(random, text).value());
}

Result<Session::Outcome, Complaint> RunMachine(const EmulatorOptions& options,
                                               const EmulatedRun& run) {
  MachineFiles files;
  TRY(FindMachineFiles(MachineFolder(), &files));
  const bool terminal = options.shell && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  const std::string marker = MakeMarker();

  Descriptors ours, theirs;
  const int initrd = theirs.Add(TRY(MakeInitrd(files.initramfs, options, run, marker, terminal)));
  SessionStreams streams;
  if (options.console != nullptr) {
    streams.log =
        ours.Add(open(options.console, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644));
    if (streams.log < 0) {
      return Complain("option --emu-console: ", options.console, ": ", strerror(errno));
    }
  }
  MachineStreams machine;
  streams.console = Connect(ours, theirs, &machine.console);
  streams.control = Connect(ours, theirs, &machine.control);
  streams.input = Connect(ours, theirs, terminal ? &machine.terminal : &machine.input);
  if (!terminal) {
    streams.output = Connect(ours, theirs, &machine.output);
    streams.error = Connect(ours, theirs, &machine.error);
  }
  int messages[2] = {-1, -1};
  if (pipe2(messages, O_CLOEXEC) != 0) {
    return Complain("no pipe for the emulated machine: ", strerror(errno));
  }
  streams.messages = ours.Add(messages[0]);
  theirs.Add(messages[1]);

  const pid_t qemu = TRY(StartQemu(QemuArguments(files, initrd, machine, options), messages[1]));
  theirs.CloseAll();
  return Session(qemu, streams, marker).Run();
}

}  // namespace

int RunOnEmulator(const EmulatorOptions& options, const EmulatedRun& run, int failure_status) {
  const Result<Session::Outcome, Complaint> outcome = RunMachine(options, run);
  if (!outcome.ok()) {
    PrintComplaint(kTool, outcome.error());
    return failure_status;
  }
  if (const int number = outcome.value().interrupted; number != 0) {
    // So that whoever started us sees what ended us.
    signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    raise(number);
  }
  return outcome.value().status;
}

}  // namespace nsgx::loader
