// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/signal_frame.h"

#include <cstddef>
#include <cstring>
#include <span>

#include "base/core/bytes.h"
#include "libos/kernel/entry.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {
namespace {

// struct sigcontext of Linux. The registers are in the order of nsgx_frame.
struct SignalContext {
  uint64_t registers[18];  // r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags
  uint16_t cs, gs, fs, ss;
  uint64_t error_code;
  uint64_t vector;
  uint64_t old_mask;
  uint64_t fault_address;
  uint64_t fpstate;  // address of an XSAVE area, or 0
  uint64_t reserved[8];
};
static_assert(sizeof(SignalContext) == 256);

// struct ucontext and struct rt_sigframe.
struct SignalUserContext {
  uint64_t flags;
  uint64_t link;
  SignalStack stack;
  SignalContext context;
  uint64_t blocked;
};
struct SignalFrame {
  uint64_t return_address;
  SignalUserContext user_context;
  SignalInfo info;
};
static_assert(offsetof(SignalUserContext, context) == 40);
static_assert(sizeof(SignalUserContext) == 304);

constexpr uint64_t kFlagXstate = 1;        // UC_FP_XSTATE
constexpr uint64_t kContextFlags = 2 | 4;  // UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS

// The part of an FXSAVE area that Linux uses to say that an XSAVE area it is.
struct XsaveSoftware {
  uint32_t magic;
  uint32_t extended_size;
  uint64_t components;
  uint32_t xsave_size;
  uint32_t reserved[7];
};
static_assert(sizeof(XsaveSoftware) == 48);
constexpr uint64_t kSoftwareOffset = 464;
constexpr uint32_t kMagic1 = 0x46505853, kMagic2 = 0x46505845;
constexpr uint64_t kFxsaveSize = 512, kXsaveHeaderSize = 64;
constexpr uint64_t kMxcsrOffset = 24;
constexpr uint64_t kLegacyComponents = 3;  // x87 and SSE

constexpr uint64_t kRedZone = 128;
constexpr uint64_t kUserFlags = 0x240dd5;         // ID, AC, OF, DF, TF, SF, ZF, AF, PF, CF
constexpr uint64_t kFixedFlags = 0x202;           // IF and the bit that is always set
constexpr uint64_t kClearedForHandler = 0x10500;  // RF, DF, TF
constexpr uint16_t kUserCodeSelector = 0x33, kUserDataSelector = 0x2b;

uint64_t AlignDown64(uint64_t value) { return value & ~uint64_t{63}; }

// Of what follows a frame's registers: an XSAVE area, or an FXSAVE image.
uint64_t XsaveSize() { return libos_frame_size - NSGX_FRAME_XSAVE; }
bool HasXsave() { return libos_xsave_mask != 0; }

// MXCSR bits that this processor has; setting another one faults. Read from an FXSAVE image, where
// zero means the default.
uint32_t MxcsrMask(const uint8_t* xsave) {
  uint32_t mask;
  memcpy(&mask, xsave + 28, sizeof(mask));
  return mask != 0 ? mask : 0xffbf;
}

// Reads the extended state that lies at `fpstate` in the program's memory. Whatever is there,
// nothing may come of it that XRSTOR or FXRSTOR refuses.
Result<void, Errno> ReadExtended(uint8_t* xsave, uint64_t fpstate) {
  const uint32_t mxcsr_mask = MxcsrMask(xsave);
  TRY(CopyFromUser(std::span(reinterpret_cast<std::byte*>(xsave), kFxsaveSize), fpstate));
  if (HasXsave()) {
    memset(xsave + kFxsaveSize, 0, kXsaveHeaderSize);
    XsaveSoftware software;
    memcpy(&software, xsave + kSoftwareOffset, sizeof(software));
    uint64_t components = kLegacyComponents;
    if (software.magic == kMagic1 && software.xsave_size <= XsaveSize() &&
        software.xsave_size >= kFxsaveSize + kXsaveHeaderSize) {
      TRY(CopyFromUser(std::span(reinterpret_cast<std::byte*>(xsave) + kFxsaveSize,
                                 software.xsave_size - kFxsaveSize),
                       fpstate + kFxsaveSize));
      memcpy(&components, xsave + kFxsaveSize, sizeof(components));
    }
    memset(xsave + kFxsaveSize, 0, kXsaveHeaderSize);
    components &= libos_xsave_mask;
    memcpy(xsave + kFxsaveSize, &components, sizeof(components));
  }
  uint32_t mxcsr;
  memcpy(&mxcsr, xsave + kMxcsrOffset, sizeof(mxcsr));
  mxcsr &= mxcsr_mask;
  memcpy(xsave + kMxcsrOffset, &mxcsr, sizeof(mxcsr));
  return {};
}

// Makes it what a program starts with.
void ResetExtended(uint8_t* xsave) {
  constexpr uint16_t kInitialControl = 0x37f;
  constexpr uint32_t kInitialMxcsr = 0x1f80;
  memset(xsave, 0, kFxsaveSize);
  memcpy(xsave, &kInitialControl, sizeof(kInitialControl));
  memcpy(xsave + kMxcsrOffset, &kInitialMxcsr, sizeof(kInitialMxcsr));
  if (HasXsave()) {
    // No bit set: every component has its initial state.
    memset(xsave + kFxsaveSize, 0, kXsaveHeaderSize);
  }
}

}  // namespace

