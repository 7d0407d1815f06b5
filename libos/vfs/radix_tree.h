// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/core/check.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {

// From 64-bit numbers to objects, ordered, for numbers that lie close together: pages of a file,
// entries of a directory. Owns its nodes but not the objects. As deep as the largest number needs:
// a single object at number 0 needs no node. Not locked.
template <typename T>
class RadixTree {
 public:
  struct Entry {
    uint64_t key;
    T* value;  // null: there is none
  };

  constexpr RadixTree() = default;
  RadixTree(RadixTree&& other) noexcept
      : root_(std::exchange(other.root_, nullptr)), height_(std::exchange(other.height_, 0)) {}
  RadixTree& operator=(RadixTree&&) = delete;
  // Requires: empty. (Whoever owns the objects takes them out first.)
  ~RadixTree() { CHECK(root_ == nullptr); }

  bool is_empty() const { return root_ == nullptr; }

  // Null: nothing is there.
  T* Find(uint64_t key) const {
    T* value = nullptr;
    FindMany(key, std::span(&value, 1));
    return value;
  }

  // Fills `out` with what is at `key` and the numbers behind it.
  void FindMany(uint64_t key, std::span<T*> out) const {
    size_t done = 0;
    while (done < out.size()) {
      const uint64_t at = key + done;
      if (height_ == 0) {
        out[done++] = at == 0 ? static_cast<T*>(root_) : nullptr;
        continue;
      }
      const uint64_t index = at % kFanout;
      const size_t step = std::min<size_t>(out.size() - done, kFanout - index);
      const Node* const leaf = FindLeaf(at);
      for (size_t i = 0; i < step; ++i) {
        out[done + i] = leaf == nullptr ? nullptr : static_cast<T*>(leaf->slots[index + i]);
      }
      done += step;
    }
  }

  // The first object at or behind `key`.
  Entry FindNext(uint64_t key) const {
    if (root_ == nullptr || !Fits(key)) {
      return {.key = 0, .value = nullptr};
    }
    if (height_ == 0) {
      return {.key = 0, .value = static_cast<T*>(root_)};
    }
    return NextBelow(*static_cast<const Node*>(root_), height_, key);
  }

  // The first number at or behind `key` where nothing is.
  uint64_t FindGap(uint64_t key) const {
    while (true) {
      if (root_ == nullptr || !Fits(key)) {
        return key;
      }
      if (height_ == 0) {
        return 1;
      }
      const Node* const leaf = FindLeaf(key);
      if (leaf == nullptr) {
        return key;
      }
      const uint64_t free = ~leaf->present & (~uint64_t{0} << (key % kFanout));
      if (free != 0) {
        return key - key % kFanout + static_cast<uint64_t>(std::countr_zero(free));
      }
      key = key - key % kFanout + kFanout;
    }
  }

  // Puts `value` where nothing is. False: no memory for nodes, nothing has changed.
  [[nodiscard]] bool Insert(uint64_t key, T& value) {
    while (!Fits(key)) {
      if (!Grow()) {
        return false;
      }
    }
    void** slot = &root_;
    Node* parent = nullptr;
    for (uint32_t level = height_; level != 0; --level) {
      if (*slot == nullptr) {
        Node* const node = NewNode();
        if (node == nullptr) {
          Erase(key);  // takes the empty nodes on the way out
          return false;
        }
        *slot = node;
        if (parent != nullptr) {
          parent->present |= BitAt(key, level + 1);
        }
      }
      parent = static_cast<Node*>(*slot);
      slot = &parent->slots[IndexAt(key, level)];
    }
    CHECK(*slot == nullptr);
    *slot = &value;
    if (parent != nullptr) {
      parent->present |= BitAt(key, 1);
    }
    return true;
  }

  // Puts `value` where something else is.
  void Replace(uint64_t key, T& value) {
    CHECK(Find(key) != nullptr);
    if (height_ == 0) {
      root_ = &value;
    } else {
      const_cast<Node*>(FindLeaf(key))->slots[key % kFanout] = &value;
    }
  }

