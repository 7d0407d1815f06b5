// SPDX-License-Identifier: Apache-2.0
// The command line of nsgx-run.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/cli/tool.h"
#include "enclave-loader/emu/emu.h"
#include "enclave-loader/host/hostile.h"
#include "enclave-loader/trace/filter.h"
#include "enclave-loader/trace/tracer.h"

namespace nsgx::loader {

extern const Tool kRunTool;

// What nsgx-run itself may end with; all else is the program's own status.
inline constexpr int kOurFailure = 125;
inline constexpr int kImageRefused = 126;
inline constexpr int kImageNotFound = 127;
inline constexpr int kKilledBySignal = 128;  // plus the signal's number

// As libos::host::LogLevel.
inline constexpr uint32_t kWarningLevel = 1;
inline constexpr uint32_t kInfoLevel = 2;
inline constexpr uint32_t kTraceLevel = 3;
inline constexpr uint32_t kCoreLevel = 4;
inline constexpr uint32_t kCountsLevel = 5;

enum class Request : uint8_t { kRun, kHelp, kVersion, kMan };
// What plays the machine. kAuto: kSnp where there is /dev/nsgx, else kSim.
enum class Machine : uint8_t { kAuto, kSim, kSnp, kEmu };

struct TraceOptions {
  bool is_wanted = false;
  const char* file = nullptr;  // null: standard error
  TraceFilter filter;
  TraceTimes times;

  bool has_calls() const { return is_wanted && filter.HasCalls(); }
};

enum class StatsForm : uint8_t { kNone, kText, kJson };

// A folder of the host for the enclave, as the operator wants it.
struct MountOption {
  std::string_view text;  // all of it
  std::string_view folder;
  std::string_view target;
  bool wants_write = false;  // ":rw"
  bool read_only = false;    // ":ro"
};

struct RunOptions {
  Request request = Request::kRun;
  Machine machine = Machine::kAuto;
  const char* image = nullptr;                // none: a shell on kEmu
  std::span<char* const> arguments;           // the program's, argv[0] (the image) included
  std::vector<std::string_view> environment;  // NAME=VALUE
  std::vector<MountOption> mounts;
  std::optional<uint32_t> vcpus;
  std::optional<std::array<std::byte, 32>> identity;
  std::optional<std::array<std::byte, 32>> signer;
  StatsForm stats = StatsForm::kNone;
  uint32_t log_level = kWarningLevel;  // lines up to this level are shown
  HostileOptions hostile;
  TraceOptions trace;
  const char* core = nullptr;  // file to write if a signal ends the program
  EmulatorOptions emulator;    // on kEmu
};

// "warning", as --log takes it.
std::string_view LogLevelName(uint32_t level);

// Errors: one line for the user; nsgx-run then ends with kOurFailure.
// The result holds views of `arguments`, which is argv without the program's name, and of the
// environment.
Result<RunOptions, Complaint> ParseRunOptions(std::span<char* const> arguments);

}  // namespace nsgx::loader
