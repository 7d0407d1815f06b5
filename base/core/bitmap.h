// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/check.h"
#include "base/core/result.h"

namespace nsgx {

// A sequence of bits over words that somebody else owns: for tables whose size is known at run
// time. Indices outside are our bug. Not locked.
class BitmapView {
 public:
  static constexpr size_t kBitsPerWord = 64;

  static constexpr size_t WordsFor(size_t bit_count) {
    return bit_count / kBitsPerWord + (bit_count % kBitsPerWord != 0 ? 1 : 0);
  }

  // Requires: `words` holds WordsFor(bit_count) words. Their content is kept.
  constexpr BitmapView(std::span<uint64_t> words, size_t bit_count)
      : words_(words), bit_count_(bit_count) {
    CHECK(words.size() >= WordsFor(bit_count));
  }

  constexpr size_t size() const { return bit_count_; }

  constexpr bool Test(size_t index) const {
    CHECK(index < bit_count_);
    return (words_[index / kBitsPerWord] >> (index % kBitsPerWord) & 1) != 0;
  }
  constexpr void Set(size_t index) {
    CHECK(index < bit_count_);
    words_[index / kBitsPerWord] |= uint64_t{1} << (index % kBitsPerWord);
  }
  constexpr void Clear(size_t index) {
    CHECK(index < bit_count_);
    words_[index / kBitsPerWord] &= ~(uint64_t{1} << (index % kBitsPerWord));
  }
  constexpr void SetRange(size_t first, size_t count) { ForRange<true>(first, count); }
  constexpr void ClearRange(size_t first, size_t count) { ForRange<false>(first, count); }

  // Return the first index >= `from` whose bit is set or clear.
  //
  // Errors: kNotFound  there is none.
  constexpr Result<size_t> FindSet(size_t from = 0) const { return Find<true>(from); }
  constexpr Result<size_t> FindClear(size_t from = 0) const { return Find<false>(from); }

  // Returns the start of the first run of `count` clear bits that begins at or behind `from`.
  //
  // Errors: kNotFound  there is none. (A run of none is at `from`.)
  constexpr Result<size_t> FindClearRun(size_t count, size_t from = 0) const {
    size_t start = from;
    while (start <= bit_count_ && count <= bit_count_ - start) {
      if (count == 0) {
        return start;
      }
      start = TRY(FindClear(start));
      if (count > bit_count_ - start) {
        break;
      }
      const size_t obstacle = FindSet(start).value_or(bit_count_);
      if (obstacle - start >= count) {
        return start;
      }
      start = obstacle;
    }
    return Error(Status::kNotFound);
  }

  // Returns how many bits are set.
  constexpr size_t CountSet() const {
    size_t count = 0;
    for (size_t word = 0; word < WordsFor(bit_count_); ++word) {
      count += static_cast<size_t>(std::popcount(words_[word] & UsedBits(word)));
    }
    return count;
  }

 private:
  // Returns a mask of the bits of word `word` that are inside.
  constexpr uint64_t UsedBits(size_t word) const {
    const size_t left = bit_count_ - word * kBitsPerWord;
    return left >= kBitsPerWord ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
  }

  template <bool kValue>
  constexpr Result<size_t> Find(size_t from) const {
    uint64_t wanted_from = ~uint64_t{0} << (from % kBitsPerWord);
    for (size_t word = from / kBitsPerWord; word < WordsFor(bit_count_); ++word) {
      const uint64_t matches =
          (kValue ? words_[word] : ~words_[word]) & UsedBits(word) & wanted_from;
      if (matches != 0) {
        return word * kBitsPerWord + static_cast<size_t>(std::countr_zero(matches));
      }
      wanted_from = ~uint64_t{0};
    }
    return Error(Status::kNotFound);
  }

  template <bool kValue>
  constexpr void ForRange(size_t first, size_t count) {
    CHECK(first <= bit_count_ && count <= bit_count_ - first);
    while (count != 0) {
      const size_t shift = first % kBitsPerWord;
      const size_t step = count < kBitsPerWord - shift ? count : kBitsPerWord - shift;
      const uint64_t mask = (step == kBitsPerWord ? ~uint64_t{0} : (uint64_t{1} << step) - 1)
                            << shift;
      if constexpr (kValue) {
        words_[first / kBitsPerWord] |= mask;
      } else {
        words_[first / kBitsPerWord] &= ~mask;
      }
      first += step;
      count -= step;
    }
  }

  std::span<uint64_t> words_;
  size_t bit_count_;
};

// `kBitCount` bits with their storage, all clear at first. `view()` has the operations.
template <size_t kBitCount>
class Bitmap {
 public:
  constexpr Bitmap() = default;
  Bitmap(const Bitmap&) = delete;
  Bitmap& operator=(const Bitmap&) = delete;

  constexpr BitmapView view() { return BitmapView(words_, kBitCount); }

 private:
  std::array<uint64_t, BitmapView::WordsFor(kBitCount)> words_{};
};

}  // namespace nsgx
