// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/notice.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/core/align.h"
#include "base/core/bytes.h"
#include "base/core/scope_exit.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/radix_tree.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
// What nobody has read, of one notifier (fs.inotify.max_queued_events).
constexpr size_t kMaxQueued = 16384;

struct WatchesOfInode;

// Who watches what changes under this lock alone. Order: this, a notifier's lock_.
constinit SpinLock watch_lock;

// One inode that one notifier watches.
struct Watch : ListNode<WatchesOfInode> {
  Watch(Notifier& owner_, Inode& inode_) : owner(owner_), inode(inode_) {}

  Notifier& owner;
  Inode& inode;
  int32_t number = 0;
  uint32_t events = 0;
  bool only_once = false;
};

// struct inotify_event without its name, which follows.
struct NoticeHead {
  int32_t watch;
  uint32_t events;
  uint32_t cookie;
  uint32_t name_size;  // with the NULs behind it
};
static_assert(sizeof(NoticeHead) == 16);

// One notice in a queue. The name's bytes follow the object.
class Notice : public ListNode<> {
 public:
  // Null when memory is out.
  static Notice* New(int32_t watch, uint32_t events, uint32_t cookie, std::string_view name) {
    const size_t padded = name.empty() ? 0 : AlignUp(name.size() + 1, sizeof(NoticeHead));
    void* const memory = KernelAllocate(sizeof(Notice) + padded);
    if (memory == nullptr) {
      return nullptr;
    }
    Notice* const made = ::new (memory) Notice();
    made->head_ = {.watch = watch,
                   .events = events,
                   .cookie = cookie,
                   .name_size = static_cast<uint32_t>(padded)};
    std::memset(made->name_bytes(), 0, padded);
    std::memcpy(made->name_bytes(), name.data(), name.size());
    return made;
  }
  static void Free(Notice* notice) {
    notice->~Notice();
    KernelFree(notice);
  }

  size_t size() const { return sizeof(head_) + head_.name_size; }
  bool Is(int32_t watch, uint32_t events, std::string_view name) const {
    return head_.watch == watch && head_.events == events && this->name() == name;
  }
  // Requires: room for size().
  size_t CopyTo(IoBuffer& to) const {
    const size_t done = to.Put(BytesOf(head_));
    if (done < sizeof(head_)) {
      return done;
    }
    return done + to.Put({reinterpret_cast<const std::byte*>(this + 1), head_.name_size});
  }

 private:
  Notice() = default;
  ~Notice() = default;

  char* name_bytes() { return reinterpret_cast<char*>(this + 1); }
  std::string_view name() const {
    const char* const text = reinterpret_cast<const char*>(this + 1);
    return {text, strnlen(text, head_.name_size)};
  }

  NoticeHead head_ = {};
};

}  // namespace

// The watches of one inode.
class InodeWatches {
 public:
  IntrusiveList<Watch, WatchesOfInode> list;
  // While the inode has names it must not go away, even where the file system could make it anew.
  // Later its end is what the watches wait for.
  Ref<Inode> keep;
};

class Notifier final : public AnonymousInode {
 public:
  Notifier() : AnonymousInode(AnonymousFileSystem(), kS_IFREG | 0600) {}

  std::string_view label() const override { return "anon_inode:inotify"; }
  ObjectKind kind() const override { return ObjectKind::kNotices; }
  bool is_pollable() const override { return true; }

  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;
  uint32_t Poll(File& file, Observer* observer) override;
  void Unobserve(File& file, Observer& observer) override;
  Result<size_t, Errno> ReadableBytes(File& file) override;
  void Closed(File& file) override;

  // Puts a notice behind those that wait to be read. Takes lock_.
  void Queue(int32_t watch, uint32_t events, uint32_t cookie, std::string_view name);

  // Both under watch_lock.
  RadixTree<Watch> watches;
  int32_t last_number = 0;

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~Notifier() = default;
  void Destroy() override { Delete(this); }

  bool HasNotice() const REQUIRES(lock_) { return queued_ != 0 || has_overflowed_; }

