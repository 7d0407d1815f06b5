// SPDX-License-Identifier: Apache-2.0
// Which calls a trace shows: nsgx-run --trace-filter, in the words of strace's -e trace=.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"

namespace nsgx::loader {

class TraceFilter {
 public:
  // Shows every system call and no host call.
  TraceFilter() { calls_.set(); }

  // "file,%network,open,!futex,host": classes, calls, and what to leave out of what was named
  // before. If the first is to be left out, it is left out of all.
  static Result<TraceFilter, Complaint> Parse(std::string_view text);

  bool HasCall(uint64_t number) const { return number < calls_.size() && calls_[number]; }
  bool HasCalls() const { return calls_.any(); }
  bool HasHostCalls() const { return host_calls_; }

 private:
  std::bitset<512> calls_;
  bool host_calls_ = false;
};

}  // namespace nsgx::loader
