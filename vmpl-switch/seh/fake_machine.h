// SPDX-License-Identifier: Apache-2.0
// A machine for tests: host memory, a history of every call, and calls that fail on demand.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/seh/machine.h"

namespace nsgx::seh {

// Stops the test (CHECK) when the SEH breaks the contract of Machine: pages outside a reserved
// range, commits over committed pages, changes of uncommitted ones, two calls for the same pages at
// once, table pages that are none. The memory has real protection, so the SEH dies of a write to
// pages that it may only read.
//
// Thread-safe.
class FakeMachine final : public Machine {
 public:
  enum class Call { kReserve, kRelease, kLoad, kCommit, kProtect, kTrim, kOther };
  struct Event {
    Call call;
    uint64_t start;
    uint64_t size;
    Permissions permissions;
    bool ok;
  };

  FakeMachine() = default;
  // Requires: everything was given back.
  ~FakeMachine();

  // Makes the `number`th call from now on that can fail do so, once; 1 is the next one, 0 none.
  void FailCall(uint32_t number);
  // Returns how many calls that can fail were made since FailCall.
  uint32_t fallible_calls() const;

  std::vector<Event> history() const;
  void ForgetHistory();
  size_t table_page_count() const;
  size_t range_count() const;
  // Returns whether the page at `address` is committed, and its rights in `permissions`.
  bool IsCommitted(EnclaveVirt address, Permissions* permissions = nullptr) const;
  uint64_t committed_size() const;
  uint32_t hardware_reports() const { return hardware_reports_; }
  uint64_t pages_hashed() const { return pages_hashed_; }

  // Shares the work of HashPages between two threads.
  bool hash_in_parallel = false;

  // Called, without a lock, in the middle of every call that changes pages, gives random bytes or
  // reports: for tests of what others may do meanwhile.
  void (*during_call)(void* context) = nullptr;
  void* during_call_context = nullptr;

  uint32_t kind() const override { return NSGX_MACHINE_SIM; }
  uint32_t xsave_size() const override { return 2696; }
  uint64_t xcr0() const override { return 0xe7; }
  uint64_t tsc_khz() const override { return 2'000'000; }
  Result<EnclaveVirt> ReserveRange(uint64_t size) override;
  void ReleaseRange(EnclaveVirt base, uint64_t size) override;
  Result<void> Load(EnclaveVirt start, const PageSource& source, Permissions permissions) override;
  Result<void> Commit(EnclaveVirt start, uint64_t size, Permissions permissions) override;
  Result<void> Protect(EnclaveVirt start, uint64_t size, Permissions permissions) override;
  void Trim(EnclaveVirt start, uint64_t size) override;
  std::span<std::byte> Access(EnclaveVirt start, uint64_t size) override;
  void HashPages(std::span<const std::byte> pages, std::span<Sha256::Digest> digests) override;
  Result<std::byte*> AllocateTablePage() override;
  void FreeTablePage(std::byte* page) override;
  Result<void> Random(std::span<std::byte> out) override;
  Result<nsgx_clock> Clock() override;
  Result<void> RootKey(std::span<std::byte, 32> out) override;
  Result<void> HardwareReport(std::span<const std::byte, 64> report_data,
                              std::span<std::byte, 1184> out) override;

 private:
  class ChangeScope;
  struct Extent {
    uint64_t end;
    Permissions permissions;
  };

  void CallHook();

  // With mutex_ held.
  bool FailsNow();
  bool IsReserved(uint64_t start, uint64_t size) const;
  // Returns whether all of the pages (`wanted`) are committed, or none is.
  bool AllCommitted(uint64_t start, uint64_t size, bool wanted) const;
  void Erase(uint64_t start, uint64_t size);
  void SplitAt(uint64_t address);

  mutable std::mutex mutex_;
  uint32_t fallible_calls_ = 0;
  uint32_t fail_at_ = 0;
  std::map<uint64_t, uint64_t> ranges_;    // start, size
  std::map<uint64_t, Extent> committed_;   // by start
  std::map<uint64_t, uint64_t> changing_;  // start, end of calls under way
  std::set<std::byte*> table_pages_;
  std::vector<Event> history_;
  uint64_t random_counter_ = 0;
  std::atomic<uint32_t> hardware_reports_ = 0;
  std::atomic<uint64_t> pages_hashed_ = 0;
};

}  // namespace nsgx::seh