  // Takes out what is at `key` and returns it; null: nothing was there.
  T* Erase(uint64_t key) {
    if (root_ == nullptr || !Fits(key)) {
      return nullptr;
    }
    if (height_ == 0) {
      return static_cast<T*>(std::exchange(root_, nullptr));
    }
    Node* path[kMaxHeight + 1] = {};
    path[height_] = static_cast<Node*>(root_);
    uint32_t level = height_;
    while (level > 1 && path[level]->slots[IndexAt(key, level)] != nullptr) {
      path[level - 1] = static_cast<Node*>(path[level]->slots[IndexAt(key, level)]);
      --level;
    }
    T* value = nullptr;
    if (level == 1) {
      value = static_cast<T*>(std::exchange(path[1]->slots[IndexAt(key, 1)], nullptr));
      path[1]->present &= ~BitAt(key, 1);
    }
    for (; level <= height_ && path[level]->present == 0; ++level) {
      KernelFree(path[level]);
      if (level == height_) {
        root_ = nullptr;
        height_ = 0;
        return value;
      }
      path[level + 1]->slots[IndexAt(key, level + 1)] = nullptr;
      path[level + 1]->present &= ~BitAt(key, level + 1);
    }
    Shrink();
    return value;
  }

 private:
  static constexpr uint32_t kShift = 6;
  static constexpr uint64_t kFanout = 64;
  static constexpr uint32_t kMaxHeight = 11;  // 11 * 6 >= 64

  struct Node {
    uint64_t present;  // bit n: slot n is not null
    void* slots[kFanout];
  };

  static uint64_t IndexAt(uint64_t key, uint32_t level) {
    return key >> (kShift * (level - 1)) & (kFanout - 1);
  }
  static uint64_t BitAt(uint64_t key, uint32_t level) { return uint64_t{1} << IndexAt(key, level); }

  static Node* NewNode() {
    void* const memory = KernelAllocate(sizeof(Node));
    return memory == nullptr ? nullptr : ::new (memory) Node{};
  }

  // Whether the tree is high enough for `key`.
  bool Fits(uint64_t key) const { return kShift * height_ >= 64 || key >> (kShift * height_) == 0; }

  bool Grow() {
    if (root_ == nullptr) {
      ++height_;  // without a node: Insert makes those that it needs
      return true;
    }
    Node* const node = NewNode();
    if (node == nullptr) {
      return false;
    }
    node->slots[0] = root_;
    node->present = 1;
    root_ = node;
    ++height_;
    return true;
  }

  // Takes away roots that have nothing but the first slot.
  void Shrink() {
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): `present` says that the slot is full
    while (height_ != 0 && static_cast<Node*>(root_)->present == 1) {
      Node* const node = static_cast<Node*>(root_);
      root_ = node->slots[0];
      --height_;
      KernelFree(node);
    }
  }

  const Node* FindLeaf(uint64_t key) const {
    if (root_ == nullptr || !Fits(key)) {
      return nullptr;
    }
    const Node* node = static_cast<const Node*>(root_);
    for (uint32_t level = height_; level > 1; --level) {
      node = static_cast<const Node*>(node->slots[IndexAt(key, level)]);
      if (node == nullptr) {
        return nullptr;
      }
    }
    return node;
  }

  static Entry NextBelow(const Node& node, uint32_t level, uint64_t key) {
    const uint32_t shift = kShift * (level - 1);
    const uint64_t index = IndexAt(key, level);
    uint64_t candidates = node.present & (~uint64_t{0} << index);
    while (candidates != 0) {
      const uint64_t slot = static_cast<uint64_t>(std::countr_zero(candidates));
      if (slot != index) {
        // Everything below that slot is behind `key`.
        const uint64_t above =
            shift + kShift >= 64 ? 0 : key >> (shift + kShift) << (shift + kShift);
        key = above | slot << shift;
      }
      if (level == 1) {
        return {.key = key, .value = static_cast<T*>(node.slots[slot])};
      }
      const Entry found = NextBelow(*static_cast<const Node*>(node.slots[slot]), level - 1, key);
      if (found.value != nullptr) {
        return found;
      }
      candidates &= candidates - 1;
    }
    return {.key = 0, .value = nullptr};
  }

  void* root_ = nullptr;  // a Node, or at height 0 the object at number 0
  uint32_t height_ = 0;
};

}  // namespace nsgx::libos
