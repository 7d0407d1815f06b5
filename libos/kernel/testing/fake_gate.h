// SPDX-License-Identifier: Apache-2.0
// Pages of an enclave in a host process: what the gate would commit, protect and trim is memory of
// this process, and every call is held against the contract that libos/kernel/gate.h states.
#pragma once

#include <cstdint>

namespace nsgx::libos::testing {

// An address range with nothing committed; the gate's calls must stay inside. One at a time.
class FakeRange {
 public:
  explicit FakeRange(uint64_t size);
  ~FakeRange();
  FakeRange(const FakeRange&) = delete;
  FakeRange& operator=(const FakeRange&) = delete;

  uint64_t begin() const { return begin_; }
  uint64_t end() const { return begin_ + size_; }

 private:
  uint64_t begin_;
  uint64_t size_;
};

struct GateCounts {
  uint64_t commits, protects, trims;
  uint64_t committed_pages;
};
GateCounts gate_counts();

// The gate refuses to commit more than this many pages in all.
void LimitCommittedPages(uint64_t pages);

// Whether the page that holds `address` can be accessed so.
bool IsReadable(uint64_t address);
bool IsWritable(uint64_t address);
bool IsExecutable(uint64_t address);

}  // namespace nsgx::libos::testing
