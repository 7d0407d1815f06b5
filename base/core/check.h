// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace nsgx {

// Reports a broken invariant and stops this world; never returns.
//
// A facade: each world links exactly one backend (`backend_host.cc` on the host and in native
// tools; the SEH and the library OS bring their own). `file` and `what` are string literals.
//
// Requires: nothing; it may be called with any lock held and from any context.
[[noreturn]] void CheckFailed(const char* file, int line, const char* what);

}  // namespace nsgx

// Stops the world when `condition` is false. On in every build.
//
// For our own bugs only. A value chosen by the host, a guest kernel, an enclave or a file must
// never be able to make it fail: such input is refused with a `Result`.
#define CHECK(condition)                                   \
  do {                                                     \
    if (!(condition)) [[unlikely]] {                       \
      ::nsgx::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                      \
  } while (false)

// As CHECK, but only in builds without NDEBUG. A comment beside each use says why the cost of a
// CHECK would matter there. The condition is compiled, never evaluated, in other builds.
#ifdef NDEBUG
#define DCHECK(condition)                    \
  do {                                       \
    static_cast<void>(sizeof(!(condition))); \
  } while (false)
#else
#define DCHECK(condition) CHECK(condition)
#endif
