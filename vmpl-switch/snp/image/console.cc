// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/console.h"

#include <array>
#include <string_view>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/format.h"
#include "base/core/log.h"
#include "vmpl-switch/snp/cpu/ghcb.h"
#include "vmpl-switch/snp/cpu/per_cpu.h"
#include "vmpl-switch/snp/cpu/termination.h"

namespace nsgx {
namespace {

constexpr uint16_t kSerialPort = 0x3f8;

constinit bool g_is_started = false;

}  // namespace

bool LogEnabled(LogLevel) { return g_is_started; }

void LogWrite(LogLevel, std::string_view line) {
  std::array<char, kLogLineSize + 16> buffer;
  TextBuffer out(buffer);
  out.Append("[SEH] ");
  out.Append(line);
  out.Append("\r\n");
  // A host that swallows the log hurts only whoever reads it. A processor that dies before it has
  // a page dies without words.
  snp::Ghcb* ghcb = snp::ThisCpu().ghcb;
  if (ghcb != nullptr) {
    static_cast<void>(ghcb->WritePortText(kSerialPort, BytesOf(out.text())).ok());
  }
}

void CheckFailed(const char* file, int line, const char* what) {
  LOG(kError, file, ":", line, ": check failed: ", what);
  snp::Terminate(snp::Termination::kCheckFailed);
}

namespace snp {

void StartConsole() { g_is_started = true; }

}  // namespace snp
}  // namespace nsgx
