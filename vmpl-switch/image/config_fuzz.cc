// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes are, ParseConfig refuses them or returns a view whose every string is inside.
#include <cstdint>
#include <vector>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "vmpl-switch/image/config.h"

namespace {

// Reads every byte of every string, for the sanitizers to see.
uint64_t Walk(const nsgx::ConfigStrings& strings) {
  uint64_t sum = 0;
  uint32_t count = 0;
  for (std::string_view text : strings) {
    for (char character : text) {
      sum += static_cast<unsigned char>(character);
    }
    ++count;
  }
  CHECK(count == strings.count());
  return sum;
}

void Try(std::span<const std::byte> section) {
  const nsgx::Result<nsgx::ConfigView> result = nsgx::ParseConfig(section);
  if (!result.ok()) {
    CHECK(result.error() == nsgx::Status::kMalformed ||
          result.error() == nsgx::Status::kUnsupported);
    return;
  }
  const nsgx::ConfigView& config = result.value();
  Walk(config.env_allow());
  Walk(config.env_fixed());
  Walk(config.args_fixed());
  Walk(config.mounts());
  Walk(config.files());
  CHECK(nsgx::CheckConfigStruct(config.config(), section.size()).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> input = std::as_bytes(std::span(data, size));
  Try(input);
  // Rounded up to pages, so that short inputs reach beyond the first check.
  std::vector<std::byte> section(input.begin(), input.end());
  section.resize((size + nsgx::kPageMask) & ~nsgx::kPageMask);
  Try(section);
  return 0;
}
