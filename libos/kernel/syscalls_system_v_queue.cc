// SPDX-License-Identifier: Apache-2.0
// System V message queues: messages with types, by which they are received.
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "libos/kernel/process.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/system_v.h"
#include "libos/kernel/user_memory.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

// Linux's own.
constexpr size_t kMostQueues = 32000;
constexpr size_t kLargestMessage = 8192;
constexpr size_t kQueueBytes = 16384;

constexpr uint32_t kMSG_NOERROR = 010000;
constexpr uint32_t kMSG_EXCEPT = 020000;
constexpr uint32_t kMSG_COPY = 040000;

// struct msqid_ds.
struct LinuxMsqidDs {
  LinuxIpcPerm permission;
  int64_t send_time;
  int64_t receive_time;
  int64_t change_time;
  uint64_t bytes;
  uint64_t count;
  uint64_t most_bytes;
  int32_t last_sender;
  int32_t last_receiver;
  uint64_t unused[2];
};
static_assert(sizeof(LinuxMsqidDs) == 120);

// The bytes lie behind it.
struct TypedMessage : ListNode<> {
  int64_t type;
  size_t size;
  std::span<std::byte> bytes() { return {reinterpret_cast<std::byte*>(this + 1), size}; }
};
struct FreeMessage {
  void operator()(TypedMessage* message) const { KernelFree(message); }
};
using OwnedMessage = std::unique_ptr<TypedMessage, FreeMessage>;

class TypedQueue final : public SystemVObject {
 public:
  TypedQueue(int32_t key, uint32_t flags) : SystemVObject(key, flags) {}
  ~TypedQueue() {
    while (TypedMessage* const message = messages.PopFront()) {
      KernelFree(message);
    }
  }

  bool HasRoomFor(size_t size) const {
    return bytes + size <= most_bytes && count + 1 <= most_bytes;
  }
  // What msgrcv with these arguments takes; null: nothing is there for it.
  TypedMessage* Choose(int64_t type, uint32_t flags);

  IntrusiveList<TypedMessage> messages;  // the oldest first
  size_t bytes = 0;
  size_t count = 0;
  size_t most_bytes = kQueueBytes;
  int64_t send_time = 0;
  int64_t receive_time = 0;
  int32_t last_sender = 0;
  int32_t last_receiver = 0;
  WaitQueue senders;
  WaitQueue receivers;
};

TypedMessage* TypedQueue::Choose(int64_t type, uint32_t flags) {
  TypedMessage* best = nullptr;
  const bool all_but = (flags & kMSG_EXCEPT) != 0;
  for (TypedMessage& message : messages) {
    if (type == 0 || (type > 0 && (message.type == type) != all_but)) {
      return &message;
    }
    // The first of the lowest type up to the one that is given. INT64_MIN has no positive.
    if (type < 0 && -(message.type) >= type && (best == nullptr || message.type < best->type)) {
      best = &message;
    }
  }
  return best;
}

[[clang::no_destroy]] constinit SystemVObjects<TypedQueue, kMostQueues> queues;

// Sleeps on one of the queue's two sides; the lock is held again afterwards. EINTR, EIDRM.
Result<TypedQueue*, Errno> WaitFor(TypedQueue& queue, WaitQueue& side) REQUIRES(queues.lock) {
  const int32_t id = queue.id();
  auto slept = SleepOnceUntil(side, queues.lock, kForever);
  queues.lock.Lock();
  TypedQueue* const there = TRY(queues.FindAgain(id));
  if (!slept.ok()) {
    return Error(slept.error());
  }
  return there;
}

Result<void, Errno> Put(int32_t id, OwnedMessage& message, uint32_t flags) {
  const int64_t now = SystemVNow();
  SpinLockGuard guard(queues.lock);
  TypedQueue* queue = TRY(queues.Find(id));
  while (true) {
    TRY(queue->CheckAccess(kSystemVWrite));
    if (queue->HasRoomFor(message->size)) {
      break;
    }
    if ((flags & kIPC_NOWAIT) != 0) {
      return Error(Errno::kEAGAIN);
    }
    queue = TRY(WaitFor(*queue, queue->senders));
  }
  queue->bytes += message->size;
  ++queue->count;
  queue->send_time = now;
  queue->last_sender = kProcessId;
  queue->messages.PushBack(*message.release());
  // Each waits for types of its own.
  queue->receivers.WakeAll();
  return {};
}

