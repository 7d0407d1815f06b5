// SPDX-License-Identifier: Apache-2.0
// A small image with everything that an image has, for tests of what loads and checks images.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vmpl-switch/image/config_builder.h"
#include "vmpl-switch/image/measurement.h"
#include "vmpl-switch/image/signature.h"

namespace nsgx {

// Pages of a test image: contents, or zeros.
struct TestRun {
  uint64_t offset = 0;
  uint32_t permissions = 0;
  std::vector<std::byte> bytes;
  uint64_t zero_page_count = 0;
};

// Read-only data with the configuration in it, a gap, code with the entry point, a gap, data,
// zeros. Tests change what they like before they ask for the shape, the identity or a signature.
struct TestImage {
  explicit TestImage(const ConfigBuilder& config = {});

  ImageShape Shape() const;
  Sha256::Digest Identity() const;
  // Returns a right signature by the test key. Remembers what it has signed, because signing is
  // slow.
  nsgx_signature Sign() const;

  std::vector<std::byte> config_section;
  nsgx_config config;
  std::vector<TestRun> runs;
  uint64_t image_size;
  uint64_t entry;
  uint64_t config_offset;
};

// Signs whatever the fields now say with the test key, whose modulus it fills in.
void SignAgain(nsgx_signature& signature);

}  // namespace nsgx
