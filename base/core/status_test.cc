// SPDX-License-Identifier: Apache-2.0
#include "base/core/status.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace nsgx {
namespace {

TEST(Status, EveryNumberUpToTheLastHasItsOwnName) {
  constexpr uint32_t kLast = static_cast<uint32_t>(Status::kCancelled);
  std::set<std::string_view> names;
  for (uint32_t i = 0; i <= kLast; ++i) {
    const std::string_view name = StatusName(static_cast<Status>(i));
    EXPECT_NE(name, "Unknown") << i;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(StatusName(static_cast<Status>(kLast + 1)), "Unknown");
}

TEST(Status, SuccessIsZero) { EXPECT_EQ(static_cast<uint32_t>(Status::kOk), 0u); }

}  // namespace
}  // namespace nsgx
