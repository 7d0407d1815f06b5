// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/host.h"

#include <algorithm>

#include "base/core/log.h"
#include "vmpl-switch/emulator/firmware/certificate_table.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kFrameMask = 0x000ffffffffff000;
constexpr uint64_t kAllOnesFrame = 0xfffffffffffff000;
constexpr uint64_t kPagesPerLarge = kLargePageSize / kPageSize;
constexpr uint64_t kFeatures = GHCB_FEATURE_SNP | GHCB_FEATURE_AP_CREATION |
                               GHCB_FEATURE_RESTRICTED_INJECTION | GHCB_FEATURE_APIC_IDS |
                               GHCB_FEATURE_MULTI_VMPL;
constexpr uint64_t kGeneralProtection =
    kVectorGeneralProtection | kEventTypeException | kEventHasError | kEventValid;
// What this machine has; any other bit would change what a guest may believe.
constexpr uint64_t kKnownVmsaFeatures = SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION;
// What a host says in the upper half of info 2 when it does not do it.
constexpr uint64_t kPageStateRefused = uint64_t{1} << 32;

// Registers that a guest may read or write through its host, which has nothing to say about them.
bool IsHarmlessMsr(uint32_t number) {
  switch (number) {
    case 0x1b:   // APIC base
    case 0xfe:   // MTRRs, which mean nothing under nested paging
    case 0x277:  // PAT
    case 0x2ff:
      return true;
    default:
      return number >= 0x200 && number <= 0x26f;
  }
}

}  // namespace

Host::Outcome Host::Call(VmplContext& context) {
  if ((context.ghcb_msr & kPageMask) != 0) {
    ++counters_.msr_requests;
    return CallByMsr(context);
  }
  ++counters_.page_requests;
  return CallByPage(context);
}

bool Host::CanRun(const VmplContext& context) const {
  if (context.vmsa == nullptr) {
    return false;
  }
  const snp_vmsa& vmsa = *context.vmsa;
  if (context.vmsa_page.has_value()) {
    const RmpEntry& entry = rmp_.entry(*context.vmsa_page);
    if (!entry.is_assigned || !entry.is_validated || !entry.is_vmsa || entry.is_running) {
      return false;
    }
  }
  return vmsa.vmpl == context.vmpl && (vmsa.efer & SNP_EFER_SVME) != 0 &&
         (vmsa.sev_features & SNP_FEATURE_SNP) != 0 &&
         (vmsa.sev_features & ~kKnownVmsaFeatures) == 0;
}

void Host::SetRunning(const VmplContext& context, bool is_running) {
  if (context.vmsa_page.has_value()) {
    rmp_.SetRunning(*context.vmsa_page, is_running);
  }
}

Host::Outcome Host::CallByMsr(VmplContext& context) {
  const uint64_t request = context.ghcb_msr;
  switch (GHCB_MSR_CODE(request)) {
    case GHCB_MSR_INFO_REQUEST:
      context.ghcb_msr = GHCB_MSR_INFO_RESPONSE | uint64_t{GHCB_VERSION} << 48 | uint64_t{1} << 32 |
                         uint64_t{kEncryptionBitNumber} << 24;
      return {};
    case GHCB_MSR_CPUID_REQUEST: {
      const uint32_t leaf = static_cast<uint32_t>(request >> 32);

      context.ghcb_msr = GHCB_MSR_CPUID_RESPONSE | (request & 0xc0000000) |
                         uint64_t{cpuid_.Register(leaf, request >> 30 & 3)} << 32;
      return {};
    }
    case GHCB_MSR_PREFERRED_REQUEST:
      context.ghcb_msr = GHCB_MSR_PREFERRED_RESPONSE | kAllOnesFrame;
      return {};
    case GHCB_MSR_REGISTER_REQUEST: {
      const uint64_t address = request & ~kPageMask;
      const bool is_good = shared_.At(address, kPageSize).ok();
      if (is_good) {
        context.registered_ghcb = address;
      }
      context.ghcb_msr = GHCB_MSR_REGISTER_RESPONSE | (is_good ? address : kAllOnesFrame);
      return {};
    }
    case GHCB_MSR_PAGE_STATE_REQUEST: {
      const Result<void> result =
          ChangePageState((request & kFrameMask) >> kPageShift, 1, request >> 52 & 0xf);
      context.ghcb_msr = GHCB_MSR_PAGE_STATE_RESPONSE | (result.ok() ? 0 : kPageStateRefused);
      return {};
    }
    case GHCB_MSR_RUN_VMPL_REQUEST: {
      const unsigned vmpl = request >> 32 & 0xff;
      const bool can_run = vmpl == context.vmpl || (vmpl < kVmpls && CanRun(contexts_[vmpl]));
      context.ghcb_msr = GHCB_MSR_RUN_VMPL_RESPONSE | (can_run ? 0 : uint64_t{1} << 32);
      Outcome outcome;
      if (can_run && vmpl != context.vmpl) {
        outcome.run_vmpl = vmpl;
      }
      return outcome;
    }
    case GHCB_MSR_FEATURES_REQUEST:
      context.ghcb_msr = GHCB_MSR_FEATURES_RESPONSE | kFeatures << 12;
      return {};
    case GHCB_MSR_AP_RESET_HOLD_REQUEST: {
      // What it finds when it goes on: anything but zero.
      context.ghcb_msr = GHCB_MSR_AP_RESET_HOLD_RESPONSE | uint64_t{1} << 12;
      Outcome outcome;
      outcome.holds = true;
      return outcome;
    }
    case GHCB_MSR_TERMINATE: {
      Outcome outcome;
      outcome.end = End{.kind = End::Kind::kTerminated,
                        .vmpl = context.vmpl,
                        .details = {request >> 12 & 0xf, request >> 16 & 0xff}};
      return outcome;
    }
    default: {
      LOG(kWarning, "VMPL", context.vmpl, ": unknown request ", Hex{request}, " in the GHCB MSR");
      Outcome outcome;
      outcome.end =
          End{.kind = End::Kind::kTerminated, .vmpl = context.vmpl, .details = {0, request}};
      return outcome;
    }
  }
}

