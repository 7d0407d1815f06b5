// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/time_text.h"

#include <charconv>
#include <chrono>

namespace nsgx::verify {

namespace {

using namespace std::chrono;

std::string TwoDigits(unsigned value) {
  return {static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
}

// All of `text` as a number without sign.
Result<int64_t> ParseNumber(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return Error(Status::kMalformed);
  }
  return value;
}

Result<unsigned> ParseField(std::string_view text, size_t offset, size_t size, int64_t limit) {
  const int64_t value = TRY(ParseNumber(text.substr(offset, size)));
  if (value > limit) {
    return Error(Status::kMalformed);
  }
  return static_cast<unsigned>(value);
}

}  // namespace

std::string TimeText(int64_t time) {
  const sys_seconds moment{seconds{time}};
  const sys_days day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss clock(moment - day);
  std::string year = std::to_string(static_cast<int>(date.year()));
  year.insert(0, year.size() < 4 ? 4 - year.size() : 0, '0');
  return year + "-" + TwoDigits(static_cast<unsigned>(date.month())) + "-" +
         TwoDigits(static_cast<unsigned>(date.day())) + "T" +
         TwoDigits(static_cast<unsigned>(clock.hours().count())) + ":" +
         TwoDigits(static_cast<unsigned>(clock.minutes().count())) + ":" +
         TwoDigits(static_cast<unsigned>(clock.seconds().count())) + "Z";
}

Result<int64_t> ParseTime(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00Z";
  constexpr size_t kDateSize = 10;
  if (text.size() != kDateSize && text.size() != kShape.size()) {
    return ParseNumber(text);
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !is_digit : text[i] != kShape[i]) {
      // Ten digits are seconds, too.
      return text.size() == kDateSize ? ParseNumber(text) : Error(Status::kMalformed);
    }
  }
  const year_month_day date(year{static_cast<int>(TRY(ParseField(text, 0, 4, 9999)))},
                            month{TRY(ParseField(text, 5, 2, 12))},
                            day{TRY(ParseField(text, 8, 2, 31))});
  if (!date.ok()) {
    return Error(Status::kMalformed);
  }
  sys_seconds moment = sys_days(date);
  if (text.size() == kShape.size()) {
    moment += hours{TRY(ParseField(text, 11, 2, 23))} + minutes{TRY(ParseField(text, 14, 2, 59))} +
              seconds{TRY(ParseField(text, 17, 2, 59))};
  }
  return moment.time_since_epoch().count();
}

}  // namespace nsgx::verify
