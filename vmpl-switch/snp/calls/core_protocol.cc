// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/calls/core_protocol.h"

#include "base/core/mem_raw.h"
#include "base/core/scope_exit.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t PagesIn(SnpPageSize size) {
  return size == SnpPageSize::k2M ? kLargePageSize / kPageSize : 1;
}

// A page that can't be begun to change.
uint32_t RefusalOf(Status status) {
  switch (status) {
    case Status::kBusy:
      return SVSM_BUSY;
    case Status::kInvalidArgument:
    case Status::kPermissionDenied:
      return SVSM_INVALID_ADDRESS;
    default:
      return SVSM_INVALID_REQUEST;
  }
}

// Whether the processor may be run as one of the guest's: at its VMPL, and with the protection that
// the guest itself has, no more and no less.
bool IsGuestVmsa(const snp_vmsa& vmsa) {
  return vmsa.vmpl == kGuestVmpl && (vmsa.efer & SNP_EFER_SVME) != 0 &&
         vmsa.sev_features == SNP_FEATURE_SNP && vmsa.virtual_tom == 0;
}

}  // namespace

uint32_t CoreProtocol::Serve(uint32_t call, CallContext& context) {
  switch (call) {
    case SVSM_CORE_REMAP_CA:
      return RemapCallingArea(context);
    case SVSM_CORE_PVALIDATE:
      return PvalidateList(context);
    case SVSM_CORE_CREATE_VCPU:
      return CreateVcpu(context);
    case SVSM_CORE_DELETE_VCPU:
      return DeleteVcpu(context);
    case SVSM_CORE_QUERY_PROTOCOL: {
      const uint64_t wanted = context.registers.rcx;
      context.registers.rcx = parts_.protocols.Query(static_cast<uint32_t>(wanted >> 32),
                                                     static_cast<uint32_t>(wanted));
      return SVSM_SUCCESS;
    }
    case SVSM_CORE_CONFIGURE_VTOM: {
      // Bit 0: only a question. The answer, 0: there is none.
      constexpr uint64_t kQuery = 1;
      if (context.registers.rcx != kQuery) {
        return SVSM_INVALID_REQUEST;
      }
      context.registers.rcx = 0;
      return SVSM_SUCCESS;
    }
    default:
      return SVSM_UNSUPPORTED_CALL;
  }
}

uint32_t CoreProtocol::RemapCallingArea(CallContext& context) {
  const GuestPhys area(context.registers.rcx);
  if (!area.is_page_aligned()) {
    return SVSM_INVALID_PARAMETER;
  }
  if (area != context.calling_area) {
    const Result<void> begun = parts_.pages.Begin(area, PageState::kGuest);
    if (!begun.ok()) {
      return RefusalOf(begun.error());
    }
    parts_.pages.Finish(area, PageState::kCallingArea);
    if (!parts_.cpus.SetCallingArea(context.vmsa, area).ok()) {
      parts_.pages.Begin(area, PageState::kCallingArea).value();
      parts_.pages.Finish(area, PageState::kGuest);
      return SVSM_INVALID_REQUEST;
    }
    ReleaseCallingArea(context.calling_area);
  }
  // No call is pending in it.
  FillOnce(parts_.memory.At(area), std::byte{0}, sizeof(uint64_t));
  return SVSM_SUCCESS;
}

void CoreProtocol::ReleaseCallingArea(GuestPhys area) {
  if (!parts_.cpus.FindByArea(area).ok()) {
    parts_.pages.Begin(area, PageState::kCallingArea).value();
    parts_.pages.Finish(area, PageState::kGuest);
  }
}

