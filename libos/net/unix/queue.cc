// SPDX-License-Identifier: Apache-2.0
#include "libos/net/unix/queue.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/core/bytes.h"
#include "libos/mm/kernel_heap.h"
#include "libos/net/sleep.h"
#include "libos/net/unix/unix_socket.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kWritable = kPOLLOUT | kPOLLWRNORM | kPOLLWRBAND;

// Tells the program what came along with data: whose it was, then the files.
Result<void, Errno> Deliver(const LinuxUcred& sender, const PassedFiles& files,
                            ReceiveRequest& request, bool wants_credentials) {
  if (request.control == nullptr) {
    if (!files.is_empty() || wants_credentials) {
      request.flags_out |= kMSG_CTRUNC;
    }
    return {};
  }
  if (wants_credentials) {
    TRY(request.control->Put(kSOL_SOCKET, kSCM_CREDENTIALS, std::as_bytes(std::span(&sender, 1))));
  }
  if (!files.is_empty()) {
    TRY(files.Deliver(*request.control, (request.flags & kMSG_CMSG_CLOEXEC) != 0));
  }
  return {};
}

}  // namespace

// ---- messages

Result<Message*, Errno> Message::New(size_t size) {
  void* const memory = KernelAllocate(sizeof(Message) + size);
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  Message* const made = ::new (memory) Message();
  made->size = size;
  return made;
}

void Message::Free(Message* message) {
  if (message != nullptr) {
    message->~Message();
    KernelFree(message);
  }
}

QueuedMatter::~QueuedMatter() {
  while (Attachment* const attachment = attachments.PopFront()) {
    Delete(attachment);
  }
  while (Message* const message = messages.PopFront()) {
    Message::Free(message);
  }
  while (UnixSocket* const socket = sockets.PopFront()) {
    socket->DropReference();
  }
}

namespace {

constinit SpinLock graveyard_lock;
[[clang::no_destroy]] constinit QueuedMatter graveyard GUARDED_BY(graveyard_lock);
constinit bool is_digging GUARDED_BY(graveyard_lock) = false;

template <typename List>
void Append(List& from, List& to) {
  while (auto* const next = from.PopFront()) {
    to.PushBack(*next);
  }
}

}  // namespace

void Bury(QueuedMatter& matter) {
  {
    SpinLockGuard guard(graveyard_lock);
    Append(matter.attachments, graveyard.attachments);
    Append(matter.messages, graveyard.messages);
    Append(matter.sockets, graveyard.sockets);
    if (is_digging) {
      return;
    }
    is_digging = true;
  }
  while (true) {
    QueuedMatter one;
    SpinLockGuard guard(graveyard_lock);
    if (Attachment* const attachment = graveyard.attachments.PopFront()) {
      one.attachments.PushBack(*attachment);
    } else if (Message* const message = graveyard.messages.PopFront()) {
      one.messages.PushBack(*message);
    } else if (UnixSocket* const socket = graveyard.sockets.PopFront()) {
      one.sockets.PushBack(*socket);
    } else {
      is_digging = false;
      return;
    }
  }
}

// ---- what all queues have in common

UnixQueue::~UnixQueue() = default;

void UnixQueue::TellReceiver(uint32_t events) {
  if (receiver_ != nullptr) {
    receiver_->Notify(events);
  }
}

void UnixQueue::TellSenders(uint32_t events) {
  for (UnixSocket& sender : senders_) {
    sender.Notify(events);
  }
}

uint32_t UnixQueue::ReceiverEvents() {
  SpinLockGuard guard(lock_);
  return (HasData() ? kReadable : 0) | (is_shut_ ? kReadable | kPOLLRDHUP : 0) |
         (error_ != 0 ? kPOLLERR : 0);
}

uint32_t UnixQueue::SenderEvents() {
  SpinLockGuard guard(lock_);
  return HasRoom() || is_shut_ || is_closed_ ? kWritable : 0;
}

bool UnixQueue::is_shut() {
  SpinLockGuard guard(lock_);
  return is_shut_;
}

void UnixQueue::SetReceiver(UnixSocket* receiver) {
  SpinLockGuard guard(lock_);
  receiver_ = receiver;
}

void UnixQueue::AddSender(UnixSocket& sender) {
  SpinLockGuard guard(lock_);
  senders_.PushBack(sender);
}

void UnixQueue::RemoveSender(UnixSocket& sender) {
  SpinLockGuard guard(lock_);
  senders_.Erase(sender);
}

