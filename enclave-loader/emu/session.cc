// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/emu/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "enclave-loader/cli/output.h"
#include "vmpl-switch/emulator/guest/guest_protocol.h"

namespace nsgx::loader {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Fifty times what a start takes, for busy machines.
constexpr seconds kStartLimit{300};
// From the word that the program has ended to the last of its output and the machine's end.
constexpr seconds kEndLimit{60};
constexpr seconds kQuiet{1};
constexpr milliseconds kStep{500};

constexpr size_t kBlock = 65536;
// A pipe that poll() calls writable takes this much without waiting.
constexpr size_t kPipeBlock = 4096;
constexpr size_t kKeptEnd = 16384;

// Reads what is there; "" at the end and on errors.
std::string ReadSome(int fd) {
  std::string block(kBlock, '\0');
  const ssize_t size = read(fd, block.data(), block.size());
  block.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return block;
}

void KeepEnd(std::string& end, std::string_view text) {
  end += text;
  if (end.size() > kKeptEnd) {
    end.erase(0, end.size() - kKeptEnd);
  }
}

// The last line that tells of a panic, or the last one that says anything, or "".
std::string_view LastWords(std::string_view text) {
  std::string_view last;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find_last_not_of(" \r\t") + 1);
    if (line.find("panic") != std::string_view::npos) {
      return line;
    }
    last = line.empty() ? last : line;
  }
  return last;
}

int Number(std::string_view text) {
  int number = 0;
  std::from_chars(text.begin(), text.end(), number);
  return number;
}

// Keys go through as they are pressed, Ctrl-C among them.
std::optional<termios> MakeTerminalRaw() {
  termios before;
  if (tcgetattr(STDIN_FILENO, &before) != 0) {
    return std::nullopt;
  }
  termios raw = before;
  cfmakeraw(&raw);
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  return before;
}

}  // namespace

Session::Session(pid_t qemu, const SessionStreams& streams, const std::string& marker)
    : qemu_(qemu),
      streams_(streams),
      has_terminal_(streams.output < 0),
      input_{.source = STDIN_FILENO, .target = streams.input, .is_socket = true},
      output_{.source = has_terminal_ ? streams.input : streams.output,
              .target = STDOUT_FILENO,
              .is_socket = false},
      error_{.source = streams.error, .target = STDERR_FILENO, .is_socket = false},
      output_filter_(marker),
      error_filter_(marker),
      begun_(Clock::now()) {
  sigset_t watched;
  sigemptyset(&watched);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    sigaddset(&watched, signal);
  }
  sigprocmask(SIG_BLOCK, &watched, nullptr);
  signals_ = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  if (has_terminal_) {
    terminal_before_ = MakeTerminalRaw();
  }
}

Session::~Session() {
  HideProgress();
  EndQemu();
  if (terminal_before_) {
    tcsetattr(STDIN_FILENO, TCSANOW, &*terminal_before_);
  }
  close(signals_);
}

void Session::EndQemu() {
  if (qemu_ > 0) {
    kill(qemu_, SIGKILL);
    waitpid(qemu_, nullptr, 0);
    qemu_ = -1;
  }
}

Result<Session::Outcome, Complaint> Session::Run() {
  while (true) {
    std::vector<pollfd> events;
    const auto watch = [&](int fd, bool read, bool write) {
      events.push_back({.fd = read || write ? fd : -1,
                        .events = static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0)),
                        .revents = 0});
    };
    const auto has_room = [](const Flow& flow) { return !flow.ended && flow.waiting.empty(); };
    watch(signals_, true, false);
    watch(streams_.console, true, false);
    watch(streams_.messages, true, false);
    watch(streams_.control, true, false);
    watch(input_.source, started_ && has_room(input_), false);
    watch(input_.target, false, !input_.waiting.empty());
    watch(output_.source, has_room(output_), false);
    watch(output_.target, false, !output_.waiting.empty());
    watch(error_.source, !has_terminal_ && has_room(error_), false);
    watch(error_.target, false, !error_.waiting.empty());
    poll(events.data(), events.size(), static_cast<int>(kStep.count()));
    const auto ready = [&](size_t i) { return events[i].fd >= 0 && events[i].revents != 0; };

    signalfd_siginfo signal;
    while (read(signals_, &signal, sizeof(signal)) == sizeof(signal)) {
      if (signal.ssi_signo != SIGCHLD) {
        return Outcome{.status = 0, .interrupted = static_cast<int>(signal.ssi_signo)};
      }
      if (qemu_ > 0 && waitpid(qemu_, nullptr, WNOHANG) == qemu_) {
        qemu_ = -1;
      }
    }
    const bool qemu_ended = qemu_ < 0;
    if (ready(1)) TakeConsole();
    if (ready(2)) TakeMessages();
    if (ready(3)) TakeControl();
    MoveInput(input_, ready(4), ready(5));
    MoveOutput(output_, output_filter_, ready(6), ready(7));
    MoveOutput(error_, error_filter_, ready(8), ready(9));

    if (broken_output_) {
      return Outcome{.status = 128 + SIGPIPE};
    }
    const Clock::time_point now = Clock::now();
    const bool terminal_is_quiet = events[6].fd >= 0 && !ready(6);
    if (status_ && HasAllOutput() && (!has_terminal_ || output_.ended || terminal_is_quiet)) {
      // The machine keeps nothing, so its end is awaited only by who wants to read about it.
      if (streams_.log < 0 || streams_.console < 0 || now > ended_ + kEndLimit) {
        return Outcome{.status = *status_};
      }
      SayTaken();
      continue;
    }
    if (!failure_.empty()) {
      return ComplainOfEnd(failure_);
    }
    // What QEMU left in its sockets is read before it is missed.
    const bool all_read = streams_.control < 0 && output_.ended && (has_terminal_ || error_.ended);
    if (qemu_ended && all_read && output_.waiting.empty() && error_.waiting.empty()) {
      return ComplainOfEnd(started_ ? "the machine stopped before the program ended"
                                    : "the machine stopped before the program started");
    }
    if (status_ && now > ended_ + kEndLimit) {
      return ComplainOfEnd("the program's output did not come out of the machine");
    }
    if (!started_ && now > begun_ + kStartLimit) {
      return ComplainOfEnd("the program did not start within five minutes");
    }
    if (!started_ && !has_terminal_) {
      ShowProgress();
    }
  }
}

