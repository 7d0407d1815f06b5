// SPDX-License-Identifier: Apache-2.0
// The enclave's side: libos/host/host.h over the gate.
#include <algorithm>
#include <array>

#include "base/core/check.h"
#include "libos/host/host.h"
#include "syscall-shim/hostcall/gate_calls.h"
#include "vmpl-switch/abi/gate.h"

namespace nsgx::libos::host {
namespace {

using shim::HostCall;

// A call that is answered by the SEH or the machine itself, not by a host call's server.
int64_t CallGate(uint64_t call, uint64_t a0 = 0, uint64_t a1 = 0) {
  using Gate = int64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
  return reinterpret_cast<Gate>(ThisSlot().gate)(call, a0, a1, 0, 0, 0);
}

// Linux's POLL* bits.
constexpr uint32_t kPollReadable = 0x001;
constexpr uint32_t kPollWritable = 0x004;
// What host_calls.def lets `wait` fill in.
constexpr size_t kWaitRoom = 256;
static_assert(kSignalSource == shim::kSignalSource && kOutsideSignals == shim::kOutsideSignals);
static_assert(kSocketSource == shim::kSocketSource && kMaxSockets == shim::kMaxSockets);

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

size_t Wait(std::span<const Watch> watch, bool for_signals, std::span<Ready> ready,
            uint64_t deadline_ns) {
  std::array<shim::WaitRecord, 32> records;
  CHECK(watch.size() < records.size());
  for (size_t i = 0; i < watch.size(); ++i) {
    records[i] = {static_cast<uint32_t>(watch[i].stream),
                  watch[i].for_write ? kPollWritable : kPollReadable};
  }
  records[watch.size()] = {kSignalSource, kOutsideSignals};
  const auto used = std::span(records).first(watch.size() + (for_signals ? 1 : 0));
  if (!CopyToWindow(std::as_bytes(used)).ok()) {
    return 0;
  }
  const size_t room =
      std::min({ready.size(), size_t{kWaitRoom}, Window().size() / sizeof(shim::WaitRecord)});
  // Whatever is wrong with the reply, it tells nothing and costs the caller another look.
  const size_t count = static_cast<size_t>(CallWait({used.size(), room, deadline_ns}).value_or(0u));
  size_t legal = 0;
  bool sockets_have_come = false;
  for (size_t i = 0; i < count; ++i) {
    const Result<shim::WaitRecord> record =
        Window().CopyInObject<shim::WaitRecord>(i * sizeof(shim::WaitRecord));
    if (!record.ok()) {
      break;
    }
    const auto [source, events] = record.value();
    const bool is_socket = source >= kSocketSource && source - kSocketSource < kMaxSockets;
    const bool is_signals = for_signals && source == kSignalSource;
    const bool is_known =
        is_socket ||
        (!sockets_have_come && (is_signals || std::ranges::any_of(watch, [&](const Watch& asked) {
                                  return static_cast<uint32_t>(asked.stream) == source;
                                })));
    if (!is_known || (events & ~(is_signals ? kOutsideSignals : shim::kSourceEvents)) != 0) {
      static_cast<void>(IllegalContents(HostCall::kWait));
      break;
    }
    sockets_have_come = is_socket;
    ready[legal++] = {.source = source, .events = events};
  }
  return legal;
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
