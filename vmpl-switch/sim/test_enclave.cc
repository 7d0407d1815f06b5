// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/test_enclave.h"

#include <cpuid.h>
#include <sys/mman.h>

#include <cstring>

#include "base/core/check.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/sim/thread.h"

namespace nsgx::sim {
namespace {

thread_local const void* t_probe = nullptr;

uint64_t Random(uint64_t& seed) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return seed ^ seed >> 29;
}

// Whether XSAVE writes a register of the enclave at `offset`. Where the components lie differs from
// processor to processor, and so do the gaps between them.
bool HoldsRegisters(uint32_t offset) {
  constexpr uint32_t kXsaveLeaf = 0xd;
  if (offset < 416) {
    return true;
  }
  for (uint32_t component = 2; component < 8; ++component) {
    if ((CurrentProcess().cpu.xcr0 >> component & 1) != 0) {
      uint32_t component_size, begin, ecx, edx;
      __cpuid_count(kXsaveLeaf, component, component_size, begin, ecx, edx);
      if (offset >= begin && offset - begin < component_size) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

void SetThreadLocalProbe() { t_probe = &t_probe; }

int64_t FakeSeh::GateCall(uint32_t slot, uint64_t call, const std::array<uint64_t, 5>& arguments) {
  static_cast<void>(slot);
  CheckThreadPointer();
  return call == kFakeSehCall ? static_cast<int64_t>(arguments[0] + 1) : -1;
}

uint64_t FakeSeh::exception_entry() const {
  CheckThreadPointer();
  return exception_entry_;
}

void FakeSeh::CheckThreadPointer() const {
  if (t_probe != &t_probe) {
    ++bad_thread_pointers_;
  }
}

FaultAnswer FakeSeh::HandleFault(uint64_t address, seh::Permissions needed) {
  static_cast<void>(needed);
  if (address != special_address_ || special_address_ == 0) {
    return FaultAnswer::kDeliver;
  }
  if (on_special_fault_) {
    on_special_fault_();
  }
  return special_answer_;
}

TestEnclave::TestEnclave(const char* routine, uint32_t slots, bool with_handlers,
                         const std::array<uint64_t, 2>& host_calls) {
  const Process& process = CurrentProcess();
  base_ = kernel::Reserve(BLOB_SIZE).value();
  CHECK(kernel::Protect(base_, BLOB_SIZE, PROT_NONE, process.enclave_key).ok());
  const auto commit = [&](size_t offset, size_t size, int protection) {
    CHECK(kernel::Protect(base_ + offset, size, protection, process.enclave_key).ok());
  };
  const size_t code_size = static_cast<size_t>(nsgx_sim_blob_end - nsgx_sim_blob_begin);
  commit(0, BLOB_SLOTS, PROT_READ | PROT_WRITE);
  commit(BLOB_DATA, size_t{BLOB_DATA_STRIDE} * slots, PROT_READ | PROT_WRITE);
  commit(BLOB_READ_ONLY, 4096, PROT_READ);
  const SehAccess access;
  memcpy(base_, nsgx_sim_blob_begin, code_size);
  commit(0, BLOB_SLOTS, PROT_READ | PROT_EXEC);
  if (with_handlers) {
    seh_.exception_entry_ = address_of(nsgx_sim_blob_exception);
    seh_.syscall_entry_ = address_of(nsgx_sim_blob_raw);
  }
  vcpus_.reserve(slots);
  for (uint32_t i = 0; i < slots; ++i) {
    const size_t begin = BLOB_SLOTS + size_t{i} * NSGX_SLOT_STRIDE;
    commit(begin, NSGX_SLOT_FRAME_OFFSET + NSGX_SLOT_FRAME_SIZE, PROT_READ | PROT_WRITE);
    commit(begin + NSGX_SLOT_EXCEPTION_STACK_OFFSET, NSGX_SLOT_EXCEPTION_STACK_SIZE,
           PROT_READ | PROT_WRITE);
    commit(begin + NSGX_SLOT_STACK_OFFSET, NSGX_SLOT_STACK_SIZE, PROT_READ | PROT_WRITE);
    nsgx_slot* s = slot(i);
    s->self = reinterpret_cast<uint64_t>(s);
    s->gate = GateAddress();
    s->index = i;
    s->frame = s->self + NSGX_SLOT_FRAME_OFFSET;
    Data(BLOB_XCR0, i) = process.cpu.xcr0;
    vcpus_.push_back(Vcpu::Create(seh_, i, *s, host_calls).value());
    vcpus_.back().PrepareFirstEntry(address_of(routine),
                                    s->self + NSGX_SLOT_STACK_OFFSET + NSGX_SLOT_STACK_SIZE);
  }
}

TestEnclave::~TestEnclave() {
  vcpus_.clear();
  kernel::Unmap(base_, BLOB_SIZE);
}

std::array<uint64_t, 6> TestEnclave::Run(uint32_t slot, const Enter& enter) {
  SetThreadLocalProbe();
  ThreadBlock* block = AttachThread().value();
  uint64_t answer = 0;
  for (;;) {
    const std::array<uint64_t, 6>& exit =
        enter ? enter(vcpus_[slot], *block, answer) : vcpus_[slot].Enter(*block, answer);
    CHECK(t_probe == &t_probe);
    if (exit[0] != NSGX_GATE_HOST_CALL) {
      return exit;
    }
    answer = exit[2] + 1;
  }
}

std::byte* TestEnclave::DataBytes(uint32_t offset, uint32_t slot) {
  return base_ + BLOB_DATA + size_t{slot} * BLOB_DATA_STRIDE + offset;
}
uint64_t& TestEnclave::Data(uint32_t offset, uint32_t slot) {
  return *reinterpret_cast<uint64_t*>(DataBytes(offset, slot));
}
nsgx_slot* TestEnclave::slot(uint32_t index) {
  return reinterpret_cast<nsgx_slot*>(base_ + BLOB_SLOTS + size_t{index} * NSGX_SLOT_STRIDE);
}

uint64_t TestEnclave::Read(uint32_t offset, uint32_t slot) {
  const SehAccess access;
  return Data(offset, slot);
}
void TestEnclave::Write(uint32_t offset, uint64_t value, uint32_t slot) {
  const SehAccess access;
  Data(offset, slot) = value;
}
uint64_t TestEnclave::General(uint32_t offset, uint32_t index) {
  const SehAccess access;
  return *reinterpret_cast<uint64_t*>(reinterpret_cast<std::byte*>(slot(index)) + BLOB_GENERAL +
                                      offset);
}

void TestEnclave::FillWanted(uint32_t slot, uint64_t seed) {
  const SehAccess access;
  for (uint32_t offset = 0; offset < BLOB_GENERAL_FLAGS; offset += 8) {
    Data(BLOB_WANTED + offset, slot) = Random(seed);
  }
  Data(BLOB_WANTED + 0x10, slot) = 0;  // rcx counts down
  constexpr uint64_t kArithmeticAndDirection = 0xcd5;
  Data(BLOB_WANTED + BLOB_GENERAL_FLAGS, slot) = 0x202 | (Random(seed) & kArithmeticAndDirection);

  // x87 registers of ten bytes in sixteen, sixteen SSE registers, then whatever else there is.
  std::byte* xsave = DataBytes(BLOB_WANTED_XSAVE, slot);
  const uint16_t fcw = 0x0b7f;
  const uint8_t tags = 0xff;
  const uint32_t mxcsr = 0x5f80;
  memcpy(xsave, &fcw, sizeof(fcw));
  memcpy(xsave + 4, &tags, sizeof(tags));
  memcpy(xsave + 24, &mxcsr, sizeof(mxcsr));
  const uint32_t size = CurrentProcess().cpu.xsave_size;
  CHECK(size <= BLOB_XSAVE_SIZE);
  for (uint32_t offset = 32; offset < size; offset += 8) {
    uint64_t value = HoldsRegisters(offset) ? Random(seed) : 0;
    if (offset < 160 && offset % 16 == 8) {
      value &= 0xffff;
    }
    memcpy(xsave + offset, &value, sizeof(value));
  }
  memcpy(xsave + 512, &CurrentProcess().cpu.xcr0, sizeof(uint64_t));
}

}  // namespace nsgx::sim
