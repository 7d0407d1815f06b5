// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "enclave-loader/verify/bytes.h"

namespace nsgx::verify {

// Returns the contents of a file in tests/vectors/snp.
inline Bytes ReadTestFile(const std::string& name) {
  std::ifstream file(NSGX_TEST_VECTORS "/" + name, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(text.empty()) << name;
  Bytes out(text.size());
  std::ranges::transform(text, out.begin(), [](char c) { return static_cast<std::byte>(c); });
  return out;
}

}  // namespace nsgx::verify
