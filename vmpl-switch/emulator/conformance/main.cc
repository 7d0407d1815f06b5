// SPDX-License-Identifier: Apache-2.0
// Looks at the machine from VMPL0, and with a helper from VMPL1, and prints a line for each thing
// that is as AMD's documents say, or is not. Whoever runs it types a letter: what to do at the end.
#include <string_view>

#include "vmpl-switch/emulator/conformance/payload.h"

extern "C" {
extern const uint8_t image_start[];
extern const uint8_t image_end[];
extern uint64_t gdt[5];
extern uint64_t root[512];
extern uint64_t directory[512];
extern uint64_t encryption_bit_number;
void PayloadMain();
// base/core/mem.h brings memcpy and its like; nothing here checks itself.
}

namespace nsgx::conformance {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kLargePage = 0x200000;
constexpr uint16_t kSerial = 0x3f8;
constexpr uint64_t kSharedAtStart = 0x20000000;  // RAM that the IGVM file does not speak of
constexpr uint64_t kUnmapped = 0x7000000000;     // an address without a page-table entry
constexpr uint64_t kMonitorMemory = 0x3c000000;  // behind the end of the guest's RAM

alignas(kPage) constinit uint8_t g_pages[16][kPage] = {};
alignas(kPage) constinit uint8_t g_ghcb_page[kPage] = {};
alignas(kPage) constinit uint8_t g_doorbell_page[kPage] = {};
// Two, because a VMSA must not be at the start of 2 MiB.
alignas(kPage) constinit snp_vmsa g_vmsa = {};

uint64_t PageAddress(unsigned index) { return reinterpret_cast<uintptr_t>(g_pages[index]); }

volatile ghcb_page& Ghcb() {
  return *SharedView(reinterpret_cast<volatile ghcb_page*>(g_ghcb_page));
}

// ---- the GHCB ----

void SetValid(size_t offset) {
  const size_t bit = offset / 8;
  Ghcb().valid_bitmap[bit / 8] = static_cast<uint8_t>(Ghcb().valid_bitmap[bit / 8] | 1u << bit % 8);
}

void BeginExit(uint64_t code, uint64_t info1, uint64_t info2) {
  for (volatile uint8_t& byte : Ghcb().valid_bitmap) {
    byte = 0;
  }
  Ghcb().protocol_version = GHCB_VERSION;
  Ghcb().usage = 0;
  Ghcb().sw_exit_code = code;
  Ghcb().sw_exit_info_1 = info1;
  Ghcb().sw_exit_info_2 = info2;
  SetValid(offsetof(ghcb_page, sw_exit_code));
  SetValid(offsetof(ghcb_page, sw_exit_info_1));
  SetValid(offsetof(ghcb_page, sw_exit_info_2));
}

// Returns the answer's info 1 and, if asked for, info 2.
uint64_t FinishExit(uint64_t* info2 = nullptr) {
  WriteMsr(SNP_MSR_GHCB, reinterpret_cast<uintptr_t>(g_ghcb_page));
  VmgExit();
  if (info2 != nullptr) {
    *info2 = Ghcb().sw_exit_info_2;
  }
  return Ghcb().sw_exit_info_1 & 0xffffffff;
}

void SetRax(uint64_t value) {
  Ghcb().rax = value;
  SetValid(offsetof(ghcb_page, rax));
}

void SetScratch(uint64_t address) {
  Ghcb().sw_scratch = address;
  SetValid(offsetof(ghcb_page, sw_scratch));
}
void SetScratch() {
  SetScratch(reinterpret_cast<uintptr_t>(g_ghcb_page) + offsetof(ghcb_page, buffer));
}

uint8_t ReadPort(uint16_t port) {
  BeginExit(SNP_EXIT_IOIO, GHCB_IO_PORT(port) | GHCB_IO_8 | GHCB_IO_ADDRESS_64 | GHCB_IO_IN, 0);
  SetRax(0);
  FinishExit();
  return static_cast<uint8_t>(Ghcb().rax);
}

void Print(std::string_view text) {
  BeginExit(SNP_EXIT_IOIO,
            GHCB_IO_PORT(kSerial) | GHCB_IO_8 | GHCB_IO_ADDRESS_64 | GHCB_IO_STRING | GHCB_IO_REP,
            text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    Ghcb().buffer[i] = static_cast<uint8_t>(text[i]);
  }
  SetScratch();
  FinishExit();
}

void PrintHex(uint64_t value) {
  char digits[18] = {'0', 'x'};
  for (unsigned i = 0; i < 16; ++i) {
    digits[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
  }
  Print(std::string_view(digits, sizeof(digits)));
}

void Check(std::string_view what, uint64_t got, uint64_t wanted) {
  Print(got == wanted ? "OK " : "FAIL ");
  Print(what);
  if (got != wanted) {
    Print(": ");
    PrintHex(got);
    Print(", wanted ");
    PrintHex(wanted);
  }
  Print("\n");
}

// The trap of the last guarded instruction: vector, and error code above it; 0: none.
uint64_t TrapOf(const volatile Trap& trap) {
  return trap.count == 0 ? 0 : trap.vector | trap.error_code << 16;
}
constexpr uint64_t TrapCode(uint64_t vector, uint64_t error_code) {
  return vector | error_code << 16;
}
constexpr uint64_t kGeneralProtection = TrapCode(13, 0);

// ---- page states ----

uint64_t ChangeState(uint64_t address, uint64_t operation) {
  return MsrProtocol(GHCB_MSR_PAGE_STATE_REQUEST | operation << 52 | address) >> 32;
}

uint64_t ChangeStates(uint64_t address, uint64_t operation, bool is_large) {
  BeginExit(GHCB_EXIT_PAGE_STATE, 0, 0);
  auto* header = reinterpret_cast<volatile ghcb_page_state_header*>(Ghcb().buffer);
  auto* entry = reinterpret_cast<volatile uint64_t*>(Ghcb().buffer + sizeof(*header));
  header->next = 0;
  header->end = 0;
  *entry = address | operation << 52 | (is_large ? uint64_t{1} << 56 : 0);
  SetScratch();
  uint64_t info2;
  FinishExit(&info2);
  return info2 != 0 ? info2 : header->next == 1 ? 0 : 0xbad;
}

void MakeShared(const uint8_t* page) {
  const uint64_t address = reinterpret_cast<uintptr_t>(page);
  Pvalidate(address, SNP_SIZE_4K, 0);
  ChangeState(address, GHCB_PAGE_SHARED);
}

// ---- VMPL1 ----

constexpr uint64_t kRunLower = GHCB_MSR_RUN_VMPL_REQUEST | uint64_t{1} << 32;
constexpr uint64_t kRunFailed = GHCB_MSR_RUN_VMPL_RESPONSE | uint64_t{1} << 32;

uint64_t Ask(Job job, uint64_t address, uint64_t value) {
  g_job.job = job;
  g_job.address = address;
  g_job.value = value;
  g_job.result = 0xdead;
  MsrProtocol(kRunLower);
  return g_job.result;
}

void FillVmsa(snp_vmsa& vmsa, uint8_t vmpl) {
  constexpr snp_segment kCode = {8, 0xa9b, 0xffffffff, 0};
  constexpr snp_segment kData = {16, 0xc93, 0xffffffff, 0};
  struct [[gnu::packed]] {
    uint16_t limit;
    uint64_t base;
  } idt;
  asm volatile("sidt %0" : "=m"(idt));
  vmsa = {};
  vmsa.cs = kCode;
  vmsa.ss = vmsa.ds = vmsa.es = vmsa.fs = vmsa.gs = kData;
  vmsa.gdtr = {0, 0, sizeof(gdt) - 1, reinterpret_cast<uintptr_t>(gdt)};
  vmsa.idtr = {0, 0, idt.limit, idt.base};
  const uint64_t task_state =
      (gdt[3] >> 16 & 0xffffff) | (gdt[3] >> 56 & 0xff) << 24 | gdt[4] << 32;
  vmsa.tr = {24, 0x8b, 0x67, task_state};
  vmsa.ldtr = {0, 0x82, 0, 0};
  vmsa.vmpl = vmpl;
  vmsa.efer = SNP_EFER_SVME | 0xd01;
  vmsa.cr4 = 0x620;
  vmsa.cr3 = reinterpret_cast<uintptr_t>(root) | uint64_t{1} << encryption_bit_number;
  vmsa.cr0 = 0x80010033;
  vmsa.dr6 = 0xffff0ff0;
  vmsa.dr7 = 0x400;
  vmsa.rflags = 2;
  vmsa.rip = reinterpret_cast<uintptr_t>(lower_entry);
  vmsa.rsp = reinterpret_cast<uintptr_t>(g_lower_stack + sizeof(g_lower_stack));
  vmsa.g_pat = SNP_PAT_RESET;
  vmsa.xcr0 = 1;
  vmsa.mxcsr = 0x1f80;
  vmsa.x87_fcw = 0x37f;
  vmsa.x87_ftw = 0xffff;
  vmsa.sev_features = SNP_FEATURE_SNP | (vmpl == 0 ? SNP_FEATURE_RESTRICTED_INJECTION : 0);
}

// ---- the checks ----

void CheckRegisters() {
  Check("SEV_STATUS names SNP and restricted injection", ReadMsr(SNP_MSR_SEV_STATUS),
        SNP_STATUS_SEV | SNP_STATUS_SEV_ES | SNP_STATUS_SEV_SNP | SNP_STATUS_RESTRICTED_INJECTION);
  Check("EFER does not show SVM", ReadMsr(0xc0000080) & SNP_EFER_SVME, 0);
  const uint64_t info = MsrProtocol(GHCB_MSR_INFO_REQUEST);
  Check("MSR protocol: version 2", info >> 48, 2);
  Check("MSR protocol: position of the C-bit", info >> 24 & 0xff, encryption_bit_number);
  Check("MSR protocol: features", MsrProtocol(GHCB_MSR_FEATURES_REQUEST) >> 12 & 0x23, 0x23);
  Check("MSR protocol: CPUID",
        MsrProtocol(GHCB_MSR_CPUID_REQUEST | uint64_t{SNP_CPUID_LEAF} << 32) >> 32 & 0x1a, 0x1a);
  Check("MSR protocol: no preferred GHCB", MsrProtocol(GHCB_MSR_PREFERRED_REQUEST) >> 12,
        0xfffffffffffff);

  ForgetTrap();
  uint32_t eax = 0;
  asm volatile("cpuid" : "+a"(eax) : : "rbx", "rcx", "rdx");
  Check("CPUID raises #VC", TrapOf(g_trap), TrapCode(SNP_VECTOR_VC, SNP_EXIT_CPUID));
  Check("CPUID is what the handler says", eax, 0x600dc0de);
  ForgetTrap();
  GuardedReadMsr(SNP_MSR_SVSM_CAA);
  Check("an unknown MSR raises #VC", TrapOf(g_trap), TrapCode(SNP_VECTOR_VC, SNP_EXIT_MSR));
  ForgetTrap();
  GuardedReadMsr(0xc0010117);
  Check("an MSR of SVM raises #VC", TrapOf(g_trap), TrapCode(SNP_VECTOR_VC, SNP_EXIT_MSR));
  ForgetTrap();
  GuardedInvalid();
  Check("an instruction of SVM raises #UD", TrapOf(g_trap), TrapCode(6, 0));
}

void CheckPvalidate() {
  const uint64_t page = PageAddress(0);
  SnpResult result = Pvalidate(page, SNP_SIZE_4K, 1);
  Check("PVALIDATE of a valid page: success", result.code, SNP_OK);
  Check("PVALIDATE of a valid page: CF", result.carry, 1);
  result = Pvalidate(page, SNP_SIZE_4K, 0);
  Check("PVALIDATE rescinds: success", result.code, SNP_OK);
  Check("PVALIDATE rescinds: no CF", result.carry, 0);
  ForgetTrap();
  GuardedRead(page);
  Check("a page that is not validated raises #VC", TrapOf(g_trap),
        TrapCode(SNP_VECTOR_VC, SNP_EXIT_NOT_VALIDATED));
  ForgetTrap();
  Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(1, 0));
  Check("RMPADJUST of it raises #VC", TrapOf(g_trap),
        TrapCode(SNP_VECTOR_VC, SNP_EXIT_NOT_VALIDATED));
  result = Pvalidate(page, SNP_SIZE_4K, 1);
  Check("PVALIDATE validates: no CF", result.carry, 0);
  Check("PVALIDATE with 2 MiB, not aligned", Pvalidate(page + 0x1000, SNP_SIZE_2M, 1).code,
        SNP_FAIL_INPUT);
  Check("PVALIDATE with 2 MiB of a small page",
        Pvalidate(page & ~(kLargePage - 1), SNP_SIZE_2M, 1).code, SNP_FAIL_SIZE_MISMATCH);
  Check("PVALIDATE with an unknown size", Pvalidate(page, 2, 1).code, SNP_FAIL_INPUT);
  ForgetTrap();
  Pvalidate(kUnmapped, SNP_SIZE_4K, 1);
  Check("PVALIDATE of an unmapped address raises #PF", TrapOf(g_trap), TrapCode(14, 0));
  Check("and says where", g_trap.cr2, kUnmapped);
}

void CheckRmpadjust() {
  const uint64_t page = PageAddress(1);
  Check("RMPADJUST for the own VMPL", Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(0, 1)),
        SNP_FAIL_PERMISSION);
  Check("RMPADJUST for VMPL4", Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(4, 1)), SNP_FAIL_INPUT);
  Check("RMPADJUST for VMPL2", Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(2, SNP_RIGHT_READ)),
        SNP_OK);
  QueryResult query = Rmpquery(page, 2);
  Check("RMPQUERY succeeds", query.code, SNP_OK);
  Check("RMPQUERY says the rights", query.attributes, 2 | SNP_RIGHT_READ << 8);
  Check("RMPQUERY says the size", query.size, SNP_SIZE_4K);
  query = Rmpquery(page, 1);
  Check("RMPQUERY of a VMPL without rights", query.attributes, 1);
  Check("RMPADJUST with 2 MiB of small pages",
        Rmpadjust(page & ~(kLargePage - 1), SNP_SIZE_2M, SNP_RMPADJUST(1, 0)),
        SNP_FAIL_SIZE_MISMATCH);
}

