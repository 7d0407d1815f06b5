// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/hostfs/host_tokens.h"

#include <algorithm>
#include <span>

#include "base/core/log.h"
#include "base/core/spinlock.h"
#include "libos/vfs/radix_tree.h"

namespace nsgx::libos {
namespace {

constexpr size_t kBatch = 32;
static_assert(kBatch <= host::kMaxReleased);

constinit SpinLock lock;
// The value says nothing; that there is one does.
constinit char in_use_mark = 0;
[[clang::no_destroy]] constinit RadixTree<char> in_use GUARDED_BY(lock);
constinit host::FileToken unused[kBatch] GUARDED_BY(lock) = {};
constinit size_t unused_count GUARDED_BY(lock) = 0;

// Adds `extra` to those that wait for it, and tells the host of all if there are many, or at once.
void Release(const host::FileToken* extra, bool now) {
  host::FileToken tokens[kBatch];
  size_t count = 0;
  {
    SpinLockGuard guard(lock);
    if (extra != nullptr) {
      unused[unused_count++] = *extra;
    }
    if (now || unused_count == kBatch) {
      count = unused_count;
      std::copy_n(unused, count, tokens);
      unused_count = 0;
      // From here on the host may give them out again.
      for (size_t i = 0; i < count; ++i) {
        in_use.Erase(tokens[i]);
      }
    }
  }
  host::FileRelease(std::span(tokens, count));
}

}  // namespace

Result<void, Errno> TakeHostToken(host::FileToken token) {
  bool is_in_use;
  {
    SpinLockGuard guard(lock);
    is_in_use = in_use.Find(token) != nullptr;
    if (!is_in_use && in_use.Insert(token, in_use_mark)) {
      return {};
    }
  }
  if (is_in_use) {
    LOG(kWarning, "the host gave out token ", token, " twice, which is not used");
    return Error(Errno::kEIO);
  }
  host::FileRelease(std::span(&token, 1));
  return Error(Errno::kENOMEM);
}

void ReleaseHostToken(host::FileToken token, bool now) { Release(&token, now); }

void ReleaseAllHostTokens() { Release(nullptr, true); }

}  // namespace nsgx::libos
