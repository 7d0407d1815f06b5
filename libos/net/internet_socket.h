// SPDX-License-Identifier: Apache-2.0
// Sockets of the Internet: TCP and UDP over IPv4 and IPv6. The host has them; this keeps what is
// known about their readiness, and lets threads wait without a vCPU. The host is not trusted: what
// comes from it is data and claims, and whoever it says that the peer is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/host/host.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/mm/kernel_heap.h"
#include "libos/net/family.h"
#include "libos/net/host_sockets.h"
#include "libos/net/linux_abi.h"
#include "libos/net/socket.h"
#include "libos/vfs/observer.h"

namespace nsgx::libos {

// For the table of families.
Result<Ref<Socket>, Errno> MakeIpv4Socket(int32_t type, int32_t protocol);
Result<Ref<Socket>, Errno> MakeIpv6Socket(int32_t type, int32_t protocol);

// At the end of a test.
void FreeSparePages();

class InternetSocket final : public Socket, private HostSocket {
 public:
  InternetSocket(int32_t domain, int32_t type, int32_t protocol) : Socket(domain, type, protocol) {}

  // Takes a number, and makes the socket in the host. ENFILE, ENOMEM and what the host says.
  Result<void, Errno> MakeInHost();

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
  int32_t TakeError() override;
  bool is_listening() const override;

  uint32_t Poll(File& file, Observer* observer) override;
  void Unobserve(File& file, Observer& observer) override;
  Result<size_t, Errno> ReadableBytes(File& file) override;
  SysResult Control(File& file, uint32_t request, uint64_t argument) override;
  void Closed(File& file) override;

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~InternetSocket();
  void Destroy() override;

  // One of the two directions: which bits are about it, and who waits for them.
  struct Direction {
    uint32_t events;     // something may be moved, or will fail
    uint32_t disproved;  // what is not true if the host says EAGAIN
    WaitQueue InternetSocket::* sleepers;
  };
  static const Direction kIncoming;
  static const Direction kOutgoing;

  bool is_ipv6() const { return domain() == kAF_INET6; }
  bool is_datagram() const { return type() == kSOCK_DGRAM; }

  void OnHostEvents(uint32_t events, uint64_t wait) override;

  // Does `attempt(seen)`, a host call, until it is not EAGAIN any more or the deadline has come.
  // `seen`: how many events had come before. EAGAIN, EINTR, and errors of the host.
  template <typename Attempt>
  auto Retry(const Direction& direction, Deadline deadline, Attempt attempt)
      -> decltype(attempt(uint64_t{}));
  // Sleeps until something of `direction` may be ready. EAGAIN, EINTR.
  Result<void, Errno> WaitFor(const Direction& direction, Deadline deadline);
  // `bits` were found not to be ready by a call that was begun when `seen` events had come.
  void NoteNotReady(uint32_t bits, uint64_t seen);
  // What is known of these may be wrong.
  void NoteUnsure(uint32_t bits);
  // A datagram or connection was taken, and the host says whether it has another one.
  void NoteMore(bool more, uint64_t seen);
  // A piece of a stream was taken: all that there was, or as much as was asked for.
  void NoteReceived(bool was_all, uint64_t seen);
  // For a server that reads until nothing is left: right after a receive that got all there was,
  // there is no more, unless the program may have caused some itself. True once only, so that the
  // host is asked soon.
  bool IsKnownToBeEmpty();
  // From here on: this is ready, as far as one can tell if `seen` events had come before.
  void NoteState(uint32_t ready, uint64_t seen);
  // connect has succeeded, begun when `seen` events had come; false: there is no peer any more.
  void NoteConnected(bool is_connected, uint64_t seen);
  uint64_t events_seen();
  // EINVAL: it listens.
  Result<size_t, Errno> QueuedBytes(host::SocketOption queue);
  // Another thread that waits for the same may go on, too.
  void PassOn(const Direction& direction);

  Result<size_t, Errno> SendStream(IoBuffer& from, const SendRequest& request);
  Result<size_t, Errno> SendDatagram(IoBuffer& from, const SendRequest& request);
  Result<size_t, Errno> ReceiveStream(IoBuffer& to, const ReceiveRequest& request);
  Result<size_t, Errno> ReceiveDatagram(IoBuffer& to, ReceiveRequest& request);
  void CloseInHost();

  static constexpr uint32_t kNoNumber = UINT32_MAX;
  uint32_t number_ = kNoNumber;

  // Held for some instructions, never during a host call.
  mutable SpinLock state_lock_;
  WaitQueue receivers_ GUARDED_BY(state_lock_);
  WaitQueue senders_ GUARDED_BY(state_lock_);
  ObserverList<> observers_ GUARDED_BY(state_lock_);
  // kPOLL* bits as they are known. kPOLLIN stays set until a call has found nothing more.
  uint32_t ready_ GUARDED_BY(state_lock_) = 0;
  // Those of which that may be wrong, because news came while something was found out that may be
  // newer. The host is asked before anybody is told.
  uint32_t unsure_ GUARDED_BY(state_lock_) = 0;
  // How often the host has told something.
  uint64_t events_ GUARDED_BY(state_lock_) = 0;
  // The host's wait call that was the last when something was found not to be ready.
  uint64_t found_at_ GUARDED_BY(state_lock_) = 0;
  // The `activity` when a receive had got all there was, until somebody has been told; 0: no such.
  uint64_t emptied_at_ GUARDED_BY(state_lock_) = 0;
  bool is_listening_ GUARDED_BY(state_lock_) = false;

  // A listening socket's next connection, before there is one. Made by whoever accepts.
  SpinLock spare_lock_;
  Ref<InternetSocket> spare_ GUARDED_BY(spare_lock_);
};

}  // namespace nsgx::libos
