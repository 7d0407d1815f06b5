// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/ring3.h"

#include "base/core/check.h"
#include "vmpl-switch/snp/cpu/descriptors.h"
#include "vmpl-switch/snp/cpu/ghcb.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"
#include "vmpl-switch/snp/cpu/per_cpu.h"
#include "vmpl-switch/snp/cpu/trap.h"
#include "vmpl-switch/snp/enclave/layout.h"
#include "vmpl-switch/snp/enclave/ring3_entry.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kFsGsBase = 1 << 16;  // CR4
constexpr uint64_t kPerformanceCounters = 1 << 8;
// Above this many pages it is cheaper to forget everything.
constexpr uint64_t kMostSinglePages = 32;

static_assert(RING3_SYSCALL_VECTOR == kSyscallVector);

// What a turn leaves on the stack of Run: where to go back to, and what has happened.
struct Turn {
  Ring3State& state;
  uint64_t stack = 0;
  Ring3Event event = {};
};

uint64_t ReadFsBase() {
  uint64_t base;
  asm volatile("rdfsbase %0" : "=r"(base));
  return base;
}
void WriteFsBase(uint64_t base) { asm volatile("wrfsbase %0" : : "r"(base)); }

// GS is the SEH's while the SEH runs. Whatever interrupts these three instructions does not need it
// (trap_entry.S).
void WriteUserGsBase(uint64_t base) {
  asm volatile("swapgs\n\twrgsbase %0\n\tswapgs" : : "r"(base) : "memory");
}

}  // namespace

Result<void> Ring3::Start() {
  if ((ReadCr4() & kFsGsBase) == 0) {
    return Error(Status::kUnsupported);
  }
  extended_ = ExtendedState::Of(services_.cpuid);
  ResetExtended(std::span(initial_).first(extended_.size), kInitialFcw, kInitialMxcsr);
  StartProcessor();
  SetRingThreeTrapHandler(&LeaveForTrap);
  return {};
}

void Ring3::StartOther() {
  has_others_ = true;
  StartProcessor();
}

void Ring3::StartProcessor() const {
  WriteCr4(ReadCr4() & ~kPerformanceCounters);
  if (extended_.components != 0) {
    asm volatile("xsetbv"
                 :
                 : "c"(0), "a"(static_cast<uint32_t>(extended_.components)),
                   "d"(static_cast<uint32_t>(extended_.components >> 32)));
  }
  Scrub();
  EnableSyscall(&EnterFromSyscall);
}

void Ring3::Activate(const AddressSpace* space) {
  const uint64_t wanted = (space != nullptr ? *space : services_.kernel_space).cr3();
  // Nobody but us writes it, so what it was stays as long as it is the same.
  if (ReadCr3() != wanted) {
    WriteCr3(wanted);
  }
}

void Ring3::FlushPages(EnclaveVirt start, uint64_t count) {
  if (has_others_) {
    // They may be in this enclave. The SEH runs on others only where one processor can tell all.
    services_.rmp.FlushTranslations();
    return;
  }
  if (count > kMostSinglePages) {
    WriteCr3(ReadCr3());
    return;
  }
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t address = (start + i * kPageSize).raw();
    InvalidatePage(address);
    InvalidatePage(address - kEnclaveBase + kAliasBase);
  }
}

std::span<std::byte> Ring3::Alias(const AddressSpace& space, EnclaveVirt start, uint64_t size) {
  CHECK(ReadCr3() == space.cr3());
  return {reinterpret_cast<std::byte*>(start.raw() - kEnclaveBase + kAliasBase),
          static_cast<size_t>(size)};
}

void Ring3::Load(const std::byte* area) const {
  if (extended_.components == 0) {
    asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
    return;
  }
  asm volatile("xrstor64 (%0)"
               :
               : "r"(area), "a"(static_cast<uint32_t>(extended_.components)),
                 "d"(static_cast<uint32_t>(extended_.components >> 32))
               : "memory");
}

void Ring3::Save(std::byte* area) const {
  if (extended_.components == 0) {
    asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    return;
  }
  asm volatile("xsave64 (%0)"
               :
               : "r"(area), "a"(static_cast<uint32_t>(extended_.components)),
                 "d"(static_cast<uint32_t>(extended_.components >> 32))
               : "memory");
}

void Ring3::Scrub() const {
  // AMD's processors restore the addresses of the last x87 instruction only while an exception is
  // pending: an instruction of ours gives them harmless ones.
  const uint32_t zero = 0;
  asm volatile("fnclex\n\temms\n\tfildl %0" : : "m"(zero));
  Load(initial_);
}

// What the caller knows of the guest and of the enclave may be different afterwards: others serve
// calls meanwhile.
Ring3Event Ring3::Run(Ring3State& state) NO_THREAD_SAFETY_ANALYSIS {
  Turn turn{.state = state};
  PerCpu& cpu = ThisCpu();
  cpu.context = &turn;
  cpu.ghcb->Disarm();
  services_.calls.Unlock();
  Load(state.extended);
  WriteFsBase(state.fs_base);
  WriteUserGsBase(state.gs_base);
  EnterRing3(&state.frame, &turn.stack);
  Save(state.extended);
  state.fs_base = ReadFsBase();
  Scrub();
  cpu.context = nullptr;
  services_.calls.Lock();
  return turn.event;
}

bool Ring3::EventPending() { return snp::EventPending(); }

// FROM: trap_entry.S and EnterFromSyscall, on the stack of RSP0. Nothing between here and Run
// touches vector state, which still is the enclave's.
void LeaveForTrap(TrapFrame& frame) {
  Turn& turn = *static_cast<Turn*>(ThisCpu().context);
  turn.event = {.vector = frame.vector, .error_code = frame.error_code, .address = 0};
  if (frame.vector == kVectorPageFault) {
    turn.event.address = ReadCr2();
  }
  turn.state.frame = frame;
  LeaveRing3(turn.stack);
}

}  // namespace nsgx::snp
