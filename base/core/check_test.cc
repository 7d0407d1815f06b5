// SPDX-License-Identifier: Apache-2.0
#include "base/core/check.h"

#include <gtest/gtest.h>

namespace nsgx {
namespace {

TEST(CheckDeathTest, SaysWhereAndWhat) {
  const int answer = 41;
  EXPECT_DEATH(CHECK(answer == 42), "check_test.cc:[0-9]+: check failed: answer == 42");
}

TEST(Check, EvaluatesOnce) {
  int count = 0;
  CHECK(++count == 1);
  EXPECT_EQ(count, 1);
}

TEST(Check, IsOneStatement) {
  bool reached = false;
  if (reached) {
    CHECK(false);
  } else {
    reached = true;
  }
  EXPECT_TRUE(reached);
}

}  // namespace
}  // namespace nsgx
