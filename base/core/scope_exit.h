// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace nsgx {

// Calls a function when the scope ends, unless told not to: for undoing the first half of an
// operation whose second half may fail.
//
//   ScopeExit undo([&] { pool.Return(page); });
//   TRY(Map(page));
//   undo.Cancel();
template <typename F>
class [[nodiscard]] ScopeExit {
 public:
  constexpr explicit ScopeExit(F function) : function_(std::move(function)) {}
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  constexpr ~ScopeExit() {
    if (armed_) {
      function_();
    }
  }

  constexpr void Cancel() { armed_ = false; }

 private:
  F function_;
  bool armed_ = true;
};

}  // namespace nsgx
