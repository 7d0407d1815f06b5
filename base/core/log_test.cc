// SPDX-License-Identifier: Apache-2.0
#include "base/core/log.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace nsgx {
namespace {

// The host backend reads its level from the environment each time.
class Log : public testing::Test {
 protected:
  void TearDown() override { unsetenv("NSGX_LOG"); }

  static void WantLevel(const char* level) { ASSERT_EQ(setenv("NSGX_LOG", level, 1), 0); }
};

TEST_F(Log, PutsArgumentsTogether) {
  testing::internal::CaptureStderr();
  LOG(kError, "enclave ", 3, " at ", EnclaveVirt(0x5000), ": ", Status::kBusy);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "nsgx: error: enclave 3 at 0x5000: Busy\n");
}

TEST_F(Log, UnwantedLinesDoNotEvenEvaluate) {
  int evaluated = 0;
  testing::internal::CaptureStderr();
  WantLevel("warning");
  LOG(kInfo, ++evaluated);
  LOG(kWarning, ++evaluated);
  WantLevel("info");
  LOG(kInfo, ++evaluated);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "nsgx: warning: 1\nnsgx: info: 2\n");
}

TEST_F(Log, VerboseIsNotInOrdinaryBuilds) {
  testing::internal::CaptureStderr();
  WantLevel("verbose");
  LOG(kVerbose, "secret");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(Log, ForeignTextCannotForgeALine) {
  testing::internal::CaptureStderr();
  LOG(kError, "name ", "x\nnsgx: error: \x1b[2J\x7f");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "nsgx: error: name x?nsgx: error: ?[2J?\n");
}

TEST_F(Log, LinesAreBounded) {
  testing::internal::CaptureStderr();
  LOG(kError, std::string(10 * kLogLineSize, 'x'));
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "nsgx: error: " + std::string(kLogLineSize, 'x') + "\n");
}

}  // namespace
}  // namespace nsgx