Host::Outcome Host::CallByPage(VmplContext& context) {
  const uint64_t address = context.ghcb_msr;
  const Result<UntrustedBytes> bytes = shared_.At(address, kPageSize);
  if (!bytes.ok()) {
    LOG(kError, "VMPL", context.vmpl, ": its GHCB at ", Hex{address}, " is not shared memory");
    Outcome outcome;
    outcome.end =
        End{.kind = End::Kind::kTerminated, .vmpl = context.vmpl, .details = {0, address}};
    return outcome;
  }
  GhcbRequest page(bytes.value());
  if (context.registered_ghcb != address) {
    page.Malformed(GHCB_MALFORMED_NOT_REGISTERED);
    return {};
  }
  if (page.usage() != 0 || page.version() == 0 || page.version() > GHCB_VERSION) {
    page.Malformed(GHCB_MALFORMED_USAGE);
    return {};
  }
  if (!page.Has(offsetof(ghcb_page, sw_exit_code), offsetof(ghcb_page, sw_exit_info_1),
                offsetof(ghcb_page, sw_exit_info_2))) {
    return {};
  }
  switch (page.code()) {
    case SNP_EXIT_CPUID:
      Cpuid(page);
      return {};
    case SNP_EXIT_IOIO:
      return Port(page, context);
    case SNP_EXIT_MSR:
      Msr(page);
      return {};
    case SNP_EXIT_VMMCALL:
      // There are no hypercalls here.
      page.Put(offsetof(ghcb_page, rax), ~uint64_t{0});
      page.Done();
      return {};
    case SNP_EXIT_WBINVD:
      page.Done();
      return {};
    case GHCB_EXIT_PAGE_STATE:
      ChangePageStates(page);
      return {};
    case GHCB_EXIT_GUEST_REQUEST:
    case GHCB_EXIT_EXTENDED_GUEST_REQUEST:
      ++counters_.guest_messages;
      GuestRequest(page, page.code() == GHCB_EXIT_EXTENDED_GUEST_REQUEST);
      return {};
    case GHCB_EXIT_AP_CREATION:
      CreateProcessor(page, context);
      return {};
    case GHCB_EXIT_AP_RESET_HOLD: {
      // What it finds when it goes on: anything but zero.
      page.Done(1);
      Outcome outcome;
      outcome.holds = true;
      return outcome;
    }
    case GHCB_EXIT_DOORBELL:
      Doorbell(page, context);
      return {};
    case GHCB_EXIT_APIC_IDS:
      ApicIds(page);
      return {};
    case GHCB_EXIT_RUN_VMPL: {
      const uint64_t vmpl = page.info1();
      if (vmpl >= kVmpls || (vmpl != context.vmpl && !CanRun(contexts_[vmpl]))) {
        page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
        return {};
      }
      page.Done();
      Outcome outcome;
      if (vmpl != context.vmpl) {
        outcome.run_vmpl = static_cast<unsigned>(vmpl);
      }
      return outcome;
    }
    case GHCB_EXIT_FEATURES:
      page.Done(kFeatures);
      return {};
    case GHCB_EXIT_TERMINATE: {
      Outcome outcome;
      outcome.end = End{.kind = End::Kind::kTerminated,
                        .vmpl = context.vmpl,
                        .details = {page.info1(), page.info2()}};
      return outcome;
    }
    default:
      LOG(kWarning, "VMPL", context.vmpl, ": unknown exit ", Hex{page.code()}, " in the GHCB");
      page.Malformed(GHCB_MALFORMED_INVALID_EVENT);
      return {};
  }
}

