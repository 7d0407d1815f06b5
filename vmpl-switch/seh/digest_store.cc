// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/digest_store.h"

#include <algorithm>

namespace nsgx::seh {

template <typename Table>
Result<void> DigestStore::Make(Table** table) {
  if (*table == nullptr) {
    *table = reinterpret_cast<Table*>(TRY(machine_.AllocateTablePage()));
  }
  return {};
}

template <typename Table>
void DigestStore::Free(Table* table) {
  machine_.FreeTablePage(reinterpret_cast<std::byte*>(table));
}

Result<void> DigestStore::Reserve(uint64_t first, uint64_t count) {
  if (first >= kMaxPageCount || count > kMaxPageCount - first) {
    return Error(Status::kOutOfRange);
  }
  if (count == 0) {
    return {};
  }
  TRY(Make(&root_));
  for (uint64_t leaf = first / kLeafCount; leaf <= (first + count - 1) / kLeafCount; ++leaf) {
    Middle** middle = &root_->middles[leaf / kMiddleCount];
    TRY(Make(middle));
    TRY(Make(&(*middle)->leaves[leaf % kMiddleCount]));
  }
  return {};
}

std::span<Sha256::Digest> DigestStore::Slice(uint64_t page, uint64_t count) {
  CHECK(page < kMaxPageCount && root_ != nullptr);
  Middle* middle = root_->middles[page / kLeafCount / kMiddleCount];
  CHECK(middle != nullptr);
  Leaf* leaf = middle->leaves[page / kLeafCount % kMiddleCount];
  CHECK(leaf != nullptr);
  const uint64_t index = page % kLeafCount;
  return std::span(leaf->digests).subspan(index, std::min(count, kLeafCount - index));
}

void DigestStore::Clear() {
  if (root_ == nullptr) {
    return;
  }
  for (Middle* middle : root_->middles) {
    if (middle == nullptr) {
      continue;
    }
    for (Leaf* leaf : middle->leaves) {
      if (leaf != nullptr) {
        Free(leaf);
      }
    }
    Free(middle);
  }
  Free(root_);
  root_ = nullptr;
}

}  // namespace nsgx::seh