uint32_t CoreProtocol::PvalidateList(CallContext& context) {
  const GuestPhys list(context.registers.rcx);
  if (!IsAligned(list, sizeof(uint64_t))) {
    return SVSM_INVALID_PARAMETER;
  }
  Result<svsm_pvalidate_header> header = parts_.guest.ReadObject<svsm_pvalidate_header>(list);
  if (!header.ok()) {
    return SVSM_INVALID_ADDRESS;
  }
  const uint16_t entries = header.value().entries;
  uint16_t next = header.value().next;
  const uint64_t room =
      (kPageSize - list.page_offset() - sizeof(header.value())) / sizeof(uint64_t);
  if (entries == 0 || entries > room || next >= entries) {
    return SVSM_INVALID_PARAMETER;
  }
  while (next < entries) {
    // The list's page may be among those that change: each access is checked anew.
    const Result<uint64_t> entry = parts_.guest.ReadObject<uint64_t>(
        list + sizeof(svsm_pvalidate_header) + next * sizeof(uint64_t));
    if (!entry.ok()) {
      return SVSM_INVALID_ADDRESS;
    }
    const uint32_t result = PvalidateEntry(entry.value());
    if (result != SVSM_SUCCESS) {
      return result;
    }
    ++next;
    if (!parts_.guest.WriteObject(list + offsetof(svsm_pvalidate_header, next), next).ok()) {
      return SVSM_INVALID_ADDRESS;
    }
    if (next < entries && parts_.event_pending()) {
      return SVSM_INCOMPLETE;
    }
  }
  return SVSM_SUCCESS;
}

uint32_t CoreProtocol::PvalidateEntry(uint64_t entry) {
  constexpr uint64_t kReserved = 0xff0;
  const uint64_t size_bits = SVSM_PVALIDATE_SIZE(entry);
  if ((entry & kReserved) != 0 || size_bits > SNP_SIZE_2M) {
    return SVSM_INVALID_PARAMETER;
  }
  const SnpPageSize size = static_cast<SnpPageSize>(size_bits);
  const GuestPhys page(entry & ~kPageMask);
  if (!IsAligned(page, PagesIn(size) * kPageSize)) {
    return SVSM_INVALID_PARAMETER;
  }
  const bool ignores_unchanged = (entry & SVSM_PVALIDATE_IGNORE_CF) != 0;
  return (entry & SVSM_PVALIDATE_VALIDATE) != 0 ? ValidatePage(page, size, ignores_unchanged)
                                                : RescindPage(page, size, ignores_unchanged);
}

void CoreProtocol::AbandonRun(GuestPhys page, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    parts_.pages.Abandon(page + i * kPageSize);
  }
}

void CoreProtocol::FinishRun(GuestPhys page, SnpPageSize size, PageState to) {
  for (uint64_t i = 0; i < PagesIn(size); ++i) {
    parts_.pages.Finish(page + i * kPageSize, to);
  }
}

// Begins to change all pages of a run. `already`: the state that they have if there is nothing to
// do.
uint32_t CoreProtocol::BeginRun(GuestPhys page, SnpPageSize size, PageState from, PageState already,
                                bool ignores_unchanged) {
  const uint64_t count = PagesIn(size);
  for (uint64_t i = 0; i < count; ++i) {
    // The run may leave the address space: it is aligned, so the sum does not wrap before that.
    const GuestPhys at = page + i * kPageSize;
    const Result<void> begun = parts_.pages.Begin(at, from);
    if (begun.ok()) {
      continue;
    }
    const bool is_already = parts_.pages.StateOf(at) == already;
    AbandonRun(page, i);
    if (!is_already) {
      return RefusalOf(begun.error());
    }
    if (count != 1 && i != 0) {
      return SVSM_PROTOCOL_RESULT + SNP_FAIL_SIZE_MISMATCH;
    }
    if (count == 1) {
      return ignores_unchanged ? SVSM_SUCCESS : SVSM_PVALIDATE_UNCHANGED;
    }
    // The first of many: is it the same with all?
    for (uint64_t j = 1; j < count; ++j) {
      if (parts_.pages.StateOf(page + j * kPageSize) != already) {
        return SVSM_PROTOCOL_RESULT + SNP_FAIL_SIZE_MISMATCH;
      }
    }
    return ignores_unchanged ? SVSM_SUCCESS : SVSM_PVALIDATE_UNCHANGED;
  }
  return SVSM_INCOMPLETE;  // begun
}

