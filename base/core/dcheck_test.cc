// SPDX-License-Identifier: Apache-2.0
// DCHECK as release builds see it.
#undef NDEBUG
#define NDEBUG
#include <gtest/gtest.h>

#include "base/core/check.h"

namespace nsgx {
namespace {

TEST(DCheck, IsNotEvaluatedInReleaseBuilds) {
  int count = 0;
  DCHECK(++count == 2);
  EXPECT_EQ(count, 0);
}

}  // namespace
}  // namespace nsgx