void CheckPageStates() {
  // One page, there and back.
  const uint64_t page = PageAddress(2);
  auto* words = reinterpret_cast<volatile uint64_t*>(g_pages[2]);
  words[0] = 0x5ec4e7;
  Pvalidate(page, SNP_SIZE_4K, 0);
  Check("page state: to shared", ChangeState(page, GHCB_PAGE_SHARED), 0);
  Check("nothing of it is left for the host", *SharedView(words), 0);
  *SharedView(words) = 7;
  Check("page state: to private", ChangeState(page, GHCB_PAGE_PRIVATE), 0);
  ForgetTrap();
  GuardedRead(page);
  Check("it has to be validated first", TrapOf(g_trap),
        TrapCode(SNP_VECTOR_VC, SNP_EXIT_NOT_VALIDATED));
  Check("and can be", Pvalidate(page, SNP_SIZE_4K, 1).carry, 0);
  ForgetTrap();
  words[0] = 8;
  Check("and used", TrapOf(g_trap), 0);
  Check("page state: of what is no RAM", ChangeState(kMonitorMemory, GHCB_PAGE_PRIVATE) != 0, 1);

  // 2 MiB at once.
  Check("page state: 2 MiB to private", ChangeStates(kSharedAtStart, GHCB_PAGE_PRIVATE, true), 0);
  SnpResult result = Pvalidate(kSharedAtStart, SNP_SIZE_2M, 1);
  Check("PVALIDATE of 2 MiB", result.code | uint64_t{result.carry} << 8, SNP_OK);
  result = Pvalidate(kSharedAtStart, SNP_SIZE_2M, 1);
  Check("PVALIDATE of 2 MiB again", result.code | uint64_t{result.carry} << 8, 1 << 8);
  Check("RMPADJUST of 2 MiB",
        Rmpadjust(kSharedAtStart, SNP_SIZE_2M, SNP_RMPADJUST(1, SNP_RIGHT_READ)), SNP_OK);
  QueryResult query = Rmpquery(kSharedAtStart + 5 * kPage, 1);
  Check("each of its pages has the rights", query.attributes, 1 | SNP_RIGHT_READ << 8);
  Check("and is part of 2 MiB", query.size, SNP_SIZE_2M);
  result = Pvalidate(kSharedAtStart + kPage, SNP_SIZE_4K, 0);
  Check("PVALIDATE of a small page in it", result.code | uint64_t{result.carry} << 8, SNP_OK);
  Check("breaks it", Pvalidate(kSharedAtStart, SNP_SIZE_2M, 0).code, SNP_FAIL_SIZE_MISMATCH);
}

