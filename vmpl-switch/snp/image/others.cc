// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/others.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>

#include "base/core/log.h"
#include "base/core/mem_raw.h"
#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"
#include "vmpl-switch/snp/cpu/selectors.h"
#include "vmpl-switch/snp/cpu/start_vmsa.h"
#include "vmpl-switch/snp/enclave/start_enclaves.h"
#include "vmpl-switch/snp/image/guest_loop.h"
#include "vmpl-switch/snp/image/seh.h"

namespace nsgx::snp {
namespace {

// The first processor among them.
constexpr uint32_t kMaxProcessors = 8;
constexpr uint64_t kStackPages = 16;
constexpr uint32_t kMsrEfer = 0xc0000080;
constexpr uint64_t kCr4Start = 0x20;        // PAE; StartProcessor adds to it
constexpr uint64_t kCr0Start = 0x80010013;  // PG, WP, ET, MP, PE

// What a processor finds when it starts.
struct Other {
  Processor processor;
  ProcessorStacks stacks;
  SharedPages ghcb_page;
  SharedPages doorbell_page;
  uint32_t apic_id = 0;
};

constinit std::optional<OthersWork> g_work;
constinit uint32_t g_waiting = 0;

// FROM: the host, as the VMSA says: 64-bit mode with the SEH's tables, a stack, no descriptors.
[[noreturn]] void OtherMain(Other* other) {
  StartProcessor(other->processor, other->stacks, other->apic_id);
  StartGhcb(other->processor, other->ghcb_page);
  StartDoorbell(other->processor, other->doorbell_page);
  StartEnclavesOnOther();
  OrTerminate(g_work->cpus.AddProcessor(other->apic_id), Termination::kLaunch);
  __atomic_fetch_add(&g_waiting, 1, __ATOMIC_RELEASE);
  ServeGuest(g_work->cpus, g_work->protocols);
}

// Makes the page with the state in which a processor starts, in our own memory.
GuestPhys MakeVmsa(Other& other) {
  GuestPhys page = OrTerminate(g_seh.allocator.AllocatePage(), Termination::kNoMemory);
  if (IsAligned(page, kLargePageSize)) {
    // Processors mistake a VMSA at the start of 2 MiB for a large page; this one is never used.
    page = OrTerminate(g_seh.allocator.AllocatePage(), Termination::kNoMemory);
  }
  snp_vmsa& vmsa = *g_seh.memory.ObjectAt<snp_vmsa>(page);
  WriteStartVmsa(vmsa, SEH_CODE_SELECTOR, SEH_DATA_SELECTOR);
  vmsa.vmpl = 0;
  vmsa.efer = ReadMsr(kMsrEfer) | SNP_EFER_SVME;
  vmsa.cr0 = kCr0Start;
  vmsa.cr3 = g_seh.space.cr3();
  vmsa.cr4 = kCr4Start;
  vmsa.rip = reinterpret_cast<uintptr_t>(&OtherMain);
  // As if it had been called.
  vmsa.rsp = MakeStack(kStackPages) - sizeof(uint64_t);
  vmsa.rdi = reinterpret_cast<uintptr_t>(&other);
  vmsa.sev_features = ReadMsr(SNP_MSR_SEV_STATUS) >> 2;
  if (g_seh.rmp.Adjust(page, SnpPageSize::k4K, kGuestVmpl, 0, true) != SNP_OK) {
    Terminate(Termination::kRmpAdjust);
  }
  return page;
}

void Start(uint32_t apic_id) {
  constexpr uint64_t kPages = (sizeof(Other) + kPageSize - 1) / kPageSize;
  const GuestPhys place =
      OrTerminate(g_seh.allocator.AllocateForEver(kPages), Termination::kNoMemory);
  Other& other = *new (g_seh.memory.At(place)) Other;
  other.apic_id = apic_id;
  other.ghcb_page = MakeSharedPages(1, false);
  other.doorbell_page = MakeSharedPages(1, false);
  const GuestPhys vmsa = MakeVmsa(other);
  OrTerminate(g_seh.first.ghcb.Exit({.code = GHCB_EXIT_AP_CREATION,
                                     .info1 = GHCB_AP_CREATE | uint64_t{apic_id} << 32,
                                     .info2 = vmsa.raw(),
                                     .sends_rax = true,
                                     .rax = g_seh.memory.ObjectAt<snp_vmsa>(vmsa)->sev_features}),
              Termination::kLaunch);
}

// The host's list, as far as it makes sense: each other processor once.
struct List {
  std::array<uint32_t, kMaxProcessors> ids = {};
  uint32_t count = 0;
};

List AskForList() {
  const SharedPages page = MakeSharedPages(1, false);
  FillOnce(page.data, std::byte{0}, kPageSize);
  List list;
  const Result<GhcbExit> answer = g_seh.first.ghcb.Exit({.code = GHCB_EXIT_APIC_IDS,
                                                         .sends_rax = true,
                                                         .sends_rbx = true,
                                                         .rax = page.address.raw(),
                                                         .rbx = 1});
  if (!answer.ok()) {
    return list;
  }
  std::array<uint32_t, 1 + kMaxProcessors> words;
  CopyOnce(words.data(), page.data, sizeof(words));
  const uint32_t named = std::min(words[0], kMaxProcessors);
  for (uint32_t i = 1; i <= named; ++i) {
    const std::span known = std::span(list.ids).first(list.count);
    const uint32_t id = words[i];
    const bool is_known =
        std::any_of(known.begin(), known.end(), [id](uint32_t other) { return other == id; });
    if (id != g_seh.first.cpu.apic_id && !is_known && list.count < kMaxProcessors - 1) {
      list.ids[list.count++] = id;
    }
  }
  return list;
}

}  // namespace

void StartOthers(const OthersWork& work) {
  // Else nobody could take a page from a processor that does not answer.
  if (!g_seh.rmp.has_broadcast()) {
    return;
  }
  const List list = AskForList();
  if (list.count == 0) {
    return;
  }
  g_work.emplace(work);
  for (const uint32_t apic_id : std::span(list.ids).first(list.count)) {
    Start(apic_id);
  }
  while (__atomic_load_n(&g_waiting, __ATOMIC_ACQUIRE) != list.count) {
    __builtin_ia32_pause();
  }
  LOG(kInfo, 1 + list.count, " processors");
}

}  // namespace nsgx::snp
