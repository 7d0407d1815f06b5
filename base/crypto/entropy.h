// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"

namespace nsgx {

// Something that gives seeds. Implementations say whom one has to trust for their quality.
class EntropySource {
 public:
  // Fills `seed` with fresh unpredictable bytes.
  //
  // Errors: kEntropyFailure  not all of it could be had, or it looked broken; `seed` is zero.
  virtual Result<void> Fill(std::span<std::byte> seed) = 0;

 protected:
  ~EntropySource() = default;
};

// Reads 64-bit words from a random-number instruction and refuses what a broken or faked one
// gives: zero, all ones, or the same word twice running. (Processors have shipped whose RDRAND
// reported success with all ones, and whose RDSEED did with zeros.) A sound word is refused by
// chance once in 2^62.
class CheckedWordReader {
 public:
  // Puts a word in `word` and returns true, or returns false because none is ready.
  using ReadWord = bool (*)(uint64_t* word);

  // How often one word is asked for. RDSEED can run dry when every core draws from it.
  static constexpr int kMaxTries = 100;

  constexpr explicit CheckedWordReader(ReadWord read) : read_(read) {}

  // Errors: kBusy            no word was ready.
  //         kEntropyFailure  a word looked broken.
  Result<uint64_t> Read();

 private:
  ReadWord read_;
  uint64_t previous_ = 0;
};

// Fills `seed` with words of `preferred`; where that has none ready, with words of `fallback`.
// Either may be null.
//
// Errors: kEntropyFailure  a word looked broken, or neither had one; `seed` is zero.
Result<void> FillFromWords(CheckedWordReader* preferred, CheckedWordReader* fallback,
                           std::span<std::byte> seed);

// The processor's own generator: RDSEED, or RDRAND where that is missing or has run dry. Not
// locked.
//
// Trust: the processor. Whether it has the instructions is asked of CPUID; a host that denies them
//        gets a refusal, not a weaker seed.
class HardwareEntropy final : public EntropySource {
 public:
  constexpr HardwareEntropy() = default;

  // Errors: as FillFromWords.
  Result<void> Fill(std::span<std::byte> seed) override;

 private:
  static bool ReadRdseed(uint64_t* word);
  static bool ReadRdrand(uint64_t* word);

  CheckedWordReader rdseed_{&ReadRdseed};
  CheckedWordReader rdrand_{&ReadRdrand};
};

}  // namespace nsgx
