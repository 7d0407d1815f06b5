// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace nsgx::snp {

// An object in static storage that is made where it is declared and never ends: the machine ends
// first.
template <typename T>
class Forever {
 public:
  template <typename... Arguments>
  constexpr explicit Forever(Arguments&&... arguments)
      : object_(std::forward<Arguments>(arguments)...) {}
  constexpr ~Forever() {}

  constexpr T& operator*() { return object_; }
  constexpr T* operator->() { return &object_; }

 private:
  union {
    T object_;
  };
};

}  // namespace nsgx::snp
