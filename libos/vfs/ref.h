// SPDX-License-Identifier: Apache-2.0
// Shared ownership without a heap of its own: the object brings the count.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/core/check.h"

namespace nsgx::libos {

// How many references an object has. Whoever drops the last one destroys it.
class ReferenceCount {
 public:
  constexpr explicit ReferenceCount(uint32_t initial) : count_(initial) {}

  // Requires: the caller has a reference, or holds the lock under which the last one is dropped.
  void Add() { count_.fetch_add(1, std::memory_order_relaxed); }

  // For those who found the object without having a reference, in memory that stays of this type.
  // False: it is being destroyed, or has been.
  [[nodiscard]] bool AddUnlessZero() {
    uint32_t count = count_.load(std::memory_order_relaxed);
    while (count != 0) {
      if (count_.compare_exchange_weak(count, count + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // True: that was the last one.
  [[nodiscard]] bool Drop() {
    const uint32_t before = count_.fetch_sub(1, std::memory_order_acq_rel);
    CHECK(before != 0);
    return before == 1;
  }

  // The object begins a new life with one reference. Requires: the count is zero.
  void Revive() { count_.store(1, std::memory_order_release); }

  uint32_t value() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> count_;
};

// A reference to a T, or none. T has AddReference() and DropReference(). Dropping the last one may
// destroy a tree of objects and give back much memory: not with a lock held that T's end may want.
template <typename T>
class Ref {
 public:
  constexpr Ref() = default;
  constexpr Ref(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)

  // Takes a reference of its own.
  static Ref Share(T& object) {
    object.AddReference();
    return Ref(&object);
  }
  // Takes over the reference that the caller has.
  static Ref Adopt(T* object) { return Ref(object); }

  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
    requires(std::convertible_to<U*, T*>)
  Ref(Ref<U>&& other) noexcept : object_(other.Release()) {}  // NOLINT(google-explicit-constructor)
  Ref& operator=(Ref&& other) noexcept {
    Ref old(std::move(*this));
    object_ = std::exchange(other.object_, nullptr);
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() {
    if (object_ != nullptr) {
      object_->DropReference();
    }
  }

  Ref Clone() const { return object_ == nullptr ? Ref() : Share(*object_); }
  // Hands the reference to the caller.
  [[nodiscard]] T* Release() { return std::exchange(object_, nullptr); }

  constexpr T* get() const { return object_; }
  constexpr explicit operator bool() const { return object_ != nullptr; }
  T& operator*() const {
    DCHECK(object_ != nullptr);  // in every path walk
    return *object_;
  }
  T* operator->() const {
    DCHECK(object_ != nullptr);  // as above
    return object_;
  }

 private:
  constexpr explicit Ref(T* object) : object_(object) {}

  T* object_ = nullptr;
};

}  // namespace nsgx::libos
