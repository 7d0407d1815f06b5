// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/trace/filter.h"

#include <algorithm>
#include <array>
#include <span>

#include "syscall-shim/table/limits.h"
#include "syscall-shim/table/syscall_arguments.h"

namespace nsgx::loader {
namespace {

using shim::ArgumentKind;
using Set = std::bitset<512>;

bool HasKind(uint64_t number, std::initializer_list<ArgumentKind> kinds) {
  return std::ranges::any_of(shim::ArgumentsOf(number), [&](ArgumentKind kind) {
    return std::ranges::find(kinds, kind) != kinds.end();
  });
}

struct Range {
  uint16_t first, last;
};
constexpr Range kNetwork[] = {{41, 55}, {288, 288}, {299, 299}, {307, 307}};
constexpr Range kMemory[] = {{9, 12}, {25, 28}, {149, 152}, {216, 216}, {237, 239}, {325, 325}};
constexpr Range kProcess[] = {{56, 62}, {231, 231}, {247, 247}, {272, 272}, {322, 322}, {435, 435}};
constexpr Range kSignal[] = {{13, 15},   {34, 34},   {62, 62},   {127, 131}, {200, 200},
                             {234, 234}, {282, 282}, {289, 289}, {297, 297}, {424, 424}};
constexpr Range kIpc[] = {{29, 31}, {64, 71}, {220, 220}, {240, 245}};
constexpr Range kClock[] = {{35, 38}, {96, 96}, {201, 201}, {222, 230}, {283, 283}, {286, 287}};

Set Of(std::span<const Range> ranges) {
  Set set;
  for (const Range& range : ranges) {
    for (size_t i = range.first; i <= range.last; ++i) {
      set.set(i);
    }
  }
  return set;
}

Set With(std::initializer_list<ArgumentKind> kinds) {
  Set set;
  for (size_t i = 0; i < SYSCALL_COUNT; ++i) {
    set[i] = HasKind(i, kinds);
  }
  return set;
}

// False: `word` is no class.
bool ClassOf(std::string_view word, Set* set) {
  if (word.starts_with('%')) {
    word.remove_prefix(1);
  }
  if (word == "all") {
    set->set();
  } else if (word == "none") {
    set->reset();
  } else if (word == "file") {
    *set = With({ArgumentKind::kPath});
  } else if (word == "desc") {
    *set = With({ArgumentKind::kFd, ArgumentKind::kDirectory});
  } else if (word == "network" || word == "net") {
    *set = Of(kNetwork);
  } else if (word == "memory") {
    *set = Of(kMemory);
  } else if (word == "process") {
    *set = Of(kProcess);
  } else if (word == "signal") {
    *set = Of(kSignal);
  } else if (word == "ipc") {
    *set = Of(kIpc);
  } else if (word == "clock") {
    *set = Of(kClock);
  } else {
    return false;
  }
  return true;
}

bool CallOf(std::string_view word, Set* set) {
  for (size_t i = 0; i < SYSCALL_COUNT; ++i) {
    if (!word.empty() && shim::SyscallName(i) == word) {
      set->set(i);
      return true;
    }
  }
  return false;
}

}  // namespace

Result<TraceFilter, Complaint> TraceFilter::Parse(std::string_view text) {
  TraceFilter filter;
  if (!text.starts_with('!')) {
    filter.calls_.reset();
  }
  while (true) {
    const size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    const bool leave_out = word.starts_with('!');
    word.remove_prefix(leave_out ? 1 : 0);
    Set set;
    if (word == "host" || word == "%host") {
      filter.host_calls_ = !leave_out;
    } else if (ClassOf(word, &set) || CallOf(word, &set)) {
      filter.calls_ = leave_out ? filter.calls_ & ~set : filter.calls_ | set;
    } else {
      return Complain("option --trace-filter does not know ", word,
                      "; it takes names of system calls, all, none, file, desc, network, memory, "
                      "process, signal, ipc, clock and host");
    }
    if (comma == std::string_view::npos) {
      return filter;
    }
    text.remove_prefix(comma + 1);
  }
}

}  // namespace nsgx::loader
