// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/request.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "enclave-loader/verify/time_text.h"

namespace nsgx::verify {
namespace {

constexpr int64_t kNow = 1795651200;

Result<Request, Complaint> Parse(std::initializer_list<std::string> arguments) {
  std::vector<std::string> copies(arguments);
  std::vector<char*> pointers;
  for (std::string& argument : copies) {
    pointers.push_back(argument.data());
  }
  return ParseCommandLine(pointers, kNow);
}

std::string ComplaintOf(std::initializer_list<std::string> arguments) {
  const Result<Request, Complaint> request = Parse(arguments);
  return request.ok() ? "" : std::string(request.error().text());
}

std::string ComplaintOfPolicy(std::string_view toml) {
  Request request;
  const Result<void, Complaint> applied = ApplyPolicyText(request, toml);
  return applied.ok() ? "" : std::string(applied.error().text());
}

const std::string kHash(64, 'a');

TEST(RequestTest, OptionsOnBothSidesOfTheEvidence) {
  const Result<Request, Complaint> parsed =
      Parse({"--allow-simulated", "evidence.bin", "--identity", kHash, "--identity",
             std::string(64, 'B'), "--min-svn=7", "--product", "65535", "--json"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  const Request& request = parsed.value();
  EXPECT_EQ(request.evidence, "evidence.bin");
  EXPECT_TRUE(request.policy.allow_simulated);
  EXPECT_FALSE(request.policy.allow_debug);
  ASSERT_EQ(request.policy.identities.size(), 2u);
  EXPECT_EQ(request.policy.identities[1][31], std::byte{0xbb});
  EXPECT_EQ(request.policy.minimum_svn, 7);
  EXPECT_EQ(request.policy.product_id, 65535);
  EXPECT_EQ(request.policy.time, kNow);
  EXPECT_TRUE(request.wants_json);
}

TEST(RequestTest, NonceIsFollowedByZeros) {
  const Result<Request, Complaint> request = Parse({"-", "--nonce", "01ff"});
  ASSERT_TRUE(request.ok());
  Sha512Digest expected = {};
  expected[0] = std::byte{0x01};
  expected[1] = std::byte{0xff};
  EXPECT_EQ(request.value().policy.report_data, expected);
}

TEST(RequestTest, PlatformOptions) {
  const Result<Request, Complaint> parsed =
      Parse({"x", "--min-tcb", "bl=3,tee=0,snp=8,ucode=255,fmc=1", "--generation", "genoa",
             "--generation", "Turin", "--csp", "someone", "--time", "2026-11-21"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  const Policy& policy = parsed.value().policy;
  EXPECT_EQ(policy.minimum_tcb.fmc, 1);
  EXPECT_EQ(policy.minimum_tcb.boot_loader, 3);
  EXPECT_EQ(policy.minimum_tcb.tee, 0);
  EXPECT_EQ(policy.minimum_tcb.snp, 8);
  EXPECT_EQ(policy.minimum_tcb.microcode, 255);
  EXPECT_EQ(policy.generations, (std::vector{Generation::kGenoa, Generation::kTurin}));
  EXPECT_EQ(policy.csp_ids, std::vector<std::string>{"someone"});
  EXPECT_EQ(policy.time, ParseTime("2026-11-21").value());
}

TEST(RequestTest, WrongValuesAreNamed) {
  for (const std::initializer_list<std::string>& arguments :
       std::initializer_list<std::initializer_list<std::string>>{
           {"x", "--identity", "abcd"},
           {"x", "--identity", std::string(64, 'g')},
           {"x", "--seh-measurement", kHash},
           {"x", "--product", "65536"},
           {"x", "--product", "-1"},
           {"x", "--min-svn", ""},
           {"x", "--min-seh-svn", "4294967296"},
           {"x", "--nonce", ""},
           {"x", "--nonce", "abc"},
           {"x", "--nonce", std::string(130, 'a')},
           {"x", "--report-data", "ab"},
           {"x", "--min-tcb", "bl=256"},
           {"x", "--min-tcb", "bl"},
           {"x", "--min-tcb", "=3"},
           {"x", "--min-tcb", "spl=3"},
           {"x", "--min-tcb", "bl=3,,tee=1"},
           {"x", "--generation", "Rome"},
           {"x", "--generation", "Gen"},
           {"x", "--time", "yesterday"},
           {"x", "--root", "/does/not/exist"},
           {"x", "--crl", "/dev/null"}}) {
    const std::string complaint = ComplaintOf(arguments);
    EXPECT_NE(complaint, "") << *(arguments.begin() + 1) << " " << *(arguments.begin() + 2);
    EXPECT_NE(complaint.find(';'), std::string::npos) << complaint;
  }
}

TEST(RequestTest, InputsGoTogether) {
  EXPECT_EQ(ComplaintOf({"x"}), "");
  EXPECT_EQ(ComplaintOf({"--snp-report", "r", "--vcek", "v", "--chain", "c"}), "");
  EXPECT_EQ(ComplaintOf({"--help"}), "");
  EXPECT_EQ(ComplaintOf({"--version"}), "");
  EXPECT_EQ(ComplaintOf({"--man"}), "");
  EXPECT_NE(ComplaintOf({}), "");
  EXPECT_NE(ComplaintOf({"x", "y"}), "");
  EXPECT_NE(ComplaintOf({"x", "--snp-report", "r", "--vcek", "v", "--chain", "c"}), "");
  EXPECT_NE(ComplaintOf({"--snp-report", "r", "--vcek", "v"}), "");
  EXPECT_NE(ComplaintOf({"--snp-report", "r", "--snp-report", "r"}), "");
  EXPECT_NE(ComplaintOf({"x", "--allow-everything"}), "");
  EXPECT_NE(ComplaintOf({"x", "--allow-debug=yes"}), "");
}

TEST(PolicyFileTest, SetsWhatTheOptionsSet) {
  Request request;
  const Result<void, Complaint> applied = ApplyPolicyText(request, R"(
# Who may talk to the database.
identity = [")" + kHash + R"(", ")" + kHash + R"("]
signer = ")" + kHash + R"("
min-svn = 3
min-tcb = "bl=3,snp=8"
allow-simulated = true
allow-debug = false
)");
  ASSERT_TRUE(applied.ok()) << applied.error().text();
  EXPECT_EQ(request.policy.identities.size(), 2u);
  EXPECT_EQ(request.policy.signers.size(), 1u);
  EXPECT_EQ(request.policy.minimum_svn, 3);
  EXPECT_EQ(request.policy.minimum_tcb.snp, 8);
  EXPECT_TRUE(request.policy.allow_simulated);
  EXPECT_FALSE(request.policy.allow_debug);
}

TEST(PolicyFileTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(ComplaintOfPolicy(""), "");
  for (const char* toml :
       {"identity = ", "idendity = 'x'", "allow-debug = 1", "allow-debug = 'true'",
        "min-svn = true", "min-svn = -1", "min-svn = 1.5", "identity = [1]", "signer = {}",
        "json = true", "policy = 'other.toml'", "snp-report = 'x'", "help = true",
        "[enclave]\nmin-svn = 3"}) {
    EXPECT_NE(ComplaintOfPolicy(toml), "") << toml;
  }
  EXPECT_NE(ComplaintOfPolicy("\n\nsigner = \n").find("line 3"), std::string::npos);
}

TEST(RequestTest, HelpNamesEveryOption) {
  const std::string help = loader::HelpText(VerifyTool());
  const std::string man = loader::ManPage(VerifyTool());
  for (const loader::Option& option : VerifyTool().commands.front().options) {
    EXPECT_NE(help.find(option.name), std::string::npos) << option.name;
  }
  EXPECT_NE(man.find("EXIT STATUS"), std::string::npos);
  EXPECT_EQ(help.find("--man"), std::string::npos);
}

}  // namespace
}  // namespace nsgx::verify
