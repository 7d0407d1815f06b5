// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/entropy.h"

#include "base/crypto/cpu.h"
#include "base/crypto/secure_zero.h"

namespace nsgx {
namespace {

Result<uint64_t> ReadWordFrom(CheckedWordReader* preferred, CheckedWordReader* fallback) {
  if (preferred != nullptr) {
    Result<uint64_t> word = preferred->Read();
    if (word.ok() || word.error() != Status::kBusy) {
      return word;
    }
  }
  if (fallback == nullptr) {
    return Error(Status::kEntropyFailure);
  }
  return fallback->Read();
}

}  // namespace

Result<uint64_t> CheckedWordReader::Read() {
  for (int i = 0; i < kMaxTries; ++i) {
    uint64_t word = 0;
    if (!read_(&word)) {
      __builtin_ia32_pause();
      continue;
    }
    // `previous_` starts as zero, which is refused anyway.
    if (word == 0 || word == ~uint64_t{0} || word == previous_) {
      return Error(Status::kEntropyFailure);
    }
    previous_ = word;
    return word;
  }
  return Error(Status::kBusy);
}

Result<void> FillFromWords(CheckedWordReader* preferred, CheckedWordReader* fallback,
                           std::span<std::byte> seed) {
  std::span<std::byte> rest = seed;
  while (!rest.empty()) {
    const Result<uint64_t> read = ReadWordFrom(preferred, fallback);
    if (!read.ok()) {
      SecureZero(seed);
      return Error(Status::kEntropyFailure);
    }
    const uint64_t word = read.value();
    const size_t size = rest.size() < sizeof(word) ? rest.size() : sizeof(word);
    __builtin_memcpy(rest.data(), &word, size);
    rest = rest.subspan(size);
  }
  return {};
}

Result<void> HardwareEntropy::Fill(std::span<std::byte> seed) {
  const CpuFeatures features = DetectCpuFeatures();
  return FillFromWords(features.rdseed ? &rdseed_ : nullptr, features.rdrand ? &rdrand_ : nullptr,
                       seed);
}

bool HardwareEntropy::ReadRdseed(uint64_t* word) {
  bool ready;
  asm volatile("rdseed %0" : "=r"(*word), "=@ccc"(ready));
  return ready;
}

bool HardwareEntropy::ReadRdrand(uint64_t* word) {
  bool ready;
  asm volatile("rdrand %0" : "=r"(*word), "=@ccc"(ready));
  return ready;
}

}  // namespace nsgx
