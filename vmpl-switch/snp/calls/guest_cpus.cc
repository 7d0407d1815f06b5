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

Result<GuestCpu> GuestCpus::Claim(GuestPhys vmsa) {
  SpinLockGuard guard(lock_);
  for (GuestCpu& cpu : cpus_) {
    if (cpu.vmsa == vmsa) {
      if (std::exchange(cpu.is_claimed, true)) {
        return Error(Status::kBusy);
      }
      return cpu;
    }
  }
  return Error(Status::kNotFound);
}

Result<GuestCpu> GuestCpus::ClaimAt(uint32_t apic_id, size_t index) {
  // One that was removed in between is not found any more: its caller looks again later.
  return Claim(TRY(At(apic_id, index)).vmsa);
}

void GuestCpus::Unclaim(GuestPhys vmsa) {
  SpinLockGuard guard(lock_);
  for (GuestCpu& cpu : cpus_) {
    if (cpu.vmsa == vmsa) {
      cpu.is_claimed = false;
    }
  }
}

Result<GuestCpu> GuestCpus::Remove(GuestPhys vmsa) {
  SpinLockGuard guard(lock_);
  for (size_t i = 0; i < cpus_.size(); ++i) {
    if (cpus_[i].vmsa == vmsa) {
      const GuestCpu cpu = cpus_[i];
      cpus_.RemoveAt(i);
      return cpu;
    }
  }
  return Error(Status::kNotFound);
}

Result<GuestCpu> GuestCpus::Find(GuestPhys vmsa) const {
  SpinLockGuard guard(lock_);
  for (const GuestCpu& cpu : cpus_) {
    if (cpu.vmsa == vmsa) {
      return cpu;
    }
  }
  return Error(Status::kNotFound);
}

Result<GuestCpu> GuestCpus::FindByArea(GuestPhys calling_area) const {
  SpinLockGuard guard(lock_);
  for (const GuestCpu& cpu : cpus_) {
    if (cpu.calling_area == calling_area) {
      return cpu;
    }
  }
  return Error(Status::kNotFound);
}

Result<void> GuestCpus::SetCallingArea(GuestPhys vmsa, GuestPhys calling_area) {
  SpinLockGuard guard(lock_);
  for (GuestCpu& cpu : cpus_) {
    if (cpu.vmsa == vmsa) {
      cpu.calling_area = calling_area;
      return {};
    }
  }
  return Error(Status::kNotFound);
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
