// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/region_tree.h"

#include "base/core/check.h"

namespace nsgx::libos {
namespace {

// Scatters addresses, so that the treap is balanced whatever the order in which regions come.
uint64_t PriorityOf(uint64_t address) {
  uint64_t value = address * 0x9e3779b97f4a7c15u;
  value ^= value >> 29;
  value *= 0xbf58476d1ce4e5b9u;
  return value ^ value >> 32;
}

uint64_t Larger(uint64_t a, uint64_t b) { return a < b ? b : a; }
uint64_t Smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

}  // namespace

void RegionTree::Update(Region& node) {
  node.first_ = node.begin;
  node.last_ = node.end;
  node.largest_ = 0;
  if (node.left_ != nullptr) {
    node.first_ = node.left_->first_;
    node.largest_ = Larger(node.left_->largest_, node.begin - node.left_->last_);
  }
  if (node.right_ != nullptr) {
    node.last_ = node.right_->last_;
    node.largest_ =
        Larger(node.largest_, Larger(node.right_->largest_, node.right_->first_ - node.end));
  }
}

// Parts a subtree into the regions that begin below `address` and the rest.
void RegionTree::Split(Region* node, uint64_t address, Region** below, Region** rest) {
  if (node == nullptr) {
    *below = *rest = nullptr;
    return;
  }
  if (node->begin < address) {
    Split(node->right_, address, &node->right_, rest);
    *below = node;
  } else {
    Split(node->left_, address, below, &node->left_);
    *rest = node;
  }
  Update(*node);
}

Region* RegionTree::Merge(Region* below, Region* above) {
  if (below == nullptr) {
    return above;
  }
  if (above == nullptr) {
    return below;
  }
  if (below->priority_ > above->priority_) {
    below->right_ = Merge(below->right_, above);
    Update(*below);
    return below;
  }
  above->left_ = Merge(below, above->left_);
  Update(*above);
  return above;
}

Region* RegionTree::RemoveFrom(Region* node, Region& region) {
  CHECK(node != nullptr);
  if (node == &region) {
    return Merge(region.left_, region.right_);
  }
  if (region.begin < node->begin) {
    node->left_ = RemoveFrom(node->left_, region);
  } else {
    node->right_ = RemoveFrom(node->right_, region);
  }
  Update(*node);
  return node;
}

void RegionTree::UpdatePath(Region* node, const Region& region) {
  CHECK(node != nullptr);
  if (node != &region) {
    UpdatePath(region.begin < node->begin ? node->left_ : node->right_, region);
  }
  Update(*node);
}

Region* RegionTree::Find(uint64_t address) const {
  Region* region = FirstEndingAfter(address);
  return region != nullptr && region->begin <= address ? region : nullptr;
}

Region* RegionTree::FirstEndingAfter(uint64_t address) const {
  Region* found = nullptr;
  for (Region* node = root_; node != nullptr;) {
    if (node->end > address) {
      found = node;
      node = node->left_;
    } else {
      node = node->right_;
    }
  }
  return found;
}

Region* RegionTree::LastBeginningBefore(uint64_t address) const {
  Region* found = nullptr;
  for (Region* node = root_; node != nullptr;) {
    if (node->begin < address) {
      found = node;
      node = node->right_;
    } else {
      node = node->left_;
    }
  }
  return found;
}

void RegionTree::Insert(Region& region) {
  CHECK(region.begin < region.end);
  region.priority_ = PriorityOf(region.begin);
  region.left_ = region.right_ = nullptr;
  Update(region);
  Region* below;
  Region* above;
  Split(root_, region.begin, &below, &above);
  CHECK(below == nullptr || below->last_ <= region.begin);
  CHECK(above == nullptr || region.end <= above->first_);
  root_ = Merge(Merge(below, &region), above);
}

void RegionTree::Remove(Region& region) { root_ = RemoveFrom(root_, region); }

void RegionTree::Resize(Region& region, uint64_t begin, uint64_t end) {
  CHECK(begin < end);
  // The search goes by the begins of the others: it is right before and after the change, as the
  // order stays.
  region.begin = begin;
  region.end = end;
  UpdatePath(root_, region);
}

RegionTree::Hole RegionTree::FindHole(uint64_t size, uint64_t low, uint64_t high) const {
  if (low >= high || size > high - low) {
    return {.begin = 0, .end = 0};
  }
  if (root_ == nullptr) {
    return {.begin = low, .end = high};
  }
  // Before the first region, between two, behind the last.
  const uint64_t before_end = Smaller(root_->first_, high);
  if (low < before_end && before_end - low >= size) {
    return {.begin = low, .end = before_end};
  }
  const Hole between = FindIn(root_, size, low, high);
  if (between.end != 0) {
    return between;
  }
  const uint64_t behind = Larger(root_->last_, low);
  if (behind < high && high - behind >= size) {
    return {.begin = behind, .end = high};
  }
  return {.begin = 0, .end = 0};
}

// The lowest hole between two regions of the subtree of which [low, high) leaves enough.
RegionTree::Hole RegionTree::FindIn(const Region* node, uint64_t size, uint64_t low,
                                    uint64_t high) {
  if (node == nullptr || node->largest_ < size || node->last_ <= low || node->first_ >= high) {
    return {.begin = 0, .end = 0};
  }
  const auto cut = [size, low, high](uint64_t begin, uint64_t end) {
    begin = Larger(begin, low);
    end = Smaller(end, high);
    return begin < end && end - begin >= size ? Hole{.begin = begin, .end = end}
                                              : Hole{.begin = 0, .end = 0};
  };
  Hole found = FindIn(node->left_, size, low, high);
  if (found.end == 0 && node->left_ != nullptr) {
    found = cut(node->left_->last_, node->begin);
  }
  if (found.end == 0 && node->right_ != nullptr) {
    found = cut(node->end, node->right_->first_);
  }
  if (found.end == 0) {
    found = FindIn(node->right_, size, low, high);
  }
  return found;
}

}  // namespace nsgx::libos