void CheckGhcb() {
  uint64_t info2;
  WriteMsr(SNP_MSR_GHCB, reinterpret_cast<uintptr_t>(g_doorbell_page));
  auto& other = *SharedView(reinterpret_cast<volatile ghcb_page*>(g_doorbell_page));
  VmgExit();
  Check("a GHCB that is not registered", other.sw_exit_info_1, GHCB_ANSWER_MALFORMED);
  Check("and why", other.sw_exit_info_2, GHCB_MALFORMED_NOT_REGISTERED);
  for (volatile uint8_t& byte : reinterpret_cast<volatile uint8_t(&)[kPage]>(other)) {
    byte = 0;
  }
  BeginExit(0x80001234, 0, 0);
  Check("an unknown exit", FinishExit(&info2), GHCB_ANSWER_MALFORMED);
  Check("and why", info2, GHCB_MALFORMED_INVALID_EVENT);
  BeginExit(SNP_EXIT_CPUID, 0, 0);
  Check("CPUID without its input", FinishExit(&info2), GHCB_ANSWER_MALFORMED);
  Check("and why", info2, GHCB_MALFORMED_MISSING_INPUT);
  BeginExit(GHCB_EXIT_FEATURES, 0, 0);
  Ghcb().usage = 1;
  Check("an unknown usage", FinishExit(&info2), GHCB_ANSWER_MALFORMED);
  Check("and why", info2, GHCB_MALFORMED_USAGE);
  BeginExit(GHCB_EXIT_FEATURES, 0, 0);
  Check("features", FinishExit(&info2), GHCB_ANSWER_OK);
  Check("and which", info2 & 0x23, 0x23);
  BeginExit(GHCB_EXIT_PAGE_STATE, 0, 0);
  SetScratch(PageAddress(3));
  Check("scratch in private memory", FinishExit(&info2), GHCB_ANSWER_MALFORMED);
  Check("and why", info2, GHCB_MALFORMED_SCRATCH);
  BeginExit(GHCB_EXIT_GUEST_REQUEST, PageAddress(3), PageAddress(4));
  Check("a message in private memory", FinishExit(&info2), GHCB_ANSWER_MALFORMED);
  BeginExit(GHCB_EXIT_RUN_VMPL, 1, 0);
  Check("running a VMPL that has no state", FinishExit(), GHCB_ANSWER_MALFORMED);
  Check("the same by the MSR protocol", MsrProtocol(kRunLower), kRunFailed);
  BeginExit(GHCB_EXIT_AP_CREATION, uint64_t{1} << 16, PageAddress(3));
  SetRax(SNP_FEATURE_SNP);
  Check("a state in a page that is no VMSA", FinishExit(), GHCB_ANSWER_MALFORMED);
  BeginExit(SNP_EXIT_MSR, 0, 0);
  Ghcb().rcx = 0xc0010117;
  SetValid(offsetof(ghcb_page, rcx));
  Check("an MSR that guests do not have", FinishExit(&info2), GHCB_ANSWER_EXCEPTION);
  Check("is #GP", info2, 0x80000b0d);
}

