// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/print.h"

#include <gtest/gtest.h>

namespace nsgx::verify {
namespace {

Verdict Example() {
  return {{{"root", "a known root", Outcome::kOk, "A or B", "A", ""},
           {"vmpl", "asked at VMPL0", Outcome::kFailed, "0", "2", "others can ask, too"},
           {"tcb", "the \"same\" versions", Outcome::kFailed, "3", "4", ""},
           {"identity", "an accepted program", Outcome::kSkipped, "", "aabb", "none was given"},
           {"csp", "an accepted provider", Outcome::kSkipped, "", "", "none was given"}},
          false};
}

TEST(PrintTest, TextHasEveryRowAndTheReason) {
  EXPECT_EQ(VerdictText(Example()),
            "ok       root                    a known root\n"
            "FAILED   vmpl                    asked at VMPL0\n"
            "           expected: 0\n"
            "           got:      2\n"
            "           others can ask, too\n"
            "FAILED   tcb                     the \"same\" versions\n"
            "           expected: 3\n"
            "           got:      4\n"
            "skipped  identity                none was given\n"
            "           it is:    aabb\n"
            "skipped  csp                     none was given\n"
            "refused: vmpl: expected 0, got 2; also failed: tcb\n");
}

TEST(PrintTest, SummaryOfWhatIsVerified) {
  Verdict verdict = Example();
  verdict.rows.erase(verdict.rows.begin() + 1, verdict.rows.begin() + 3);
  EXPECT_TRUE(VerdictText(verdict).ends_with("\nverified: 1 checks ok, 2 skipped\n"));
  verdict.is_simulated = true;
  EXPECT_TRUE(VerdictText(verdict).ends_with(
      "\nverified: 1 checks ok, 2 skipped; SIMULATED, no hardware protects this\n"));
}

TEST(PrintTest, SummarySaysWhatVerifiedDoesNotMean) {
  const Verdict verdict = {{{"identity", "", Outcome::kSkipped, "", "", ""},
                            {"signer", "", Outcome::kSkipped, "", "", ""},
                            {"report-data", "", Outcome::kSkipped, "", "", ""}},
                           false};
  EXPECT_TRUE(VerdictText(verdict).ends_with(
      "\nverified: 0 checks ok, 3 skipped; ANY PROGRAM passes, neither --identity nor --signer was "
      "given; MAYBE OLD, no --nonce was given\n"));
}

TEST(PrintTest, JsonEscapes) {
  const std::string json = VerdictJson(Example());
  EXPECT_NE(json.find(R"("result": "refused")"), std::string::npos);
  EXPECT_NE(json.find(R"("first_failure": "vmpl")"), std::string::npos);
  EXPECT_NE(json.find(R"("the \"same\" versions")"), std::string::npos);
  EXPECT_EQ(MalformedJson("a\\b\n"), "{\"result\": \"malformed\", \"reason\": \"a\\\\b?\"}\n");
}

}  // namespace
}  // namespace nsgx::verify
