// SPDX-License-Identifier: Apache-2.0
// Runs at VMPL1 and does one job each time it runs.
#include "vmpl-switch/emulator/conformance/payload.h"

extern "C" void LowerMain();

namespace nsgx::conformance {

constinit volatile JobPage g_job = {};
alignas(16) constinit uint8_t g_lower_stack[16384] = {};

namespace {

constexpr uint64_t kLocalApic = kSharedWindow + 0xfee00000;

void WriteApic(uint64_t offset, uint32_t value) {
  *reinterpret_cast<volatile uint32_t*>(kLocalApic + offset) = value;
}

void DoJob() {
  const uint64_t address = g_job.address;
  const uint64_t value = g_job.value;
  uint64_t result = 0;
  uint64_t result2 = 0;
  switch (static_cast<Job>(g_job.job)) {
    case Job::kNothing:
      break;
    case Job::kRead:
      result = GuardedRead(address);
      break;
    case Job::kWrite:
      result = GuardedWrite(address, value);
      break;
    case Job::kCall:
      result = GuardedCall(address);
      break;
    case Job::kPvalidate:
      result = Pvalidate(address, SNP_SIZE_4K, value).code;
      break;
    case Job::kRmpadjust:
      result = Rmpadjust(address, SNP_SIZE_4K, value);
      break;
    case Job::kRmpquery: {
      const QueryResult query = Rmpquery(address, value);
      result = query.code;
      result2 = query.attributes;
      break;
    }
    case Job::kCpuid: {
      uint32_t eax = static_cast<uint32_t>(value);
      asm volatile("cpuid" : "+a"(eax) : : "rbx", "rcx", "rdx");
      result = eax;
      break;
    }
    case Job::kReadMsr:
      result = GuardedReadMsr(static_cast<uint32_t>(value));
      break;
    case Job::kRegisters:
      result = ReadXmm5();
      result2 = ReadDr0();
      WriteXmm5(kLowerXmm5);
      WriteDr0(kLowerDr0);
      break;
    case Job::kStartTimer:
      WriteApic(0xf0, 0x1ff);  // on
      WriteApic(0x3e0, 0xb);   // undivided
      WriteApic(0x320, 64);    // one shot, vector 64
      WriteApic(0x380, 1000000);
      break;
    case Job::kTakeInterrupt:
      asm volatile("sti; nop; nop; cli" : : : "memory");
      break;
  }
  g_job.result = result;
  g_job.result2 = result2;
}

}  // namespace
}  // namespace nsgx::conformance

void LowerMain() {
  using namespace nsgx::conformance;
  for (;;) {
    ForgetTrap();
    DoJob();
    g_job.trap.count = g_trap.count;
    g_job.trap.vector = g_trap.vector;
    g_job.trap.error_code = g_trap.error_code;
    g_job.trap.cr2 = g_trap.cr2;
    MsrProtocol(GHCB_MSR_RUN_VMPL_REQUEST);
  }
}