void StartLower() {
  // All of the image is VMPL1's, too, but for some pages; and what VMPL1 uses of these.
  for (uint64_t page = reinterpret_cast<uintptr_t>(image_start);
       page < reinterpret_cast<uintptr_t>(image_end); page += kPage) {
    const bool is_shared = page == reinterpret_cast<uintptr_t>(g_ghcb_page) ||
                           page == reinterpret_cast<uintptr_t>(g_doorbell_page);
    const bool is_tested = page >= PageAddress(0) && page < PageAddress(15) + kPage;
    if (!is_shared && !is_tested) {
      Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(1, SNP_RIGHTS_ALL));
    }
  }
  FillVmsa(g_vmsa, 1);
  const uint64_t vmsa = reinterpret_cast<uintptr_t>(&g_vmsa);
  Check("a page becomes a VMSA",
        Rmpadjust(vmsa, SNP_SIZE_4K, SNP_RMPADJUST(1, 0) | SNP_RMPADJUST_VMSA), SNP_OK);
  Check("and stays the guest's", ChangeState(vmsa, GHCB_PAGE_SHARED) != 0, 1);
  BeginExit(GHCB_EXIT_AP_CREATION, uint64_t{1} << 16 | GHCB_AP_CREATE_ON_INIT, vmsa);
  SetRax(SNP_FEATURE_SNP);
  Check("the host takes it for VMPL1", FinishExit(), GHCB_ANSWER_OK);
  g_vmsa.efer &= ~SNP_EFER_SVME;
  Check("a state without SVME does not run", MsrProtocol(kRunLower), kRunFailed);
  g_vmsa.efer |= SNP_EFER_SVME;
}

