// SPDX-License-Identifier: Apache-2.0
// What waits to be received by one Unix-domain socket: the bytes of a stream or whole messages, and
// what was sent along with them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/net/socket.h"
#include "libos/net/unix/passed_files.h"
#include "libos/vfs/byte_ring.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

class UnixSocket;
struct SendersOfQueue;
struct SocketsOfBacklog;

// What was sent beside data.
struct Attachment : ListNode<> {
  PassedFiles files;
  LinuxUcred sender = {};
  // The bytes of the stream that it belongs to: how many came before, and with them.
  uint64_t position = 0;
  uint64_t end = 0;
};

// A datagram, or a message of a seqpacket connection. Its bytes follow the object.
struct Message : ListNode<> {
  static Result<Message*, Errno> New(size_t size);
  static void Free(Message* message);
  std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }

  Attachment attachment;
  SocketAddress from;
  size_t size = 0;
};

// What was taken out of queues, to be given back when no lock is held.
struct QueuedMatter {
  constexpr QueuedMatter() = default;
  ~QueuedMatter();
  QueuedMatter(const QueuedMatter&) = delete;
  QueuedMatter& operator=(const QueuedMatter&) = delete;

  IntrusiveList<Attachment> attachments;
  IntrusiveList<Message> messages;
  IntrusiveList<UnixSocket, SocketsOfBacklog> sockets;  // each with a reference
};

// Gives back what was in the queues of a closed socket. The end of one socket may be that of others
// that were in its queue, and so on: they go one after the other, not one inside the other, which
// no stack is deep enough for.
void Bury(QueuedMatter& matter);

using FileVisitor = void (*)(const File& file, void* context);

// How one message is sent.
struct Sending {
  Attachment* attachment = nullptr;  // taken over by the queue, then null
  const SocketAddress* from = nullptr;
  Deadline deadline = kForever;
};

// How one is received.
struct Receiving {
  bool wants_credentials = false;
  Deadline deadline = kForever;
};

class UnixQueue {
 public:
  UnixQueue(const UnixQueue&) = delete;
  UnixQueue& operator=(const UnixQueue&) = delete;

  void AddReference() { references_.Add(); }
  void DropReference() {
    if (references_.Drop()) {
      Destroy();
    }
  }

  // EPIPE: nothing goes in any more. ECONNREFUSED: a datagram's receiver is gone. EAGAIN, EINTR,
  // EMSGSIZE, ENOMEM, EFAULT.
  virtual Result<size_t, Errno> Send(IoBuffer& from, Sending& sending) = 0;
  virtual Result<size_t, Errno> Receive(IoBuffer& to, ReceiveRequest& request,
                                        const Receiving& receiving) = 0;

  // kPOLL* bits that its receiver, or a sender, is ready for as far as this queue goes.
  uint32_t ReceiverEvents();
  uint32_t SenderEvents();
  bool is_shut();
  // FIONREAD.
  virtual size_t Available() = 0;

  // The socket that receives from here, and one that sends to here, are told what becomes ready.
  void SetReceiver(UnixSocket* receiver);
  void AddSender(UnixSocket& sender);
  void RemoveSender(UnixSocket& sender);

  // Nothing goes in any more; what is there can be received. `error`, if it is not 0, is what the
  // receiver gets told once.
  void Shut(int32_t error);
  // The receiver is gone. Returns whether something was left, which goes to `unread`.
  bool Close(QueuedMatter& unread);
  // The error, which is forgotten then.
  int32_t TakeError();
  // How much may lie here.
  void SetLimit(size_t bytes);

  void ForEachFile(FileVisitor visit, void* context);
  void TakeAll(QueuedMatter& out);

  // As SO_SNDBUF has it if nobody sets it.
  static constexpr size_t kDefaultLimit = 212992;
  static constexpr size_t kMaxLimit = 425984;

 protected:
  UnixQueue() = default;
  ~UnixQueue();

  virtual void Destroy() = 0;
  virtual bool HasData() REQUIRES(lock_) = 0;
  virtual bool HasRoom() REQUIRES(lock_) = 0;
  virtual void MoveAll(QueuedMatter& out) REQUIRES(lock_) = 0;
  virtual void VisitFiles(FileVisitor visit, void* context) REQUIRES(lock_) = 0;

  void TellReceiver(uint32_t events) REQUIRES(lock_);
  void TellSenders(uint32_t events) REQUIRES(lock_);

  SpinLock lock_;
  WaitQueue receivers_waiting_ GUARDED_BY(lock_);
  WaitQueue senders_waiting_ GUARDED_BY(lock_);
  bool is_shut_ GUARDED_BY(lock_) = false;
  bool is_closed_ GUARDED_BY(lock_) = false;
  int32_t error_ GUARDED_BY(lock_) = 0;
  size_t limit_ GUARDED_BY(lock_) = kDefaultLimit;

 private:
  ReferenceCount references_{1};
  UnixSocket* receiver_ GUARDED_BY(lock_) = nullptr;
  IntrusiveList<UnixSocket, SendersOfQueue> senders_ GUARDED_BY(lock_);
};

Result<Ref<UnixQueue>, Errno> MakeStreamQueue();
// `connected`: of a seqpacket connection, else of datagrams.
Result<Ref<UnixQueue>, Errno> MakeMessageQueue(bool connected);

}  // namespace nsgx::libos
