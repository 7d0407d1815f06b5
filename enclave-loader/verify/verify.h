// SPDX-License-Identifier: Apache-2.0
// Decides whether evidence is what a relying party wants to trust, and says for each single check
// what came out and why.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "enclave-loader/verify/evidence.h"
#include "enclave-loader/verify/policy.h"

namespace nsgx::verify {

enum class Outcome : uint8_t { kOk, kFailed, kSkipped };
// "ok", "failed", "skipped".
std::string_view OutcomeName(Outcome outcome);

// One check.
struct Row {
  std::string_view name;     // stable, for programs
  std::string_view meaning;  // what holds when it is ok
  Outcome outcome;
  std::string expected;
  std::string got;
  std::string note;  // why it failed, or why it was skipped
};

struct Verdict {
  std::vector<Row> rows;  // all of them, always in the same order
  bool is_simulated;      // the root is the one of machines without hardware

  // No check failed.
  bool verified() const { return FirstFailure() == nullptr; }
  const Row* FirstFailure() const;
};

// Runs every check, also after one has failed. Trusts nothing in `evidence`; does not read clocks,
// files or networks.
Verdict Verify(const Evidence& evidence, const Policy& policy);

}  // namespace nsgx::verify
