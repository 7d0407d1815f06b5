// SPDX-License-Identifier: Apache-2.0
// An enclave's sockets, by the numbers that the enclave has given them. None of them ever waits;
// one edge-triggered epoll tells what becomes ready.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "syscall-shim/hostcall/host_calls.h"

namespace nsgx::loader {

// Used by all vCPU threads at once. Calls return what host_calls.def says, errors as negative
// errnos. Numbers are below shim::kMaxSockets; one that is not in use is -EBADF.
class Sockets {
 public:
  Sockets() = default;
  ~Sockets();
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  int64_t Create(uint32_t socket, uint64_t kind);
  int64_t Close(uint32_t socket, bool abort);
  int64_t Bind(uint32_t socket, std::span<const std::byte> address);
  int64_t Connect(uint32_t socket, std::span<const std::byte> address);
  int64_t Listen(uint32_t socket, uint32_t backlog);
  int64_t Accept(uint32_t socket, uint32_t accepted, std::span<std::byte> out);
  int64_t Send(uint32_t socket, bool more, std::span<const std::byte> data);
  int64_t SendTo(uint32_t socket, std::span<const std::byte> message);
  int64_t Receive(uint32_t socket, bool peek, std::span<std::byte> out);
  int64_t ReceiveFrom(uint32_t socket, bool peek, std::span<std::byte> out);
  int64_t Shutdown(uint32_t socket, uint32_t how);
  int64_t Name(uint32_t socket, bool peer, std::span<std::byte> out);
  int64_t SetOption(uint32_t socket, shim::SocketOption option, uint64_t value);
  int64_t GetOption(uint32_t socket, shim::SocketOption option);
  int64_t Join(uint32_t socket, bool leave, std::span<const std::byte> group);
  int64_t Poll(uint32_t socket);

  // Readable when TakeEvents has something to give; -1 when there is none to be had.
  int event_descriptor();
  // Fills in what has become ready since it was taken last, and waits for that some nanoseconds
  // (kNoTimeout: for ever); may return early. Returns how many records.
  //
  // Requires: who waits is the one sleeper, see BeginSleep.
  size_t TakeEvents(std::span<shim::WaitRecord> out, uint64_t nanoseconds);
  // One thread at a time may wait in TakeEvents: what it is woken by might be taken by another one.
  // Returns the eventfd that ends its wait; -1: somebody else waits, or there is none to be had.
  int BeginSleep();
  void EndSleep() { has_sleeper_.store(false); }

 private:
  // A descriptor and how many use it: 0 when there is none, one for being open. In one word, so
  // that an enclave that closes a number on one vCPU while another uses it gains nothing: the
  // descriptor stays what it is until both are done.
  class Entry {
   public:
    bool Claim();
    void Open(int fd);
    void Abandon() { word_.store(0); }
    // -1: not open.
    int Use();
    // Ends a use, or the being open.
    void Release();
    // False: it was not open. True: the caller is to release it.
    bool BeginClose();

   private:
    static constexpr uint64_t kClosed = uint64_t{1} << 31;
    std::atomic<uint64_t> word_ = 0;
  };
  static constexpr uint32_t kChunkSize = 256;
  using Chunk = std::array<Entry, kChunkSize>;

  // Makes the memory for an entry; null: there is none.
  Entry* EntryFor(uint32_t socket);
  Entry* FindEntry(uint32_t socket) const;
  // Opens `entry`, which is claimed, on `fd`, and watches it.
  int64_t Adopt(Entry& entry, uint32_t socket, int fd);

  // Calls `use(fd)` while the socket cannot be closed.
  template <typename Function>
  int64_t With(uint32_t socket, Function use);

  std::array<std::atomic<Chunk*>, shim::kMaxSockets / kChunkSize> chunks_ = {};
  std::atomic<int> epoll_ = -1;
  std::atomic<int> waker_ = -1;
  std::atomic<bool> has_sleeper_ = false;
};

}  // namespace nsgx::loader