void CheckSwitch() {
  WriteXmm5(0xaaaabbbbccccdddd);
  WriteDr0(0x7777000);
  Check("VMPL1 runs, with registers of its own", Ask(Job::kRegisters, 0, 0), 0);
  Check("debug registers, too", g_job.result2, 0);
  Check("VMPL0 finds its own again", ReadXmm5(), 0xaaaabbbbccccdddd);
  Check("debug registers, too", ReadDr0(), 0x7777000);
  Check("VMPL1's are in its VMSA",
        *reinterpret_cast<const volatile uint64_t*>(&g_vmsa.xmm[size_t{5} * 16]), kLowerXmm5);
  Check("debug registers, too", g_vmsa.dr[0], kLowerDr0);
  Check("the VMSA says why it stopped", g_vmsa.guest_exit_code, SNP_EXIT_VMGEXIT);
  *reinterpret_cast<volatile uint64_t*>(&g_vmsa.xmm[size_t{5} * 16]) = 0x600d;
  Check("what VMPL0 writes there VMPL1 finds", Ask(Job::kRegisters, 0, 0), 0x600d);
  WriteDr0(0);
}

void CheckRights() {
  const uint64_t page = PageAddress(5);
  g_pages[5][0] = *reinterpret_cast<const uint8_t*>(&return_only);  // RET
  Check("VMPL1 knows that it is not VMPL0", Ask(Job::kRmpadjust, page, SNP_RMPADJUST(1, 0)),
        SNP_FAIL_PERMISSION);
  Ask(Job::kPvalidate, page, 0);
  Check("PVALIDATE at VMPL1 is refused", TrapOf(g_job.trap), kGeneralProtection);
  const auto tries = [page](std::string_view what, uint8_t rights, uint64_t read, uint64_t write,
                            uint64_t call) {
    Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(1, rights));
    Print("# rights: ");
    Print(what);
    Print("\n");
    Ask(Job::kRead, page, 0);
    Check("VMPL1 reads", TrapOf(g_job.trap), read);
    Ask(Job::kWrite, page + 8, 1);
    Check("VMPL1 writes", TrapOf(g_job.trap), write);
    Ask(Job::kCall, page, 0);
    Check("VMPL1 runs it", TrapOf(g_job.trap), call);
  };
  constexpr uint64_t kNo = kGeneralProtection;
  tries("none", 0, kNo, kNo, kNo);
  tries("read", SNP_RIGHT_READ, 0, kNo, kNo);
  tries("read, write", SNP_RIGHT_READ | SNP_RIGHT_WRITE, 0, 0, kNo);
  tries("read, run", SNP_RIGHT_READ | SNP_RIGHT_EXECUTE_SUPERVISOR, 0, kNo, 0);
  tries("all", SNP_RIGHTS_ALL, 0, 0, 0);
  Check("VMPL1 asks for its rights", Ask(Job::kRmpquery, page, 1), SNP_OK);
  Check("and hears them", g_job.result2, 1 | SNP_RIGHTS_ALL << 8);
  Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(1, SNP_RIGHT_READ));
  Check("VMPL1 gives VMPL2 what it has", Ask(Job::kRmpadjust, page, SNP_RMPADJUST(2, 1)), SNP_OK);
  Check("VMPL1 gives VMPL2 what it has not", Ask(Job::kRmpadjust, page, SNP_RMPADJUST(2, 3)),
        SNP_FAIL_PERMISSION);
  Check("VMPL1 makes a VMSA", Ask(Job::kRmpadjust, page, SNP_RMPADJUST(2, 1) | SNP_RMPADJUST_VMSA),
        SNP_FAIL_PERMISSION);
  Pvalidate(page, SNP_SIZE_4K, 0);
  Pvalidate(page, SNP_SIZE_4K, 1);
  Ask(Job::kRead, page, 0);
  Check("rights end with validation", TrapOf(g_job.trap), kGeneralProtection);

  Ask(Job::kRead, reinterpret_cast<uintptr_t>(&g_vmsa), 0);
  Check("VMPL1 cannot read its VMSA", TrapOf(g_job.trap), kGeneralProtection);
  Ask(Job::kRead, PageAddress(6) + kSharedWindow, 0);
  Check("VMPL1 cannot read a private page without C-bit", TrapOf(g_job.trap), kGeneralProtection);
  Ask(Job::kRead, reinterpret_cast<uintptr_t>(g_ghcb_page), 0);
  Check("nor a shared page with it", TrapOf(g_job.trap), kGeneralProtection);
  Ask(Job::kRead, kMonitorMemory + kSharedWindow, 0);
  Check("nor the monitor", TrapOf(g_job.trap), kGeneralProtection);
  Check("CPUID at VMPL1 raises #VC", Ask(Job::kCpuid, 0, 0), 0x600dc0de);
  Ask(Job::kReadMsr, 0, SNP_MSR_SVSM_CAA);
  Check("the calling area's MSR, too", TrapOf(g_job.trap), TrapCode(SNP_VECTOR_VC, SNP_EXIT_MSR));
  Check("features of VMPL1 are its own", Ask(Job::kReadMsr, 0, SNP_MSR_SEV_STATUS), 7);
}

