// SPDX-License-Identifier: Apache-2.0
// The leak checker of the sanitizers reads all memory when the program ends, in a thread that has
// the rights of the ending one: with protection keys it would die of what the SEH keeps from
// everybody.
#include <gtest/gtest.h>

#include "vmpl-switch/sim/process.h"

namespace nsgx::sim {
namespace {

class OpenForLeakCheck : public ::testing::Environment {
 public:
  void TearDown() override {
    // To the very end: the leak checker runs behind all destructors.
    static const SehAccess* const kAccess = new SehAccess;
    static_cast<void>(kAccess);
  }
};

[[maybe_unused]] const auto* const kRegistered =
    ::testing::AddGlobalTestEnvironment(new OpenForLeakCheck);

}  // namespace
}  // namespace nsgx::sim
