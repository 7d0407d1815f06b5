// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/epoll.h"

#include <atomic>
#include <utility>

#include "base/core/scope_exit.h"
#include "libos/kernel/socket_wait.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/radix_tree.h"

namespace nsgx::libos {
namespace {

struct ReadyItems;

// Sets that watch sets: how deep.
constexpr uint32_t kMaxDepth = 5;

constexpr uint32_t kModifiers = kEPOLLET | kEPOLLONESHOT | kEPOLLEXCLUSIVE | kEPOLLWAKEUP;
constexpr uint32_t kExclusiveAllowed =
    kPOLLIN | kPOLLOUT | kPOLLERR | kPOLLHUP | kEPOLLWAKEUP | kEPOLLET | kEPOLLEXCLUSIVE;

// Who watches what changes under this lock alone. Order: this, a set's items_lock_, the lock of a
// watched object, a set's ready_lock_. Where one set watches another, the outer one's locks come
// first among items_lock_ and last among ready_lock_; there are no cycles.
constinit SpinLock watch_lock;

}  // namespace

// One descriptor in one set.
class EpollItem final : public Observer,
                        public ListNode<ReadyItems>,
                        public ListNode<EpollItemsOfFile> {
 public:
  EpollItem(Epoll& owner, int32_t fd, File& file) : owner(owner), fd(fd), file(file) {}

  void OnReady(uint32_t events) override;

  Epoll& owner;
  const int32_t fd;
  File& file;  // without a reference: a closed file takes its items along
  EpollItem* next_same_fd = nullptr;
  // Both are written with the owner's items_lock_ held.
  std::atomic<uint32_t> events{0};
  uint64_t data = 0;
};

class Epoll final : public AnonymousInode {
 public:
  Epoll() : AnonymousInode(AnonymousFileSystem(), kS_IFREG | 0600) {}

  std::string_view label() const override { return "anon_inode:[eventpoll]"; }
  bool is_pollable() const override { return true; }
  Epoll* epoll() override { return this; }

  uint32_t Poll(File&, Observer* observer) override {
    if (observer != nullptr) {
      SpinLockGuard guard(ready_lock_);
      observers_.Add(*observer);
    }
    return HasReady() ? kPOLLIN | kPOLLRDNORM : 0;
  }

  void Unobserve(File&, Observer& observer) override {
    SpinLockGuard guard(ready_lock_);
    observers_.Remove(observer);
  }

  // Requires for the next three: watch_lock.
  Result<void, Errno> Add(EpollItem& item, const LinuxEpollEvent& event);
  Result<void, Errno> Modify(int32_t fd, const File& file, const LinuxEpollEvent& event);
  // Null: there is none. The caller frees it after the lock.
  EpollItem* Remove(int32_t fd, const File& file);

  // Whether `other` is this set or is watched by it, directly or not; and how deep sets lie below
  // this one. Requires: watch_lock.
  bool Reaches(const Epoll& other) const;
  uint32_t Depth() const;

  Result<size_t, Errno> Wait(std::span<LinuxEpollEvent> out, Deadline deadline);

  // The item has become ready. Takes ready_lock_.
  void NoteReady(EpollItem& item);

  void Closed(File& file) override;

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~Epoll() = default;
  void Destroy() override { Delete(this); }

  EpollItem* Find(int32_t fd, const File& file) const REQUIRES(items_lock_);
  // Asks the item's file, and observes it from now on if `observe`.
  uint32_t Ask(EpollItem& item, bool observe) REQUIRES(items_lock_) {
    const uint32_t wanted = item.events & ~kModifiers;
    return item.file.object().Poll(item.file, observe ? &item : nullptr) & wanted;
  }
  bool HasReady();
  size_t Harvest(std::span<LinuxEpollEvent> out);

  mutable SpinLock items_lock_;
  RadixTree<EpollItem> items_ GUARDED_BY(items_lock_);