  SpinLock lock_;
  IntrusiveList<Notice> queue_ GUARDED_BY(lock_);
  size_t queued_ GUARDED_BY(lock_) = 0;
  size_t queued_bytes_ GUARDED_BY(lock_) = 0;
  // Notices have been lost, which is told behind those that are queued.
  bool has_overflowed_ GUARDED_BY(lock_) = false;
  WaitQueue readers_waiting_ GUARDED_BY(lock_);
  ObserverList<> observers_ GUARDED_BY(lock_);
};

// ---- the queue

void Notifier::Queue(int32_t watch, uint32_t events, uint32_t cookie, std::string_view name) {
  SpinLockGuard guard(lock_);
  const Notice* const last = queue_.Back();
  if (has_overflowed_ ||
      (last != nullptr && (events & kIN_IGNORED) == 0 && last->Is(watch, events, name))) {
    return;
  }
  Notice* const notice = queued_ < kMaxQueued ? Notice::New(watch, events, cookie, name) : nullptr;
  if (notice == nullptr) {
    has_overflowed_ = true;
  } else {
    queue_.PushBack(*notice);
    ++queued_;
    queued_bytes_ += notice->size();
  }
  readers_waiting_.Wake(1);
  observers_.Notify(kReadable);
}

Result<size_t, Errno> Notifier::Read(File&, IoBuffer& to, const IoRequest& request) {
  constexpr NoticeHead kOverflow = {
      .watch = -1, .events = kIN_Q_OVERFLOW, .cookie = 0, .name_size = 0};
  size_t done = 0;
  while (!to.faulted()) {
    lock_.Lock();
    if (!HasNotice()) {
      if (done != 0) {
        lock_.Unlock();
        break;
      }
      TRY(SleepOnce(readers_waiting_, lock_, request.wait));
      continue;
    }
    Notice* const notice = queue_.Front();
    const size_t size = notice != nullptr ? notice->size() : sizeof(kOverflow);
    if (size > to.remaining()) {
      lock_.Unlock();
      if (done == 0) {
        return Error(Errno::kEINVAL);
      }
      break;
    }
    if (notice != nullptr) {
      queue_.Erase(*notice);
      --queued_;
      queued_bytes_ -= size;
    } else {
      has_overflowed_ = false;
    }
    lock_.Unlock();
    if (notice != nullptr) {
      done += notice->CopyTo(to);
      Notice::Free(notice);
    } else {
      done += to.Put(BytesOf(kOverflow));
    }
  }
  return to.Outcome(done);
}

uint32_t Notifier::Poll(File&, Observer* observer) {
  SpinLockGuard guard(lock_);
  if (observer != nullptr) {
    observers_.Add(*observer);
  }
  return HasNotice() ? kReadable : 0;
}

void Notifier::Unobserve(File&, Observer& observer) {
  SpinLockGuard guard(lock_);
  observers_.Remove(observer);
}

Result<size_t, Errno> Notifier::ReadableBytes(File&) {
  SpinLockGuard guard(lock_);
  return queued_bytes_ + (has_overflowed_ ? sizeof(NoticeHead) : 0);
}

// ---- watches

namespace {

// What is no longer needed, to be given back after the lock.
struct Unused {
  Unused() = default;
  ~Unused() {
    while (Watch* const watch = watches.PopFront()) {
      Delete(watch);
    }
    while (count != 0) {
      Delete(inodes[--count]);
    }
  }

