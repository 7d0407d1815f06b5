// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/panic.h"

#include <array>
#include <span>
#include <string_view>

#include "base/core/check.h"
#include "base/core/format.h"
#include "base/core/log.h"
#include "libos/host/host.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/signal.h"
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

struct CodeAddress {
  uint64_t address;
};
void AppendText(TextBuffer& out, const CodeAddress& code) {
  if (code.address - image.base < image.size) {
    out.Append("image+");
    nsgx::AppendText(out, Hex{code.address - image.base});
  } else {
    nsgx::AppendText(out, Hex{code.address});
  }
}

constexpr std::string_view kNames[] = {
    "0",    "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};

struct SignalName {
  int32_t signal;
};
void AppendText(TextBuffer& out, SignalName name) {
  out.Append("SIG");
  if (static_cast<size_t>(name.signal) < std::size(kNames)) {
    out.Append(kNames[name.signal]);
  } else {
    out.Append("RT");
    out.AppendSignedDecimal(name.signal);
  }
}

std::string_view FaultReason(const SignalInfo& info) {
  return info.code == kSegvMapErr   ? " (not mapped)"
         : info.code == kSegvAccErr ? " (no such right)"
                                    : "";
}

}  // namespace

void SetImageRange(AddressRange range) { image = range; }
AddressRange ImageRange() { return image; }

void Panic(const char* what) {
  LOG(kError, "library OS: ", what);
  host::Done(NSGX_DONE_PANIC, 0);
}

void PanicAtFrame(const char* what, const nsgx_frame& frame, uint64_t cause) {
  LOG(kError, "library OS: ", what, ": cause ", cause, " at ", CodeAddress{frame.rip}, ", address ",
      Hex{frame.address}, ", stack ", Hex{frame.rsp});
  host::Done(NSGX_DONE_PANIC, 0);
}

void DieBySignal(const SignalInfo& info, const nsgx_frame* frame) {
  const int32_t tid = CurrentThread().tid;
  if (frame != nullptr && kSynchronous.Contains(info.signal)) {
    LOG(kError, "killed by ", SignalName{info.signal}, " at ", CodeAddress{frame->rip},
        ", address ", Hex{info.fault.address}, FaultReason(info), ", stack ", Hex{frame->rsp},
        ", thread ", tid);
  } else {
    LOG(kError, "killed by ", SignalName{info.signal}, ", thread ", tid);
  }
  host::Done(NSGX_DONE_SIGNAL, static_cast<uint32_t>(info.signal));
}

}  // namespace libos
}  // namespace nsgx