void Host::Cpuid(GhcbRequest& page) {
  if (!page.Has(offsetof(ghcb_page, rax), offsetof(ghcb_page, rcx))) {
    return;
  }
  const auto leaf = static_cast<uint32_t>(page.Get(offsetof(ghcb_page, rax)));
  const auto subleaf = static_cast<uint32_t>(page.Get(offsetof(ghcb_page, rcx)));
  const firmware::CpuidResult answer = cpuid_.Find(leaf, subleaf);
  page.Put(offsetof(ghcb_page, rax), answer.eax);
  page.Put(offsetof(ghcb_page, rbx), answer.ebx);
  page.Put(offsetof(ghcb_page, rcx), answer.ecx);
  page.Put(offsetof(ghcb_page, rdx), answer.edx);
  page.Done();
}

Host::Outcome Host::Port(GhcbRequest& page, VmplContext& context) {
  const uint64_t info = page.info1();
  const auto port = static_cast<uint16_t>(info >> 16);
  const unsigned size = (info & GHCB_IO_8) != 0    ? 1
                        : (info & GHCB_IO_16) != 0 ? 2
                        : (info & GHCB_IO_32) != 0 ? 4
                                                   : 0;
  const bool is_in = (info & GHCB_IO_IN) != 0;
  if (size == 0) {
    page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
    return {};
  }
  const uint32_t mask = size == 4 ? ~uint32_t{0} : (uint32_t{1} << (8 * size)) - 1;
  Outcome outcome;
  if ((info & GHCB_IO_STRING) != 0) {
    if (!page.Has(offsetof(ghcb_page, sw_scratch))) {
      return {};
    }
    const uint64_t count = (info & GHCB_IO_REP) != 0 ? page.info2() : 1;
    const Result<UntrustedBytes> buffer = count <= kPageSize
                                              ? shared_.At(page.scratch(), count * size)
                                              : Result<UntrustedBytes>(Error(Status::kOutOfRange));
    if (!buffer.ok()) {
      page.Malformed(GHCB_MALFORMED_SCRATCH);
      return {};
    }
    for (uint64_t i = 0; i < count && !outcome.end.has_value(); ++i) {
      if (is_in) {
        const uint32_t value = ports_.Read(port, size);
        buffer.value().CopyOut(i * size, BytesOf(value).first(size)).value();
      } else {
        uint32_t value = 0;
        buffer.value().CopyIn(i * size, MutableBytesOf(value).first(size)).value();
        outcome.end = ports_.Write(port, size, value, context.vmpl);
      }
    }
    page.Done();
    return outcome;
  }
  if (is_in) {
    page.Put(offsetof(ghcb_page, rax), ports_.Read(port, size) & mask);
  } else {
    if (!page.Has(offsetof(ghcb_page, rax))) {
      return {};
    }
    outcome.end = ports_.Write(
        port, size, static_cast<uint32_t>(page.Get(offsetof(ghcb_page, rax))) & mask, context.vmpl);
  }
  page.Done();
  return outcome;
}

void Host::Msr(GhcbRequest& page) {
  if (!page.Has(offsetof(ghcb_page, rcx))) {
    return;
  }
  const auto number = static_cast<uint32_t>(page.Get(offsetof(ghcb_page, rcx)));
  if (!IsHarmlessMsr(number)) {
    LOG(kInfo, "no such register: MSR ", Hex{number}, page.info1() == 1 ? " written" : " read");
    page.Answer(GHCB_ANSWER_EXCEPTION, kGeneralProtection);
    return;
  }
  if (page.info1() == 0) {
    page.Put(offsetof(ghcb_page, rax), 0);
    page.Put(offsetof(ghcb_page, rdx), 0);
  }
  page.Done();
}

Result<void> Host::ChangePageState(uint64_t page, uint64_t count, uint64_t operation) {
  counters_.page_state_changes += count;
  const bool is_large = count == kPagesPerLarge;
  switch (operation) {
    case GHCB_PAGE_PRIVATE:
      return rmp_.Assign(page, count, is_large);
    case GHCB_PAGE_SHARED:
      return rmp_.Share(page, count);
    case GHCB_PAGE_PSMASH:
      if (!rmp_.IsRam(page)) {
        return Error(Status::kOutOfRange);
      }
      rmp_.Smash(page);
      return {};
    case GHCB_PAGE_UNSMASH:
      // A hint: pages stay small.
      return {};
    default:
      return Error(Status::kInvalidArgument);
  }
}

