// SPDX-License-Identifier: Apache-2.0
#include "syscall-shim/hostcall/gate_calls.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/core/format.h"
#include "libos/host/host.h"

namespace nsgx::libos::host {

using shim::HostCall;
using shim::HostCallInfo;
using shim::HostCallValues;

nsgx_slot& ThisSlot() {
  nsgx_slot* slot;
  asm volatile("movq %%gs:%c1, %0" : "=r"(slot) : "i"(NSGX_SLOT_SELF));
  return *slot;
}

std::span<std::byte> WindowMemory() {
  const nsgx_slot& slot = ThisSlot();
  return {reinterpret_cast<std::byte*>(slot.window), slot.window_size};
}

Result<size_t, Errno> PartOf(size_t size, HostCall call, size_t argument) {
  const uint64_t limit = shim::InfoOf(call).arguments[argument].limit;
  const size_t part = std::min({size, static_cast<size_t>(limit), Window().size()});
  if (part == 0) {
    return Error(Errno::kEIO);
  }
  return part;
}

Result<void, Errno> CopyToWindow(std::span<const std::byte> data, size_t offset) {
  return Window().CopyOut(offset, data).transform_error([](Status) { return Errno::kEIO; });
}
Result<void, Errno> CopyFromWindow(std::span<std::byte> data, size_t offset) {
  return Window().CopyIn(offset, data).transform_error([](Status) { return Errno::kEIO; });
}

Result<uint64_t, Errno> Judge(HostCall host_call, const HostCallValues& values, int64_t reply) {
  const HostCallInfo& call = shim::InfoOf(host_call);
  if (shim::IsLegalReply(call, values, reply)) {
    if (reply < 0) {
      return Error(static_cast<Errno>(-reply));
    }
    return static_cast<uint64_t>(reply);
  }
  if (host_call != HostCall::kLog) {  // else there is nobody to tell
    std::array<char, 256> buffer;
    TextBuffer line(buffer);
    line.Append("the host gave an illegal answer, which is not used: ");
    shim::AppendText(line, shim::TracedHostCall{call, values, reply});
    Log(LogLevel::kWarning, line.text());
  }
  return Error(Errno::kEIO);
}

Error<Errno> IllegalContents(HostCall host_call) {
  std::array<char, 128> buffer;
  TextBuffer line(buffer);
  line.Append("the host gave an illegal answer, which is not used: contents of ");
  line.Append(shim::InfoOf(host_call).name);
  Log(LogLevel::kWarning, line.text());
  return Error(Errno::kEIO);
}

}  // namespace nsgx::libos::host
