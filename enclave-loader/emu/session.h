// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/emu/marker_filter.h"

namespace nsgx::loader {

// The starter's ends of a machine's streams.
struct SessionStreams {
  int console = -1;   // socket: what the machine itself says
  int messages = -1;  // pipe: what QEMU says
  int control = -1;   // socket
  int input = -1;     // socket; with a terminal, both ways
  int output = -1;    // socket; not with a terminal
  int error = -1;     // socket; not with a terminal
  int log = -1;       // file for the console, or none
};

// From QEMU's start to its end: moves what is said between this process' standard streams and the
// machine, and learns how the program in it ended.
class Session {
 public:
  // `qemu` is ended and waited for, and the terminal put back, when the session is destroyed.
  Session(pid_t qemu, const SessionStreams& streams, const std::string& marker);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  struct Outcome {
    int status = 0;       // exit status, or 128 plus a signal
    int interrupted = 0;  // the signal that told us to end, or 0
  };

  // Returns when the program and the machine have ended. Complains when the machine ends before
  // the program, or the program does not start in time.
  Result<Outcome, Complaint> Run();

 private:
  using Clock = std::chrono::steady_clock;

  // One way from a source to a target, with what has been read and not yet written.
  struct Flow {
    int source, target;
    bool is_socket;  // of the target: written without waiting
    std::string waiting = {};
    bool ended = false;  // of the source
  };

  void MoveInput(Flow& flow, bool readable, bool writable);
  void MoveOutput(Flow& flow, MarkerFilter& filter, bool readable, bool writable);
  void TakeConsole();
  void TakeMessages();
  void TakeControl();
  void Obey(std::string_view line);
  bool HasAllOutput() const;
  void SayTaken();
  void ShowProgress();
  void HideProgress();
  Error<Complaint> ComplainOfEnd(std::string_view what) const;
  void EndQemu();

  pid_t qemu_;
  SessionStreams streams_;
  bool has_terminal_;
  int signals_;
  Flow input_, output_, error_;
  MarkerFilter output_filter_, error_filter_;
  std::string control_lines_;
  std::string console_end_;  // the last that the machine said
  std::string messages_end_;
  Clock::time_point begun_;
  Clock::time_point ended_;  // when the program's end was told
  bool started_ = false;
  std::chrono::seconds progress_shown_{0};  // 0: none is on the terminal
  bool broken_output_ = false;              // nobody reads our output any more
  bool taken_said_ = false;
  std::optional<int> status_;
  std::string failure_;  // init's
  std::optional<termios> terminal_before_;
};

}  // namespace nsgx::loader
