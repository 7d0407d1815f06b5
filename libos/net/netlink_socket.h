// SPDX-License-Identifier: Apache-2.0
// Sockets of the family AF_NETLINK, as far as the C library needs them: lists of the network
// interfaces and of their addresses (getifaddrs, if_nameindex).
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/mm/kernel_heap.h"
#include "libos/net/socket.h"
#include "libos/vfs/io_buffer.h"
#include "libos/vfs/observer.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

class NetlinkSocket final : public Socket {
 public:
  explicit NetlinkSocket(int32_t type);

  // To no groups: nobody tells of changes.
  Result<void, Errno> Bind(const SocketAddress& address) override;
  Result<void, Errno> Connect(const SocketAddress& address, bool wait) override;
  Result<void, Errno> GetName(SocketAddress& out) override;
  // One question at a time. EBUSY: the answer to the last one has not been received yet.
  Result<size_t, Errno> Send(IoBuffer& from, const SendRequest& request) override;
  Result<size_t, Errno> Receive(IoBuffer& to, ReceiveRequest& request) override;

  uint32_t Poll(File& file, Observer* observer) override;
  void Unobserve(File& file, Observer& observer) override;

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~NetlinkSocket() = default;
  void Destroy() override { Delete(this); }

  // The datagram that is still to be received, in the words of the question.
  enum class Part : uint8_t { kNothing, kLinks, kAddresses, kRefusal };
  struct Answer {
    Part part = Part::kNothing;
    uint8_t family = 0;  // of addresses; 0: of all
    Errno error = {};    // of a refusal
    uint32_t sequence = 0;
    uint32_t question[4] = {};  // its header, for a refusal
  };
  // Writes the datagram; returns its size, however much of it there was room for.
  size_t PutAnswer(const Answer& answer, IoBuffer& to) const;

  const uint32_t port_;
  SpinLock lock_;
  Answer answer_ GUARDED_BY(lock_);
  WaitQueue receivers_ GUARDED_BY(lock_);
  ObserverList<> observers_ GUARDED_BY(lock_);
};

// For the table of families. EPROTONOSUPPORT, ESOCKTNOSUPPORT, ENOMEM.
Result<Ref<Socket>, Errno> MakeNetlinkSocket(int32_t type, int32_t protocol);

}  // namespace nsgx::libos
