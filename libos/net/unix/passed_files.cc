// SPDX-License-Identifier: Apache-2.0
#include "libos/net/unix/passed_files.h"

#include <atomic>
#include <cstring>
#include <new>
#include <utility>

#include "base/core/bytes.h"
#include "base/core/spinlock.h"
#include "libos/mm/kernel_heap.h"
#include "libos/net/unix/unix_socket.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

constinit std::atomic<uint32_t> on_their_way{0};

// Which sockets are on their way, and how often. Order: this, a socket's lock, a queue's lock.
constinit SpinLock passage_lock;
[[clang::no_destroy]] constinit IntrusiveList<UnixSocket, SocketsOnTheirWay> sockets
    GUARDED_BY(passage_lock);
constinit std::atomic<uint32_t> socket_count{0};

UnixSocket* UnixSocketOf(const File& file) {
  Socket* const socket = file.object().socket();
  return socket != nullptr && socket->domain() == kAF_UNIX ? static_cast<UnixSocket*>(socket)
                                                           : nullptr;
}

void NoteDeparture(const File& file) {
  UnixSocket* const socket = UnixSocketOf(file);
  if (socket != nullptr) {
    SpinLockGuard guard(passage_lock);
    if (socket->passage.count++ == 0) {
      sockets.PushBack(*socket);
      socket_count.fetch_add(1, std::memory_order_relaxed);
    }
    socket->passage.file = &file;
  }
}

void NoteArrival(const File& file) {
  UnixSocket* const socket = UnixSocketOf(file);
  if (socket != nullptr) {
    SpinLockGuard guard(passage_lock);
    if (--socket->passage.count == 0) {
      sockets.Erase(*socket);
      socket_count.fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace

PassedFiles::PassedFiles(PassedFiles&& other) noexcept
    : files_(std::exchange(other.files_, nullptr)),
      count_(std::exchange(other.count_, 0)),
      is_on_its_way_(other.is_on_its_way_) {}

PassedFiles& PassedFiles::operator=(PassedFiles&& other) noexcept {
  std::swap(files_, other.files_);
  std::swap(count_, other.count_);
  std::swap(is_on_its_way_, other.is_on_its_way_);
  return *this;
}

PassedFiles::~PassedFiles() {
  while (count_ != 0) {
    Ref<File>& file = files_[--count_];
    if (is_on_its_way_) {
      NoteArrival(*file);
      on_their_way.fetch_sub(1, std::memory_order_relaxed);
    }
    file.~Ref();
  }
  KernelFree(files_);
}

Result<void, Errno> PassedFiles::EnsureRoom() {
  if (files_ == nullptr) {
    files_ = static_cast<Ref<File>*>(KernelAllocate(kMost * sizeof(Ref<File>)));
    if (files_ == nullptr) {
      return Error(Errno::kENOMEM);
    }
  }
  return {};
}

void PassedFiles::Append(Ref<File> file) {
  ::new (static_cast<void*>(files_ + count_)) Ref<File>(std::move(file));
  ++count_;
}

Result<void, Errno> PassedFiles::Add(std::span<const std::byte> descriptors) {
  const size_t more = descriptors.size() / sizeof(int32_t);
  if (more == 0) {
    return {};
  }
  if (more > kMost - count_) {
    return Error(Errno::kEINVAL);
  }
  TRY(EnsureRoom());
  for (size_t i = 0; i < more; ++i) {
    int32_t fd;
    std::memcpy(&fd, descriptors.data() + i * sizeof(fd), sizeof(fd));
    Ref<File> file = TRY(GetFileOrPath(fd));
    if (on_their_way.fetch_add(1, std::memory_order_relaxed) >= process_files.descriptors.limit()) {
      on_their_way.fetch_sub(1, std::memory_order_relaxed);
      return Error(Errno::kETOOMANYREFS);
    }
    NoteDeparture(*file);
    Append(std::move(file));
  }
  return {};
}

Result<PassedFiles, Errno> PassedFiles::Clone() const {
  PassedFiles copy;
  copy.is_on_its_way_ = false;
  TRY(copy.EnsureRoom());
  for (const Ref<File>& file : files()) {
    copy.Append(file.Clone());
  }
  return copy;
}

Result<void, Errno> PassedFiles::Deliver(ControlMessageWriter& control, bool close_on_exec) const {
  DescriptorTable& descriptors = process_files.descriptors;
  int32_t numbers[kMost];
  const size_t room = control.RoomForData() / sizeof(int32_t);
  size_t count = 0;
  while (count < count_ && count < room) {
    auto number = descriptors.Reserve(0, close_on_exec);
    if (!number.ok()) {
      break;
    }
    numbers[count++] = number.value();
  }
  if (count < count_) {
    control.NoteCut();
  }
  if (count == 0) {
    return {};
  }
  auto told = control.Put(kSOL_SOCKET, kSCM_RIGHTS, std::as_bytes(std::span(numbers, count)));
  for (size_t i = 0; i < count; ++i) {
    if (told.ok()) {
      descriptors.Install(numbers[i], files_[i].Clone());
    } else {
      descriptors.CancelReservation(numbers[i]);
    }
  }
  return told;
}

// A socket that is on its way and has no reference but those of messages is a suspect. One that
// lies in a queue which is not a suspect's can still be received; so can whatever lies in its own
// queue, and so on. The suspects that are left over are lost.
void CollectLostSockets() {
  if (socket_count.load(std::memory_order_relaxed) == 0) [[likely]] {
    return;
  }
  QueuedMatter lost;  // given back after the lock
  SpinLockGuard guard(passage_lock);
  for (UnixSocket& socket : sockets) {
    socket.passage.is_suspect = socket.passage.file->reference_count() == socket.passage.count;
    socket.passage.is_reachable = !socket.passage.is_suspect;
    socket.passage.from_outside = socket.passage.count;
  }
  for (UnixSocket& socket : sockets) {
    if (socket.passage.is_suspect) {
      socket.ForEachQueuedFile(
          [](const File& file, void*) {
            UnixSocket* const inside = UnixSocketOf(file);
            if (inside != nullptr) {
              --inside->passage.from_outside;
            }
          },
          nullptr);
    }
  }
  // What has a reference from elsewhere can be reached, and what it leads to.
  bool has_changed = true;
  for (UnixSocket& socket : sockets) {
    socket.passage.is_reachable = socket.passage.is_reachable || socket.passage.from_outside != 0;
    socket.passage.is_visited = false;
  }
  while (has_changed) {
    has_changed = false;
    for (UnixSocket& socket : sockets) {
      if (!socket.passage.is_reachable || socket.passage.is_visited) {
        continue;
      }
      socket.passage.is_visited = true;
      has_changed = true;
      socket.ForEachQueuedFile(
          [](const File& file, void*) {
            UnixSocket* const inside = UnixSocketOf(file);
            if (inside != nullptr) {
              inside->passage.is_reachable = true;
            }
          },
          nullptr);
    }
  }
  for (UnixSocket& socket : sockets) {
    if (!socket.passage.is_reachable) {
      socket.TakeQueued(lost);
    }
  }
}

}  // namespace nsgx::libos
