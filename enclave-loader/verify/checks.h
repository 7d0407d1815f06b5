// SPDX-License-Identifier: Apache-2.0
// What the three groups of checks have in common. Inside this library only.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "enclave-loader/verify/verify.h"

namespace nsgx::verify {

// What one check has to say.
struct Finding {
  Outcome outcome;
  std::string expected;
  std::string got;
  std::string note;
};

struct Check {
  std::string_view name;
  std::string_view meaning;
  Finding (*run)(const Evidence& evidence, const Policy& policy);
};

std::span<const Check> ChainChecks();
std::span<const Check> ReportChecks();
std::span<const Check> StatementChecks();

// Whose key signed the report, by the certificate.
enum class ChipKey : uint8_t { kVcek, kVlek, kNeither };
ChipKey ChipKeyOf(const Certificate& chip);

inline Finding Require(bool holds, std::string expected, std::string got, std::string note = "") {
  return {holds ? Outcome::kOk : Outcome::kFailed, std::move(expected), std::move(got),
          holds ? "" : std::move(note)};
}

inline Finding Skip(std::string note, std::string got = "") {
  return {Outcome::kSkipped, "", std::move(got), std::move(note)};
}

// `got` is one of `accepted`, or nothing is expected. An absent `got` is none of them.
template <size_t size>
Finding RequireOneOf(const std::vector<Digest<size>>& accepted,
                     std::optional<std::span<const std::byte, size>> got, std::string skip_note) {
  const std::string got_text = got ? Hex(*got) : "none";
  if (accepted.empty()) {
    return Skip(std::move(skip_note), got_text);
  }
  std::string expected;
  for (const Digest<size>& one : accepted) {
    expected += (expected.empty() ? "" : " or ") + Hex(one);
  }
  const bool is_accepted = got && std::ranges::any_of(accepted, [&](const Digest<size>& one) {
                             return std::ranges::equal(one, *got);
                           });
  return Require(is_accepted, std::move(expected), got_text);
}

// `got` is at least `minimum`, or nothing is expected.
template <typename T>
Finding RequireAtLeast(const std::optional<T>& minimum, const std::optional<T>& got,
                       std::string skip_note) {
  const std::string got_text = got ? std::to_string(*got) : "none";
  if (!minimum) {
    return Skip(std::move(skip_note), got_text);
  }
  return Require(got && *got >= *minimum, "at least " + std::to_string(*minimum), got_text);
}

}  // namespace nsgx::verify
