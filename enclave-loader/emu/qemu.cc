// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/emu/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "vmpl-switch/emulator/guest/guest_protocol.h"

namespace nsgx::loader {
namespace {

// tsc=reliable and no_timer_check: an emulated processor's clocks do not pass Linux's checks on a
// busy machine. panic=-1: a broken guest ends the machine.
constexpr std::string_view kCommandLine =
    "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check";

std::string InFile(std::string_view name, std::string_view path) {
  // QEMU takes a doubled comma for one that belongs to the name.
  std::string escaped;
  for (char c : path) {
    escaped.append(c == ',' ? 2 : 1, c);
  }
  return std::string(name) + escaped;
}

// All processors in one thread of QEMU's: with a thread for each, FXRSTOR on any of them writes to
// the flags of the first one, not as an atomic operation (cpu_clear_ignne in 10.0), and that one
// now and then forgets whether it runs a guest.
const char* Accelerator(unsigned processors) {
  return processors > 1 ? "tcg,thread=single" : "tcg";
}

}  // namespace

std::vector<std::string> QemuArguments(const MachineFiles& files, int initrd,
                                       const MachineStreams& streams,
                                       const EmulatorOptions& options) {
  std::vector<std::string> arguments = {files.qemu,
                                        "-accel",
                                        Accelerator(options.processors),
                                        "-M",
                                        "q35",
                                        "-cpu",
                                        "EPYC,+svm,+npt,phys-bits=48",
                                        "-m",
                                        "1G",
                                        "-smp",
                                        std::to_string(options.processors),
                                        "-nodefaults",
                                        "-no-user-config",
                                        "-no-reboot",
                                        "-display",
                                        "none",
                                        "-kernel",
                                        files.monitor,
                                        "-initrd",
                                        files.seh};
  const auto add = [&](std::string_view option, std::string value) {
    arguments.emplace_back(option);
    arguments.push_back(std::move(value));
  };
  const auto add_stream = [&](std::string_view name, int fd, std::string_view more = "") {
    add("-chardev",
        "socket,id=" + std::string(name) + ",fd=" + std::to_string(fd) + std::string(more));
  };
  // A guest at VMPL1 shares with devices what it says so of: those must go by its DMA addresses.
  constexpr std::string_view kVirtio = ",disable-legacy=on,iommu_platform=on";

  add("-fw_cfg", InFile("name=opt/org.nsgx/kernel,file=", files.kernel));
  add("-fw_cfg", "name=opt/org.nsgx/initrd,file=/proc/self/fd/" + std::to_string(initrd));
  add("-fw_cfg", InFile("name=opt/org.nsgx/cmdline,string=", kCommandLine));
  // What SEH and Linux say on the serial line, and L0 on its own port.
  add_stream("console", streams.console, ",mux=on");
  add("-serial", "chardev:console");
  add("-device", "isa-debugcon,chardev=console");

  // Before all other devices, or it does not hold them. L0 lets them reach shared pages alone.
  add("-device", "intel-iommu,intremap=off");
  add("-device", "virtio-serial-pci" + std::string(kVirtio));
  const auto add_port = [&](std::string_view name, int fd) {
    add_stream(name, fd);
    add("-device", "virtserialport,chardev=" + std::string(name) + ",name=" + std::string(name));
  };
  if (streams.terminal >= 0) {
    add_stream("terminal", streams.terminal);
    add("-device", "virtconsole,chardev=terminal");
  } else {
    add_port(emulator::kInputPort, streams.input);
    add_port(emulator::kOutputPort, streams.output);
    add_port(emulator::kErrorPort, streams.error);
  }
  add_port(emulator::kControlPort, streams.control);

  if (!options.ports.empty()) {
    std::string network = "user,id=network,restrict=on";
    for (const EmulatorOptions::Port& port : options.ports) {
      network +=
          ",hostfwd=tcp:127.0.0.1:" + std::to_string(port.host) + "-:" + std::to_string(port.guest);
    }
    add("-netdev", std::move(network));
    add("-device", "virtio-net-pci,netdev=network,romfile=" + std::string(kVirtio));
  }
  return arguments;
}

Result<pid_t, Complaint> StartQemu(std::vector<std::string> arguments, int messages) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) {
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t qemu = fork();
  if (qemu < 0) {
    return Complain("no process can be made for the emulated machine: ", strerror(errno));
  }
  if (qemu == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
      _exit(1);
    }
    setpgid(0, 0);  // the terminal's Ctrl-C is for us
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(messages, STDOUT_FILENO);
    dup2(messages, STDERR_FILENO);
    execv(pointers[0], pointers.data());
    const std::string why = std::string("cannot be started: ") + strerror(errno) + "\n";
    (void)write(STDERR_FILENO, why.data(), why.size());
    _exit(127);
  }
  return qemu;
}

}  // namespace nsgx::loader
