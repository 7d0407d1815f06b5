// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/calls/guest_cpus.h"

#include <algorithm>
#include <utility>

namespace nsgx::snp {

Result<void> GuestCpus::AddProcessor(uint32_t apic_id) {
  SpinLockGuard guard(lock_);
  return processors_.PushBack(apic_id);
}

bool GuestCpus::HasProcessor(uint32_t apic_id) const {
  SpinLockGuard guard(lock_);
  return std::any_of(processors_.begin(), processors_.end(),
                     [apic_id](uint32_t processor) { return processor == apic_id; });
}

Result<void> GuestCpus::Add(const GuestCpu& cpu) {
  SpinLockGuard guard(lock_);
  return cpus_.PushBack(cpu);
}

Result<size_t> GuestCpus::IndexOf(GuestPhys GuestCpu::* field, GuestPhys value) const {
  for (size_t i = 0; i < cpus_.size(); ++i) {
    if (cpus_[i].*field == value) {
      return i;
    }
  }
  return Error(Status::kNotFound);
}

Result<GuestCpu> GuestCpus::Claim(GuestPhys vmsa) {
  SpinLockGuard guard(lock_);
  GuestCpu& cpu = cpus_[TRY(IndexOf(&GuestCpu::vmsa, vmsa))];
  if (std::exchange(cpu.is_claimed, true)) {
    return Error(Status::kBusy);
  }
  return cpu;
}

Result<GuestCpu> GuestCpus::ClaimAt(uint32_t apic_id, size_t index) {
  // One that was removed in between is not found any more: its caller looks again later.
  return Claim(TRY(At(apic_id, index)).vmsa);
}

void GuestCpus::Unclaim(GuestPhys vmsa) {
  SpinLockGuard guard(lock_);
  // It may have been removed.
  if (const Result<size_t> index = IndexOf(&GuestCpu::vmsa, vmsa); index.ok()) {
    cpus_[index.value()].is_claimed = false;
  }
}

Result<GuestCpu> GuestCpus::Remove(GuestPhys vmsa) {
  SpinLockGuard guard(lock_);
  const size_t index = TRY(IndexOf(&GuestCpu::vmsa, vmsa));
  const GuestCpu cpu = cpus_[index];
  cpus_.RemoveAt(index);
  return cpu;
}

Result<GuestCpu> GuestCpus::Find(GuestPhys vmsa) const {
  SpinLockGuard guard(lock_);
  return cpus_[TRY(IndexOf(&GuestCpu::vmsa, vmsa))];
}

Result<GuestCpu> GuestCpus::FindByArea(GuestPhys calling_area) const {
  SpinLockGuard guard(lock_);
  return cpus_[TRY(IndexOf(&GuestCpu::calling_area, calling_area))];
}

Result<void> GuestCpus::SetCallingArea(GuestPhys vmsa, GuestPhys calling_area) {
  SpinLockGuard guard(lock_);
  cpus_[TRY(IndexOf(&GuestCpu::vmsa, vmsa))].calling_area = calling_area;
  return {};
}

Result<GuestCpu> GuestCpus::At(uint32_t apic_id, size_t index) const {
  SpinLockGuard guard(lock_);
  for (const GuestCpu& cpu : cpus_) {
    if (cpu.apic_id == apic_id && index-- == 0) {
      return cpu;
    }
  }
  return Error(Status::kNotFound);
}

}  // namespace nsgx::snp