  SpinLock ready_lock_;
  IntrusiveList<EpollItem, ReadyItems> ready_ GUARDED_BY(ready_lock_);
  size_t ready_count_ GUARDED_BY(ready_lock_) = 0;
  WaitQueue sleepers_ GUARDED_BY(ready_lock_);
  ObserverList<> observers_ GUARDED_BY(ready_lock_);
};

namespace {

Result<void, Errno> CheckEvents(uint32_t events, int32_t operation, bool target_is_epoll) {
  if ((events & kEPOLLEXCLUSIVE) != 0 &&
      (operation == kEPOLL_CTL_MOD || target_is_epoll || (events & ~kExclusiveAllowed) != 0)) {
    return Error(Errno::kEINVAL);
  }
  return {};
}

uint32_t StoredEvents(const LinuxEpollEvent& event) { return event.events | kPOLLERR | kPOLLHUP; }

}  // namespace

EpollItem* Epoll::Find(int32_t fd, const File& file) const {
  EpollItem* item = items_.Find(static_cast<uint64_t>(fd));
  while (item != nullptr && &item->file != &file) {
    item = item->next_same_fd;
  }
  return item;
}

void Epoll::NoteReady(EpollItem& item) {
  SpinLockGuard guard(ready_lock_);
  ListNode<ReadyItems>& node = item;
  if (!node.is_linked()) {
    ready_.PushBack(item);
    ++ready_count_;
  }
  sleepers_.Wake(1);
  observers_.Notify(kPOLLIN | kPOLLRDNORM);
}

Result<void, Errno> Epoll::Add(EpollItem& item, const LinuxEpollEvent& event) {
  SpinLockGuard guard(items_lock_);
  if (Find(item.fd, item.file) != nullptr) {
    return Error(Errno::kEEXIST);
  }
  EpollItem* const same = items_.Find(static_cast<uint64_t>(item.fd));
  if (same != nullptr) {
    // The number was closed and given out anew, while the old file lives on by another descriptor.
    item.next_same_fd = std::exchange(same->next_same_fd, &item);
  } else if (!items_.Insert(static_cast<uint64_t>(item.fd), item)) {
    return Error(Errno::kENOMEM);
  }
  item.events = StoredEvents(event);
  item.data = event.data;
  item.file.watchers.PushBack(item);
  item.file.is_watched.store(true, std::memory_order_release);
  if (Ask(item, true) != 0) {
    NoteReady(item);
  }
  return {};
}

Result<void, Errno> Epoll::Modify(int32_t fd, const File& file, const LinuxEpollEvent& event) {
  SpinLockGuard guard(items_lock_);
  EpollItem* const item = Find(fd, file);
  if (item == nullptr) {
    return Error(Errno::kENOENT);
  }
  if ((item->events & kEPOLLEXCLUSIVE) != 0) {
    return Error(Errno::kEINVAL);
  }
  item->events = StoredEvents(event);
  item->data = event.data;
  if (Ask(*item, false) != 0) {
    NoteReady(*item);
  }
  return {};
}

EpollItem* Epoll::Remove(int32_t fd, const File& file) {
  SpinLockGuard guard(items_lock_);
  EpollItem* const item = Find(fd, file);
  if (item == nullptr) {
    return nullptr;
  }
  const uint64_t key = static_cast<uint64_t>(fd);
  EpollItem* const first = items_.Find(key);
  if (first != item) {
    EpollItem* before = first;
    while (before->next_same_fd != item) {
      before = before->next_same_fd;
    }
    before->next_same_fd = item->next_same_fd;
  } else if (item->next_same_fd != nullptr) {
    items_.Replace(key, *item->next_same_fd);
  } else {
    items_.Erase(key);
  }
  item->file.object().Unobserve(item->file, *item);
  item->file.watchers.Erase(*item);
  SpinLockGuard ready_guard(ready_lock_);
  ListNode<ReadyItems>& node = *item;
  if (node.is_linked()) {
    ready_.Erase(*item);
    --ready_count_;
  }
  return item;
}

bool Epoll::Reaches(const Epoll& other) const {
  if (this == &other) {
    return true;
  }
  SpinLockGuard guard(items_lock_);
  for (auto entry = items_.FindNext(0); entry.value != nullptr;
       entry = items_.FindNext(entry.key + 1)) {
    for (const EpollItem* item = entry.value; item != nullptr; item = item->next_same_fd) {
      const Epoll* const inner = item->file.object().epoll();
      if (inner != nullptr && inner->Reaches(other)) {
        return true;
      }
    }
  }
  return false;
}

uint32_t Epoll::Depth() const {
  uint32_t deepest = 0;
  SpinLockGuard guard(items_lock_);
  for (auto entry = items_.FindNext(0); entry.value != nullptr;
       entry = items_.FindNext(entry.key + 1)) {
    for (const EpollItem* item = entry.value; item != nullptr; item = item->next_same_fd) {
      const Epoll* const inner = item->file.object().epoll();
      const uint32_t depth = inner == nullptr ? 0 : inner->Depth();
      deepest = deepest < depth ? depth : deepest;
    }
  }
  return deepest + 1;
}

bool Epoll::HasReady() {
  SpinLockGuard guard(items_lock_);
  size_t left;
  {
    SpinLockGuard ready_guard(ready_lock_);
    left = ready_count_;
  }
  for (; left != 0; --left) {
    EpollItem* item;
    {
      SpinLockGuard ready_guard(ready_lock_);
      item = ready_.Front();
      if (item == nullptr) {
        return false;
      }
      ready_.Erase(*item);
      --ready_count_;
    }
    if (Ask(*item, false) != 0) {
      SpinLockGuard ready_guard(ready_lock_);
      ListNode<ReadyItems>& node = *item;
      if (!node.is_linked()) {
        ready_.PushFront(*item);
        ++ready_count_;
      }
      return true;
    }
  }
  return false;
}

size_t Epoll::Harvest(std::span<LinuxEpollEvent> out) {
  SpinLockGuard guard(items_lock_);
  size_t left;
  {
    SpinLockGuard ready_guard(ready_lock_);
    left = ready_count_;
  }
  size_t count = 0;
  for (; left != 0 && count < out.size(); --left) {
    EpollItem* item;
    {
      SpinLockGuard ready_guard(ready_lock_);
      item = ready_.PopFront();
      if (item == nullptr) {
        break;
      }
      --ready_count_;
    }
    // Whatever happens from here on puts the item back by itself.
    const uint32_t now = Ask(*item, false);
    if (now == 0) {
      continue;
    }
    out[count++] = {.events = now, .data = item->data};
    if ((item->events & kEPOLLONESHOT) != 0) {
      item->events &= kModifiers;
    } else if ((item->events & kEPOLLET) == 0) {
      SpinLockGuard ready_guard(ready_lock_);
      ListNode<ReadyItems>& node = *item;
      if (!node.is_linked()) {
        ready_.PushBack(*item);
        ++ready_count_;
      }
    }
  }
  SpinLockGuard ready_guard(ready_lock_);
  if (!ready_.is_empty()) {
    sleepers_.Wake(1);
  }
  return count;
}

Result<size_t, Errno> Epoll::Wait(std::span<LinuxEpollEvent> out, Deadline deadline) {
  WakeReason reason = WakeReason::kWoken;
  LookForSocketEventsSometimes();
  while (true) {
    size_t count = Harvest(out);
    if (count == 0 && deadline == 0 && LookForSocketEvents()) {
      count = Harvest(out);
    }
    if (count != 0 || deadline == 0 || reason == WakeReason::kTimeout) {
      return count;
    }
    if (reason == WakeReason::kSignal) {
      return Error(Errno::kEINTR);
    }
    ready_lock_.Lock();
    if (!ready_.is_empty()) {
      ready_lock_.Unlock();
      continue;
    }
    reason = Block(sleepers_, ready_lock_, deadline, true);
  }
}

void Epoll::Closed(File&) {
  // Nobody else has this set: it is opened once, by its maker.
  while (true) {
    EpollItem* item;
    {
      SpinLockGuard guard(watch_lock);
      {
        SpinLockGuard items_guard(items_lock_);
        item = items_.FindNext(0).value;
      }
      if (item == nullptr) {
        return;
      }
      Remove(item->fd, item->file);
    }
    Delete(item);
  }
}

void EpollItem::OnReady(uint32_t ready) {
  if ((ready & events.load(std::memory_order_relaxed)) != 0) {
    owner.NoteReady(*this);
  }
}

Result<Ref<File>, Errno> MakeEpoll() {
  Ref<Epoll> epoll = Ref<Epoll>::Adopt(TRY(New<Epoll>()));
  Epoll& object = *epoll;
  return File::New(Ref<Inode>(std::move(epoll)), object, kO_RDWR);
}

Result<void, Errno> ControlEpoll(File& epoll_file, int32_t operation, int32_t fd, Ref<File> target,
                                 const LinuxEpollEvent& event) {
  Epoll& epoll = *epoll_file.object().epoll();
  if (!target->object().is_pollable()) {
    return Error(Errno::kEPERM);
  }
  Epoll* const inner = target->object().epoll();
  if (inner == &epoll) {
    return Error(Errno::kEINVAL);
  }
  if (operation != kEPOLL_CTL_DEL) {
    TRY(CheckEvents(event.events, operation, inner != nullptr));
  }
  EpollItem* unused = nullptr;
  ScopeExit free([&] { Delete(unused); });
  switch (operation) {
    case kEPOLL_CTL_ADD: {
      unused = TRY(New<EpollItem>(epoll, fd, *target));
      SpinLockGuard guard(watch_lock);
      if (inner != nullptr && (inner->Reaches(epoll) || inner->Depth() >= kMaxDepth)) {
        return Error(Errno::kELOOP);
      }
      TRY(epoll.Add(*unused, event));
      unused = nullptr;
      return {};
    }
    case kEPOLL_CTL_MOD: {
      SpinLockGuard guard(watch_lock);
      return epoll.Modify(fd, *target, event);
    }
    case kEPOLL_CTL_DEL: {
      SpinLockGuard guard(watch_lock);
      unused = epoll.Remove(fd, *target);
      break;
    }
    default:
      return Error(Errno::kEINVAL);
  }
  if (unused == nullptr) {
    return Error(Errno::kENOENT);
  }
  return {};
}

Result<size_t, Errno> WaitEpoll(File& epoll, std::span<LinuxEpollEvent> out, Deadline deadline) {
  return epoll.object().epoll()->Wait(out, deadline);
}

void ForgetWatchedFile(File& file) {
  while (true) {
    EpollItem* item;
    {
      SpinLockGuard guard(watch_lock);
      item = file.watchers.Front();
      if (item == nullptr) {
        return;
      }
      item->owner.Remove(item->fd, file);
    }
    Delete(item);
  }
}

}  // namespace nsgx::libos
