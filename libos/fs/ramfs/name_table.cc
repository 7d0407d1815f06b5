// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/ramfs/name_table.h"

#include <cstring>

#include "base/core/check.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {

NameTable::~NameTable() {
  CHECK(count_ == 0);
  for (Segment* const segment : segments_) {
    KernelFree(segment);
  }
}

uint64_t NameTable::Hash(const RamDirectory& directory, std::string_view name) {
  // Multiply and fold, eight bytes at a time. The directory's address parts equal names in
  // different directories.
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
  const auto mix = [](uint64_t value) {
    const unsigned __int128 product = static_cast<unsigned __int128>(value) * kFactor;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t hash = mix(reinterpret_cast<uint64_t>(&directory) ^ name.size());
  size_t at = 0;
  for (; at + 8 <= name.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, name.data() + at, 8);
    hash = mix(hash ^ word);
  }
  uint64_t rest = 0;
  std::memcpy(&rest, name.data() + at, name.size() - at);
  return mix(hash ^ rest);
}

size_t NameTable::BucketOf(uint64_t hash) const {
  const size_t bucket = hash % (2 * level_);
  // Buckets from buckets_ on are still part of the one they will be split off.
  return bucket < buckets_ ? bucket : bucket - level_;
}

RamName** NameTable::Bucket(size_t index) const {
  if (index < kFirstBuckets) {
    return &first_[index];
  }
  return &(*segments_[index / kSegmentSize])[index % kSegmentSize];
}

RamName* NameTable::Find(const RamDirectory& directory, std::string_view name,
                         uint64_t hash) const {
  for (RamName* at = *Bucket(BucketOf(hash)); at != nullptr; at = at->next_in_bucket) {
    if (at->hash == hash && at->directory == &directory && at->text() == name) {
      return at;
    }
  }
  return nullptr;
}

void NameTable::Insert(RamName& name) {
  RamName** const bucket = Bucket(BucketOf(name.hash));
  name.next_in_bucket = *bucket;
  *bucket = &name;
  if (++count_ > buckets_) {
    Split();
  }
}

void NameTable::Erase(RamName& name) {
  RamName** link = Bucket(BucketOf(name.hash));
  while (*link != &name) {
    CHECK(*link != nullptr);
    link = &(*link)->next_in_bucket;
  }
  *link = name.next_in_bucket;
  name.next_in_bucket = nullptr;
  --count_;
}

void NameTable::Split() {
  const size_t segment = buckets_ / kSegmentSize;
  if (segment == kSegments) {
    return;
  }
  if (segments_[segment] == nullptr) {
    segments_[segment] = static_cast<Segment*>(KernelAllocate(sizeof(Segment)));
    if (segments_[segment] == nullptr) {
      return;
    }
    segments_[segment]->fill(nullptr);
  }
  RamName* chain = *Bucket(buckets_ - level_);
  RamName** stay = Bucket(buckets_ - level_);
  RamName** move = Bucket(buckets_);
  while (chain != nullptr) {
    RamName**& end = chain->hash % (2 * level_) == buckets_ ? move : stay;
    *end = chain;
    end = &chain->next_in_bucket;
    chain = chain->next_in_bucket;
  }
  *stay = nullptr;
  *move = nullptr;
  if (++buckets_ == 2 * level_) {
    level_ *= 2;
  }
}

}  // namespace nsgx::libos
