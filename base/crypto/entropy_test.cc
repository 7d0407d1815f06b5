// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/entropy.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "base/crypto/cpu.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

// What a faked instruction gives next; a missing value is "none ready". It is a global because the
// reader takes a plain function, as the instructions are.
struct Script {
  std::deque<std::optional<uint64_t>> answers;
  int asked = 0;

  bool Next(uint64_t* word) {
    ++asked;
    if (answers.empty()) {
      return false;
    }
    const std::optional<uint64_t> answer = answers.front();
    answers.pop_front();
    *word = answer.value_or(0x1234);
    return answer.has_value();
  }
};
Script first;
Script second;
bool ReadFirst(uint64_t* word) { return first.Next(word); }
bool ReadSecond(uint64_t* word) { return second.Next(word); }

class Entropy : public testing::Test {
 protected:
  Entropy() {
    first = {};
    second = {};
  }
  CheckedWordReader first_{&ReadFirst};
  CheckedWordReader second_{&ReadSecond};
};

TEST_F(Entropy, WordsComeThrough) {
  first.answers = {5, 6, 5};
  EXPECT_EQ(first_.Read().value(), 5u);
  EXPECT_EQ(first_.Read().value(), 6u);
  EXPECT_EQ(first_.Read().value(), 5u);
}

TEST_F(Entropy, TriesAgainButNotForEver) {
  first.answers = {std::nullopt, std::nullopt, 7};
  EXPECT_EQ(first_.Read().value(), 7u);
  EXPECT_EQ(first.asked, 3);
  first = {};
  EXPECT_EQ(first_.Read().error(), Status::kBusy);
  EXPECT_EQ(first.asked, CheckedWordReader::kMaxTries);
}

TEST_F(Entropy, BrokenWordsAreRefused) {
  first.answers = {uint64_t{0}};
  EXPECT_EQ(first_.Read().error(), Status::kEntropyFailure);
  first.answers = {~uint64_t{0}};
  EXPECT_EQ(first_.Read().error(), Status::kEntropyFailure);
  first.answers = {9, 9};
  EXPECT_EQ(first_.Read().value(), 9u);
  EXPECT_EQ(first_.Read().error(), Status::kEntropyFailure);
}

TEST_F(Entropy, FallsBackWordByWord) {
  for (int i = 0; i < CheckedWordReader::kMaxTries; ++i) {
    first.answers.push_back(std::nullopt);
  }
  first.answers.push_back(0x2222222222222222);
  second.answers = {0x1111111111111111};
  std::array<std::byte, 12> seed;
  ASSERT_TRUE(FillFromWords(&first_, &second_, seed).ok());
  EXPECT_EQ(testing_support::ToHex(seed), "111111111111111122222222");
}

TEST_F(Entropy, ABrokenSourceIsNotPaperedOver) {
  first.answers = {7, 7};
  second.answers = {8, 9};
  std::array<std::byte, 16> seed;
  seed.fill(std::byte{1});
  EXPECT_EQ(FillFromWords(&first_, &second_, seed).error(), Status::kEntropyFailure);
  EXPECT_EQ(testing_support::ToHex(seed), std::string(32, '0'));
}

TEST_F(Entropy, NothingThereOrEverythingDry) {
  std::array<std::byte, 8> seed;
  EXPECT_EQ(FillFromWords(nullptr, nullptr, seed).error(), Status::kEntropyFailure);
  EXPECT_EQ(FillFromWords(&first_, nullptr, seed).error(), Status::kEntropyFailure);
  EXPECT_EQ(FillFromWords(&first_, &second_, seed).error(), Status::kEntropyFailure);
  EXPECT_TRUE(FillFromWords(nullptr, nullptr, {}).ok());
}

TEST(HardwareEntropy, GivesDifferentBytesEachTime) {
  const CpuFeatures features = DetectCpuFeatures();
  if (!features.rdseed && !features.rdrand) {
    GTEST_SKIP() << "this processor has no random-number instruction";
  }
  HardwareEntropy entropy;
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    std::array<std::byte, 17> seed{};
    ASSERT_TRUE(entropy.Fill(seed).ok());
    EXPECT_TRUE(seen.insert(testing_support::ToHex(seed)).second);
  }
}

}  // namespace
}  // namespace nsgx