void CheckDoorbell() {
  const uint64_t page = reinterpret_cast<uintptr_t>(g_doorbell_page);
  auto& doorbell = *SharedView(reinterpret_cast<volatile ghcb_doorbell*>(g_doorbell_page));
  uint64_t info2;
  BeginExit(GHCB_EXIT_DOORBELL, GHCB_DOORBELL_SET, PageAddress(3));
  Check("a doorbell in private memory", FinishExit(), GHCB_ANSWER_MALFORMED);
  BeginExit(GHCB_EXIT_DOORBELL, GHCB_DOORBELL_SET, page);
  Check("the doorbell is set", FinishExit(), GHCB_ANSWER_OK);
  BeginExit(GHCB_EXIT_DOORBELL, GHCB_DOORBELL_QUERY, 0);
  FinishExit(&info2);
  Check("and known", info2, page);

  g_doorbells = 0;
  Ask(Job::kStartTimer, 0, 0);
  // IF is off all the time.
  const uint64_t start = ReadTsc();
  while (g_doorbells == 0 && ReadTsc() - start < 4000000000) {
  }
  Check("#HV comes while VMPL0 runs", g_doorbells, 1);
  Check("and says that VMPL1 has an event", doorbell.per_vmpl_events, 1);
  const uint64_t again = ReadTsc();
  while (ReadTsc() - again < 20000000) {
  }
  Check("and comes once", g_doorbells, 1);
  Check("VMPL1 has not had it", g_interrupts, 0);
  doorbell.per_vmpl_events = 0;
  Ask(Job::kTakeInterrupt, 0, 0);
  Check("VMPL1 takes the interrupt", g_interrupts, 1);

  doorbell.flags = GHCB_DOORBELL_NO_FURTHER_SIGNAL;
  Ask(Job::kStartTimer, 0, 0);
  const uint64_t quiet = ReadTsc();
  while (doorbell.per_vmpl_events == 0 && ReadTsc() - quiet < 4000000000) {
  }
  Check("without signal the doorbell still says it", doorbell.per_vmpl_events, 1);
  Check("and #HV does not come", g_doorbells, 1);
  doorbell.flags = 0;
  doorbell.per_vmpl_events = 0;
  Ask(Job::kTakeInterrupt, 0, 0);
}

// A device that VMPL1 has programmed, on its way to shared and to private pages.
void CheckDma() {
  const uint64_t from = reinterpret_cast<uintptr_t>(g_doorbell_page);
  const uint64_t to = from + 0x800;
  auto* source = SharedView(reinterpret_cast<volatile uint64_t*>(from));
  auto* target = SharedView(reinterpret_cast<volatile uint64_t*>(to));
  auto* secret = reinterpret_cast<volatile uint64_t*>(g_pages[7]);
  *source = 0x0123456789abcdef;
  *target = 0;
  *secret = 0x5ec4e75ec4e7;
  Check("there is a device", Ask(Job::kDma, from, to), 1);
  Check("it reads and writes shared pages", *target, 0x0123456789abcdef);
  *target = 0;
  Ask(Job::kDma, PageAddress(7), to);
  Check("it cannot read a private page", *target == *secret, 0);
  Ask(Job::kDma, from, PageAddress(7));
  Check("it cannot write a private page", *secret, 0x5ec4e75ec4e7);
  // What was shared and is not any more.
  Pvalidate(PageAddress(8), SNP_SIZE_4K, 0);
  ChangeState(PageAddress(8), GHCB_PAGE_SHARED);
  auto* other = reinterpret_cast<volatile uint64_t*>(g_pages[8]);
  Ask(Job::kDma, from, PageAddress(8));
  Check("it writes a page that has become shared", *SharedView(other), 0x0123456789abcdef);
  ChangeState(PageAddress(8), GHCB_PAGE_PRIVATE);
  Pvalidate(PageAddress(8), SNP_SIZE_4K, 1);
  *other = 0;
  Ask(Job::kDma, from, PageAddress(8));
  Check("and not when it is private again", *other, 0);
}

// ---- other processors ----

// One at VMPL0, one at VMPL1.
constexpr unsigned kRacers = 2;
alignas(kPage) constinit snp_vmsa g_racer_vmsas[kRacers] = {};
alignas(kPage) constinit snp_vmsa g_other_vmsa = {};
constinit Racer g_racers[kRacers] = {};
constexpr uint64_t kRounds = 30;

uint64_t Create(unsigned processor, const snp_vmsa& vmsa) {
  BeginExit(GHCB_EXIT_AP_CREATION,
            GHCB_AP_CREATE | uint64_t{vmsa.vmpl} << 16 | uint64_t{processor} << 32,
            reinterpret_cast<uintptr_t>(&vmsa));
  SetRax(vmsa.sev_features);
  return FinishExit();
}
void MakeVmsa(const snp_vmsa& vmsa) {
  Rmpadjust(reinterpret_cast<uintptr_t>(&vmsa), SNP_SIZE_4K,
            SNP_RMPADJUST(1, 0) | SNP_RMPADJUST_VMSA);
}

