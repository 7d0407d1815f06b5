// SPDX-License-Identifier: Apache-2.0
// Modular exponentiation with Montgomery's multiplication, for one size and one exponent. It is on
// the way of every launch and takes a third of the time of a general library, and no memory but
// the stack.
#include "base/crypto/rsa_raise.h"

#include <tuple>

#include "base/core/check.h"

namespace nsgx::internal {
namespace {

using DoubleWord = unsigned __int128;
constexpr size_t kWordCount = std::tuple_size_v<RsaNumber>;
constexpr size_t kBitCount = 64 * kWordCount;

constexpr uint64_t High(DoubleWord value) { return static_cast<uint64_t>(value >> 64); }
constexpr uint64_t Low(DoubleWord value) { return static_cast<uint64_t>(value); }

bool IsLess(const RsaNumber& a, const RsaNumber& b) {
  for (size_t i = kWordCount; i-- != 0;) {
    if (a[i] != b[i]) {
      return a[i] < b[i];
    }
  }
  return false;
}

// Takes b from a, modulo 2^3072.
void Subtract(RsaNumber& a, const RsaNumber& b) {
  unsigned long long borrow = 0;
  for (size_t i = 0; i < kWordCount; ++i) {
    a[i] = __builtin_subcll(a[i], b[i], borrow, &borrow);
  }
}

// The sum of one column of a long multiplication: up to 96 products and what the column before
// has carried, which is less than 2^136.
class Accumulator {
 public:
  void AddProduct(uint64_t a, uint64_t b) {
    const DoubleWord product = DoubleWord{a} * b;
    high_ += __builtin_add_overflow(low_, product, &low_) ? 1 : 0;
  }

  void Add(const Accumulator& other) {
    high_ += other.high_ + (__builtin_add_overflow(low_, other.low_, &low_) ? 1 : 0);
  }

  void Double() { Add(Accumulator(*this)); }

  uint64_t lowest_word() const { return Low(low_); }

  // Returns the lowest word and goes on to the next column with the rest.
  uint64_t TakeWord() {
    const uint64_t word = Low(low_);
    low_ = DoubleWord{high_} << 64 | High(low_);
    high_ = 0;
    return word;
  }

 private:
  DoubleWord low_ = 0;
  uint64_t high_ = 0;
};

// The rows i of a column are those for which both i and column - i are words of a number.
constexpr size_t FirstRow(size_t column) {
  return column < kWordCount ? 0 : column - kWordCount + 1;
}
constexpr size_t LastRow(size_t column) { return column < kWordCount ? column : kWordCount - 1; }

// What a modulus n brings along. With R = 2^3072, numbers are worked on as x R mod n.
class Montgomery {
 public:
  explicit Montgomery(const RsaNumber& modulus) : modulus_(modulus) {
    // Newton's iteration doubles the number of right bits; an odd number is its own inverse
    // modulo 8.
    uint64_t inverse = modulus[0];
    for (int bits = 3; bits < 64; bits *= 2) {
      inverse *= 2 - modulus[0] * inverse;
    }
    negated_inverse_ = uint64_t{0} - inverse;
  }

  // Returns a b / R mod n. Requires: a, b < n.
  RsaNumber Multiply(const RsaNumber& a, const RsaNumber& b) const {
    return Reduce([&](Accumulator& sum, size_t column) {
      for (size_t i = FirstRow(column); i <= LastRow(column); ++i) {
        sum.AddProduct(a[i], b[column - i]);
      }
    });
  }

  // Returns a^2 / R mod n. Requires: a < n. Saves half of the products, which come in pairs.
  RsaNumber Square(const RsaNumber& a) const {
    return Reduce([&](Accumulator& sum, size_t column) {
      Accumulator half;
      size_t i = FirstRow(column);
      size_t j = LastRow(column);
      for (; i < j; ++i, --j) {
        half.AddProduct(a[i], a[j]);
      }
      half.Double();
      if (i == j) {
        half.AddProduct(a[i], a[i]);
      }
      sum.Add(half);
    });
  }

  // Returns 2a mod n. Requires: a < n.
  RsaNumber Double(const RsaNumber& a) const {
    RsaNumber result;
    uint64_t carry = 0;
    for (size_t i = 0; i < kWordCount; ++i) {
      result[i] = a[i] << 1 | carry;
      carry = a[i] >> 63;
    }
    if (carry != 0 || !IsLess(result, modulus_)) {
      Subtract(result, modulus_);
    }
    return result;
  }

  // Returns R^2 mod n, by which a multiplication turns x into x R.
  RsaNumber SquareOfR() const {
    // R mod n is R - n, as n has its highest bit set.
    RsaNumber result{};
    Subtract(result, modulus_);
    // 2^48 R by doubling; squaring 2^k R gives 2^2k R, and 48 * 2^6 is 3072.
    constexpr size_t kDoublings = 48;
    for (size_t i = 0; i < kDoublings; ++i) {
      result = Double(result);
    }
    for (size_t exponent = kDoublings; exponent < kBitCount; exponent *= 2) {
      result = Square(result);
    }
    return result;
  }

 private:
  // Returns x / R mod n for the x < n^2 of which `add_column` adds the products of one column.
  //
  // Column by column from the lowest: add the multiple of n that makes the column zero. Half of
  // the columns vanish, which is the division by R. What is left is below 2n.
  template <typename AddColumn>
  RsaNumber Reduce(AddColumn add_column) const {
    Accumulator sum;
    RsaNumber factors;  // of n, one for each column that vanishes
    for (size_t column = 0; column < kWordCount; ++column) {
      add_column(sum, column);
      for (size_t i = 0; i < column; ++i) {
        sum.AddProduct(factors[i], modulus_[column - i]);
      }
      factors[column] = sum.lowest_word() * negated_inverse_;
      sum.AddProduct(factors[column], modulus_[0]);
      sum.TakeWord();
    }
    RsaNumber result;
    for (size_t column = kWordCount; column < 2 * kWordCount; ++column) {
      if (column < 2 * kWordCount - 1) {
        add_column(sum, column);
        for (size_t i = FirstRow(column); i < kWordCount; ++i) {
          sum.AddProduct(factors[i], modulus_[column - i]);
        }
      }
      result[column - kWordCount] = sum.TakeWord();
    }
    if (sum.lowest_word() != 0 || !IsLess(result, modulus_)) {
      Subtract(result, modulus_);
    }
    return result;
  }

  const RsaNumber& modulus_;
  uint64_t negated_inverse_;
};

}  // namespace

RsaNumber RsaRaise(const RsaNumber& base, const RsaNumber& modulus) {
  CHECK((modulus[0] & 1) != 0 && modulus[kWordCount - 1] >> 63 != 0 && IsLess(base, modulus));
  const Montgomery field(modulus);
  RsaNumber power = field.Multiply(base, field.SquareOfR());
  for (int i = 0; i < 16; ++i) {
    power = field.Square(power);
  }
  // base^65536 R times base, divided by R.
  return field.Multiply(power, base);
}

}  // namespace nsgx::internal
