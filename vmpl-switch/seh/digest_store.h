// SPDX-License-Identifier: Apache-2.0
// The digests of an image's deferred pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/check.h"
#include "base/core/result.h"
#include "base/crypto/sha256.h"
#include "vmpl-switch/seh/machine.h"

namespace nsgx::seh {

// A sparse array of digests, indexed by page number in the image, in table pages. Not locked:
// written by one thread while the enclave is loaded, only read afterwards.
class DigestStore {
 public:
  constexpr explicit DigestStore(Machine& machine) : machine_(machine) {}
  DigestStore(const DigestStore&) = delete;
  DigestStore& operator=(const DigestStore&) = delete;
  // Requires: cleared.
  ~DigestStore() { CHECK(root_ == nullptr); }

  // Makes room for the digests of pages [first, first + count).
  //
  // Errors: kNoMemory    the machine has no table page; what there was before stays.
  //         kOutOfRange  a page behind the first 128 GiB.
  Result<void> Reserve(uint64_t first, uint64_t count);

  // Returns the digests from page `page` on that lie in one piece: at least one, up to `count`.
  // Requires: reserved.
  std::span<Sha256::Digest> Slice(uint64_t page, uint64_t count);

  // Gives all table pages back. Legal at any time.
  void Clear();

 private:
  static constexpr uint64_t kLeafCount = kPageSize / Sha256::kDigestSize;
  static constexpr uint64_t kMiddleCount = kPageSize / sizeof(void*);
  static constexpr uint64_t kMaxPageCount = kLeafCount * kMiddleCount * kMiddleCount;  // 128 GiB

  // Each is one table page, all null when it is new.
  struct Leaf {
    Sha256::Digest digests[kLeafCount];
  };
  struct Middle {
    Leaf* leaves[kMiddleCount];
  };
  struct Root {
    Middle* middles[kMiddleCount];
  };
  static_assert(sizeof(Leaf) == kPageSize && sizeof(Middle) == kPageSize &&
                sizeof(Root) == kPageSize);

  template <typename Table>
  Result<void> Make(Table** table);
  template <typename Table>
  void Free(Table* table);

  Machine& machine_;
  Root* root_ = nullptr;
};

}  // namespace nsgx::seh
