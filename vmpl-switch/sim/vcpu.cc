// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/vcpu.h"

#include <sys/mman.h>

#include <bitset>
#include <new>
#include <utility>

#include "base/core/check.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/sim/kernel.h"
#include "vmpl-switch/sim/process.h"
#include "vmpl-switch/sim/thread_block.h"

namespace nsgx::sim {
namespace {

constinit SpinLock g_lock;
constinit std::bitset<kMaxVcpus> g_used;

std::byte* StrideOf(uint32_t index) {
  return CurrentProcess().vcpu_strides + size_t{index} * SIM_VCPU_STRIDE;
}

// The part of a stride behind its guard page.
constexpr size_t kGuardSize = 4096;
constexpr size_t kCommittedSize = SIM_VCPU_STRIDE - kGuardSize;

Result<uint32_t> TakeIndex() {
  const SpinLockGuard guard(g_lock);
  for (uint32_t index = 0; index < kMaxVcpus; ++index) {
    if (!g_used[index]) {
      g_used[index] = true;
      return index;
    }
  }
  return Error(Status::kNoMemory);
}

void ReturnIndex(uint32_t index) {
  const SpinLockGuard guard(g_lock);
  g_used[index] = false;
}

// What nsgx_sim_enter_* pops, from the lowest address.
struct FirstStack {
  uint32_t mxcsr = 0x1f80;
  uint32_t fcw = 0x37f;
  uint64_t callee_saved[6] = {};
  uint64_t entry;
};

}  // namespace

Result<Vcpu> Vcpu::Create(SehCalls& seh, uint32_t slot_index, nsgx_slot& slot,
                          const std::array<uint64_t, 2>& host_calls) {
  const uint32_t index = TRY(TakeIndex());
  const Result<void> committed = kernel::Protect(StrideOf(index) + kGuardSize, kCommittedSize,
                                                 PROT_READ | PROT_WRITE, CurrentProcess().seh_key);
  if (!committed.ok()) {
    ReturnIndex(index);
    return Error(committed.error());
  }
  const SehAccess access;
  VcpuPage* page = new (StrideOf(index) + SIM_VCPU_PAGE_OFFSET) VcpuPage{};
  page->slot = &slot;
  page->host_calls = host_calls;
  page->seh = &seh;
  page->slot_index = slot_index;
  return Vcpu(index, page, &slot);
}

Vcpu::Vcpu(Vcpu&& other) noexcept
    : index_(std::exchange(other.index_, kMaxVcpus)), page_(other.page_), slot_(other.slot_) {}

Vcpu::~Vcpu() {
  if (index_ == kMaxVcpus) {
    return;
  }
  const SehAccess access;
  Unbind();
  // Nothing that the SEH computed for this enclave stays behind, and its slot is nobody's any more.
  CHECK(kernel::ReserveAt(StrideOf(index_), SIM_VCPU_STRIDE).ok());
  ReturnIndex(index_);
}

void Vcpu::PrepareFirstEntry(uint64_t entry, uint64_t stack_top) {
  const SehAccess access;
  FirstStack* stack =
      new (reinterpret_cast<void*>(stack_top - sizeof(FirstStack))) FirstStack{.entry = entry};
  std::byte* slot = reinterpret_cast<std::byte*>(slot_);
  *reinterpret_cast<uint64_t*>(slot + SIM_SLOT_RSP) = kernel::Word(stack);
  *reinterpret_cast<uint64_t*>(slot + SIM_SLOT_FS) = 0;
  *reinterpret_cast<uint32_t*>(slot + SIM_SLOT_VCPU) = index_;
}

void Vcpu::Bind(ThreadBlock& block) {
  const SehAccess access;
  Unbind();
  if (block.vcpu != nullptr) {
    block.vcpu->block = nullptr;
  }
  page_->block = &block;
  block.vcpu = page_;
  block.slot = slot_;
}

void Vcpu::Unbind() {
  if (page_->block != nullptr) {
    CHECK(page_->block->selector == 0);
    page_->block->vcpu = nullptr;
    page_->block = nullptr;
  }
}

const std::array<uint64_t, 6>& Vcpu::Enter(ThreadBlock& block, uint64_t answer) {
  if (block.vcpu != page_) [[unlikely]] {
    Bind(block);
  }
  // An x87 exception that the loader left pending belongs to it, not to the enclave.
  asm volatile("fwait");
  CurrentProcess().code.enter(&block, answer);
  return block.exit;
}

VcpuCounters Vcpu::counters() const {
  const SehAccess access;
  return page_->counters;
}

VcpuCrash Vcpu::crash() const {
  const SehAccess access;
  return page_->crash;
}

uint64_t GateAddress() { return CurrentProcess().code.gate; }

}  // namespace nsgx::sim

// FROM: the gate's SEH path, in the SEH state on the slot's SEH stack. Whatever is in `call` was
// chosen by the enclave.
int64_t nsgx_sim_gate_call(nsgx::sim::VcpuPage* page) {
  const std::array<uint64_t, 6>& call = page->call;
  const uint64_t index = call[0] - NSGX_GATE_FIRST_SEH_CALL;
  if (index < page->counters.gate_calls.size()) {
    page->counters.gate_calls[index] += 1;
  }
  return page->seh->GateCall(page->slot_index, call[0],
                             {call[1], call[2], call[3], call[4], call[5]});
}
