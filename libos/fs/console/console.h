// SPDX-License-Identifier: Apache-2.0
// The standard streams of nsgx-run as files. The host is not trusted: what is read is whatever it
// likes, what is written it sees.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/host/host.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/stream_wait.h"
#include "libos/vfs/file.h"

namespace nsgx::libos {

// Observers of one stream in one direction; the stream is watched in the host while somebody
// observes and there is reason to wait.
template <typename Side>
class StreamObservers final : public StreamWatcher {
 public:
  constexpr StreamObservers(host::Stream stream, bool for_write)
      : stream_(stream), for_write_(for_write) {}

  // Each requires: no locks.
  void Add(Observer& observer);
  void Remove(Observer& observer);
  // Whether the stream was found not to be ready.
  void SetWaiting(bool is_waiting);
  // Something has become ready by what was done inside.
  void Notify(uint32_t events);

  void OnStreamReady(host::Stream stream, bool for_write) override;

 private:
  void Update() REQUIRES(watch_lock_);

  const host::Stream stream_;
  const bool for_write_;
  // Order: watch_lock_, the watch list's own lock, list_lock_.
  SpinLock watch_lock_;
  bool is_waiting_ GUARDED_BY(watch_lock_) = false;
  bool is_watching_ GUARDED_BY(watch_lock_) = false;
  SpinLock list_lock_;
  ObserverList<Side> observers_ GUARDED_BY(list_lock_);
};

// Standard input. What has arrived is fetched into a buffer, so that readiness is known and not
// guessed.
class StreamInput {
 public:
  // `buffer` is for the input alone.
  constexpr explicit StreamInput(std::span<std::byte> buffer) : buffer_(buffer) {}

  // EAGAIN, EINTR, EIO.
  Result<size_t, Errno> Read(IoBuffer& to, bool wait);
  // Bytes that can be read without waiting.
  size_t Available();
  uint32_t Poll(Observer* observer);
  void Unobserve(Observer& observer) { observers_.Remove(observer); }

 private:
  // Fetches what is there now if nothing is. EAGAIN: nothing has come. EIO and other errors of the
  // host.
  Result<void, Errno> Fetch() REQUIRES(lock_);

  // Held during the host call, which does not wait for anything.
  SpinLock lock_;
  size_t begin_ GUARDED_BY(lock_) = 0;
  size_t end_ GUARDED_BY(lock_) = 0;
  // The end has been seen and not told yet. A terminal may go on behind it.
  bool at_end_ GUARDED_BY(lock_) = false;
  StreamObservers<DefaultListTag> observers_{host::Stream::kIn, false};
  const std::span<std::byte> buffer_;
};

// Standard output or standard error.
class StreamOutput {
 public:
  constexpr explicit StreamOutput(host::Stream stream)
      : stream_(stream), observers_(stream, true) {}

  host::Stream stream() const { return stream_; }
  // EAGAIN, EINTR, EPIPE, EIO.
  Result<size_t, Errno> Write(IoBuffer& from, bool wait);
  uint32_t Poll(Observer* observer);
  void Unobserve(Observer& observer) { observers_.Remove(observer); }

 private:
  Result<size_t, Errno> WriteAll(std::span<const std::byte> data, bool wait);
  // Whether the stream is full, as far as the last write told; asks the host if so.
  bool IsFull();
  void SetFull(bool is_full);

  const host::Stream stream_;
  std::atomic<bool> is_full_{false};
  StreamObservers<SecondSide> observers_;
};

// An open stream, or both directions of a terminal.
class ConsoleObject final : public FileObject {
 public:
  constexpr ConsoleObject(StreamInput& input, StreamOutput& output)
      : input_(input), output_(output) {}

  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;
  Result<size_t, Errno> Write(File& file, IoBuffer& from, const IoRequest& request) override;
  uint32_t Poll(File& file, Observer* observer) override;
  void Unobserve(File& file, Observer& observer) override;
  bool is_pollable() const override { return true; }
  Result<size_t, Errno> ReadableBytes(File& file) override;
  SysResult Control(File& file, uint32_t request, uint64_t argument) override;

 private:
  StreamInput& input_;
  StreamOutput& output_;
};

// The devices 5:0 (the terminal, if there is one) and 5:1 (the console). Once, at boot.
void RegisterConsoleDevices();
// At the end of a test.
void UnregisterConsoleDevices();

// Opens descriptors 0, 1 and 2: a terminal as /dev/console, both ways; anything else as one end of
// a pipe. ENOMEM.
Result<void, Errno> OpenStandardStreams();

}  // namespace nsgx::libos
