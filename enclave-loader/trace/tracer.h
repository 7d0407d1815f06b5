// SPDX-License-Identifier: Apache-2.0
// Prints what an enclave tells of its system calls, as strace does.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "enclave-loader/trace/call_text.h"
#include "enclave-loader/trace/filter.h"
#include "syscall-shim/hostcall/host_calls.h"

namespace nsgx::loader {

struct TraceTimes {
  bool relative = false;  // since the call before: strace -r
  bool clock = false;     // time of day: -tt
  bool epoch = false;     // seconds since 1970: -ttt
  bool spent = false;     // in the call: -T
};
// "relative,spent". Errors: kNotFound.
Result<TraceTimes> ParseTraceTimes(std::string_view names);

// Used by all vCPU threads at once.
class Tracer {
 public:
  Tracer(const TraceFilter& filter, const TraceTimes& times, int fd)
      : filter_(filter), times_(times), fd_(fd) {}

  // Prints a line of level trace that an enclave gave to the host. The enclave is not believed:
  // a line that is not well formed is none.
  void OnRecord(std::string_view line);
  void OnHostCall(uint32_t slot, const shim::HostCallInfo& call, const shim::HostCallValues& values,
                  int64_t reply);
  // The enclave is over: "+++ exited with 0 +++".
  void OnEnd(std::string_view how);

 private:
  struct Pending {
    ToldCall call;
    size_t printed = 0;  // arguments
    uint64_t begin = 0;  // nanoseconds
  };

  void OnEnter(ToldCall call);
  void OnLeave(const ToldCall& told);
  // What comes before each line.
  void AppendHead(std::string& line, int32_t tid);
  // Ends the line of a call that another line interrupts.
  void Interrupt(std::string& text);

  const TraceFilter filter_;
  const TraceTimes times_;
  const int fd_;
  std::mutex lock_;
  std::map<int32_t, Pending> pending_;  // by thread
  std::optional<int32_t> unfinished_;   // whose line has no end yet
  std::optional<int32_t> first_;        // the thread that was seen first
  bool has_threads_ = false;
  uint64_t before_ = 0;
};

}  // namespace nsgx::loader
