// SPDX-License-Identifier: Apache-2.0
#include "base/core/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <type_traits>
#include <utility>

namespace nsgx {
namespace {

enum class Errno : int { kNone, kIo };

static_assert(!std::is_copy_constructible_v<Result<int>>);
static_assert(std::is_trivially_move_constructible_v<Result<int>>);
static_assert(std::is_trivially_destructible_v<Result<int>>);
static_assert(std::is_trivially_move_constructible_v<Result<void>>);
static_assert(!std::is_trivially_destructible_v<Result<std::unique_ptr<int>>>);
// Both fit the two registers in which the psABI returns a value.
static_assert(sizeof(Result<uint64_t>) <= 16);
static_assert(sizeof(Result<void>) <= 8);

constexpr Result<int> Half(int value) {
  if (value % 2 != 0) {
    return Error(Status::kInvalidArgument);
  }
  return value / 2;
}

constexpr Result<int> Quarter(int value) {
  const int half = TRY(Half(value));
  return TRY(Half(half));
}

// TRY may stand inside the argument of another TRY, and its success path is a constant expression.
constexpr Result<int> Eighth(int value) { return TRY(Half(TRY(Half(TRY(Half(value)))))); }
static_assert(Eighth(16).value() == 2);

template <typename A, typename B>
Result<int> TwoTypes(A a, B b) {
  return static_cast<int>(a + b);
}

Result<void> CheckEven(int value) {
  TRY(Half(value));
  TRY(TwoTypes<int, long>(value, 1));
  return {};
}

TEST(Result, HoldsValueOrError) {
  Result<int> good = Half(4);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good.value(), 2);
  good.value() = 7;
  EXPECT_EQ(std::as_const(good).value(), 7);

  Result<int> bad = Half(3);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error(), Status::kInvalidArgument);
}

TEST(Result, ValueOr) {
  EXPECT_EQ(Half(4).value_or(9), 2);
  EXPECT_EQ(Half(3).value_or(9), 9);
}

TEST(Result, TryReturnsEarly) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).error(), Status::kInvalidArgument);
  EXPECT_EQ(Quarter(5).error(), Status::kInvalidArgument);
  EXPECT_EQ(Eighth(12).error(), Status::kInvalidArgument);
  EXPECT_TRUE(CheckEven(2).ok());
  EXPECT_EQ(CheckEven(1).error(), Status::kInvalidArgument);
}

TEST(Result, VoidAndStatus) {
  EXPECT_EQ(ToStatus(CheckEven(2)), Status::kOk);
  EXPECT_EQ(ToStatus(CheckEven(1)), Status::kInvalidArgument);
  CheckEven(2).value();
}

TEST(Result, TransformErrorCrossesVocabularies) {
  auto translate = [](Status) { return Errno::kIo; };
  Result<int, Errno> bad = Half(1).transform_error(translate);
  EXPECT_EQ(bad.error(), Errno::kIo);
  Result<int, Errno> good = Half(2).transform_error(translate);
  EXPECT_EQ(good.value(), 1);
  Result<void, Errno> bad_void = CheckEven(1).transform_error(translate);
  EXPECT_EQ(bad_void.error(), Errno::kIo);
  auto in_errno_world = [&](int value) -> Result<int, Errno> {
    return TRY(Half(value).transform_error(translate)) + 1;
  };
  EXPECT_EQ(in_errno_world(4).value(), 3);
  EXPECT_EQ(in_errno_world(3).error(), Errno::kIo);
}

// Cannot be copied, and counts the live objects, so that a leak or a double destruction shows.
class Counted {
 public:
  explicit Counted(int* live) : live_(live) { ++*live_; }
  Counted(Counted&& other) noexcept : live_(other.live_) { ++*live_; }
  Counted(const Counted&) = delete;
  ~Counted() { --*live_; }

 private:
  int* live_;
};

TEST(Result, OwnsItsValue) {
  int live = 0;
  auto make = [&](bool fail) -> Result<Counted> {
    if (fail) {
      return Error(Status::kNoMemory);
    }
    return Counted(&live);
  };
  auto pass_on = [&](bool fail) -> Result<Counted> {
    Counted counted = TRY(make(fail));
    EXPECT_EQ(live, 1);
    return counted;
  };
  {
    Result<Counted> result = pass_on(false);
    EXPECT_TRUE(result.ok());
    EXPECT_EQ(live, 1);
    Result<Counted> moved = std::move(result);
    EXPECT_TRUE(moved.ok());
  }
  EXPECT_EQ(live, 0);
  EXPECT_EQ(pass_on(true).error(), Status::kNoMemory);
  EXPECT_EQ(live, 0);
}

TEST(ResultDeathTest, WrongAlternativeStopsTheWorld) {
  EXPECT_DEATH(Half(3).value(), "check failed: ok_");
  EXPECT_DEATH(static_cast<void>(Half(2).error()), "check failed: !ok_");
}

}  // namespace
}  // namespace nsgx
