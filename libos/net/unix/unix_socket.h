// SPDX-License-Identifier: Apache-2.0
// Sockets of the family AF_UNIX. They never leave the enclave: both ends are threads of the
// program.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/spinlock.h"
#include "libos/mm/kernel_heap.h"
#include "libos/net/family.h"
#include "libos/net/socket.h"
#include "libos/net/unix/names.h"
#include "libos/net/unix/passed_files.h"
#include "libos/net/unix/queue.h"
#include "libos/vfs/observer.h"

namespace nsgx::libos {

struct SocketsOnTheirWay;

// See passed_files.cc; protected by its lock.
struct Passage {
  uint32_t count = 0;          // how often it is in messages
  const File* file = nullptr;  // its open file; valid while the count is not 0
  uint32_t from_outside = 0;
  bool is_suspect = false;
  bool is_reachable = false;
  bool is_visited = false;
};

// Who the process is, as sockets tell it.
LinuxUcred CurrentCredentials();

class UnixSocket final : public Socket,
                         public ListNode<SendersOfQueue>,
                         public ListNode<SocketsOfBacklog>,
                         public ListNode<SocketsByName>,
                         public ListNode<SocketsOnTheirWay> {
 public:
  // EPROTONOSUPPORT, ESOCKTNOSUPPORT, ENOMEM.
  static Result<Ref<UnixSocket>, Errno> Make(int32_t type, int32_t protocol);
  // For Make.
  UnixSocket(int32_t type, Ref<UnixQueue> queue);

  // Two sockets of the same type, that are not connected yet, get connected with each other.
  static void Join(UnixSocket& first, UnixSocket& second);

  Result<void, Errno> Bind(const SocketAddress& address) override;
  Result<void, Errno> Connect(const SocketAddress& address, bool wait) override;
  Result<void, Errno> Listen(int32_t backlog) override;
  Result<Ref<Socket>, Errno> Accept(bool wait, SocketAddress& peer) override;
  Result<void, Errno> Shutdown(int32_t how) override;
  Result<void, Errno> GetName(SocketAddress& out) override;
  Result<void, Errno> GetPeer(SocketAddress& out) override;
  Result<size_t, Errno> Send(IoBuffer& from, const SendRequest& request) override;
  Result<size_t, Errno> Receive(IoBuffer& to, ReceiveRequest& request) override;
  Result<void, Errno> SetFamilyOption(int32_t level, int32_t name,
                                      std::span<const std::byte> value) override;
  Result<size_t, Errno> GetFamilyOption(int32_t level, int32_t name,
                                        std::span<std::byte> out) override;
  int32_t TakeError() override { return incoming_->TakeError(); }
  bool is_listening() const override;

  uint32_t Poll(File& file, Observer* observer) override;
  void Unobserve(File& file, Observer& observer) override;
  Result<size_t, Errno> ReadableBytes(File& file) override;
  SysResult Control(File& file, uint32_t request, uint64_t argument) override;
  void Closed(File& file) override;

  // Something has become ready. Called with a queue's lock held.
  void Notify(uint32_t events);

  // For passed_files.cc: what lies in the queues that only this socket leads to.
  void ForEachQueuedFile(FileVisitor visit, void* context);
  void TakeQueued(QueuedMatter& out);

  UnixName name;    // see names.h
  Passage passage;  // see passed_files.cc

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~UnixSocket();
  void Destroy() override { Delete(this); }

  enum class State : uint8_t {
    kIdle,
    kConnecting,
    kListening,
    kConnected,
    kClosed,
  };

  bool is_datagram() const { return type() == kSOCK_DGRAM; }
  // Where this socket sends to; null: not connected.
  Ref<UnixQueue> Outgoing() const;
  // Sends to `queue` from now on, and no longer to where it sent before.
  void SetOutgoing(Ref<UnixQueue> queue);

  Result<void, Errno> ConnectDatagrams(const SocketAddress& address);
  // Puts `embryo`, the other end of a new connection, where Accept finds it.
  Result<void, Errno> OfferConnection(Ref<UnixSocket> embryo, Deadline deadline);
  Result<Ref<UnixQueue>, Errno> FindReceiver(const SocketAddress& address);
  Result<Attachment*, Errno> ReadControl(std::span<const std::byte> control) const;
  // Once: nothing is sent or received any more.
  void Close();

  const Ref<UnixQueue> incoming_;

  // Order: this, a queue's lock, observers_lock_.
  mutable SpinLock lock_of_state_;
  State state_ GUARDED_BY(lock_of_state_) = State::kIdle;
  Ref<UnixQueue> outgoing_ GUARDED_BY(lock_of_state_);
  SocketAddress peer_name_ GUARDED_BY(lock_of_state_);
  LinuxUcred peer_credentials_ GUARDED_BY(lock_of_state_) = {
      .pid = 0, .uid = ~uint32_t{0}, .gid = ~uint32_t{0}};
  // An accepted socket has the name of the one that listened.
  SocketAddress inherited_name_ GUARDED_BY(lock_of_state_);
  IntrusiveList<UnixSocket, SocketsOfBacklog> backlog_ GUARDED_BY(lock_of_state_);
  uint32_t backlog_count_ GUARDED_BY(lock_of_state_) = 0;
  uint32_t backlog_limit_ GUARDED_BY(lock_of_state_) = 0;
  WaitQueue accepting_ GUARDED_BY(lock_of_state_);
  WaitQueue connecting_ GUARDED_BY(lock_of_state_);
  bool is_embryo_ GUARDED_BY(lock_of_state_) = false;

  SpinLock observers_lock_;
  ObserverList<> observers_ GUARDED_BY(observers_lock_);

  std::atomic<bool> passes_credentials_{false};
  std::atomic<bool> is_sending_shut_{false};  // of datagrams
  std::atomic<uint32_t> send_buffer_{UnixQueue::kDefaultLimit};
  std::atomic<uint32_t> receive_buffer_{UnixQueue::kDefaultLimit};
  // Options that have no meaning here are kept: bit n for SO_ number n.
  std::atomic<uint32_t> plain_options_{0};
};

// For the table of families.
Result<Ref<Socket>, Errno> MakeUnixSocket(int32_t type, int32_t protocol);
Result<SocketPair, Errno> MakeUnixSocketPair(int32_t type, int32_t protocol);

}  // namespace nsgx::libos