uint32_t CoreProtocol::ValidatePage(GuestPhys page, SnpPageSize size, bool ignores_unchanged) {
  const uint32_t begun =
      BeginRun(page, size, PageState::kShared, PageState::kGuest, ignores_unchanged);
  if (begun != SVSM_INCOMPLETE) {
    return begun;
  }
  const ValidateResult result = parts_.rmp.Validate(page, size, true);
  if (!result.ok()) {
    AbandonRun(page, PagesIn(size));
    // A page that the processor calls validated, and we do not, has two copies in the host's hands.
    // Whatever the guest says about ignoring that, it never becomes one that an enclave might get.
    return result.code != SNP_OK ? SVSM_PROTOCOL_RESULT + result.code : SVSM_PVALIDATE_UNCHANGED;
  }
  FillOnce(parts_.memory.At(page), std::byte{0}, PagesIn(size) * kPageSize);
  const uint32_t code = parts_.rmp.Adjust(page, size, kGuestVmpl, SNP_RIGHTS_ALL, false);
  if (code != SNP_OK) {
    parts_.rmp.Validate(page, size, false);
    AbandonRun(page, PagesIn(size));
    return SVSM_PROTOCOL_RESULT + code;
  }
  FinishRun(page, size, PageState::kGuest);
  return SVSM_SUCCESS;
}

uint32_t CoreProtocol::RescindPage(GuestPhys page, SnpPageSize size, bool ignores_unchanged) {
  const uint32_t begun =
      BeginRun(page, size, PageState::kGuest, PageState::kShared, ignores_unchanged);
  if (begun != SVSM_INCOMPLETE) {
    return begun;
  }
  uint32_t code = parts_.rmp.Adjust(page, size, kGuestVmpl, 0, false);
  if (code != SNP_OK) {
    AbandonRun(page, PagesIn(size));
    return SVSM_PROTOCOL_RESULT + code;
  }
  const ValidateResult result = parts_.rmp.Validate(page, size, false);
  if (result.code != SNP_OK) {
    parts_.rmp.Adjust(page, size, kGuestVmpl, SNP_RIGHTS_ALL, false);
    AbandonRun(page, PagesIn(size));
    return SVSM_PROTOCOL_RESULT + result.code;
  }
  parts_.rmp.FlushTranslations();
  FinishRun(page, size, PageState::kShared);
  return result.unchanged && !ignores_unchanged ? SVSM_PVALIDATE_UNCHANGED : SVSM_SUCCESS;
}

