// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "base/core/static_vector.h"

namespace nsgx::snp {

// One of the guest's processors: a VMSA, and where calls from it put their arguments.
struct GuestCpu {
  GuestPhys vmsa;
  GuestPhys calling_area;
  uint32_t apic_id = 0;
  bool is_own = false;  // the VMSA is in the SEH's memory: the first one
  bool is_claimed = false;
};

// All processors of the guest that may run, by the physical processor (APIC id) that they belong
// to. A physical processor without the SEH on it can't have one: nobody would serve its calls.
class GuestCpus {
 public:
  static constexpr size_t kMaxProcessors = 64;
  static constexpr size_t kMaxGuestCpus = 128;

  constexpr GuestCpus() = default;

  // The SEH runs on this physical processor from now on. Errors: kNoMemory  too many.
  Result<void> AddProcessor(uint32_t apic_id) EXCLUDES(lock_);
  bool HasProcessor(uint32_t apic_id) const EXCLUDES(lock_);

  // Errors: kNoMemory  too many.
  Result<void> Add(const GuestCpu& cpu) EXCLUDES(lock_);
  // From here to Unclaim or Remove the caller alone may touch the VMSA: who serves its call, which
  // goes on while ring 3 runs, or who takes it away.
  //
  // Errors: kNotFound; kBusy  somebody else has it.
  Result<GuestCpu> Claim(GuestPhys vmsa) EXCLUDES(lock_);
  // The same with the `index`th of the guest's processors on `apic_id`.
  Result<GuestCpu> ClaimAt(uint32_t apic_id, size_t index) EXCLUDES(lock_);
  void Unclaim(GuestPhys vmsa) EXCLUDES(lock_);

  // Errors: kNotFound. Requires: the caller has claimed it.
  Result<GuestCpu> Remove(GuestPhys vmsa) EXCLUDES(lock_);
  Result<GuestCpu> Find(GuestPhys vmsa) const EXCLUDES(lock_);
  // Any that makes its calls by this page. Errors: kNotFound.
  Result<GuestCpu> FindByArea(GuestPhys calling_area) const EXCLUDES(lock_);
  Result<void> SetCallingArea(GuestPhys vmsa, GuestPhys calling_area) EXCLUDES(lock_);

  // Returns the `index`th of the guest's processors on `apic_id`. Errors: kNotFound.
  Result<GuestCpu> At(uint32_t apic_id, size_t index) const EXCLUDES(lock_);

 private:
  // Of the first whose `field` has this value. Errors: kNotFound.
  Result<size_t> IndexOf(GuestPhys GuestCpu::* field, GuestPhys value) const REQUIRES(lock_);

  mutable SpinLock lock_;
  StaticVector<uint32_t, kMaxProcessors> processors_ GUARDED_BY(lock_);
  StaticVector<GuestCpu, kMaxGuestCpus> cpus_ GUARDED_BY(lock_);
};

}  // namespace nsgx::snp
