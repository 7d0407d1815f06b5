// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/hostfs/host_fs.h"

#include <cstring>
#include <utility>

#include "base/core/log.h"
#include "libos/fs/hostfs/host_directory.h"
#include "libos/fs/hostfs/host_file.h"
#include "libos/fs/hostfs/host_tokens.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/path.h"

namespace nsgx::libos {
namespace {

// As Linux calls a file system whose files lie elsewhere (9P).
constexpr uint64_t kMagic = 0x01021997;

}  // namespace

HostFs::~HostFs() {
  ForgetNames();
  root_ = nullptr;
}

Result<void, Errno> HostFs::Init() {
  const host::FileFacts facts = TRY(host::FileStatus(root_token_));
  if ((facts.mode & kS_IFMT) != kS_IFDIR) {
    return Error(Errno::kENOTDIR);
  }
  TRY(TakeHostToken(facts.token));
  auto made = Adopt(facts, nullptr, {}, epoch());
  root_ = Ref<HostDirectory>::Adopt(static_cast<HostDirectory*>(TRY(std::move(made)).Release()));
  return {};
}

void HostFs::DescribeSpace(LinuxStatfs& out) {
  out.f_type = kMagic;
  const auto space = host::GetFileSpace(root_token_);
  if (!space.ok()) {
    return;  // nothing is known
  }
  out.f_bsize = out.f_frsize = static_cast<int64_t>(space.value().block_size);
  out.f_blocks = space.value().blocks;
  out.f_bfree = space.value().free_blocks;
  out.f_bavail = space.value().available_blocks;
  out.f_files = space.value().files;
  out.f_ffree = space.value().free_files;
}

Result<void, Errno> HostFs::SyncAll() {
  return host::FileSync(root_token_, host::FileSyncKind::kFileSystem);
}

// ---- inodes

Result<HostInode*, Errno> HostFs::NewInode(const host::FileFacts& facts) {
  const auto as_inode = [](auto made) -> Result<HostInode*, Errno> {
    if (!made.ok()) {
      return Error(Errno::kENOMEM);
    }
    return made.value();
  };
  switch (facts.mode & kS_IFMT) {
    case kS_IFREG:
      return as_inode(New<HostFile>(*this, facts));
    case kS_IFDIR:
      return as_inode(New<HostDirectory>(*this, facts));
    case kS_IFLNK:
      return as_inode(New<HostSymlink>(*this, facts));
    default:
      return as_inode(New<HostSpecial>(*this, facts));
  }
}

Ref<HostInode> HostFs::FindLive(uint64_t device, uint64_t number) {
  for (HostInode* at = Bucket(device, number); at != nullptr; at = at->next_) {
    if (at->device_ == device && at->number() == number && at->TryAddReference()) {
      return Ref<HostInode>::Adopt(at);
    }
  }
  return nullptr;
}

Result<Ref<HostInode>, Errno> HostFs::Adopt(const host::FileFacts& facts, HostDirectory* directory,
                                            std::string_view name, HostEpoch epoch) {
  Ref<HostInode> found;
  {
    SpinLockGuard guard(lock_);
    found = FindLive(facts.device, facts.number);
  }
  if (!found) {
    auto made = NewInode(facts);
    if (!made.ok()) {
      ReleaseHostToken(facts.token, true);
      return Error(made.error());
    }
    Ref<HostInode> inode = Ref<HostInode>::Adopt(made.value());
    {
      SpinLockGuard guard(lock_);
      found = FindLive(facts.device, facts.number);  // somebody may have been faster
      if (!found) {
        HostInode*& first = Bucket(facts.device, facts.number);
        inode->next_ = first;
        first = inode.get();
      }
    }
    if (!found) {
      if (directory != nullptr && !SetPlace(*inode, directory, name)) {
        return Error(Errno::kENOMEM);
      }
      return inode;
    }
  } else {
    ReleaseHostToken(facts.token, false);
  }
  if (found->type() != (facts.mode & kS_IFMT)) {
    LOG(kWarning, "the host gave file ", facts.number, " two types, which is not used");
    return Error(Errno::kEIO);
  }
  if (directory == nullptr || !SetPlace(*found, directory, name)) {
    LOG(kWarning, "the host showed a directory inside of itself, which is not used");
    return Error(Errno::kEIO);
  }
  found->Learn(facts, epoch);
  return found;
}

// With an inode may end the directory that it was in, and so on: one after the other, because how
// deep directories lie in each other is not for the stack to bear.
void HostFs::End(HostInode& inode) {
  {
    SpinLockGuard guard(lock_);
    inode.next_ending_ = std::exchange(ending_, &inode);
    if (std::exchange(is_ending_, true)) {
      return;
    }
  }
  while (true) {
    HostInode* first;
    {
      SpinLockGuard guard(lock_);
      first = ending_;
      if (first == nullptr) {
        is_ending_ = false;
        return;
      }
      ending_ = first->next_ending_;
    }
    first->Finish();
  }
}

void HostFs::Forget(HostInode& inode) {
  char* name;
  {
    SpinLockGuard guard(lock_);
    for (HostInode** at = &Bucket(inode.device_, inode.number()); *at != nullptr;
         at = &(*at)->next_) {
      if (*at == &inode) {
        *at = inode.next_;
        break;
      }
    }
    name = std::exchange(inode.name_, nullptr);
  }
  KernelFree(name);
}

// ---- places

bool HostFs::SetPlace(HostInode& inode, HostDirectory* directory, std::string_view name) {
  char* text = static_cast<char*>(KernelAllocate(name.size()));
  if (text == nullptr) {
    return false;
  }
  std::memcpy(text, name.data(), name.size());
  Ref<HostDirectory> parent = Ref<HostDirectory>::Share(*directory);
  bool is_inside = false;
  {
    SpinLockGuard guard(lock_);
    for (const HostInode* at = directory; at != nullptr; at = at->parent_.get()) {
      is_inside = is_inside || at == &inode;
    }
    if (!is_inside) {
      std::swap(inode.parent_, parent);
      std::swap(inode.name_, text);
      inode.name_size_ = name.size();
    }
  }
  KernelFree(text);
  return !is_inside;
}

Ref<HostDirectory> HostFs::ParentOf(HostInode& inode) {
  SpinLockGuard guard(lock_);
  return inode.parent_.Clone();
}

Result<void, Errno> HostFs::PlaceOf(HostInode& inode, PlaceInParent& out) {
  Ref<HostDirectory> parent;
  {
    SpinLockGuard guard(lock_);
    if (inode.name_ == nullptr) {
      return Error(Errno::kENOENT);
    }
    std::memcpy(out.name, inode.name_, inode.name_size_);
    out.name_size = inode.name_size_;
    parent = inode.parent_.Clone();
  }
  out.parent = std::move(parent);
  return {};
}

void HostFs::NoteNameChange(HostDirectory& directory, std::string_view name, HostDirectory* to,
                            std::string_view to_name) {
  NoteNameChange();
  ForgetNames();
  // Whoever is looked at under the old name now is elsewhere, or nowhere.
  Ref<HostInode> moved;
  char* old_name = nullptr;
  {
    SpinLockGuard guard(lock_);
    for (HostInode* first : buckets_) {
      for (HostInode* at = first; at != nullptr && !moved; at = at->next_) {
        if (at->parent_.get() == &directory && at->name_ != nullptr &&
            std::string_view(at->name_, at->name_size_) == name && at->TryAddReference()) {
          moved = Ref<HostInode>::Adopt(at);
        }
      }
    }
    if (moved && to == nullptr) {
      old_name = std::exchange(moved->name_, nullptr);
    }
  }
  KernelFree(old_name);
  if (moved && to != nullptr) {
    // If this fails, the old place is told until the object is looked up again.
    static_cast<void>(SetPlace(*moved, to, to_name));
    NoteMove();
  }
}

// ---- names of directories

HostFs::Remembered& HostFs::Slot(const HostDirectory& directory, std::string_view name) {
  uint64_t hash = reinterpret_cast<uint64_t>(&directory) >> 6;
  for (const char character : name) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
  }
  return remembered_[(hash ^ hash >> 32) % kRemembered];
}

Ref<HostDirectory> HostFs::FindRemembered(HostDirectory& directory, std::string_view name) {
  SpinLockGuard guard(lock_);
  const Remembered& slot = Slot(directory, name);
  if (!slot.child || slot.until <= MonotonicNow()) {
    return nullptr;
  }
  const HostInode& child = *slot.child;
  if (child.parent_.get() != &directory || child.name_ == nullptr ||
      std::string_view(child.name_, child.name_size_) != name) {
    return nullptr;
  }
  return slot.child.Clone();
}

void HostFs::Remember(HostDirectory& directory, std::string_view name, HostDirectory& child) {
  Ref<HostDirectory> kept = Ref<HostDirectory>::Share(child);
  SpinLockGuard guard(lock_);
  Remembered& slot = Slot(directory, name);
  std::swap(slot.child, kept);
  slot.until = MonotonicNow() + kHostBelief;
}

void HostFs::ForgetNames() {
  Ref<HostDirectory> dropped[kRemembered];
  SpinLockGuard guard(lock_);
  for (size_t i = 0; i < kRemembered; ++i) {
    std::swap(dropped[i], remembered_[i].child);
  }
}

}  // namespace nsgx::libos
