// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <type_traits>

#include "base/core/check.h"

namespace nsgx {

struct DefaultListTag;

template <typename T, typename Tag>
class IntrusiveList;

// The links of one object in one list; a base class of the object. An object that is in several
// lists at once has one such base for each, told apart by Tag.
//
// Destroying, or inserting again, an object that is still in a list is our bug.
template <typename Tag = DefaultListTag>
class ListNode {
 public:
  constexpr ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  constexpr ~ListNode() { CHECK(next_ == nullptr); }

  constexpr bool is_linked() const { return next_ != nullptr; }

 private:
  template <typename T, typename OtherTag>
  friend class IntrusiveList;

  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

// A doubly linked list of objects that bring their own links: inserting cannot fail, and an object
// is taken out in constant time without being searched. The list owns nothing.
//
// T derives publicly from ListNode<Tag>; it need only be declared where the list is. The list is
// not locked: its owner's lock protects it and the links of everything in it. A list does not move,
// and is empty when it is destroyed.
template <typename T, typename Tag = DefaultListTag>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  // Erasing the element an iterator stands on makes only that iterator unusable.
  template <typename Value>
  class BasicIterator {
   public:
    using value_type = T;
    using difference_type = ptrdiff_t;

    constexpr BasicIterator() = default;
    constexpr Value& operator*() const { return *static_cast<Value*>(node_); }
    constexpr Value* operator->() const { return static_cast<Value*>(node_); }
    constexpr BasicIterator& operator++() {
      node_ = node_->next_;
      return *this;
    }
    constexpr BasicIterator operator++(int) {
      BasicIterator old = *this;
      ++*this;
      return old;
    }
    friend constexpr bool operator==(BasicIterator, BasicIterator) = default;

   private:
    friend class IntrusiveList;
    using NodePointer = std::conditional_t<std::is_const_v<Value>, const Node*, Node*>;
    constexpr explicit BasicIterator(NodePointer node) : node_(node) {}
    NodePointer node_ = nullptr;
  };
  using Iterator = BasicIterator<T>;
  using ConstIterator = BasicIterator<const T>;

  // The head is a node of the ring, so no operation has a case for the empty list.
  constexpr IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  constexpr ~IntrusiveList() {
    CHECK(is_empty());
    head_.next_ = head_.previous_ = nullptr;
  }

  constexpr bool is_empty() const { return head_.next_ == &head_; }

  // Return the element at that end, or null when the list is empty.
  constexpr T* Front() { return is_empty() ? nullptr : static_cast<T*>(head_.next_); }
  constexpr T* Back() { return is_empty() ? nullptr : static_cast<T*>(head_.previous_); }
  // Returns the element behind `element`, or null. Requires: it is in this list.
  constexpr T* Next(T& element) {
    Node& node = element;
    CHECK(node.is_linked());
    return node.next_ == &head_ ? nullptr : static_cast<T*>(node.next_);
  }

  // Require: `element` is in no list of this tag.
  constexpr void PushFront(T& element) { Link(element, *head_.next_); }
  constexpr void PushBack(T& element) { Link(element, head_); }

  // Inserts `element` before `position`, which is in this list.
  constexpr void InsertBefore(T& position, T& element) {
    Node& next = position;
    CHECK(next.is_linked());
    Link(element, next);
  }

  // Takes the first element out and returns it, or returns null when the list is empty.
  constexpr T* PopFront() {
    T* element = Front();
    if (element != nullptr) {
      Erase(*element);
    }
    return element;
  }

  // Takes `element` out. Requires: it is in this list.
  constexpr void Erase(T& element) {
    Node& node = element;
    CHECK(node.next_ != nullptr && node.next_->previous_ == &node &&
          node.previous_->next_ == &node);
    node.next_->previous_ = node.previous_;
    node.previous_->next_ = node.next_;
    node.next_ = node.previous_ = nullptr;
  }

  // Moves everything in `other`, in order, to the end of this list.
  constexpr void TakeAll(IntrusiveList& other) {
    if (other.is_empty() || &other == this) {
      return;
    }
    Node* first = other.head_.next_;
    Node* last = other.head_.previous_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
    other.head_.next_ = other.head_.previous_ = &other.head_;
  }

  constexpr Iterator begin() { return Iterator(head_.next_); }
  constexpr Iterator end() { return Iterator(&head_); }
  constexpr ConstIterator begin() const { return ConstIterator(head_.next_); }
  constexpr ConstIterator end() const { return ConstIterator(&head_); }

 private:
  constexpr void Link(T& element, Node& next) {
    Node& node = element;
    CHECK(!node.is_linked());
    node.next_ = &next;
    node.previous_ = next.previous_;
    next.previous_->next_ = &node;
    next.previous_ = &node;
  }

  Node head_;
};

}  // namespace nsgx