Result<OwnedMessage, Errno> Take(int32_t id, size_t room, int64_t type, uint32_t flags) {
  const int64_t now = SystemVNow();
  SpinLockGuard guard(queues.lock);
  TypedQueue* queue = TRY(queues.Find(id));
  TypedMessage* message;
  while (true) {
    TRY(queue->CheckAccess(kSystemVRead));
    message = queue->Choose(type, flags);
    if (message != nullptr) {
      break;
    }
    if ((flags & kIPC_NOWAIT) != 0) {
      return Error(Errno::kENOMSG);
    }
    queue = TRY(WaitFor(*queue, queue->receivers));
  }
  if (message->size > room && (flags & kMSG_NOERROR) == 0) {
    return Error(Errno::kE2BIG);
  }
  queue->messages.Erase(*message);
  queue->bytes -= message->size;
  --queue->count;
  queue->receive_time = now;
  queue->last_receiver = kProcessId;
  // How much room each needs differs.
  queue->senders.WakeAll();
  return OwnedMessage(message);
}

SysResult TellStatus(int32_t id, UserOut<LinuxMsqidDs> out) {
  LinuxMsqidDs status = {};
  {
    SpinLockGuard guard(queues.lock);
    const TypedQueue& queue = *TRY(queues.FindFor(id, kSystemVRead));
    status.permission = queue.permission();
    status.send_time = queue.send_time;
    status.receive_time = queue.receive_time;
    status.change_time = queue.change_time;
    status.bytes = queue.bytes;
    status.count = queue.count;
    status.most_bytes = queue.most_bytes;
    status.last_sender = queue.last_sender;
    status.last_receiver = queue.last_receiver;
  }
  TRY(Write(out, status));
  return 0;
}

SysResult ChangeStatus(int32_t id, UserIn<LinuxMsqidDs> from) {
  const LinuxMsqidDs wanted = TRY(Read(from));
  const int64_t now = SystemVNow();
  SpinLockGuard guard(queues.lock);
  TypedQueue& queue = *TRY(queues.FindOwned(id));
  if (wanted.most_bytes > kQueueBytes && !process_credentials.effective.is_root()) {
    return Error(Errno::kEPERM);
  }
  queue.ChangePermission(wanted.permission);
  queue.most_bytes = wanted.most_bytes;
  queue.change_time = now;
  // There may be room now, or rights.
  queue.senders.WakeAll();
  queue.receivers.WakeAll();
  return 0;
}

SysResult RemoveQueue(int32_t id) {
  TypedQueue* queue;
  {
    SpinLockGuard guard(queues.lock);
    queue = TRY(queues.FindOwned(id));
    queues.Remove(*queue);
    queue->senders.WakeAll();
    queue->receivers.WakeAll();
  }
  Delete(queue);
  return 0;
}

}  // namespace

SysResult SysMsgget(int32_t key, uint32_t flags) {
  return int64_t{TRY(queues.FindOrMake(
      key, flags, [](TypedQueue&) -> Result<void, Errno> { return {}; },
      [&]() -> Result<TypedQueue*, Errno> { return New<TypedQueue>(key, flags); }))};
}

SysResult SysMsgsnd(int32_t id, UserIn<std::byte> message, size_t size, uint32_t flags) {
  const int64_t type = TRY(Read(UserIn<int64_t>(message.address())));
  if (size > kLargestMessage || id < 0 || type < 1) {
    return Error(Errno::kEINVAL);
  }
  void* const memory = KernelAllocate(sizeof(TypedMessage) + size);
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  OwnedMessage owned(::new (memory) TypedMessage);
  owned->type = type;
  owned->size = size;
  TRY(CopyFromUser(owned->bytes(), message.address() + sizeof(type)));
  TRY(Put(id, owned, flags));
  return 0;
}

SysResult SysMsgrcv(int32_t id, UserOut<std::byte> buffer, size_t size, int64_t type,
                    uint32_t flags) {
  if ((flags & kMSG_COPY) != 0) {
    return Error(Errno::kENOSYS);  // a kernel that keeps no checkpoints of processes
  }
  if (id < 0 || static_cast<int64_t>(size) < 0) {
    return Error(Errno::kEINVAL);
  }
  const OwnedMessage message = TRY(Take(id, size, type, flags));
  TRY(Write(UserOut<int64_t>(buffer.address()), message->type));
  const std::span<std::byte> part = message->bytes().first(std::min(size, message->size));
  TRY(CopyToUser(buffer.address() + sizeof(message->type), part));
  return static_cast<int64_t>(part.size());
}

SysResult SysMsgctl(int32_t id, int32_t command, UserOut<std::byte> argument) {
  switch (command) {
    case kIPC_RMID:
      return RemoveQueue(id);
    case kIPC_SET:
      return ChangeStatus(id, UserIn<LinuxMsqidDs>(argument.address()));
    case kIPC_STAT:
      return TellStatus(id, UserOut<LinuxMsqidDs>(argument.address()));
    default:
      return Error(Errno::kEINVAL);
  }
}

}  // namespace nsgx::libos
