// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/vc_delivery.h"

#include "base/core/bytes.h"

namespace nsgx::emu {
namespace {

struct Gate {
  uint64_t low;
  uint64_t high;
};
constexpr uint64_t kGatePresent = uint64_t{1} << 47;
constexpr unsigned kInterruptGate = 0xe;
constexpr unsigned kTrapGate = 0xf;

struct Frame {
  uint64_t error_code;
  uint64_t rip, cs, rflags, rsp, ss;
};

// In a task-state segment.
constexpr uint64_t kRsp0Offset = 4;
constexpr uint64_t kIst1Offset = 0x24;

constexpr uint16_t kCode64Ring0 = 0xa9b;
constexpr uint16_t kNullStack = 0xc93;
constexpr uint64_t kStackAlignment = 16;

Error<SpaceFault> Unusable() { return Error(SpaceFault{.kind = SpaceFault::Kind::kPageFault}); }

Result<uint64_t, SpaceFault> ReadStackPointer(const GuestSpace& space, const VmcbSave& state,
                                              uint64_t offset) {
  if (offset + sizeof(uint64_t) > uint64_t{state.tr.limit} + 1) {
    return Unusable();
  }
  uint64_t pointer;
  TRY(space.Read(GuestVirt(state.tr.base + offset), MutableBytesOf(pointer)));
  return pointer;
}

}  // namespace

Result<void, SpaceFault> DeliverVc(const GuestSpace& space, VmcbSave& state, uint64_t error_code) {
  if ((state.efer & kEferLongActive) == 0) {
    return Error(SpaceFault{.kind = SpaceFault::Kind::kUnsupported});
  }
  constexpr uint64_t kOffset = SNP_VECTOR_VC * sizeof(Gate);
  if (kOffset + sizeof(Gate) > uint64_t{state.idtr.limit} + 1) {
    return Unusable();
  }
  Gate gate;
  TRY(space.Read(GuestVirt(state.idtr.base + kOffset), MutableBytesOf(gate)));
  const unsigned type = gate.low >> 40 & 0xf;
  if ((gate.low & kGatePresent) == 0 || (type != kInterruptGate && type != kTrapGate)) {
    return Unusable();
  }

  uint64_t stack = state.rsp;
  const uint64_t ist = gate.low >> 32 & 7;
  if (ist != 0) {
    stack = TRY(ReadStackPointer(space, state, kIst1Offset + (ist - 1) * sizeof(uint64_t)));
  } else if (state.cpl != 0) {
    stack = TRY(ReadStackPointer(space, state, kRsp0Offset));
  }
  stack &= ~(kStackAlignment - 1);

  const Frame frame = {.error_code = error_code,
                       .rip = state.rip,
                       .cs = state.cs.selector,
                       .rflags = state.rflags,
                       .rsp = state.rsp,
                       .ss = state.ss.selector};
  stack -= sizeof(frame);
  TRY(space.Write(GuestVirt(stack), BytesOf(frame)));

  state.rsp = stack;
  state.rip = (gate.low & 0xffff) | (gate.low >> 48) << 16 | gate.high << 32;
  state.rflags &= ~(kRflagsTrap | kRflagsNestedTask | kRflagsResume | kRflagsVirtual8086);
  if (type == kInterruptGate) {
    state.rflags &= ~kRflagsInterrupts;
  }
  state.cs = {.selector = static_cast<uint16_t>(gate.low >> 16 & 0xfffc),
              .attributes = kCode64Ring0,
              .limit = 0xffffffff,
              .base = 0};
  if (state.cpl != 0) {
    state.ss = {.selector = 0, .attributes = kNullStack, .limit = 0xffffffff, .base = 0};
  }
  state.cpl = 0;
  return {};
}

}  // namespace nsgx::emu
