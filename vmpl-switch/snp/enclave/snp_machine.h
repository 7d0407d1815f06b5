// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/range.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/seh/machine.h"
#include "vmpl-switch/snp/enclave/hardware.h"
#include "vmpl-switch/snp/enclave/page_pool.h"
#include "vmpl-switch/snp/memory/address_space.h"
#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// The machine that the SEH of one enclave runs on: an address space of its own, made from the pages
// of its pool. Every page of the enclave is a page of the pool; nothing is shared with anybody but
// the window.
//
// A call that fails with kNoMemory has noted in the pool how much was missing.
class SnpMachine final : public seh::Machine {
 public:
  // `gate`: the page with kGateCode. Requires: all live longer.
  constexpr SnpMachine(const Services& services, EnclaveHardware& hardware, PagePool& pool,
                       GuestPhys gate)
      : services_(services), hardware_(hardware), pool_(pool), gate_(gate) {}
  SnpMachine(const SnpMachine&) = delete;
  SnpMachine& operator=(const SnpMachine&) = delete;

  // Has this processor see the enclave's space, if there is one. Whoever calls the enclave's SEH
  // does that before, and hands the processor back with EnclaveHardware::Activate(nullptr).
  void Activate();

  // Maps a page of the guest that both sides see: page `index` of the window. It stays the guest's,
  // but the guest can't give it away until the range is released.
  //
  // Requires: a range is reserved.
  // Errors:   as GuestPages::Begin; kNoMemory; kAlreadyExists  there is one.
  // Trust:    the page is the guest's word.
  Result<void> AddWindow(uint64_t index, GuestPhys page) EXCLUDES(lock_);

  // Copies bytes of committed pages, whatever the enclave's own rights, up to the first that is not
  // committed or not in the range, and returns how many. For code of the enclave that has to be
  // decoded, and for debug enclaves.
  size_t Read(EnclaveVirt start, std::span<std::byte> to) EXCLUDES(lock_);
  size_t Write(EnclaveVirt start, std::span<const std::byte> from) EXCLUDES(lock_);

  uint32_t kind() const override;
  uint32_t xsave_size() const override { return hardware_.extended_state().size; }
  uint64_t xcr0() const override { return hardware_.extended_state().components; }
  uint64_t tsc_khz() const override { return services_.clock.khz(); }

  Result<EnclaveVirt> ReserveRange(uint64_t size) override EXCLUDES(lock_);
  void ReleaseRange(EnclaveVirt base, uint64_t size) override EXCLUDES(lock_);
  Result<void> Load(EnclaveVirt start, const seh::PageSource& source,
                    seh::Permissions permissions) override EXCLUDES(lock_);
  Result<void> Commit(EnclaveVirt start, uint64_t size, seh::Permissions permissions) override
      EXCLUDES(lock_);
  Result<void> Protect(EnclaveVirt start, uint64_t size, seh::Permissions permissions) override
      EXCLUDES(lock_);
  void Trim(EnclaveVirt start, uint64_t size) override EXCLUDES(lock_);
  std::span<std::byte> Access(EnclaveVirt start, uint64_t size) override;

  Result<std::byte*> AllocateTablePage() override;
  void FreeTablePage(std::byte* page) override;

  Result<void> Random(std::span<std::byte> out) override { return services_.random.Fill(out); }
  Result<nsgx_clock> Clock() override;
  // From the secure processor: bound to this chip, this SEH and the guest's policy.
  Result<void> RootKey(std::span<std::byte, 32> out) override;
  Result<void> HardwareReport(std::span<const std::byte, 64> report_data,
                              std::span<std::byte, 1184> out) override;

 private:
  using Pages = PageRange<struct EnclaveVirtTag>;

  Result<void> MapFresh(const Pages& pages, seh::Permissions permissions,
                        std::span<const std::byte> contents) REQUIRES(lock_);
  void Remove(const Pages& pages) REQUIRES(lock_);
  template <typename Copy>
  size_t ForEachPiece(EnclaveVirt start, size_t size, Copy&& copy) EXCLUDES(lock_);

  const Services& services_;
  EnclaveHardware& hardware_;
  PagePool& pool_;
  const GuestPhys gate_;

  SpinLock lock_;
  AddressSpace space_;  // changed under lock_
  Pages range_;         // empty: no space
};

}  // namespace nsgx::snp