void StartRacer(unsigned index) {
  Racer& racer = g_racers[index];
  racer.task_state.ist[0] = reinterpret_cast<uintptr_t>(racer.vc_stack + sizeof(racer.vc_stack));
  racer.task_state.ist[1] = reinterpret_cast<uintptr_t>(racer.hv_stack + sizeof(racer.hv_stack));
  snp_vmsa& vmsa = g_racer_vmsas[index];
  FillVmsa(vmsa, static_cast<uint8_t>(index));
  vmsa.tr.base = reinterpret_cast<uintptr_t>(&racer.task_state);
  vmsa.rip = reinterpret_cast<uintptr_t>(racer_entry);
  vmsa.rsp = reinterpret_cast<uintptr_t>(racer.stack + sizeof(racer.stack));
  vmsa.rdi = reinterpret_cast<uintptr_t>(&racer);
  const unsigned processor = index + 1;
  Check("no processor starts without a VMSA", Create(processor, vmsa), GHCB_ANSWER_MALFORMED);
  MakeVmsa(vmsa);
  Check("another processor starts", Create(processor, vmsa), GHCB_ANSWER_OK);
  Check("it keeps the state that it runs with", Create(processor, vmsa), GHCB_ANSWER_MALFORMED);
  Check("which stays a VMSA",
        Rmpadjust(reinterpret_cast<uintptr_t>(&vmsa), SNP_SIZE_4K, SNP_RMPADJUST(1, 0)),
        SNP_FAIL_IN_USE);
}

void Let(unsigned index, RacerJob job) { g_racers[index].job = job; }

// Wait until the racer has reached the page, or was denied it, some more times; or until it is
// plain that it will not be.
void AwaitReached(const Racer& racer) {
  const uint64_t start = racer.reached;
  while (racer.reached - start < 3) {
    asm volatile("pause");
  }
}
void AwaitDenied(const Racer& racer) {
  constexpr uint64_t kMaxTooLate = 1000;
  const uint64_t denied = racer.denied;
  const uint64_t too_late = racer.too_late;
  while (racer.denied - denied < 3 && racer.too_late - too_late < kMaxTooLate) {
    asm volatile("pause");
  }
}

uint64_t TooLate() { return g_racers[0].too_late + g_racers[1].too_late; }

// The page is theirs, then it is not; `take` has returned.
template <typename Take, typename Give>
void Race(std::string_view what, Take take, Give give) {
  const uint64_t before = TooLate();
  for (uint64_t round = 0; round < kRounds; ++round) {
    for (const Racer& racer : g_racers) {
      if (racer.job != RacerJob::kRest) {
        AwaitReached(racer);
      }
    }
    take();
    g_race.epoch = g_race.epoch + 1;
    for (const Racer& racer : g_racers) {
      if (racer.job != RacerJob::kRest) {
        AwaitDenied(racer);
      }
    }
    g_race.epoch = g_race.epoch + 1;
    give();
  }
  Check(what, TooLate() - before, 0);
}

void CheckProcessors() {
  BeginExit(GHCB_EXIT_APIC_IDS, 0, 0);
  SetRax(reinterpret_cast<uintptr_t>(g_doorbell_page));
  Ghcb().rbx = 1;
  SetValid(offsetof(ghcb_page, rbx));
  Check("the host lists its processors", FinishExit(), GHCB_ANSWER_OK);
  const auto* list = SharedView(reinterpret_cast<volatile uint32_t*>(g_doorbell_page));
  Check("as many as there are", list[0], 1 + kRacers);
  Check("the last one, too", list[1 + kRacers], kRacers);
  StartRacer(0);
  StartRacer(1);

  const uint64_t page = PageAddress(9);
  auto* word = reinterpret_cast<volatile uint64_t*>(g_pages[9]);
  const auto give_to_lower = [page] {
    Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(1, SNP_RIGHTS_ALL));
  };
  const auto make_private = [page, give_to_lower] {
    ChangeState(page, GHCB_PAGE_PRIVATE);
    Pvalidate(page, SNP_SIZE_4K, 1);
    give_to_lower();
  };
  give_to_lower();
  g_race.address = page;
  Let(0, RacerJob::kRead);
  Let(1, RacerJob::kRead);
  Race(
      "nobody reads a page that is not validated any more",
      [page] { Pvalidate(page, SNP_SIZE_4K, 0); },
      [page, give_to_lower] {
        Pvalidate(page, SNP_SIZE_4K, 1);
        give_to_lower();
      });
  Let(0, RacerJob::kRest);

  Let(1, RacerJob::kWrite);
  Race(
      "nobody writes a page without the right any more",
      [page] { Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(1, SNP_RIGHT_READ)); }, give_to_lower);

  uint64_t left = 0;
  Race(
      "nobody writes a page privately that is shared",
      [page, word, &left] {
        Pvalidate(page, SNP_SIZE_4K, 0);
        ChangeState(page, GHCB_PAGE_SHARED);
        left |= *SharedView(word);
      },
      [word, make_private, &left] {
        left |= *SharedView(word);
        make_private();
      });
  Check("nothing is left in it for the host", left, 0);
  Let(1, RacerJob::kRest);

  Pvalidate(page, SNP_SIZE_4K, 0);
  ChangeState(page, GHCB_PAGE_SHARED);
  g_race.address = page + kSharedWindow;
  Let(1, RacerJob::kWrite);
  uint64_t changed = 0;
  Race(
      "nobody writes a page without C-bit that is private",
      [word, make_private] {
        make_private();
        *word = 7;
      },
      [page, word, &changed] {
        changed |= *word ^ 7;
        Pvalidate(page, SNP_SIZE_4K, 0);
        ChangeState(page, GHCB_PAGE_SHARED);
      });
  Check("what VMPL0 wrote stays there", changed, 0);
  Let(1, RacerJob::kRest);

  // The guest's own tables, which other processors remember.
  ChangeState(kSharedAtStart, GHCB_PAGE_PRIVATE);
  Pvalidate(kSharedAtStart, SNP_SIZE_4K, 1);
  volatile uint64_t& entry = directory[kSharedAtStart / kLargePage];
  const uint64_t mapped = entry;
  g_race.address = kSharedAtStart;
  Let(0, RacerJob::kRead);
  Race(
      "nobody uses a translation after INVLPGB",
      [] {
        entry = 0;
        Invlpgb();
      },
      [mapped] { entry = mapped; });
  Let(0, RacerJob::kRest);

  // A state for its VMPL1 lets it go on at VMPL0, where it was.
  FillVmsa(g_other_vmsa, 1);
  MakeVmsa(g_other_vmsa);
  Let(0, RacerJob::kHold);
  while (g_racers[0].held == 0) {
    Create(1, g_other_vmsa);
  }
  Check("a processor that was held goes on", g_racers[0].held, 1);
  // They run to the end.
  Let(0, RacerJob::kRead);
  g_race.address = PageAddress(0);
}

