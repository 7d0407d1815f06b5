// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/panic.h"

#include <array>
#include <string_view>

#include "base/core/check.h"
#include "base/core/format.h"
#include "base/core/log.h"
#include "libos/host/host.h"
#include "libos/kernel/cpu.h"
#include "vmpl-switch/abi/gate.h"

namespace nsgx {

bool LogEnabled(LogLevel level) { return level <= LogLevel::kNotice; }

// May be called with locks held only where a moment without this vCPU does no harm: it is a host
// call.
void LogWrite(LogLevel level, std::string_view line) {
  const libos::host::LogLevel at = level == LogLevel::kError     ? libos::host::LogLevel::kError
                                   : level == LogLevel::kWarning ? libos::host::LogLevel::kWarning
                                                                 : libos::host::LogLevel::kInfo;
  libos::host::Log(at, line);
}

void CheckFailed(const char* file, int line, const char* what) {
  std::array<char, kLogLineSize> buffer;
  TextBuffer out(buffer);
  out.Append(file);
  out.Append(':');
  out.AppendSignedDecimal(line);
  out.Append(": check failed: ");
  out.Append(what);
  libos::host::Log(libos::host::LogLevel::kError, out.text());
  libos::host::Done(NSGX_DONE_PANIC, 0);
}

namespace libos {
namespace {

constinit AddressRange image = {};

}  // namespace

void SetImageRange(AddressRange range) { image = range; }
AddressRange ImageRange() { return image; }

void AppendText(TextBuffer& out, const CodeAddress& code) {
  if (code.address - image.base < image.size) {
    out.Append("image+");
    nsgx::AppendText(out, Hex{code.address - image.base});
  } else {
    nsgx::AppendText(out, Hex{code.address});
  }
}

void Panic(const char* what) {
  LOG(kError, "library OS: ", what);
  host::Done(NSGX_DONE_PANIC, 0);
}

void PanicAtFrame(const char* what, const nsgx_frame& frame, uint64_t cause) {
  LOG(kError, "library OS: ", what, ": cause ", cause, " at ", CodeAddress{frame.rip}, ", address ",
      Hex{frame.address}, ", stack ", Hex{frame.rsp});
  host::Done(NSGX_DONE_PANIC, 0);
}

}  // namespace libos
}  // namespace nsgx