  IntrusiveList<Watch, WatchesOfInode> watches;
  // Those of a move: two directories and two files.
  InodeWatches* inodes[4] = {};
  size_t count = 0;
};

// Takes `watch` away from its inode and its notifier.
void Detach(Watch& watch, Unused& unused) REQUIRES(watch_lock) {
  InodeWatches* const of_inode = watch.inode.watches.load(std::memory_order_relaxed);
  of_inode->list.Erase(watch);
  watch.owner.watches.Erase(static_cast<uint64_t>(watch.number));
  unused.watches.PushBack(watch);
  notice::watch_count.fetch_sub(1, std::memory_order_relaxed);
  if (of_inode->list.is_empty()) {
    watch.inode.watches.store(nullptr, std::memory_order_relaxed);
    unused.inodes[unused.count++] = of_inode;
  }
}

// Tells those who watch `inode` itself.
void Deliver(Inode& inode, uint32_t events, uint32_t cookie, std::string_view name, Unused& unused)
    REQUIRES(watch_lock) {
  InodeWatches* const of_inode = inode.watches.load(std::memory_order_relaxed);
  if (of_inode == nullptr) {
    return;
  }
  for (auto next = of_inode->list.begin(); next != of_inode->list.end();) {
    Watch& watch = *next++;
    if ((watch.events & events & kIN_ALL_EVENTS) == 0) {
      continue;
    }
    watch.owner.Queue(watch.number, events, cookie, name);
    if (watch.only_once) {
      watch.owner.Queue(watch.number, kIN_IGNORED, 0, {});
      const bool is_last = next == of_inode->list.end();
      Detach(watch, unused);
      if (is_last) {
        break;
      }
    }
  }
}

// Nothing leads to the inode any more but open files: it may go away with the last of them.
void LetGo(Inode& inode) {
  Ref<Inode> kept;  // dropped after the lock
  if (inode.GetStatus().links != 0) {
    return;
  }
  SpinLockGuard guard(watch_lock);
  InodeWatches* const of_inode = inode.watches.load(std::memory_order_relaxed);
  if (of_inode != nullptr) {
    kept = std::move(of_inode->keep);
  }
}

uint32_t DirectoryBit(const Inode& inode) { return inode.is_directory() ? kIN_ISDIR : 0; }

constinit std::atomic<uint32_t> last_cookie{0};

}  // namespace

void Notifier::Closed(File&) {
  while (true) {
    Unused unused;
    SpinLockGuard guard(watch_lock);
    Watch* const watch = watches.FindNext(0).value;
    if (watch == nullptr) {
      break;
    }
    Detach(*watch, unused);
  }
  SpinLockGuard guard(lock_);
  while (Notice* const notice = queue_.PopFront()) {
    Notice::Free(notice);
  }
}

Result<Ref<File>, Errno> MakeNotifier(uint32_t flags) {
  Ref<Notifier> notifier = Ref<Notifier>::Adopt(TRY(New<Notifier>()));
  Notifier& object = *notifier;
  return File::New(Ref<Inode>(std::move(notifier)), object, kO_RDONLY | flags);
}

Result<Notifier*, Errno> NotifierOf(File& file) {
  if (file.object().kind() != ObjectKind::kNotices) {
    return Error(Errno::kEINVAL);
  }
  return static_cast<Notifier*>(&file.object());
}

Result<int32_t, Errno> AddWatch(Notifier& notifier, Ref<Inode> inode, uint32_t events,
                                bool only_once, WatchAgain again) {
  Watch* watch = New<Watch>(notifier, *inode).value_or(nullptr);
  InodeWatches* fresh = New<InodeWatches>().value_or(nullptr);
  ScopeExit free([&] {
    Delete(watch);
    Delete(fresh);
  });
  if (watch == nullptr || fresh == nullptr) {
    return Error(Errno::kENOSPC);
  }
  const bool has_name = inode->GetStatus().links != 0;
  SpinLockGuard guard(watch_lock);
  InodeWatches* of_inode = inode->watches.load(std::memory_order_relaxed);
  if (of_inode != nullptr) {
    for (Watch& old : of_inode->list) {
      if (&old.owner != &notifier) {
        continue;
      }
      if (again == WatchAgain::kRefuse) {
        return Error(Errno::kEEXIST);
      }
      old.events = again == WatchAgain::kAdd ? old.events | events : events;
      old.only_once = (again == WatchAgain::kAdd && old.only_once) || only_once;
      return old.number;
    }
  }
  watch->number = notifier.last_number + 1;
  watch->events = events;
  watch->only_once = only_once;
  if (watch->number == INT32_MAX ||
      !notifier.watches.Insert(static_cast<uint64_t>(watch->number), *watch)) {
    return Error(Errno::kENOSPC);
  }
  ++notifier.last_number;
  if (of_inode == nullptr) {
    of_inode = std::exchange(fresh, nullptr);
    if (has_name) {
      of_inode->keep = inode.Clone();
    }
    inode->watches.store(of_inode, std::memory_order_relaxed);
  }
  notice::watch_count.fetch_add(1, std::memory_order_relaxed);
  of_inode->list.PushBack(*watch);
  return std::exchange(watch, nullptr)->number;
}

