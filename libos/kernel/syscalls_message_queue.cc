// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <new>
#include <utility>

#include "base/core/scope_exit.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/linux_time.h"
#include "libos/kernel/message_queue.h"
#include "libos/kernel/syscalls.h"
#include "libos/vfs/access.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

constexpr MessageQueue::Limits kDefaultLimits = {.messages = 10, .message_size = 8192};
// Of who is not root, and of root, as Linux has them without further settings.
constexpr MessageQueue::Limits kUserLimits = kDefaultLimits;
constexpr MessageQueue::Limits kRootLimits = {.messages = 65536, .message_size = 16 << 20};
constexpr uint32_t kPriorities = 32768;

// struct mq_attr.
struct QueueAttributes {
  int64_t flags;
  int64_t messages;
  int64_t message_size;
  int64_t current_messages;
  int64_t reserved[4];
};

// struct sigevent, as far as it is read here.
struct NoticeRequest {
  uint64_t value;
  int32_t signal;
  int32_t notify;
};
enum : int32_t { kNotifySignal = 0, kNotifyNone = 1, kNotifyThread = 2 };

class QueueNameText {
 public:
  // The C library has taken the leading slash off. EACCES: a slash is left, or no name of a file.
  Result<void, Errno> Load(UserIn<char> name) {
    size_ = TRY(CopyStringFromUser(std::span(text_), name.address()));
    if (size_ == 0) {
      return Error(Errno::kENOENT);
    }
    if (view().find('/') != std::string_view::npos || view() == "." || view() == "..") {
      return Error(Errno::kEACCES);
    }
    return {};
  }
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[kNAME_MAX + 1];
  size_t size_ = 0;
};

// An open queue with what is to be done with it.
struct OpenQueue {
  Ref<File> file;
  MessageQueue* queue;
};

Result<OpenQueue, Errno> GetQueue(int32_t fd) {
  Ref<File> file = TRY(GetFile(fd));
  if (file->object().kind() != ObjectKind::kMessages) {
    return Error(Errno::kEBADF);
  }
  MessageQueue* const queue = &static_cast<MessageQueue&>(file->object());
  return OpenQueue{.file = std::move(file), .queue = queue};
}

// When to give up. `timeout`: wall time, null: never. EINVAL whether it will be needed or not.
Result<Deadline, Errno> WaitUntil(UserIn<KernelTimespec> timeout) {
  return timeout.is_null() ? Result<Deadline, Errno>(kForever)
                           : DeadlineAtWallTime(TRY(FromTimespec(TRY(Read(timeout)))));
}

Result<MessageQueue::Limits, Errno> LimitsOf(UserIn<QueueAttributes> attributes) {
  if (attributes.is_null()) {
    return kDefaultLimits;
  }
  const QueueAttributes wanted = TRY(Read(attributes));
  const MessageQueue::Limits& most =
      process_credentials.effective.is_root() ? kRootLimits : kUserLimits;
  if (wanted.messages <= 0 || wanted.message_size <= 0 ||
      static_cast<size_t>(wanted.messages) > most.messages ||
      static_cast<size_t>(wanted.message_size) > most.message_size) {
    return Error(Errno::kEINVAL);
  }
  return MessageQueue::Limits{.messages = static_cast<size_t>(wanted.messages),
                              .message_size = static_cast<size_t>(wanted.message_size)};
}

Result<Ref<MessageQueue>, Errno> FindOrMake(std::string_view name, uint32_t flags, uint32_t mode,
                                            UserIn<QueueAttributes> attributes) {
  while (true) {
    Ref<MessageQueue> there = FindMessageQueue(name);
    if (there) {
      constexpr uint32_t kExclusive = kO_CREAT | kO_EXCL;
      if ((flags & kExclusive) == kExclusive) {
        return Error(Errno::kEEXIST);
      }
      const uint32_t access = flags & kO_ACCMODE;
      TRY(CheckAccess(*there,
                      access == kO_RDONLY   ? kR_OK
                      : access == kO_WRONLY ? kW_OK
                                            : kR_OK | kW_OK,
                      process_credentials.effective));
      return there;
    }
    if ((flags & kO_CREAT) == 0) {
      return Error(Errno::kENOENT);
    }
    Ref<MessageQueue> fresh = Ref<MessageQueue>::Adopt(
        TRY(New<MessageQueue>(mode & 0777 & ~process_files.umask(), TRY(LimitsOf(attributes)))));
    auto named = NameMessageQueue(name, *fresh);
    if (named.ok()) {
      return fresh;
    }
    if (named.error() != Errno::kEEXIST) {
      return Error(named.error());
    }
    // Another thread was faster.
  }
}

}  // namespace

