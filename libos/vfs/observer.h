// SPDX-License-Identifier: Apache-2.0
// How poll, select and epoll learn that a file has become ready, without asking again and again.
#pragma once

#include <cstdint>

#include "base/core/intrusive_list.h"

namespace nsgx::libos {

// An object with two sides that become ready apart, each with observers of its own, keeps those of
// the second in lists of this tag.
struct SecondSide;

// Somebody who waits for files. Told whenever something may have become ready that was not; the
// truth is asked for with FileObject::Poll.
class Observer : public ListNode<>, public ListNode<SecondSide> {
 public:
  // `events`: kPOLL* bits that may be set now. Called with the object's lock held: takes no lock
  // that is held while a file is polled, and wakes threads at most.
  virtual void OnReady(uint32_t events) = 0;

 protected:
  ~Observer() = default;
};

// The observers of one object, or of one of its sides, protected by the object's lock.
template <typename Side = DefaultListTag>
class ObserverList {
 public:
  bool is_empty() const { return observers_.is_empty(); }
  void Add(Observer& observer) {
    ListNode<Side>& node = observer;
    if (!node.is_linked()) {
      observers_.PushBack(observer);
    }
  }
  void Remove(Observer& observer) {
    ListNode<Side>& node = observer;
    if (node.is_linked()) {
      observers_.Erase(observer);
    }
  }
  void Notify(uint32_t events) {
    for (Observer& observer : observers_) {
      observer.OnReady(events);
    }
  }

 private:
  IntrusiveList<Observer, Side> observers_;
};

}  // namespace nsgx::libos
