// SPDX-License-Identifier: Apache-2.0
// The enclave's side: libos/host/host.h over the gate. Data goes through the slot's shared window
// and is copied once; a reply that host_calls.def does not allow is EIO and a warning, never a
// value that somebody uses.
//
// Each function requires that its caller cannot lose the vCPU in the middle, since the window is
// the vCPU's: ticks are off (slot.irq_off) wherever there could be one.
#include <algorithm>
#include <array>

#include "base/core/check.h"
#include "base/core/format.h"
#include "base/core/untrusted.h"
#include "libos/host/host.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/slot.h"

extern "C" {

#define HOST_CALL(number, name, Name, ...) \
  int64_t nsgx_host_call_##name(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
#include "syscall-shim/hostcall/host_calls.def"
#undef HOST_CALL

}  // extern "C"

namespace nsgx::libos::host {
namespace {

using shim::HostCall;
using shim::HostCallInfo;
using shim::HostCallValues;

nsgx_slot& ThisSlot() {
  nsgx_slot* slot;
  asm volatile("movq %%gs:%c1, %0" : "=r"(slot) : "i"(NSGX_SLOT_SELF));
  return *slot;
}

// Where the window lies was told by the SEH; what is in it, the host can change at any time.
UntrustedBytes Window() {
  const nsgx_slot& slot = ThisSlot();
  return UntrustedBytes(reinterpret_cast<volatile std::byte*>(slot.window), slot.window_size);
}

// Returns how many bytes of `size`, which is not 0, one call can carry.
//
// Errors: EIO  the loader gave this slot no window.
Result<size_t, Errno> PartOf(size_t size, HostCall call, size_t argument) {
  const uint64_t limit = shim::InfoOf(call).arguments[argument].limit;
  const size_t part = std::min({size, static_cast<size_t>(limit), Window().size()});
  if (part == 0) {
    return Error(Errno::kEIO);
  }
  return part;
}

// Errors: EIO  the window is smaller than that.
Result<void, Errno> CopyToWindow(std::span<const std::byte> data) {
  return Window().CopyOut(0, data).transform_error([](Status) { return Errno::kEIO; });
}
Result<void, Errno> CopyFromWindow(std::span<std::byte> data) {
  return Window().CopyIn(0, data).transform_error([](Status) { return Errno::kEIO; });
}

// A call that is answered by the SEH or the machine itself, not by a host call's server.
int64_t CallGate(uint64_t call, uint64_t a0 = 0, uint64_t a1 = 0) {
  using Gate = int64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
  return reinterpret_cast<Gate>(ThisSlot().gate)(call, a0, a1, 0, 0, 0);
}

void WarnOfIllegalReply(const HostCallInfo& call, const HostCallValues& values, int64_t reply) {
  if (call.number == static_cast<uint32_t>(HostCall::kLog)) {
    return;  // There is nobody to tell.
  }
  std::array<char, 256> buffer;
  TextBuffer line(buffer);
  line.Append("the host gave an illegal answer, which is not used: ");
  shim::AppendText(line, shim::TracedHostCall{call, values, reply});
  Log(LogLevel::kWarning, line.text());
}

// Judges a reply. kEIO stands for an illegal one.
Result<uint64_t, Errno> Judge(HostCall host_call, const HostCallValues& values, int64_t reply) {
  const HostCallInfo& call = shim::InfoOf(host_call);
  if (!shim::IsLegalReply(call, values, reply)) {
    WarnOfIllegalReply(call, values, reply);
    return Error(Errno::kEIO);
  }
  if (reply < 0) {
    return Error(static_cast<Errno>(-reply));
  }
  return static_cast<uint64_t>(reply);
}

// Makes call NAME and judges its reply. One function for each call, so that only the stubs of those
// in use are linked.
#define HOST_CALL(number, name, Name, ...)                                            \
  [[maybe_unused]] Result<uint64_t, Errno> Call##Name(const HostCallValues& values) { \
    return Judge(HostCall::k##Name, values,                                           \
                 nsgx_host_call_##name(values[0], values[1], values[2], values[3]));  \
  }
#include "syscall-shim/hostcall/host_calls.def"
#undef HOST_CALL

}  // namespace

Result<size_t, Errno> StreamRead(Stream stream, std::span<std::byte> out) {
  if (out.empty()) {
    return size_t{0};
  }
  const size_t size = TRY(PartOf(out.size(), HostCall::kStreamRead, 1));
  const size_t count = TRY(CallStreamRead({static_cast<uint64_t>(stream), size}));
  TRY(CopyFromWindow(out.first(count)));
  return count;
}

Result<size_t, Errno> StreamWrite(Stream stream, std::span<const std::byte> data) {
  if (data.empty()) {
    return size_t{0};
  }
  const size_t size = TRY(PartOf(data.size(), HostCall::kStreamWrite, 1));
  TRY(CopyToWindow(data.first(size)));
  return TRY(CallStreamWrite({static_cast<uint64_t>(stream), size}));
}

Result<StreamInfo, Errno> StreamQuery(Stream stream) {
  const uint64_t reply = TRY(CallStreamQuery({static_cast<uint64_t>(stream)}));
  return StreamInfo{
      .is_terminal = (reply & shim::kStreamIsTerminal) != 0,
      .rows = static_cast<uint16_t>(reply >> shim::kStreamRowsShift),
      .columns = static_cast<uint16_t>(reply >> shim::kStreamColumnsShift),
  };
}

uint32_t Wait(std::span<const Watch> watch, uint64_t deadline_ns) {
  std::array<shim::WaitRecord, 32> records;
  CHECK(watch.size() <= records.size());
  for (size_t i = 0; i < watch.size(); ++i) {
    records[i] = {static_cast<uint32_t>(watch[i].stream), watch[i].for_write ? 1u : 0u};
  }
  const auto used = std::span(records).first(watch.size());
  if (!CopyToWindow(std::as_bytes(used)).ok()) {
    return 0;
  }
  // Whatever is wrong with the reply, it tells nothing and costs the caller another look.
  return static_cast<uint32_t>(CallWait({watch.size(), deadline_ns}).value_or(0u));
}

void Idle(uint64_t deadline_ns) { CallGate(NSGX_GATE_IDLE, deadline_ns); }

void WakeVcpu(uint32_t slot) { CallGate(NSGX_GATE_WAKE, slot); }

Result<void, Errno> StartVcpu(uint32_t slot) {
  TRY(CallStartVcpu({slot}));
  return {};
}

void SetTick(uint32_t microseconds) {
  // A host that gives no ticks could as well not deliver them, so there is nothing to do about a
  // failure.
  static_cast<void>(CallSetTick({microseconds}));
}

uint64_t WallClock() { return CallWallClock({}).value_or(0u); }

void Log(LogLevel level, std::span<const char> line) {
  const auto part = PartOf(line.size(), HostCall::kLog, 1);
  if (!part.ok() || !CopyToWindow(std::as_bytes(line.first(part.value()))).ok()) {
    return;
  }
  static_cast<void>(CallLog({static_cast<uint64_t>(level), part.value()}));
}

Result<size_t, Errno> CertificateChain(std::span<std::byte> out) {
  // One more byte is asked for than there is room, so that a chain that does not fit is not taken
  // for one that ends there.
  for (size_t offset = 0;;) {
    std::byte excess;
    std::span<std::byte> room = out.subspan(offset);
    if (room.empty()) {
      room = std::span(&excess, 1);
    }
    const size_t size = TRY(PartOf(room.size(), HostCall::kCertificateChain, 1));
    const size_t count = TRY(CallCertificateChain({offset, size}));
    if (count == 0) {
      return offset;
    }
    if (offset == out.size()) {
      return Error(Errno::kEOVERFLOW);
    }
    TRY(CopyFromWindow(room.first(count)));
    offset += count;
  }
}

void Done(uint32_t kind, uint32_t code) {
  // The SEH does not come back from this. Should it do so nevertheless, the program must not go on.
  for (;;) {
    CallGate(NSGX_GATE_DONE, kind, code);
    asm volatile("ud2");
  }
}

}  // namespace nsgx::libos::host
