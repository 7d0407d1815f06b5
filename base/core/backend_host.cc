// SPDX-License-Identifier: Apache-2.0
// Backend of the check and log facades for programs that have a libc: host tests and native tools.
// The environment variable NSGX_LOG names the most talkative level wanted: error, warning, notice
// (the default), info, verbose.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "base/core/check.h"
#include "base/core/format.h"
#include "base/core/log.h"

namespace nsgx {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"error", "warning", "notice", "info",
                                                         "verbose"};

// One write for the whole line, so that lines of several threads and processes do not mix.
void WriteToStderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) {
      return;  // Nowhere to complain to.
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
}

LogLevel WantedLevel() {
  const char* wanted = getenv("NSGX_LOG");
  if (wanted != nullptr) {
    for (size_t i = 0; i < kLevelNames.size(); ++i) {
      if (kLevelNames[i] == wanted) {
        return static_cast<LogLevel>(i);
      }
    }
  }
  return LogLevel::kNotice;
}

}  // namespace

bool LogEnabled(LogLevel level) { return level <= WantedLevel(); }

void LogWrite(LogLevel level, std::string_view line) {
  std::array<char, kLogLineSize + 32> buffer;
  TextBuffer out(buffer);
  out.Append("nsgx: ");
  out.Append(kLevelNames[static_cast<size_t>(level)]);
  out.Append(": ");
  out.Append(line);
  out.Append('\n');
  WriteToStderr(out.text());
}

void CheckFailed(const char* file, int line, const char* what) {
  std::array<char, 512> buffer;
  TextBuffer out(buffer);
  out.Append("nsgx: ");
  out.Append(file);
  out.Append(':');
  out.AppendSignedDecimal(line);
  out.Append(": check failed: ");
  out.Append(what);
  out.Append('\n');
  WriteToStderr(out.text());
  abort();
}

}  // namespace nsgx
