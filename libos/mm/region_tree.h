// SPDX-License-Identifier: Apache-2.0
// The mapped parts of an address range, in order. A treap whose nodes are the regions themselves;
// each knows the largest hole between the regions below it, so that a place for a new one is found
// without walking over all.
#pragma once

#include <cstdint>

#include "base/core/intrusive_list.h"
#include "libos/kernel/gate.h"

namespace nsgx::libos {

class MappedFile;

// Where the contents of a region come from.
enum class RegionKind : uint8_t { kAnonymous, kFile };

struct SharedFileRegions;

// A run of pages that were mapped alike. [begin, end), multiples of the page size.
struct Region : ListNode<SharedFileRegions> {
  uint64_t begin = 0;
  uint64_t end = 0;
  gate::Rights rights = gate::Rights::kNone;
  RegionKind kind = RegionKind::kAnonymous;
  bool is_shared = false;
  MappedFile* file = nullptr;  // one reference
  uint64_t file_offset = 0;    // of `begin`
  uint64_t file_bytes = 0;     // how much of the region the file covered when it was mapped

  uint64_t size() const { return end - begin; }
  // It shows the pages of its file, and so do all others like it: see shared_file.cc.
  bool is_coherent() const { return is_linked(); }

 private:
  friend class RegionTree;
  uint64_t priority_ = 0;
  Region* left_ = nullptr;
  Region* right_ = nullptr;
  uint64_t first_ = 0;    // begin of the lowest region of the subtree
  uint64_t last_ = 0;     // end of the highest
  uint64_t largest_ = 0;  // largest hole between two regions of the subtree
};

// Owns no memory; not locked. Regions do not overlap and are not empty.
class RegionTree {
 public:
  constexpr RegionTree() = default;
  RegionTree(const RegionTree&) = delete;
  RegionTree& operator=(const RegionTree&) = delete;

  bool is_empty() const { return root_ == nullptr; }

  // The region that holds `address`; null: none.
  Region* Find(uint64_t address) const;
  // The lowest region that ends behind `address`; null: none.
  Region* FirstEndingAfter(uint64_t address) const;
  // The highest region that begins before `address`; null: none.
  Region* LastBeginningBefore(uint64_t address) const;
  // End of the highest region; 0: there is none.
  uint64_t end() const { return root_ == nullptr ? 0 : root_->last_; }

  // Requires: nothing in the tree overlaps `region`.
  void Insert(Region& region);
  // Requires: `region` is in the tree.
  void Remove(Region& region);
  // Changes the borders of a region in the tree. Requires: it overlaps no other, and keeps its
  // place in the order.
  void Resize(Region& region, uint64_t begin, uint64_t end);

  struct Hole {
    uint64_t begin;
    uint64_t end;
  };
  // The lowest hole in [low, high) with room for `size` bytes; it may be larger. {0, 0}: there is
  // none.
  Hole FindHole(uint64_t size, uint64_t low, uint64_t high) const;

 private:
  static void Update(Region& node);
  static void Split(Region* node, uint64_t address, Region** below, Region** rest);
  static Region* Merge(Region* below, Region* above);
  static Region* RemoveFrom(Region* node, Region& region);
  static void UpdatePath(Region* node, const Region& region);
  static Hole FindIn(const Region* node, uint64_t size, uint64_t low, uint64_t high);

  Region* root_ = nullptr;
};

}  // namespace nsgx::libos
