// SPDX-License-Identifier: Apache-2.0
// Where the time of one run went, and how often the enclave was left: nsgx-run --stats.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vmpl-switch/device/device.h"

namespace nsgx::loader {

// Steps of a run in order. Loading, hashing and the signature check are told by the machine.
enum class Phase : uint8_t { kExec, kParse, kCreate, kLoad, kHash, kSignature, kInit, kRun };
inline constexpr size_t kPhaseCount = 8;

using NamedCounts = std::vector<std::pair<std::string, uint64_t>>;

struct RunStats {
  std::string_view machine;
  std::string_view limitations;  // of the machine; empty: none
  std::array<uint64_t, kPhaseCount> phase_nanoseconds = {};
  DeviceStats device;
  std::span<const uint64_t> host_calls;  // by number; the last one counts unknown numbers
  std::span<const uint64_t> lies;        // by Lie; empty: the host was honest
  uint64_t memory_high_water_kib = 0;
  NamedCounts library_os;  // what the library OS told; empty: no debug enclave, or it was ended
};

// Of "name 12, other 3", as libos::host::LogLevel::kCounts has it. The enclave is not believed:
// what has another form, or a name that isn't of small letters and _, gives none.
NamedCounts ParseCounts(std::string_view line);

std::string StatsText(const RunStats& stats);
// One line.
std::string StatsJson(const RunStats& stats);

}  // namespace nsgx::loader
