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

// QEMU's device for teaching (-device edu): copies between memory and a buffer of its own.
namespace edu {

constexpr uint32_t kId = 0x11e81234;
constexpr uint64_t kBuffer = 0x40000;
constexpr uint64_t kRun = 1;
constexpr uint64_t kToMemory = 2;

uint32_t ReadConfig(uint32_t slot, uint32_t offset) {
  uint32_t value;
  asm volatile("outl %0, %w1" : : "a"(uint32_t{1} << 31 | slot << 11 | offset), "d"(0xcf8));
  asm volatile("inl %w1, %0" : "=a"(value) : "d"(0xcfc));
  return value;
}
void WriteConfig(uint32_t slot, uint32_t offset, uint32_t value) {
  asm volatile("outl %0, %w1" : : "a"(uint32_t{1} << 31 | slot << 11 | offset), "d"(0xcf8));
  asm volatile("outl %0, %w1" : : "a"(value), "d"(0xcfc));
}

void Transfer(uint64_t registers, uint64_t from, uint64_t to, uint64_t command) {
  const auto put = [registers](uint64_t offset, uint64_t value) {
    *reinterpret_cast<volatile uint64_t*>(registers + offset) = value;
  };
  put(0x80, from);
  put(0x88, to);
  put(0x90, 8);
  put(0x98, command);
  while ((*reinterpret_cast<volatile uint64_t*>(registers + 0x98) & kRun) != 0) {
  }
}

bool Copy(uint64_t from, uint64_t to) {
  for (uint32_t slot = 0; slot < 32; ++slot) {
    if (ReadConfig(slot, 0) != kId) {
      continue;
    }
    WriteConfig(slot, 4, ReadConfig(slot, 4) | 6);  // registers in memory, bus master
    const uint64_t registers = kSharedWindow + (ReadConfig(slot, 0x10) & ~uint32_t{15});
    Transfer(registers, from, kBuffer, kRun);
    Transfer(registers, kBuffer, to, kRun | kToMemory);
    return true;
  }
  return false;
}

}  // namespace edu

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
    case Job::kDma:
      result = edu::Copy(address, value) ? 1 : 0;
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