void UnixQueue::Shut(int32_t error) {
  SpinLockGuard guard(lock_);
  is_shut_ = true;
  error_ = error != 0 ? error : error_;
  receivers_waiting_.WakeAll();
  senders_waiting_.WakeAll();
  TellReceiver(kReadable | kPOLLRDHUP | kPOLLHUP | kPOLLERR);
  TellSenders(kWritable | kPOLLHUP);
}

bool UnixQueue::Close(QueuedMatter& unread) {
  SpinLockGuard guard(lock_);
  const bool had_data = HasData();
  is_closed_ = true;
  receiver_ = nullptr;
  MoveAll(unread);
  senders_waiting_.WakeAll();
  receivers_waiting_.WakeAll();
  TellSenders(kWritable | kPOLLHUP);
  return had_data;
}

int32_t UnixQueue::TakeError() {
  SpinLockGuard guard(lock_);
  return std::exchange(error_, 0);
}

void UnixQueue::SetLimit(size_t bytes) {
  SpinLockGuard guard(lock_);
  limit_ = bytes;
  senders_waiting_.WakeAll();
  TellSenders(kWritable);
}

void UnixQueue::ForEachFile(FileVisitor visit, void* context) {
  SpinLockGuard guard(lock_);
  VisitFiles(visit, context);
}

void UnixQueue::TakeAll(QueuedMatter& out) {
  SpinLockGuard guard(lock_);
  MoveAll(out);
}

// ---- streams

namespace {

class StreamQueue final : public UnixQueue {
 public:
  StreamQueue() = default;

  Result<size_t, Errno> Send(IoBuffer& from, Sending& sending) override {
    size_t done = 0;
    lock_.Lock();
    while (true) {
      if (is_shut_ || is_closed_) {
        lock_.Unlock();
        if (done != 0) {
          return done;
        }
        return Error(Errno::kEPIPE);
      }
      if (from.remaining() == 0) {
        lock_.Unlock();
        return done;
      }
      const size_t room = MakeRoom();
      if (room != 0) {
        if (!ring_.Ensure()) {
          lock_.Unlock();
          return Error(Errno::kENOMEM);
        }
        const size_t moved = ring_.Fill(from, room);
        if (moved != 0) {
          if (sending.attachment != nullptr) {
            sending.attachment->position = written_;
            sending.attachment->end = written_ + moved;
            attachments_.PushBack(*std::exchange(sending.attachment, nullptr));
          }
          written_ += moved;
          done += moved;
          receivers_waiting_.Wake(1);
          TellReceiver(kReadable);
        }
        if (from.remaining() == 0 || from.faulted()) {
          if (ring_.filled() < limit_) {
            senders_waiting_.Wake(1);
          }
          lock_.Unlock();
          return from.Outcome(done);
        }
        continue;
      }
      auto slept = SleepUntil(senders_waiting_, lock_, sending.deadline);
      if (!slept.ok()) {
        if (done != 0) {
          return done;
        }
        return Error(slept.error());
      }
      lock_.Lock();
    }
  }

  Result<size_t, Errno> Receive(IoBuffer& to, ReceiveRequest& request,
                                const Receiving& receiving) override {
    const bool peek = (request.flags & kMSG_PEEK) != 0;
    const bool wait_for_all = (request.flags & kMSG_WAITALL) != 0 && !peek;
    QueuedMatter taken;
    PassedFiles peeked;
    const PassedFiles* files = &peeked;
    LinuxUcred sender = CurrentCredentials();
    size_t done = 0;
    bool has_attachment = false;
    lock_.Lock();
    while (true) {
      if (ring_.filled() == 0) {
        if (done != 0 && (!wait_for_all || to.remaining() == 0)) {
          break;
        }
        if (done == 0 && error_ != 0) {
          const Errno error = static_cast<Errno>(std::exchange(error_, 0));
          lock_.Unlock();
          return Error(error);
        }
        if (is_shut_) {
          break;
        }
        auto slept = SleepUntil(receivers_waiting_, lock_, receiving.deadline);
        if (!slept.ok()) {
          if (done == 0) {
            return Error(slept.error());
          }
          lock_.Lock();
          break;
        }
        lock_.Lock();
        continue;
      }
      // What came without files is not given together with what came with some.
      size_t most = SIZE_MAX;
      Attachment* attachment = attachments_.Front();
      if (attachment != nullptr && attachment->position == read_) {
        if (done != 0) {
          break;  // it is for the next call
        }
        if (peek) {
          if (!attachment->files.is_empty()) {
            auto copy = attachment->files.Clone();
            if (!copy.ok()) {
              lock_.Unlock();
              return Error(copy.error());
            }
            peeked = std::move(copy).value();
          }
        } else {
          attachments_.Erase(*attachment);
          taken.attachments.PushBack(*attachment);
          files = &attachment->files;
        }
        sender = attachment->sender;
        has_attachment = true;
        most = static_cast<size_t>(attachment->end - read_);
        attachment = peek ? Behind(*attachment) : attachments_.Front();
      }
      if (attachment != nullptr) {
        most = std::min(most, static_cast<size_t>(attachment->position - read_));
      }
      const size_t moved = peek ? ring_.Peek(to, 0, most) : ring_.Drain(to, most);
      done += moved;
      if (!peek && moved != 0) {
        read_ += moved;
        senders_waiting_.Wake(1);
        if (HasRoom()) {
          TellSenders(kWritable);
        }
      }
      if (peek || has_attachment || to.faulted() || to.remaining() == 0) {
        break;
      }
    }
    if (ring_.filled() != 0) {
      receivers_waiting_.Wake(1);
    }
    lock_.Unlock();
    const size_t moved = TRY(to.Outcome(done));
    TRY(Deliver(sender, *files, request, receiving.wants_credentials && done != 0));
    return moved;
  }

