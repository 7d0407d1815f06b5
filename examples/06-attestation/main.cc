// SPDX-License-Identifier: Apache-2.0
// Proves to somebody far away what runs here: writes evidence over a nonce of theirs to standard
// output.

#include <nsgx/attest.h>

#include <cstddef>
#include <cstring>
#include <iostream>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace {

namespace attest = nsgx::attest;

// Two hexadecimal digits for each byte; nothing if it is anything else.
std::optional<std::vector<std::byte>> FromHex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<std::byte> bytes;
  for (; text.size() >= 2; text.remove_prefix(2)) {
    const size_t high = kDigits.find(text[0]);
    const size_t low = kDigits.find(text[1]);
    if (high == kDigits.npos || low == kDigits.npos) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<std::byte>(high << 4 | low));
  }
  return text.empty() ? std::optional(bytes) : std::nullopt;
}

int Fail(std::string_view what) {
  std::cerr << "attestation: " << what << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    return Fail("give the nonce in hexadecimal");
  }
  // A relying party makes up the nonce. When it comes back in the evidence, the evidence cannot be
  // older than the question.
  const auto nonce = FromHex(argv[1]);
  if (!nonce) {
    return Fail("the nonce is not in (lower-case) hexadecimal");
  }
  const auto report_data = attest::ReportDataOf(*nonce);
  if (!report_data) {
    return Fail("the nonce has more than 64 bytes");
  }

  // In a server, the hash of its TLS key would go into the report data, too: then the relying party
  // knows whom it talks to.
  const auto evidence = attest::GetEvidence(*report_data);
  if (!evidence) {
    return Fail(std::strerror(evidence.error()));
  }
  std::cout.write(reinterpret_cast<const char*>(evidence->data()),
                  static_cast<std::streamsize>(evidence->size()));
  return std::cout.flush() ? 0 : Fail("standard output cannot be written");
}
