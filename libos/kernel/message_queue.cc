// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/message_queue.h"

#include <cstring>
#include <new>

#include "libos/kernel/process.h"
#include "libos/kernel/signal.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kWritable = kPOLLOUT | kPOLLWRNORM;
constexpr size_t kMaxQueues = 256;  // as Linux has it

struct QueueName : ListNode<> {
  Ref<MessageQueue> queue;
  size_t size = 0;
  char text[kNAME_MAX];

  std::string_view view() const { return {text, size}; }
};

constinit SpinLock names_lock;
[[clang::no_destroy]] constinit IntrusiveList<QueueName> names GUARDED_BY(names_lock);
constinit size_t name_count GUARDED_BY(names_lock) = 0;

QueueName* FindName(std::string_view name) REQUIRES(names_lock) {
  for (QueueName& entry : names) {
    if (entry.view() == name) {
      return &entry;
    }
  }
  return nullptr;
}

}  // namespace

MessageQueue::MessageQueue(uint32_t mode, Limits limits)
    : AnonymousInode(AnonymousFileSystem(), kS_IFREG | mode), limits_(limits) {}

MessageQueue::~MessageQueue() {
  SpinLockGuard guard(queue_lock_);
  while (QueuedMessage* message = messages_.PopFront()) {
    KernelFree(message);
  }
}

size_t MessageQueue::message_count() {
  SpinLockGuard guard(queue_lock_);
  return count_;
}

void MessageQueue::Insert(QueuedMessage& message) {
  ++count_;
  QueuedMessage* const last = messages_.Back();
  if (last == nullptr || last->priority >= message.priority) {
    messages_.PushBack(message);
    return;
  }
  for (QueuedMessage& other : messages_) {
    if (other.priority < message.priority) {
      messages_.InsertBefore(other, message);
      return;
    }
  }
}

Result<void, Errno> MessageQueue::Send(QueuedMessage& message, Deadline deadline) {
  queue_lock_.Lock();
  while (count_ == limits_.messages) {
    TRY(SleepOnceUntil(senders_, queue_lock_, deadline));
    queue_lock_.Lock();
  }
  const bool tell = count_ == 0 && receivers_.is_empty() && asked_by_ != nullptr;
  SignalInfo info = {};
  if (tell) {
    asked_by_ = nullptr;
    info.signal = signal_;
    info.code = kSiMesgq;
    info.sender.pid = kProcessId;
    info.sender.uid = process_credentials.real.user;
    info.sender.value = signal_value_;
  }
  Insert(message);
  receivers_.Wake(1);
  observers_.Notify(kReadable);
  if (count_ < limits_.messages) {
    // The wake-up that this sender had serves another one too.
    senders_.Wake(1);
  }
  queue_lock_.Unlock();
  if (info.signal != 0) {
    // One that cannot be queued is lost: there is nobody to tell.
    static_cast<void>(SendToProcess(info).ok());
  }
  return {};
}

Result<QueuedMessage*, Errno> MessageQueue::Receive(Deadline deadline) {
  queue_lock_.Lock();
  while (count_ == 0) {
    TRY(SleepOnceUntil(receivers_, queue_lock_, deadline));
    queue_lock_.Lock();
  }
  QueuedMessage* const message = messages_.PopFront();
  --count_;
  senders_.Wake(1);
  observers_.Notify(kWritable);
  if (count_ != 0) {
    receivers_.Wake(1);
  }
  queue_lock_.Unlock();
  return message;
}

Result<void, Errno> MessageQueue::AskForNotice(const File& file, int32_t signal, uint64_t value) {
  SpinLockGuard guard(queue_lock_);
  if (asked_by_ != nullptr) {
    return Error(Errno::kEBUSY);
  }
  asked_by_ = &file;
  signal_ = signal;
  signal_value_ = value;
  return {};
}

void MessageQueue::WithdrawNotice() {
  SpinLockGuard guard(queue_lock_);
  asked_by_ = nullptr;
}

uint32_t MessageQueue::Poll(File&, Observer* observer) {
  SpinLockGuard guard(queue_lock_);
  if (observer != nullptr) {
    observers_.Add(*observer);
  }
  return (count_ != 0 ? kReadable : 0) | (count_ < limits_.messages ? kWritable : 0);
}

void MessageQueue::Unobserve(File&, Observer& observer) {
  SpinLockGuard guard(queue_lock_);
  observers_.Remove(observer);
}

void MessageQueue::Closed(File& file) {
  SpinLockGuard guard(queue_lock_);
  if (asked_by_ == &file) {
    asked_by_ = nullptr;
  }
}

// ---- names

Ref<MessageQueue> FindMessageQueue(std::string_view name) {
  SpinLockGuard guard(names_lock);
  QueueName* const found = FindName(name);
  return found != nullptr ? found->queue.Clone() : Ref<MessageQueue>();
}

Result<void, Errno> NameMessageQueue(std::string_view name, MessageQueue& queue) {
  auto made = New<QueueName>();
  if (!made.ok()) {
    return Error(Errno::kENOSPC);
  }
  QueueName* const entry = made.value();
  entry->size = name.size();
  std::memcpy(entry->text, name.data(), name.size());
  entry->queue = Ref<MessageQueue>::Share(queue);
  Errno error = {};
  {
    SpinLockGuard guard(names_lock);
    if (FindName(name) != nullptr) {
      error = Errno::kEEXIST;
    } else if (name_count == kMaxQueues) {
      error = Errno::kENOSPC;
    } else {
      names.PushBack(*entry);
      ++name_count;
    }
  }
  if (error != Errno{}) {
    Delete(entry);
    return Error(error);
  }
  return {};
}

Result<void, Errno> UnlinkMessageQueue(std::string_view name) {
  QueueName* entry;
  {
    SpinLockGuard guard(names_lock);
    entry = FindName(name);
    if (entry == nullptr) {
      return Error(Errno::kENOENT);
    }
    const Credentials& who = process_credentials.effective;
    if (!who.is_root() && who.user != entry->queue->user()) {
      return Error(Errno::kEACCES);
    }
    names.Erase(*entry);
    --name_count;
  }
  Delete(entry);
  return {};
}

}  // namespace nsgx::libos
