// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/run/stats.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "enclave-loader/host/hostile.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/gate.h"

namespace nsgx::loader {
namespace {

constexpr std::array<std::string_view, kPhaseCount> kPhaseNames = {
    "exec", "parse", "create", "load", "hash", "signature", "init", "run"};
constexpr std::string_view kExitNames[] = {"host_call", "idle",      "wake",
                                           "done",      "exception", "refused"};
constexpr std::string_view kGateCallNames[] = {"commit",  "protect", "trim",   "set_handler",
                                               "entropy", "clock",   "report", "verify",
                                               "key",     "evidence"};
static_assert(std::size(kGateCallNames) == NSGX_GATE_LAST_SEH_CALL - NSGX_GATE_FIRST_SEH_CALL + 1);

using Rows = std::vector<std::pair<std::string_view, uint64_t>>;

struct Group {
  std::string_view key;    // in JSON
  std::string_view title;  // in text
  Rows rows;
};

// What is counted, in the order of printing; rows of zero are left out of the text.
std::vector<Group> Groups(const RunStats& stats) {
  Group exits = {"exits", "exits", {}};
  for (size_t i = 0; i < std::size(kExitNames); ++i) {
    exits.rows.emplace_back(kExitNames[i], stats.device.exits[i]);
  }
  Group host_calls = {"host_calls", "host calls", {}};
  for (size_t i = 0; i < stats.host_calls.size(); ++i) {
    host_calls.rows.emplace_back(i < shim::kHostCalls.size() ? shim::kHostCalls[i].name : "unknown",
                                 stats.host_calls[i]);
  }
  Group gate_calls = {"gate_calls", "calls of the SEH", {}};
  for (size_t i = 0; i < std::size(kGateCallNames); ++i) {
    gate_calls.rows.emplace_back(kGateCallNames[i], stats.device.gate_calls[i]);
  }
  Group others = {"events",
                  "events",
                  {{"exceptions", stats.device.exceptions},
                   {"ticks", stats.device.ticks},
                   {"raw_system_calls", stats.device.syscalls_reflected},
                   {"pages_loaded", stats.device.pages_loaded},
                   {"pages_hashed", stats.device.pages_hashed},
                   {"memory_high_water_kib", stats.memory_high_water_kib}}};
  std::vector<Group> groups = {std::move(exits), std::move(host_calls), std::move(gate_calls),
                               std::move(others)};
  if (!stats.library_os.empty()) {
    groups.push_back(
        {"library_os", "library OS", {stats.library_os.begin(), stats.library_os.end()}});
  }
  if (!stats.lies.empty()) {
    Group lies = {"lies", "lies of the host", {}};
    for (size_t i = 0; i < stats.lies.size(); ++i) {
      lies.rows.emplace_back(LieName(static_cast<Lie>(i)), stats.lies[i]);
    }
    groups.push_back(std::move(lies));
  }
  return groups;
}

std::string Microseconds(uint64_t nanoseconds) {
  char text[32];
  snprintf(text, sizeof text, "%.1f", static_cast<double>(nanoseconds) / 1000.0);
  return text;
}

}  // namespace

NamedCounts ParseCounts(std::string_view line) {
  NamedCounts counts;
  while (!line.empty()) {
    const size_t space = line.find(' ');
    const std::string_view name = line.substr(0, space);
    if (space == std::string_view::npos || name.empty() ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string_view::npos) {
      return {};
    }
    line.remove_prefix(space + 1);
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc()) {
      return {};
    }
    line.remove_prefix(static_cast<size_t>(end - line.data()));
    if (!line.empty() && !line.starts_with(", ")) {
      return {};
    }
    line.remove_prefix(std::min<size_t>(line.size(), 2));
    counts.emplace_back(name, value);
  }
  return counts;
}

std::string StatsText(const RunStats& stats) {
  std::string text = "machine: " + std::string(stats.machine);
  text += (stats.limitations.empty() ? "" : "; ") + std::string(stats.limitations) + "\n";
  text += "phases in microseconds:";
  uint64_t total = 0;
  for (size_t i = 0; i < kPhaseCount; ++i) {
    text += (i == 0 ? " " : ", ");
    text += std::string(kPhaseNames[i]) + " " + Microseconds(stats.phase_nanoseconds[i]);
    total += stats.phase_nanoseconds[i];
  }
  text += "; together " + Microseconds(total) + "\n";
  for (const Group& group : Groups(stats)) {
    text += std::string(group.title) + ":";
    bool first = true;
    for (const auto& [name, count] : group.rows) {
      if (count != 0) {
        text += (first ? " " : ", ");
        text += std::string(name) + " " + std::to_string(count);
        first = false;
      }
    }
    text += first ? " none\n" : "\n";
  }
  return text;
}

std::string StatsJson(const RunStats& stats) {
  // Names and sentences are ours, so nothing needs escaping.
  std::string json = "{\"machine\": \"" + std::string(stats.machine) + "\", \"limitations\": \"" +
                     std::string(stats.limitations) + "\", \"phases_us\": {";
  for (size_t i = 0; i < kPhaseCount; ++i) {
    json += (i == 0 ? "\"" : ", \"");
    json += std::string(kPhaseNames[i]) + "\": " + Microseconds(stats.phase_nanoseconds[i]);
  }
  json += "}";
  for (const Group& group : Groups(stats)) {
    json += ", \"" + std::string(group.key) + "\": {";
    bool first = true;
    for (const auto& [name, count] : group.rows) {
      json += (first ? "\"" : ", \"");
      json += std::string(name) + "\": " + std::to_string(count);
      first = false;
    }
    json += "}";
  }
  return json + "}\n";
}

}  // namespace nsgx::loader
