// SPDX-License-Identifier: Apache-2.0
// POSIX message queues: messages with priorities, and names that lead to the queues.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/intrusive_list.h"
#include "base/core/spinlock.h"
#include "libos/kernel/signal_types.h"
#include "libos/kernel/wait.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"

namespace nsgx::libos {

// The bytes lie behind it.
struct QueuedMessage : ListNode<> {
  uint32_t priority;
  size_t size;
  std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
};

class MessageQueue final : public AnonymousInode {
 public:
  struct Limits {
    size_t messages;
    size_t message_size;
  };

  MessageQueue(uint32_t mode, Limits limits);

  const Limits& limits() const { return limits_; }
  size_t message_count();

  // Puts `message` in, which is the queue's from then on; waits for room. EAGAIN, ETIMEDOUT, EINTR.
  Result<void, Errno> Send(QueuedMessage& message, Deadline deadline);
  // Takes the oldest of the highest priority out; it is the caller's, of KernelAllocate. Errors as
  // Send.
  Result<QueuedMessage*, Errno> Receive(Deadline deadline);

  // `file` asks to be told, once, of a message that comes while there is none and nobody waits.
  // `signal` 0: told nothing, but nobody else can ask. EBUSY: somebody has asked.
  Result<void, Errno> AskForNotice(const File& file, int32_t signal, uint64_t value);
  // If it was `file`, or any open file of the queue: there is one process.
  void WithdrawNotice();

  std::string_view label() const override { return "mqueue"; }
  ObjectKind kind() const override { return ObjectKind::kMessages; }
  bool is_pollable() const override { return true; }
  uint32_t Poll(File& file, Observer* observer) override;
  void Unobserve(File& file, Observer& observer) override;
  void Closed(File& file) override;

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~MessageQueue();
  void Destroy() override { Delete(this); }

  void Insert(QueuedMessage& message) REQUIRES(queue_lock_);

  const Limits limits_;
  SpinLock queue_lock_;
  IntrusiveList<QueuedMessage> messages_ GUARDED_BY(queue_lock_);  // as they will be received
  size_t count_ GUARDED_BY(queue_lock_) = 0;
  WaitQueue receivers_ GUARDED_BY(queue_lock_);
  WaitQueue senders_ GUARDED_BY(queue_lock_);
  ObserverList<> observers_ GUARDED_BY(queue_lock_);
  const File* asked_by_ GUARDED_BY(queue_lock_) = nullptr;
  int32_t signal_ GUARDED_BY(queue_lock_) = 0;
  uint64_t signal_value_ GUARDED_BY(queue_lock_) = 0;
};

// ---- names. They are valid: not empty, no slash, at most kNAME_MAX bytes.

// What has this name; null: nothing.
Ref<MessageQueue> FindMessageQueue(std::string_view name);
// Gives `queue` a name. EEXIST; ENOSPC: too many, or no memory.
Result<void, Errno> NameMessageQueue(std::string_view name, MessageQueue& queue);
// The name leads nowhere any more; the queue lives on while it is open. ENOENT; EACCES: neither its
// owner nor root.
Result<void, Errno> UnlinkMessageQueue(std::string_view name);

}  // namespace nsgx::libos