char ReadLetter() {
  constexpr uint16_t kLineStatus = kSerial + 5;
  for (int i = 0; i < 1000000; ++i) {
    if ((ReadPort(kLineStatus) & 1) != 0) {
      return static_cast<char>(ReadPort(kSerial));
    }
  }
  return 0;
}

// A number that is nowhere in the image, and after this in private memory alone.
uint64_t PlantCanary() {
  volatile uint64_t half = 0x6e5a172b;
  const uint64_t canary = (half * 0x9e3779b97f4a7c15) | 1;
  for (size_t i = 0; i < kPage / sizeof(canary); ++i) {
    reinterpret_cast<volatile uint64_t*>(g_pages[15])[i] = canary;
  }
  return canary;
}

// Ends the machine with the canary in registers.
[[noreturn]] void EndWithCanary(uint64_t canary, uint64_t request) {
  WriteMsr(SNP_MSR_GHCB, request);
  asm volatile(
      "movq %0, %%rbx\n\tmovq %0, %%r8\n\tmovq %0, %%r15\n\tmovq %0, %%xmm7\n\t"
      "movq %0, %%dr2\n\trep; vmmcall"
      :
      : "a"(canary)
      : "memory", "rbx", "r8", "r15");
  __builtin_unreachable();
}

void EndAs(char letter) {
  const uint64_t canary = PlantCanary();
  switch (letter) {
    case 'w':  // waits to be killed
      Print("WAITING\n");
      for (;;) {
        asm volatile("pause");
      }
    case 'p':  // power off
    case 'r':
      BeginExit(SNP_EXIT_IOIO, GHCB_IO_PORT(0x604) | GHCB_IO_16 | GHCB_IO_ADDRESS_64, 0);
      SetRax(0x2000);
      FinishExit();
      break;
    case 's':  // VMPL0 takes a shared page for a private one
      GuardedRead(reinterpret_cast<uintptr_t>(g_ghcb_page));
      break;
    case 'm':  // VMPL0 reaches for the monitor
      GuardedRead(kMonitorMemory + kSharedWindow);
      break;
    case 'f': {  // triple fault
      const struct [[gnu::packed]] {
        uint16_t limit;
        uint64_t base;
      } none = {0, 0};
      asm volatile("lidt %0; ud2" : : "m"(none));
      break;
    }
    case 'h':
      asm volatile("hlt");
      break;
    default:
      break;
  }
  EndWithCanary(canary,
                GHCB_MSR_TERMINATE | 15 << 12 | uint64_t{static_cast<uint8_t>(letter)} << 16);
}

}  // namespace
}  // namespace nsgx::conformance

void PayloadMain() {
  using namespace nsgx::conformance;
  StartTraps();
  MakeShared(g_ghcb_page);
  MakeShared(g_doorbell_page);
  const uint64_t ghcb = reinterpret_cast<uintptr_t>(g_ghcb_page);
  const bool is_registered =
      MsrProtocol(GHCB_MSR_REGISTER_REQUEST | ghcb) == (GHCB_MSR_REGISTER_RESPONSE | ghcb);
  Print("\nREADY\n");
  const char letter = ReadLetter();
  Check("the GHCB is registered", is_registered, 1);
  if (letter == 'p') {
    CheckRegisters();
    ForgetTrap();
    Invlpgb();
    Check("one processor has no INVLPGB", TrapOf(g_trap), TrapCode(6, 0));
    CheckPvalidate();
    CheckRmpadjust();
    CheckPageStates();
    CheckGhcb();
    StartLower();
    CheckSwitch();
    CheckRights();
    CheckDoorbell();
  }
  if (letter == 'r') {
    StartLower();
    CheckProcessors();
  }
  if (letter == 'd') {
    StartLower();
    CheckDma();
  }
  Print("DONE\n");
  EndAs(letter);
}