uint32_t CoreProtocol::CreateVcpu(const CallContext& context) {
  const GuestPhys vmsa(context.registers.rcx);
  const GuestPhys area(context.registers.rdx);
  const uint64_t apic_id = context.registers.r8;
  // Processors mistake a VMSA at the start of 2 MiB for a large page.
  if (!vmsa.is_page_aligned() || !area.is_page_aligned() || vmsa == area ||
      IsAligned(vmsa, kLargePageSize) || apic_id > UINT32_MAX ||
      !parts_.cpus.HasProcessor(static_cast<uint32_t>(apic_id))) {
    return SVSM_INVALID_PARAMETER;
  }
  const Result<void> vmsa_begun = parts_.pages.Begin(vmsa, PageState::kGuest);
  if (!vmsa_begun.ok()) {
    return RefusalOf(vmsa_begun.error());
  }
  // Linux deletes the state of a processor that it has switched off only after it has made the next
  // one, and both have the same area.
  const Result<GuestCpu> other = parts_.cpus.FindByArea(area);
  const bool has_area = other.ok() && other.value().apic_id == apic_id;
  if (!has_area) {
    const Result<void> area_begun = parts_.pages.Begin(area, PageState::kGuest);
    if (!area_begun.ok()) {
      parts_.pages.Abandon(vmsa);
      return RefusalOf(area_begun.error());
    }
  }
  const auto refuse = [&](uint32_t result) {
    parts_.rmp.Adjust(vmsa, SnpPageSize::k4K, kGuestVmpl, SNP_RIGHTS_ALL, false);
    parts_.pages.Abandon(vmsa);
    if (!has_area) {
      parts_.pages.Abandon(area);
    }
    return result;
  };
  // First out of the guest's reach, then looked at: what is checked can't change any more.
  uint32_t code = parts_.rmp.Adjust(vmsa, SnpPageSize::k4K, kGuestVmpl, 0, false);
  if (code != SNP_OK) {
    return refuse(SVSM_PROTOCOL_RESULT + code);
  }
  parts_.rmp.FlushTranslations();
  const snp_vmsa* state = parts_.memory.ObjectAt<snp_vmsa>(vmsa);
  if (!IsGuestVmsa(*state)) {
    return refuse(SVSM_INVALID_PARAMETER);
  }
  // It is the guest's own state, and Linux reads in it what it has written there.
  code = parts_.rmp.Adjust(vmsa, SnpPageSize::k4K, kGuestVmpl, SNP_RIGHT_READ, true);
  if (code != SNP_OK) {
    return refuse(SVSM_PROTOCOL_RESULT + code);
  }
  if (!IsGuestVmsa(*state) ||
      !parts_.cpus
           .Add({.vmsa = vmsa, .calling_area = area, .apic_id = static_cast<uint32_t>(apic_id)})
           .ok()) {
    return refuse(SVSM_INVALID_PARAMETER);
  }
  FillOnce(parts_.memory.At(area), std::byte{0}, sizeof(uint64_t));
  parts_.pages.Finish(vmsa, PageState::kVmsa);
  if (!has_area) {
    parts_.pages.Finish(area, PageState::kCallingArea);
  }
  return SVSM_SUCCESS;
}

uint32_t CoreProtocol::DeleteVcpu(const CallContext& context) {
  const GuestPhys vmsa(context.registers.rcx);
  if (!vmsa.is_page_aligned()) {
    return SVSM_INVALID_PARAMETER;
  }
  const Result<GuestCpu> cpu = parts_.cpus.Find(vmsa);
  if (!cpu.ok() || cpu.value().is_own) {
    return SVSM_INVALID_PARAMETER;
  }
  // Its own, or another whose call is being served.
  if (vmsa == context.vmsa || !parts_.cpus.Claim(vmsa).ok()) {
    return SVSM_PROTOCOL_RESULT + SNP_FAIL_IN_USE;
  }
  ScopeExit unclaim([&] { parts_.cpus.Unclaim(vmsa); });
  const Result<void> begun = parts_.pages.Begin(vmsa, PageState::kVmsa);
  if (!begun.ok()) {
    return RefusalOf(begun.error());
  }
  // Not runnable first; a processor that is running it makes the second refuse.
  snp_vmsa* state = parts_.memory.ObjectAt<snp_vmsa>(vmsa);
  const uint64_t efer = __atomic_fetch_and(&state->efer, ~SNP_EFER_SVME, __ATOMIC_SEQ_CST);
  uint32_t code = parts_.rmp.Adjust(vmsa, SnpPageSize::k4K, kGuestVmpl, 0, false);
  if (code == SNP_OK) {
    code = parts_.rmp.Adjust(vmsa, SnpPageSize::k4K, kGuestVmpl, SNP_RIGHTS_ALL, false);
  }
  if (code != SNP_OK) {
    __atomic_store_n(&state->efer, efer, __ATOMIC_SEQ_CST);
    parts_.pages.Abandon(vmsa);
    return SVSM_PROTOCOL_RESULT + code;
  }
  const GuestCpu removed = parts_.cpus.Remove(vmsa).value();
  parts_.pages.Finish(vmsa, PageState::kGuest);
  ReleaseCallingArea(removed.calling_area);
  return SVSM_SUCCESS;
}

}  // namespace nsgx::snp
