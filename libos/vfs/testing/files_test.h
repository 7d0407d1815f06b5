// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "libos/vfs/testing/program.h"

namespace nsgx::libos::testing {

// The tree as a program finds it, anew for each test. When the test ends, everything is closed, and
// all memory must have been given back.
class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Acts as this user from here on.
  static void BecomeUser(uint32_t user, uint32_t group);

  // Standard streams are open in tests that ask for them.
  static void OpenStreams();
};

}  // namespace nsgx::libos::testing