void Host::ChangePageStates(GhcbRequest& page) {
  if (!page.Has(offsetof(ghcb_page, sw_scratch))) {
    return;
  }
  const uint64_t scratch = page.scratch();
  const Result<UntrustedBytes> head = shared_.At(scratch, sizeof(ghcb_page_state_header));
  if (!head.ok()) {
    page.Malformed(GHCB_MALFORMED_SCRATCH);
    return;
  }
  auto header = head.value().CopyInObject<ghcb_page_state_header>(0).value();
  constexpr uint64_t kWrongHeader = uint64_t{1} << 32 | 1;
  if (header.next > header.end || header.end >= GHCB_PAGE_STATE_MAX_ENTRIES) {
    page.Done(kWrongHeader);
    return;
  }
  const Result<UntrustedBytes> list =
      shared_.At(scratch + sizeof(header), (uint64_t{header.end} + 1) * sizeof(uint64_t));
  if (!list.ok()) {
    page.Malformed(GHCB_MALFORMED_SCRATCH);
    return;
  }
  for (; header.next <= header.end; ++header.next) {
    const size_t at = header.next * sizeof(uint64_t);
    const uint64_t entry = list.value().CopyInObject<uint64_t>(at).value();
    const uint64_t count = (entry >> 56 & 1) != 0 ? kPagesPerLarge : 1;
    const Page first = (entry & kFrameMask) >> kPageShift;
    if ((entry & 0xfff) > count || (count != 1 && first % count != 0) ||
        !ChangePageState(first, count, entry >> 52 & 0xf).ok()) {
      constexpr uint64_t kWrongEntry = uint64_t{1} << 32 | 2;
      head.value().CopyOutObject(0, header).value();
      page.Done(kWrongEntry);
      return;
    }
    // All of its pages are done.
    list.value().CopyOutObject(at, (entry & ~uint64_t{0xfff}) | (count & 0xfff)).value();
  }
  head.value().CopyOutObject(0, header).value();
  page.Done();
}

void Host::GuestRequest(GhcbRequest& page, bool is_extended) {
  const Result<UntrustedBytes> request = shared_.At(page.info1(), kPageSize);
  const Result<UntrustedBytes> response = shared_.At(page.info2(), kPageSize);
  if (!request.ok() || !response.ok() || ((page.info1() | page.info2()) & kPageMask) != 0) {
    page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
    return;
  }
  if (is_extended) {
    if (!page.Has(offsetof(ghcb_page, rax), offsetof(ghcb_page, rbx))) {
      return;
    }
    const uint64_t data = page.Get(offsetof(ghcb_page, rax));
    const uint64_t given = page.Get(offsetof(ghcb_page, rbx));
    const uint64_t wanted = firmware::CertificateTablePages();
    if (given < wanted) {
      page.Put(offsetof(ghcb_page, rbx), wanted);
      page.Done(uint64_t{GHCB_REQUEST_TOO_SMALL} << 32);
      return;
    }
    alignas(kPageSize) static constinit std::array<std::byte, 4 * kPageSize> g_table = {};
    const Result<UntrustedBytes> place = shared_.At(data, wanted << kPageShift);
    if (!place.ok() || (data & kPageMask) != 0 || wanted << kPageShift > g_table.size() ||
        !firmware::WriteCertificateTable(g_table).ok()) {
      page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
      return;
    }
    place.value().CopyOut(0, std::span(g_table).first(wanted << kPageShift)).value();
  }
  static constinit std::array<std::byte, kPageSize> g_request = {};
  static constinit std::array<std::byte, kPageSize> g_response = {};
  request.value().CopyIn(0, g_request).value();
  // Ciphers use registers that are still the guest's.
  FxState state;
  hardware_.SaveFx(state);
  g_response.fill(std::byte{0});
  const firmware::FirmwareStatus result = firmware_.Exchange(g_request, g_response);
  hardware_.LoadFx(state);
  response.value().CopyOut(0, g_response).value();
  page.Done(static_cast<uint32_t>(result));
}