  size_t Available() override {
    SpinLockGuard guard(lock_);
    return ring_.filled();
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~StreamQueue() {
    QueuedMatter rest;
    SpinLockGuard guard(lock_);
    MoveAll(rest);
  }
  void Destroy() override { Delete(this); }

  bool HasData() override REQUIRES(lock_) { return ring_.filled() != 0; }
  // A sender that polls is not told of every byte.
  bool HasRoom() override REQUIRES(lock_) { return ring_.filled() <= limit_ - limit_ / 4; }

  // How many bytes may go in. The ring grows while they do not fit.
  size_t MakeRoom() REQUIRES(lock_) {
    if (ring_.filled() >= limit_) {
      return 0;
    }
    if (ring_.room() == 0) {
      ByteRing larger(ring_.capacity() * 2);
      if (!larger.Ensure()) {
        return 0;
      }
      ring_.MoveTo(larger);
    }
    return std::min(ring_.room(), limit_ - ring_.filled());
  }

  Attachment* Behind(Attachment& attachment) REQUIRES(lock_) {
    bool found = false;
    for (Attachment& next : attachments_) {
      if (found) {
        return &next;
      }
      found = &next == &attachment;
    }
    return nullptr;
  }

  void MoveAll(QueuedMatter& out) override REQUIRES(lock_) {
    while (Attachment* const attachment = attachments_.PopFront()) {
      out.attachments.PushBack(*attachment);
    }
    ByteRing empty(kFirstCapacity);
    read_ += ring_.filled();
    ring_.Swap(empty);
  }

  void VisitFiles(FileVisitor visit, void* context) override REQUIRES(lock_) {
    for (Attachment& attachment : attachments_) {
      for (const Ref<File>& file : attachment.files.files()) {
        visit(*file, context);
      }
    }
  }

  static constexpr size_t kFirstCapacity = 65536;

  ByteRing ring_ GUARDED_BY(lock_){kFirstCapacity};
  // How many bytes went in and out altogether.
  uint64_t written_ GUARDED_BY(lock_) = 0;
  uint64_t read_ GUARDED_BY(lock_) = 0;
  IntrusiveList<Attachment> attachments_ GUARDED_BY(lock_);
};

// ---- messages

class MessageQueue final : public UnixQueue {
 public:
  explicit MessageQueue(bool connected) : is_connected_(connected) {}

  Result<size_t, Errno> Send(IoBuffer& from, Sending& sending) override {
    const size_t size = from.remaining();
    Message* message = TRY(Message::New(size));
    if (from.Take({message->bytes(), size}) < size) {
      Message::Free(message);
      return Error(Errno::kEFAULT);
    }
    message->attachment.sender = CurrentCredentials();
    if (sending.attachment != nullptr) {
      message->attachment.files = std::move(sending.attachment->files);
      message->attachment.sender = sending.attachment->sender;
    }
    if (sending.from != nullptr) {
      message->from = *sending.from;
    }
    auto queued = Queue(*message, sending.deadline);
    if (!queued.ok()) {
      Message::Free(message);
      return Error(queued.error());
    }
    return size;
  }