SysResult SysMqOpen(UserIn<char> name, uint32_t flags, uint32_t mode,
                    UserIn<std::byte> attributes) {
  QueueNameText text;
  TRY(text.Load(name));
  if ((flags & kO_ACCMODE) == kO_ACCMODE) {
    return Error(Errno::kEINVAL);
  }
  Ref<MessageQueue> queue =
      TRY(FindOrMake(text.view(), flags, mode, UserIn<QueueAttributes>(attributes.address())));
  MessageQueue& object = *queue;
  Ref<File> file =
      TRY(File::New(Ref<Inode>(std::move(queue)), object, flags & (kO_ACCMODE | kO_NONBLOCK)));
  // Whatever the flags say: a queue never outlives an exec.
  return int64_t{TRY(process_files.descriptors.Add(std::move(file), 0, true))};
}

SysResult SysMqUnlink(UserIn<char> name) {
  QueueNameText text;
  TRY(text.Load(name));
  TRY(UnlinkMessageQueue(text.view()));
  return 0;
}

SysResult SysMqTimedsend(int32_t fd, UserIn<std::byte> bytes, size_t size, uint32_t priority,
                         UserIn<KernelTimespec> timeout) {
  if (priority >= kPriorities) {
    return Error(Errno::kEINVAL);
  }
  const Deadline deadline = TRY(WaitUntil(timeout));
  const OpenQueue open = TRY(GetQueue(fd));
  if (!open.file->may_write()) {
    return Error(Errno::kEBADF);
  }
  if (size > open.queue->limits().message_size) {
    return Error(Errno::kEMSGSIZE);
  }
  void* const memory = KernelAllocate(sizeof(QueuedMessage) + size);
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  ScopeExit free([&] { KernelFree(memory); });
  QueuedMessage* const message = ::new (memory) QueuedMessage;
  message->priority = priority;
  message->size = size;
  TRY(CopyFromUser(std::span(message->bytes(), size), bytes.address()));
  TRY(open.queue->Send(*message, open.file->is_nonblocking() ? kDoNotWait : deadline));
  free.Cancel();
  return 0;
}

SysResult SysMqTimedreceive(int32_t fd, UserOut<std::byte> buffer, size_t size,
                            UserOut<uint32_t> priority, UserIn<KernelTimespec> timeout) {
  const Deadline deadline = TRY(WaitUntil(timeout));
  const OpenQueue open = TRY(GetQueue(fd));
  if (!open.file->may_read()) {
    return Error(Errno::kEBADF);
  }
  if (size < open.queue->limits().message_size) {
    return Error(Errno::kEMSGSIZE);
  }
  QueuedMessage* const message =
      TRY(open.queue->Receive(open.file->is_nonblocking() ? kDoNotWait : deadline));
  ScopeExit free([&] { KernelFree(message); });
  if (!priority.is_null()) {
    TRY(Write(priority, message->priority));
  }
  TRY(CopyToUser(buffer.address(), std::span(message->bytes(), message->size)));
  return static_cast<int64_t>(message->size);
}

SysResult SysMqNotify(int32_t fd, UserIn<std::byte> request) {
  NoticeRequest wanted = {};
  if (!request.is_null()) {
    wanted = TRY(Read(UserIn<NoticeRequest>(request.address())));
    // A thread of the C library's would be told through a socket of a family that is not there.
    if ((wanted.notify != kNotifySignal && wanted.notify != kNotifyNone) ||
        (wanted.notify == kNotifySignal && (wanted.signal < 0 || wanted.signal > kSignalCount))) {
      return Error(Errno::kEINVAL);
    }
  }
  const OpenQueue open = TRY(GetQueue(fd));
  if (request.is_null()) {
    open.queue->WithdrawNotice();
    return 0;
  }
  TRY(open.queue->AskForNotice(*open.file, wanted.notify == kNotifySignal ? wanted.signal : 0,
                               wanted.value));
  return 0;
}

SysResult SysMqGetsetattr(int32_t fd, UserIn<std::byte> fresh, UserOut<std::byte> old) {
  QueueAttributes wanted = {};
  if (!fresh.is_null()) {
    wanted = TRY(Read(UserIn<QueueAttributes>(fresh.address())));
    if ((wanted.flags & ~int64_t{kO_NONBLOCK}) != 0) {
      return Error(Errno::kEINVAL);
    }
  }
  const OpenQueue open = TRY(GetQueue(fd));
  const MessageQueue::Limits& limits = open.queue->limits();
  const QueueAttributes before = {
      .flags = open.file->flags() & kO_NONBLOCK,
      .messages = static_cast<int64_t>(limits.messages),
      .message_size = static_cast<int64_t>(limits.message_size),
      .current_messages = static_cast<int64_t>(open.queue->message_count()),
      .reserved = {}};
  if (!fresh.is_null()) {
    open.file->ChangeFlags(kO_NONBLOCK, static_cast<uint32_t>(wanted.flags));
  }
  if (!old.is_null()) {
    TRY(Write(UserOut<QueueAttributes>(old.address()), before));
  }
  return 0;
}

}  // namespace nsgx::libos
