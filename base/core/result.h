// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <new>
#include <type_traits>
#include <utility>

#include "base/core/check.h"
#include "base/core/status.h"

namespace nsgx {

// An error on its way into a `Result`: `return Error(Status::kNoMemory);`
template <typename E>
class [[nodiscard]] Error {
 public:
  constexpr explicit Error(E error) : error_(std::move(error)) {}

  constexpr const E& error() const& { return error_; }
  constexpr E&& error() && { return std::move(error_); }

 private:
  E error_;
};

// Either a value of type T or an error of type E.
//
// Every function that can fail returns one. The names follow std::expected. Differences: it
// cannot be copied (so a value is handed on exactly once), there is no dereference operator, and
// asking for the wrong alternative stops the world (CHECK) instead of throwing.
//
//   Result<uint64_t> Size(...) {
//     if (bad) return Error(Status::kMalformed);
//     return 42;
//   }
//   uint64_t size = TRY(Size(...));  // leaves the caller with the same error
//
// A `Result` of a trivial T travels in registers.
template <typename T, typename E = Status>
class [[nodiscard]] Result {
  static_assert(std::is_object_v<T> && !std::is_array_v<T>, "hold a pointer, not a reference");
  static_assert(std::is_trivially_copyable_v<E>, "errors are plain values");

 public:
  using value_type = T;
  using error_type = E;

  // Success. Implicit, so that `return value;` works; T is built from anything it converts from.
  template <typename U = T>
    requires(std::convertible_to<U, T> && !std::same_as<std::remove_cvref_t<U>, Result>)
  constexpr Result(U&& value)  // NOLINT(google-explicit-constructor)
      : value_(std::forward<U>(value)), ok_(true) {}

  // Failure. Implicit, so that `return Error(...)` works.
  template <typename G>
    requires std::convertible_to<G, E>
  constexpr Result(Error<G> error)  // NOLINT(google-explicit-constructor)
      : error_(std::move(error).error()), ok_(false) {}

  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  Result& operator=(Result&&) = delete;

  constexpr Result(Result&&)
    requires std::is_trivially_move_constructible_v<T>
  = default;
  Result(Result&& other) noexcept
    requires(!std::is_trivially_move_constructible_v<T>)
      : ok_(other.ok_) {
    if (ok_) {
      ::new (static_cast<void*>(&value_)) T(std::move(other.value_));
    } else {
      ::new (static_cast<void*>(&error_)) E(other.error_);
    }
  }

  constexpr ~Result()
    requires std::is_trivially_destructible_v<T>
  = default;
  constexpr ~Result()
    requires(!std::is_trivially_destructible_v<T>)
  {
    if (ok_) {
      value_.~T();
    }
  }

  // Always legal.
  constexpr bool ok() const { return ok_; }
  constexpr bool has_value() const { return ok_; }

  // Requires: ok().
  constexpr T& value() & {
    CHECK(ok_);
    return value_;
  }
  constexpr const T& value() const& {
    CHECK(ok_);
    return value_;
  }
  constexpr T&& value() && {
    CHECK(ok_);
    return std::move(value_);
  }

  // Requires: !ok().
  constexpr E error() const {
    CHECK(!ok_);
    return error_;
  }

  // Returns the value, or `fallback` when this is an error.
  template <typename U>
    requires std::convertible_to<U, T>
  constexpr T value_or(U&& fallback) && {
    return ok_ ? std::move(value_) : static_cast<T>(std::forward<U>(fallback));
  }

  // Hands the value on unchanged, or the error after `function` has translated it. Used where one
  // vocabulary of errors ends and another begins.
  template <typename F>
  constexpr auto transform_error(F&& function) && -> Result<T, std::invoke_result_t<F, E>> {
    if (!ok_) {
      return Error(std::forward<F>(function)(error_));
    }
    return std::move(value_);
  }

 private:
  union {
    T value_;
    E error_;
  };
  bool ok_;
};

// Success without a value, or an error. `return {};` is success.
template <typename E>
class [[nodiscard]] Result<void, E> {
  static_assert(std::is_trivially_copyable_v<E>, "errors are plain values");

 public:
  using value_type = void;
  using error_type = E;

  constexpr Result() : error_(), ok_(true) {}

  template <typename G>
    requires std::convertible_to<G, E>
  constexpr Result(Error<G> error)  // NOLINT(google-explicit-constructor)
      : error_(std::move(error).error()), ok_(false) {}

  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  constexpr Result(Result&&) = default;
  Result& operator=(Result&&) = delete;

  // Always legal.
  constexpr bool ok() const { return ok_; }
  constexpr bool has_value() const { return ok_; }

  // Requires: ok().
  constexpr void value() const { CHECK(ok_); }

  // Requires: !ok().
  constexpr E error() const {
    CHECK(!ok_);
    return error_;
  }

  template <typename F>
  constexpr auto transform_error(F&& function) && -> Result<void, std::invoke_result_t<F, E>> {
    if (!ok_) {
      return Error(std::forward<F>(function)(error_));
    }
    return {};
  }

 private:
  E error_;
  bool ok_;
};

// Returns `status` as the ABI's number for success or failure.
constexpr Status ToStatus(const Result<void>& result) {
  return result.ok() ? Status::kOk : result.error();
}

namespace internal {

// Moves the value out, by value, so that TRY is a prvalue.
template <typename T, typename E>
constexpr T TakeValue(Result<T, E>&& result) {
  if constexpr (!std::is_void_v<T>) {
    return std::move(result).value();
  }
}

}  // namespace internal
}  // namespace nsgx

// Evaluates `expression`, a Result. On success TRY is its value (or void); on failure the enclosing
// function returns the error, so that function must return a Result with a compatible error type.
//
// A statement expression, the one GNU extension we allow in C++.
#define TRY(...) NSGX_TRY_WITH_NAME(NSGX_TRY_CONCAT(nsgx_try_, __COUNTER__), __VA_ARGS__)

#define NSGX_TRY_CONCAT(a, b) NSGX_TRY_CONCAT_EXPANDED(a, b)
#define NSGX_TRY_CONCAT_EXPANDED(a, b) a##b
#define NSGX_TRY_WITH_NAME(name, ...)             \
  ({                                              \
    auto name = (__VA_ARGS__);                    \
    if (!name.ok()) [[unlikely]] {                \
      return ::nsgx::Error(name.error());         \
    }                                             \
    ::nsgx::internal::TakeValue(std::move(name)); \
  })
