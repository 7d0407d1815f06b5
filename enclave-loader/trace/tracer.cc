// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/trace/tracer.h"

#include <time.h>

#include <array>
#include <cstdio>
#include <utility>

#include "base/core/format.h"
#include "enclave-loader/cli/output.h"

namespace nsgx::loader {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

uint64_t Nanoseconds(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecond + static_cast<uint64_t>(now.tv_nsec);
}

void AppendSeconds(std::string& text, uint64_t nanoseconds, const char* format) {
  char digits[48];
  std::snprintf(digits, sizeof digits, format, static_cast<unsigned long>(nanoseconds / kSecond),
                static_cast<unsigned long>(nanoseconds % kSecond / 1000));
  text += digits;
}

}  // namespace

Result<TraceTimes> ParseTraceTimes(std::string_view names) {
  constexpr std::pair<std::string_view, bool TraceTimes::*> kNames[] = {
      {"relative", &TraceTimes::relative},
      {"clock", &TraceTimes::clock},
      {"epoch", &TraceTimes::epoch},
      {"spent", &TraceTimes::spent}};
  TraceTimes times;
  while (true) {
    const size_t comma = names.find(',');
    bool is_known = false;
    for (const auto& [name, member] : kNames) {
      if (names.substr(0, comma) == name) {
        times.*member = true;
        is_known = true;
      }
    }
    if (!is_known) {
      return Error(Status::kNotFound);
    }
    if (comma == std::string_view::npos) {
      return times;
    }
    names.remove_prefix(comma + 1);
  }
}

void Tracer::AppendHead(std::string& line, int32_t tid) {
  if (!first_.has_value()) {
    first_ = tid;
  }
  has_threads_ = has_threads_ || *first_ != tid;
  if (has_threads_) {
    line.append("[pid ").append(std::to_string(tid)).append("] ");
  }
  const uint64_t now = Nanoseconds(CLOCK_REALTIME);
  if (times_.epoch) {
    AppendSeconds(line, now, "%lu.%06lu ");
  } else if (times_.clock) {
    const time_t seconds = static_cast<time_t>(now / kSecond);
    tm local = {};
    localtime_r(&seconds, &local);
    char digits[32];
    std::snprintf(digits, sizeof digits, "%02d:%02d:%02d.%06lu ", local.tm_hour, local.tm_min,
                  local.tm_sec, static_cast<unsigned long>(now % kSecond / 1000));
    line += digits;
  }
  if (times_.relative) {
    AppendSeconds(line, before_ == 0 ? 0 : now - before_, "%6lu.%06lu ");
    before_ = now;
  }
}

void Tracer::Interrupt(std::string& text) {
  if (unfinished_.has_value()) {
    text += " <unfinished ...>\n";
    unfinished_.reset();
  }
}

void Tracer::OnRecord(std::string_view line) {
  std::optional<ToldCall> call = ParseToldCall(line);
  if (!call.has_value() || !filter_.HasCall(call->record.number)) {
    return;
  }
  const std::lock_guard lock(lock_);
  if (call->record.is_leave != 0) {
    OnLeave(*call);
  } else {
    OnEnter(std::move(*call));
  }
}

void Tracer::OnEnter(ToldCall call) {
  std::string text;
  Interrupt(text);
  const uint64_t number = call.record.number;
  AppendHead(text, call.record.tid);
  text.append(CallName(number)).append("(");
  Pending pending = {.call = std::move(call), .begin = Nanoseconds(CLOCK_MONOTONIC)};
  for (; pending.printed < KnownAtEnter(number); ++pending.printed) {
    text += pending.printed == 0 ? "" : ", ";
    AppendArgument(text, pending.printed, pending.call, nullptr);
  }
  const int32_t tid = pending.call.record.tid;
  pending_[tid] = std::move(pending);
  unfinished_ = tid;
  WriteAll(fd_, text);
}

void Tracer::OnLeave(const ToldCall& told) {
  const int32_t tid = told.record.tid;
  const auto found = pending_.find(tid);
  if (found == pending_.end() || found->second.call.record.number != told.record.number) {
    return;  // the enclave tells nonsense
  }
  Pending& pending = found->second;
  const uint64_t number = told.record.number;
  std::string text;
  if (unfinished_ != tid) {
    Interrupt(text);
    AppendHead(text, tid);
    text.append("<... ").append(CallName(number)).append(" resumed>");
  }
  unfinished_.reset();
  for (; pending.printed < ArgumentCount(number); ++pending.printed) {
    text += pending.printed == 0 ? "" : ", ";
    AppendArgument(text, pending.printed, pending.call, &told);
  }
  text.append(") = ").append(ResultText(number, static_cast<int64_t>(told.record.words[0])));
  if (times_.spent) {
    text += " <";
    AppendSeconds(text, Nanoseconds(CLOCK_MONOTONIC) - pending.begin, "%lu.%06lu");
    text += '>';
  }
  text += '\n';
  pending_.erase(found);
  WriteAll(fd_, text);
}

void Tracer::OnHostCall(uint32_t slot, const shim::HostCallInfo& call,
                        const shim::HostCallValues& values, int64_t reply) {
  if (!filter_.HasHostCalls()) {
    return;
  }
  std::array<char, 256> buffer;
  TextBuffer line(buffer);
  AppendText(line, shim::TracedHostCall{call, values, reply});
  const std::lock_guard lock(lock_);
  std::string text;
  Interrupt(text);
  text.append("[host, vcpu ").append(std::to_string(slot)).append("] ");
  text.append(line.text()).append("\n");
  WriteAll(fd_, text);
}

void Tracer::OnEnd(std::string_view how) {
  const std::lock_guard lock(lock_);
  std::string text = unfinished_.has_value() ? ") = ?\n" : "";
  unfinished_.reset();
  text.append("+++ ").append(how).append(" +++\n");
  WriteAll(fd_, text);
}

}  // namespace nsgx::loader
