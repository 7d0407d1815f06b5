// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/format.h"

namespace nsgx {

enum class LogLevel : uint8_t {
  kError,    // Something that was asked for did not happen.
  kWarning,  // It happened, but not in the way or with the protection one would expect.
  kNotice,   // Once a run, for everybody: what this is and how it is set up.
  kInfo,     // For who operates it: life cycle of enclaves and devices.
  kVerbose,  // For who debugs it; the only level that may carry secrets, see LOG.
};

// The longest line that reaches a backend; the rest of a longer one is dropped.
inline constexpr size_t kLogLineSize = 240;

// A facade: each world links exactly one backend (see `check.h`).

// Returns whether lines of `level` are wanted now. Cheap; called before arguments are evaluated.
bool LogEnabled(LogLevel level);

// Writes one line, given without a newline. It holds no control characters. May be called from any
// context that the backend's world says; never fails.
void LogWrite(LogLevel level, std::string_view line);

// Puts the texts of `arguments` together into one bounded line and writes it. Use LOG.
template <typename... Arguments>
void LogLine(LogLevel level, const Arguments&... arguments) {
  std::array<char, kLogLineSize> buffer;
  TextBuffer line(buffer);
  (AppendText(line, arguments), ...);
  // Names and messages may come from outside; they must not forge lines or move a terminal.
  for (size_t i = 0; i < line.size(); ++i) {
    if (static_cast<unsigned char>(buffer[i]) < 0x20 || buffer[i] == 0x7f) {
      buffer[i] = '?';
    }
  }
  LogWrite(level, line.text());
}

#ifdef NSGX_LOG_VERBOSE
inline constexpr LogLevel kMaxLogLevel = LogLevel::kVerbose;
#else
inline constexpr LogLevel kMaxLogLevel = LogLevel::kInfo;
#endif

}  // namespace nsgx

// Logs one line: LOG(kInfo, "enclave ", id, " at ", address). Arguments are anything `format.h`
// has an AppendText for, and are evaluated only when the line is wanted. kVerbose lines are not
// even compiled into an image that is not built with NSGX_LOG_VERBOSE, so that images for
// production cannot print what only debugging may see.
#define LOG(level, ...)                                              \
  do {                                                               \
    if constexpr (::nsgx::LogLevel::level <= ::nsgx::kMaxLogLevel) { \
      if (::nsgx::LogEnabled(::nsgx::LogLevel::level)) {             \
        ::nsgx::LogLine(::nsgx::LogLevel::level, __VA_ARGS__);       \
      }                                                              \
    }                                                                \
  } while (false)