bool Session::HasAllOutput() const {
  const bool all_out = has_terminal_ || (output_filter_.ended() && error_filter_.ended());
  return all_out && output_.waiting.empty() && error_.waiting.empty();
}

void Session::MoveInput(Flow& flow, bool readable, bool writable) {
  if (readable && flow.waiting.empty()) {
    flow.waiting = ReadSome(flow.source);
    if (flow.waiting.empty()) {
      flow.ended = true;
      if (!has_terminal_) {
        shutdown(flow.target, SHUT_WR);
      }
    }
  }
  if (writable) {
    const ssize_t size =
        send(flow.target, flow.waiting.data(), flow.waiting.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) {
      flow.waiting.erase(0, static_cast<size_t>(size));
    } else if (errno != EAGAIN && errno != EINTR) {
      flow.waiting.clear();
      flow.ended = true;
    }
  }
}

void Session::MoveOutput(Flow& flow, MarkerFilter& filter, bool readable, bool writable) {
  if (readable && flow.waiting.empty()) {
    const std::string text = ReadSome(flow.source);
    if (text.empty()) {
      flow.ended = true;
      flow.waiting = filter.Rest();
    } else {
      flow.waiting = has_terminal_ ? text : filter.Feed(text);
    }
  }
  if (writable) {
    const ssize_t size =
        write(flow.target, flow.waiting.data(), std::min(flow.waiting.size(), kPipeBlock));
    if (size > 0) {
      flow.waiting.erase(0, static_cast<size_t>(size));
    } else if (errno != EAGAIN && errno != EINTR) {
      flow.waiting.clear();
      broken_output_ = broken_output_ || errno == EPIPE;
    }
  }
}

void Session::TakeConsole() {
  const std::string text = ReadSome(streams_.console);
  if (text.empty()) {
    streams_.console = -1;
    return;
  }
  KeepEnd(console_end_, text);
  if (streams_.log >= 0) {
    (void)WriteAll(streams_.log, text);
  }
}

void Session::TakeMessages() {
  const std::string text = ReadSome(streams_.messages);
  if (text.empty()) {
    streams_.messages = -1;
    return;
  }
  KeepEnd(messages_end_, text);
}

void Session::TakeControl() {
  const std::string text = ReadSome(streams_.control);
  if (text.empty()) {
    streams_.control = -1;
    return;
  }
  control_lines_ += text;
  for (size_t end; (end = control_lines_.find('\n')) != std::string::npos;
       control_lines_.erase(0, end + 1)) {
    Obey(std::string_view(control_lines_).substr(0, end));
  }
}

void Session::Obey(std::string_view line) {
  if (line == emulator::kStarted) {
    started_ = true;
    HideProgress();
  } else if (line.starts_with(emulator::kExited)) {
    status_ = Number(line.substr(emulator::kExited.size())) & 0xff;
  } else if (line.starts_with(emulator::kKilled)) {
    status_ = 128 + (Number(line.substr(emulator::kKilled.size())) & 0x7f);
  } else if (line.starts_with(emulator::kFailed)) {
    failure_ = line.substr(emulator::kFailed.size());
  }
  if (status_) {
    ended_ = Clock::now();
  }
}

void Session::SayTaken() {
  if (!taken_said_) {
    taken_said_ = true;
    const std::string line = std::string(emulator::kTaken) + "\n";
    // When it does not get through, QEMU is gone or init does without.
    (void)send(streams_.control, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

void Session::ShowProgress() {
  const auto passed = std::chrono::duration_cast<seconds>(Clock::now() - begun_);
  if (passed < kQuiet || passed == progress_shown_ || isatty(STDERR_FILENO) != 1) {
    return;
  }
  progress_shown_ = passed;
  (void)WriteAll(STDERR_FILENO, "\rnsgx-run: the emulated machine starts (" +
                                    std::to_string(passed.count()) + " s) ");
}

void Session::HideProgress() {
  if (progress_shown_ != seconds{0}) {
    (void)WriteAll(STDERR_FILENO, "\r\x1b[K");
    progress_shown_ = seconds{0};
  }
}

Error<Complaint> Session::ComplainOfEnd(std::string_view what) const {
  std::string_view said = LastWords(console_end_);
  if (said.empty()) {
    said = LastWords(messages_end_);
  }
  return Complain("the emulated machine: ", what,
                  said.empty() ? "" : "; the last that was said: ", said.substr(0, 200),
                  "; --emu-console FILE keeps all of it");
}

}  // namespace nsgx::loader
