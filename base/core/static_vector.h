// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "base/core/check.h"
#include "base/core/result.h"

namespace nsgx {

// A sequence of at most `kCapacity` elements in place, without a heap. An element keeps its address
// until it, or one in front of it, is removed.
template <typename T, size_t kCapacity>
class StaticVector {
 public:
  constexpr StaticVector() {}
  StaticVector(const StaticVector&) = delete;
  StaticVector& operator=(const StaticVector&) = delete;
  constexpr ~StaticVector()
    requires std::is_trivially_destructible_v<T>
  = default;
  constexpr ~StaticVector()
    requires(!std::is_trivially_destructible_v<T>)
  {
    Clear();
  }

  static constexpr size_t capacity() { return kCapacity; }
  constexpr size_t size() const { return size_; }
  constexpr bool is_empty() const { return size_ == 0; }
  constexpr bool is_full() const { return size_ == kCapacity; }

  // Builds an element from `arguments` at the end and returns it.
  //
  // Errors: kNoMemory  the vector is full; nothing has changed.
  template <typename... Arguments>
  Result<T*> EmplaceBack(Arguments&&... arguments) {
    if (is_full()) {
      return Error(Status::kNoMemory);
    }
    T* element =
        ::new (static_cast<void*>(&items_[size_])) T(std::forward<Arguments>(arguments)...);
    ++size_;
    return element;
  }

  // Appends `value`. Errors: as EmplaceBack.
  Result<void> PushBack(T value) {
    TRY(EmplaceBack(std::move(value)));
    return {};
  }

  // Removes the last element. Requires: there is one.
  constexpr void PopBack() {
    CHECK(size_ != 0);
    --size_;
    items_[size_].~T();
  }

  // Removes element `index` and moves the later ones forward. Requires: index < size().
  constexpr void RemoveAt(size_t index) {
    CHECK(index < size_);
    for (size_t i = index + 1; i < size_; ++i) {
      items_[i - 1] = std::move(items_[i]);
    }
    PopBack();
  }

  constexpr void Clear() {
    while (size_ != 0) {
      PopBack();
    }
  }

  // Requires: index < size(). (An index from input is compared with size() first.)
  constexpr T& operator[](size_t index) {
    CHECK(index < size_);
    return items_[index];
  }
  constexpr const T& operator[](size_t index) const {
    CHECK(index < size_);
    return items_[index];
  }

  // Require: the vector is not empty.
  constexpr T& Front() { return (*this)[0]; }
  constexpr T& Back() { return (*this)[size_ - 1]; }

  constexpr T* begin() { return items_; }
  constexpr T* end() { return items_ + size_; }
  constexpr const T* begin() const { return items_; }
  constexpr const T* end() const { return items_ + size_; }
  constexpr std::span<T> span() { return {items_, size_}; }
  constexpr std::span<const T> span() const { return {items_, size_}; }

 private:
  // A union, so that elements are built when they are added and not before; the byte makes an empty
  // vector a constant.
  union {
    std::byte none_{};
    T items_[kCapacity];
  };
  size_t size_ = 0;
};

}  // namespace nsgx