uint64_t SignalFrameSize() {
  return sizeof(SignalFrame) + XsaveSize() + sizeof(kMagic2) + 64 + 16 + kRedZone;
}

bool PushSignalFrame(nsgx_frame& frame, const SignalInfo& info, const SignalAction& action,
                     SignalSet blocked, SignalStack& stack) {
  uint64_t top = frame.rsp - kRedZone;
  const bool on_signal_stack = stack.flags != kSsDisable && stack.Holds(frame.rsp);
  if ((action.flags & kSaOnStack) != 0 && (stack.flags & kSsDisable) == 0 && !on_signal_stack) {
    top = stack.base + stack.size;
  }
  const uint64_t xsave_size = frame.xsave_size;
  const uint64_t fpstate = AlignDown64(top - xsave_size - sizeof(kMagic2));
  // A handler expects the stack pointer as after a call: 8 modulo 16.
  const uint64_t address = ((fpstate - sizeof(SignalFrame)) & ~uint64_t{15}) - 8;

  // All zero: an FXSAVE image and no more.
  XsaveSoftware software = {};
  if (HasXsave()) {
    software.magic = kMagic1;
    software.extended_size = static_cast<uint32_t>(xsave_size + sizeof(kMagic2));
    software.components = libos_xsave_mask;
    software.xsave_size = static_cast<uint32_t>(xsave_size);
  }

  SignalFrame out = {};
  out.return_address = action.restorer;
  out.user_context.flags = kContextFlags | (HasXsave() ? kFlagXstate : 0);
  out.user_context.stack = stack;
  if (out.user_context.stack.flags != kSsDisable && on_signal_stack) {
    out.user_context.stack.flags |= kSsOnStack;
  }
  SignalContext& context = out.user_context.context;
  memcpy(context.registers, &frame, sizeof(context.registers));
  context.cs = kUserCodeSelector;
  context.ss = kUserDataSelector;
  context.error_code = frame.error_code;
  context.vector = frame.cause;
  context.fault_address = frame.address;
  context.fpstate = fpstate;
  out.user_context.blocked = blocked.bits();
  out.info = info;

  const std::span<const std::byte> xsave(reinterpret_cast<const std::byte*>(frame.xsave),
                                         xsave_size);
  if (!CopyToUser(fpstate, xsave).ok() ||
      !CopyToUser(fpstate + kSoftwareOffset, BytesOf(software)).ok() ||
      (HasXsave() && !CopyToUser(fpstate + xsave_size, BytesOf(kMagic2)).ok()) ||
      !CopyToUser(address, std::as_bytes(std::span(&out, 1))).ok()) {
    return false;
  }
  if ((stack.flags & kSsAutoDisarm) != 0) {
    stack = {.base = 0, .flags = kSsDisable, .padding = 0, .size = 0};
  }
  frame.rip = action.handler;
  frame.rsp = address;
  frame.rdi = static_cast<uint64_t>(info.signal);
  frame.rsi = address + offsetof(SignalFrame, info);
  frame.rdx = address + offsetof(SignalFrame, user_context);
  frame.rax = 0;
  frame.rflags = (frame.rflags & ~kClearedForHandler) | kFixedFlags;
  return true;
}

Result<RestoredSignalFrame, Errno> PopSignalFrame(nsgx_frame& frame, uint64_t rsp) {
  SignalUserContext user_context;
  TRY(CopyFromUser(std::as_writable_bytes(std::span(&user_context, 1)), rsp));
  const SignalContext& context = user_context.context;
  memcpy(static_cast<void*>(&frame), context.registers, sizeof(context.registers));
  frame.rflags = (frame.rflags & kUserFlags) | kFixedFlags;

  if (context.fpstate != 0) {
    TRY(ReadExtended(frame.xsave, context.fpstate));
  } else {
    ResetExtended(frame.xsave);
  }
  return RestoredSignalFrame{.blocked = SignalSet(user_context.blocked),
                             .stack = user_context.stack};
}

}  // namespace nsgx::libos
