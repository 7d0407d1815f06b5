// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/range.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "base/core/thread_annotations.h"
#include "vmpl-switch/seh/machine.h"

namespace nsgx::sim {

struct HashWork {
  uint64_t pages_hashed;
  uint64_t ticks_hashing;  // of the time-stamp counter
};

// The machine that the SEH of one enclave runs on: a range of this process' address space under the
// enclave's protection key. Enclave addresses are this process' addresses. Every function wants
// SehAccess, or to be called in the SEH state.
class SimMachine final : public seh::Machine {
 public:
  // Requires: OpenProcess succeeded.
  SimMachine() = default;
  SimMachine(const SimMachine&) = delete;
  SimMachine& operator=(const SimMachine&) = delete;
  // Gives table pages back. Requires: the range has been released.
  ~SimMachine();

  uint32_t kind() const override;
  uint32_t xsave_size() const override;
  uint64_t xcr0() const override;
  uint64_t tsc_khz() const override;

  Result<EnclaveVirt> ReserveRange(uint64_t size) override;
  void ReleaseRange(EnclaveVirt base, uint64_t size) override;
  // Maps the file where the source has one, so that debuggers and profilers know the code; whoever
  // writes to the file while the enclave runs can change pages that it has not written to.
  Result<void> Load(EnclaveVirt start, const seh::PageSource& source,
                    seh::Permissions permissions) override;
  Result<void> Commit(EnclaveVirt start, uint64_t size, seh::Permissions permissions) override;
  Result<void> Protect(EnclaveVirt start, uint64_t size, seh::Permissions permissions) override;
  void Trim(EnclaveVirt start, uint64_t size) override;
  // The same addresses: so the rights are the enclave's, and writing needs pages that it may write
  // to.
  std::span<std::byte> Access(EnclaveVirt start, uint64_t size) override;

  Result<std::byte*> AllocateTablePage() override;
  void FreeTablePage(std::byte* page) override;

  Result<nsgx_clock> Clock() override;

  // Counts and times what it does.
  void HashPages(std::span<const std::byte> pages, std::span<Sha256::Digest> digests) override;
  HashWork work() const;

  // From Linux, which on this machine is not more hostile than the process itself.
  Result<void> Random(std::span<std::byte> out) override;
  // From a file that is made at the first use, see root_key.h.
  Result<void> RootKey(std::span<std::byte, 32> out) override;
  // Signed by the fake chip (vmpl-switch/emulator/chip).
  Result<void> HardwareReport(std::span<const std::byte, 64> report_data,
                              std::span<std::byte, 1184> out) override;

 private:
  using Range = AddrRange<struct EnclaveVirtTag>;
  struct Chunk;
  struct FreePage;

  bool MapFile(Range pages, const seh::PageSource& source, seh::Permissions permissions);
  Result<void> SetRights(Range pages, seh::Permissions permissions);
  void NoteRights(Range pages, seh::Permissions permissions);
  void OpenClosedPages(Range bytes);
  Result<void> AddChunk() REQUIRES(lock_);
  uint64_t PageNumber(EnclaveVirt address) const {
    return (address - range_.begin()) >> kPageShift;
  }

  // Set by ReserveRange, before anything else is called.
  Range range_;
  // One bit for each page of the range: closed to everybody. Clean pages of it cost nothing.
  uint64_t* closed_ = nullptr;

  mutable SpinLock lock_;
  bool any_closed_ GUARDED_BY(lock_) = false;
  Range files_ GUARDED_BY(lock_);  // covers all mappings of files
  uint64_t committed_ GUARDED_BY(lock_) = 0;
  bool uses_huge_pages_ GUARDED_BY(lock_) = false;
  Chunk* chunks_ GUARDED_BY(lock_) = nullptr;
  FreePage* free_pages_ GUARDED_BY(lock_) = nullptr;
  HashWork work_ GUARDED_BY(lock_) = {};
};

}  // namespace nsgx::sim
