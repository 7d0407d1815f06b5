// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/count_report.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/core/format.h"
#include "libos/host/host.h"
#include "libos/kernel/scheduler.h"

namespace nsgx::libos {
namespace {

constinit bool enabled = false;

}  // namespace

void EnableCountReport() { enabled = true; }

void ReportCounts() {
  if (!enabled) {
    return;
  }
  const SchedulingCounts counts = CountScheduling();
  const std::pair<std::string_view, uint64_t> rows[] = {{"switches", counts.switches},
                                                        {"preemptions", counts.preemptions},
                                                        {"steals", counts.steals},
                                                        {"parks", counts.parks},
                                                        {"ticks", counts.ticks}};
  std::array<char, 256> buffer;
  TextBuffer line(buffer);
  for (const auto& [name, count] : rows) {
    line.Append(line.size() == 0 ? "" : ", ");
    line.Append(name);
    line.Append(' ');
    line.AppendDecimal(count);
  }
  host::Log(host::LogLevel::kCounts, line.text());
}

}  // namespace nsgx::libos
