// SPDX-License-Identifier: Apache-2.0
#include "base/core/scope_exit.h"

#include <gtest/gtest.h>

#include <vector>

namespace nsgx {
namespace {

TEST(ScopeExit, RunsAtTheEndInReverseOrder) {
  std::vector<int> order;
  {
    ScopeExit first([&] { order.push_back(1); });
    ScopeExit second([&] { order.push_back(2); });
    EXPECT_TRUE(order.empty());
  }
  EXPECT_EQ(order, (std::vector{2, 1}));
}

TEST(ScopeExit, CancelledDoesNothing) {
  bool ran = false;
  {
    ScopeExit undo([&] { ran = true; });
    undo.Cancel();
  }
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace nsgx