  Result<size_t, Errno> Receive(IoBuffer& to, ReceiveRequest& request,
                                const Receiving& receiving) override {
    const bool peek = (request.flags & kMSG_PEEK) != 0;
    QueuedMatter taken;
    PassedFiles peeked;
    lock_.Lock();
    while (messages_.is_empty()) {
      if (error_ != 0) {
        const Errno error = static_cast<Errno>(std::exchange(error_, 0));
        lock_.Unlock();
        return Error(error);
      }
      if (is_shut_) {
        lock_.Unlock();
        return size_t{0};
      }
      TRY(SleepUntil(receivers_waiting_, lock_, receiving.deadline));
      lock_.Lock();
    }
    Message& message = *messages_.Front();
    const size_t wanted = std::min(message.size, to.remaining());
    size_t moved = 0;
    if (peek) {
      // Somebody else may take the message as soon as the lock is free.
      moved = to.Put({message.bytes(), wanted});
      if (!message.attachment.files.is_empty()) {
        auto copy = message.attachment.files.Clone();
        if (!copy.ok()) {
          lock_.Unlock();
          return Error(copy.error());
        }
        peeked = std::move(copy).value();
      }
    } else {
      messages_.Erase(message);
      bytes_ -= CostOf(message);
      taken.messages.PushBack(message);
      senders_waiting_.WakeAll();
      TellSenders(kWritable);
    }
    const LinuxUcred sender = message.attachment.sender;
    const size_t size = message.size;
    request.from = message.from;
    if (!messages_.is_empty()) {
      receivers_waiting_.Wake(1);
    }
    lock_.Unlock();
    if (!peek) {
      moved = to.Put({message.bytes(), wanted});
    }
    if (moved < wanted) {
      return Error(Errno::kEFAULT);
    }
    if (size > wanted) {
      request.flags_out |= kMSG_TRUNC;
    }
    TRY(Deliver(sender, peek ? peeked : message.attachment.files, request,
                receiving.wants_credentials));
    return (request.flags & kMSG_TRUNC) != 0 ? size : wanted;
  }

  size_t Available() override {
    SpinLockGuard guard(lock_);
    const Message* const first = messages_.Front();
    return first == nullptr ? 0 : first->size;
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~MessageQueue() {
    QueuedMatter rest;
    SpinLockGuard guard(lock_);
    MoveAll(rest);
  }
  void Destroy() override { Delete(this); }

  // A message takes up more than its bytes, about as much as on Linux.
  static size_t CostOf(const Message& message) { return message.size + 768; }

  bool HasData() override REQUIRES(lock_) { return !messages_.is_empty(); }
  bool HasRoom() override REQUIRES(lock_) { return bytes_ <= limit_ - limit_ / 4; }

  Result<void, Errno> Queue(Message& message, Deadline deadline) {
    lock_.Lock();
    while (true) {
      if (is_closed_ && !is_connected_) {
        lock_.Unlock();
        return Error(Errno::kECONNREFUSED);
      }
      if (is_shut_ || is_closed_) {
        lock_.Unlock();
        return Error(Errno::kEPIPE);
      }
      if (messages_.is_empty() || bytes_ + CostOf(message) <= limit_) {
        break;
      }
      TRY(SleepUntil(senders_waiting_, lock_, deadline));
      lock_.Lock();
    }
    messages_.PushBack(message);
    bytes_ += CostOf(message);
    receivers_waiting_.Wake(1);
    TellReceiver(kReadable);
    lock_.Unlock();
    return {};
  }

  void MoveAll(QueuedMatter& out) override REQUIRES(lock_) {
    while (Message* const message = messages_.PopFront()) {
      out.messages.PushBack(*message);
    }
    bytes_ = 0;
  }

  void VisitFiles(FileVisitor visit, void* context) override REQUIRES(lock_) {
    for (Message& message : messages_) {
      for (const Ref<File>& file : message.attachment.files.files()) {
        visit(*file, context);
      }
    }
  }

  const bool is_connected_;
  IntrusiveList<Message> messages_ GUARDED_BY(lock_);
  size_t bytes_ GUARDED_BY(lock_) = 0;
};

}  // namespace

Result<Ref<UnixQueue>, Errno> MakeStreamQueue() {
  return Ref<UnixQueue>::Adopt(TRY(New<StreamQueue>()));
}

Result<Ref<UnixQueue>, Errno> MakeMessageQueue(bool connected) {
  return Ref<UnixQueue>::Adopt(TRY(New<MessageQueue>(connected)));
}

}  // namespace nsgx::libos