Result<void, Errno> RemoveWatch(Notifier& notifier, int32_t number) {
  Unused unused;
  SpinLockGuard guard(watch_lock);
  Watch* const watch = number <= 0 ? nullptr : notifier.watches.Find(static_cast<uint64_t>(number));
  if (watch == nullptr) {
    return Error(Errno::kEINVAL);
  }
  notifier.Queue(number, kIN_IGNORED, 0, {});
  Detach(*watch, unused);
  return {};
}

// ---- telling

namespace notice {

constinit std::atomic<uint32_t> watch_count{0};

void TellFile(Inode& inode, uint32_t event) {
  Unused unused;
  PlaceInParent place;
  const uint32_t events = event | DirectoryBit(inode);
  const bool has_place = inode.GetPlace(place).ok();
  SpinLockGuard guard(watch_lock);
  if (has_place) {
    Deliver(*place.parent, events, 0, place.name_view(), unused);
  }
  Deliver(inode, events, 0, {}, unused);
}

void TellCreated(Inode& directory, std::string_view name, Inode& inode) {
  Unused unused;
  SpinLockGuard guard(watch_lock);
  Deliver(directory, kIN_CREATE | DirectoryBit(inode), 0, name, unused);
}

void TellLinked(Inode& directory, std::string_view name, Inode& inode) {
  Unused unused;
  SpinLockGuard guard(watch_lock);
  Deliver(inode, kIN_ATTRIB, 0, {}, unused);
  Deliver(directory, kIN_CREATE, 0, name, unused);
}

void TellRemoved(Inode& directory, std::string_view name, Inode& inode) {
  {
    Unused unused;
    SpinLockGuard guard(watch_lock);
    if (!inode.is_directory()) {
      Deliver(inode, kIN_ATTRIB, 0, {}, unused);
    }
    Deliver(directory, kIN_DELETE | DirectoryBit(inode), 0, name, unused);
  }
  LetGo(inode);
}

void TellMoved(Inode& from, std::string_view from_name, Inode& to, std::string_view to_name,
               Inode& moved, Inode* replaced) {
  const uint32_t cookie = last_cookie.fetch_add(1, std::memory_order_relaxed) + 1;
  {
    Unused unused;
    SpinLockGuard guard(watch_lock);
    Deliver(from, kIN_MOVED_FROM | DirectoryBit(moved), cookie, from_name, unused);
    Deliver(to, kIN_MOVED_TO | DirectoryBit(moved), cookie, to_name, unused);
    if (replaced != nullptr) {
      Deliver(*replaced, kIN_ATTRIB | DirectoryBit(*replaced), 0, {}, unused);
    }
    Deliver(moved, kIN_MOVE_SELF, 0, {}, unused);
  }
  if (replaced != nullptr) {
    LetGo(*replaced);
  }
}

void TellGone(Inode& inode) {
  Unused unused;
  SpinLockGuard guard(watch_lock);
  Deliver(inode, kIN_DELETE_SELF, 0, {}, unused);
  while (InodeWatches* const of_inode = inode.watches.load(std::memory_order_relaxed)) {
    Watch& watch = *of_inode->list.Front();
    watch.owner.Queue(watch.number, kIN_IGNORED, 0, {});
    Detach(watch, unused);
  }
}

}  // namespace notice
}  // namespace nsgx::libos