void Host::CreateProcessor(GhcbRequest& page, const VmplContext& by) {
  const uint64_t info = page.info1();
  const uint64_t operation = info & 0xffff;
  const unsigned vmpl = info >> 16 & 0xf;
  const uint64_t apic_id = info >> 32;
  const uint64_t address = page.info2();
  // A VMPL makes its like and what is below it.
  if (apic_id >= processors_.count() || vmpl < by.vmpl || vmpl >= kVmpls ||
      operation > GHCB_AP_DESTROY) {
    page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
    return;
  }
  VirtualProcessor& target = processors_.At(static_cast<unsigned>(apic_id));
  VmplContext& context = target.contexts[vmpl];
  // What runs keeps its state: it has to ask for a hold first.
  if (!target.is_held && target.current == vmpl) {
    page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
    return;
  }
  if (operation == GHCB_AP_DESTROY) {
    context.vmsa = nullptr;
    context.vmsa_page.reset();
    page.Done();
    return;
  }
  const Page where = address >> kPageShift;
  if ((address & kPageMask) != 0 || !rmp_.IsRam(where) || !rmp_.entry(where).is_vmsa) {
    page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
    return;
  }
  const bool is_new = target.contexts[target.current].vmsa == nullptr;
  VmplContext made;
  made.vmpl = vmpl;
  made.vmcb = context.vmcb;
  made.vmsa = reinterpret_cast<snp_vmsa*>(memory_.At(where));
  made.vmsa_page = where;
  const bool is_started = operation == GHCB_AP_CREATE && target.is_held;
  // A processor that was held goes on where it was; a new one, and one whose state this replaces,
  // starts here.
  const unsigned starts_at = is_new ? vmpl : target.current;
  const VmplContext& starts_with = starts_at == vmpl ? made : target.contexts[starts_at];
  if (is_started && (!CanRun(made) || !CanRun(starts_with))) {
    page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
    return;
  }
  context = made;
  if (is_started) {
    target.current = starts_at;
    // From here on nobody else runs with it, or changes it.
    SetRunning(target.contexts[starts_at], true);
    processors_.Release(static_cast<unsigned>(apic_id));
  } else if (operation == GHCB_AP_CREATE) {
    target.is_wanted = true;
  }
  page.Done();
}

void Host::Doorbell(GhcbRequest& page, VmplContext& context) {
  const uint64_t address = page.info2();
  switch (page.info1()) {
    case GHCB_DOORBELL_PREFERRED:
      page.Done(~uint64_t{0});
      return;
    case GHCB_DOORBELL_SET:
      if ((address & kPageMask) != 0 || !shared_.At(address, kPageSize).ok()) {
        page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
        return;
      }
      context.doorbell = address >> kPageShift;
      page.Done(address);
      return;
    case GHCB_DOORBELL_QUERY:
      page.Done(context.doorbell.has_value() ? *context.doorbell << kPageShift : 0);
      return;
    case GHCB_DOORBELL_CLEAR:
      context.doorbell.reset();
      page.Done();
      return;
    default:
      page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
  }
}

bool Host::RingDoorbell(VmplContext& context, unsigned vmpl) {
  if (!context.doorbell.has_value()) {
    return false;
  }
  const Result<UntrustedBytes> bytes =
      shared_.At(*context.doorbell << kPageShift, sizeof(ghcb_doorbell));
  if (!bytes.ok()) {
    // The guest has taken the page back.
    context.doorbell.reset();
    return false;
  }
  auto doorbell = bytes.value().CopyInObject<ghcb_doorbell>(0).value();
  doorbell.per_vmpl_events = static_cast<uint8_t>(doorbell.per_vmpl_events | 1u << (vmpl - 1));
  bytes.value()
      .CopyOutObject(offsetof(ghcb_doorbell, per_vmpl_events), doorbell.per_vmpl_events)
      .value();
  return (doorbell.flags & GHCB_DOORBELL_NO_FURTHER_SIGNAL) == 0;
}

void Host::ApicIds(GhcbRequest& page) {
  if (!page.Has(offsetof(ghcb_page, rax), offsetof(ghcb_page, rbx))) {
    return;
  }
  const uint64_t pages = page.Get(offsetof(ghcb_page, rbx));
  if (pages == 0) {
    page.Put(offsetof(ghcb_page, rbx), 1);
    page.Done();
    return;
  }
  struct {
    uint32_t count;
    uint32_t ids[kMaxProcessors];
  } list = {.count = processors_.count(), .ids = {}};
  for (uint32_t i = 0; i < list.count; ++i) {
    list.ids[i] = i;
  }
  const Result<UntrustedBytes> place = shared_.At(page.Get(offsetof(ghcb_page, rax)), sizeof(list));
  if (!place.ok()) {
    page.Malformed(GHCB_MALFORMED_INVALID_INPUT);
    return;
  }
  place.value().CopyOutObject(0, list).value();
  page.Done();
}

}  // namespace nsgx::emu
