// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/print.h"

#include <algorithm>

#include "enclave-loader/verify/bytes.h"

namespace nsgx::verify {

namespace {

constexpr size_t kOutcomeWidth = 9;
constexpr size_t kNameWidth = 24;

std::string Padded(std::string_view text, size_t width) {
  std::string out(text);
  out.resize(std::max(width, out.size() + 1), ' ');
  return out;
}

std::string RowText(const Row& row) {
  const std::string indent(kOutcomeWidth, ' ');
  const bool failed = row.outcome == Outcome::kFailed;
  std::string out = Padded(failed ? "FAILED" : OutcomeName(row.outcome), kOutcomeWidth) +
                    Padded(row.name, kNameWidth);
  if (row.outcome == Outcome::kSkipped) {
    out += row.note + "\n";
    return row.got.empty() ? out : out + indent + "  it is:    " + row.got + "\n";
  }
  out += std::string(row.meaning) + "\n";
  if (failed) {
    out += indent + "  expected: " + row.expected + "\n" + indent + "  got:      " + row.got + "\n";
    out += row.note.empty() ? "" : indent + "  " + row.note + "\n";
  }
  return out;
}

bool IsSkipped(const Verdict& verdict, std::string_view name) {
  const auto row = std::ranges::find(verdict.rows, name, &Row::name);
  return row != verdict.rows.end() && row->outcome == Outcome::kSkipped;
}

// What "verified" does not mean, although one might think so.
std::string Reservations(const Verdict& verdict) {
  std::string out;
  if (verdict.is_simulated) {
    out += "; SIMULATED, no hardware protects this";
  }
  if (IsSkipped(verdict, "identity") && IsSkipped(verdict, "signer")) {
    out += "; ANY PROGRAM passes, neither --identity nor --signer was given";
  }
  if (IsSkipped(verdict, "report-data")) {
    out += "; MAYBE OLD, no --nonce was given";
  }
  return out;
}

std::string Summary(const Verdict& verdict) {
  const auto count = [&](Outcome outcome) {
    return std::ranges::count(verdict.rows, outcome, &Row::outcome);
  };
  const Row* failure = verdict.FirstFailure();
  if (failure == nullptr) {
    return "verified: " + std::to_string(count(Outcome::kOk)) + " checks ok, " +
           std::to_string(count(Outcome::kSkipped)) + " skipped" + Reservations(verdict) + "\n";
  }
  std::string out = "refused: " + std::string(failure->name) + ": expected " + failure->expected +
                    ", got " + failure->got;
  std::string others;
  for (const Row& row : verdict.rows) {
    if (&row != failure && row.outcome == Outcome::kFailed) {
      others += (others.empty() ? "" : ", ") + std::string(row.name);
    }
  }
  return out + (others.empty() ? "" : "; also failed: " + others) + "\n";
}

// All texts are ours or Printable(): ASCII without control characters.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (char character : Printable(text)) {
    if (character == '"' || character == '\\') {
      out += '\\';
    }
    out += character;
  }
  return out + "\"";
}

}  // namespace

std::string VerdictText(const Verdict& verdict) {
  std::string out;
  for (const Row& row : verdict.rows) {
    out += RowText(row);
  }
  return out + Summary(verdict);
}

std::string VerdictJson(const Verdict& verdict) {
  const Row* failure = verdict.FirstFailure();
  std::string out = "{\n  \"result\": ";
  out += failure == nullptr ? "\"verified\"" : "\"refused\"";
  out += ",\n  \"simulated\": ";
  out += verdict.is_simulated ? "true" : "false";
  out += ",\n  \"first_failure\": " + (failure == nullptr ? "null" : Quoted(failure->name));
  out += ",\n  \"checks\": [";
  std::string_view separator = "\n";
  for (const Row& row : verdict.rows) {
    out += separator;
    out += "    {\"name\": " + Quoted(row.name) + ", \"meaning\": " + Quoted(row.meaning) +
           ", \"result\": " + Quoted(OutcomeName(row.outcome)) +
           ", \"expected\": " + Quoted(row.expected) + ", \"got\": " + Quoted(row.got) +
           ", \"note\": " + Quoted(row.note) + "}";
    separator = ",\n";
  }
  return out + "\n  ]\n}\n";
}

std::string MalformedJson(std::string_view what) {
  return "{\"result\": \"malformed\", \"reason\": " + Quoted(what) + "}\n";
}

}  // namespace nsgx::verify
