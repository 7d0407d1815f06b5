// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/ramfs/ramfs.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/path.h"

namespace nsgx::libos {
namespace {

// What one entry adds to the size of a directory, as tmpfs counts.
constexpr uint64_t kEntrySize = 20;

}  // namespace

// ---- names

Result<RamName*, Errno> RamName::New(std::string_view name) {
  void* const memory = KernelAllocate(sizeof(RamName) + name.size());
  if (memory == nullptr) {
    return Error(Errno::kENOSPC);
  }
  RamName* const made = ::new (memory) RamName(name.size());
  std::memcpy(static_cast<void*>(made + 1), name.data(), name.size());
  return made;
}

void RamName::Free(RamName* name) {
  if (name != nullptr) {
    name->~RamName();
    KernelFree(name);
  }
}

namespace {

// Frees a name at the end of a scope, that is, after the lock.
class NameHolder {
 public:
  NameHolder() = default;
  explicit NameHolder(RamName* name) : name_(name) {}
  ~NameHolder() { RamName::Free(name_); }
  NameHolder(const NameHolder&) = delete;
  NameHolder& operator=(const NameHolder&) = delete;

  void Hold(RamName& name) { name_ = &name; }
  RamName& operator*() const { return *name_; }
  // The name is part of the tree now.
  void Release() { name_ = nullptr; }

 private:
  RamName* name_ = nullptr;
};

}  // namespace

// ---- inodes

RamInode::RamInode(RamFs& file_system, uint64_t number, const NewNode& node)
    : Inode(file_system, number, node), ramfs_(file_system) {
  ramfs_.inode_count_.fetch_add(1, std::memory_order_relaxed);
}

RamInode::~RamInode() { ramfs_.inode_count_.fetch_sub(1, std::memory_order_relaxed); }

uint32_t RamInode::CountLinks(int32_t change, FileTime now) {
  SpinLockGuard guard(lock_);
  links_ += static_cast<uint32_t>(change);
  TouchChange(now);
  return links_;
}

void RamInode::Touch(FileTime now) {
  SpinLockGuard guard(lock_);
  TouchModification(now);
}

Result<void, Errno> RamInode::GetPlace(PlaceInParent& out) {
  SpinLockGuard guard(ramfs_.lock_);
  const RamName* const name = names_.Front();
  if (name == nullptr) {
    return Error(Errno::kENOENT);
  }
  std::memcpy(out.name, name->text().data(), name->text().size());
  out.name_size = name->text().size();
  // A reference that is replaced is never the last: it is of a directory with names in it.
  out.parent = Ref<Inode>::Share(*name->directory);
  return {};
}

Result<Ref<RamInode>, Errno> RamSymlink::New(RamFs& file_system, uint64_t number,
                                             const NewNode& node) {
  char* const text = static_cast<char*>(KernelAllocate(node.link_target.size()));
  if (text == nullptr) {
    return Error(Errno::kENOSPC);
  }
  std::memcpy(text, node.link_target.data(), node.link_target.size());
  auto made = nsgx::libos::New<RamSymlink>(file_system, number, node, text);
  if (!made.ok()) {
    KernelFree(text);
    return Error(Errno::kENOSPC);
  }
  return Ref<RamInode>::Adopt(made.value());
}

// ---- directories: the file system does it

Result<Ref<Inode>, Errno> RamDirectory::Lookup(std::string_view name) {
  const uint64_t hash = NameTable::Hash(*this, name);
  SpinLockGuard guard(ramfs().lock_);
  RamName* const found = ramfs().Find(*this, name, hash);
  if (found == nullptr) {
    return Error(Errno::kENOENT);
  }
  return Ref<Inode>(found->inode.Clone());
}

Ref<Inode> RamDirectory::Parent() {
  SpinLockGuard guard(ramfs().lock_);
  return Ref<Inode>::Share(ramfs().ParentOf(*this));
}

Result<Ref<Inode>, Errno> RamDirectory::Create(std::string_view name, const NewNode& node) {
  return Ref<Inode>(TRY(ramfs().Create(*this, name, node)));
}

Result<Ref<Inode>, Errno> RamDirectory::CreateUnnamed(const NewNode& node, bool linkable) {
  Ref<RamInode> made = TRY(ramfs().NewInode(node));
  made->is_linkable_ = linkable;
  return Ref<Inode>(std::move(made));
}

Result<void, Errno> RamDirectory::Link(std::string_view name, Inode& target) {
  return ramfs().Link(*this, name, static_cast<RamInode&>(target));
}

Result<void, Errno> RamDirectory::Unlink(std::string_view name) {
  return ramfs().Remove(*this, name, false);
}

Result<void, Errno> RamDirectory::RemoveDirectory(std::string_view name) {
  return ramfs().Remove(*this, name, true);
}

Result<void, Errno> RamDirectory::Rename(std::string_view name, Inode& to, std::string_view to_name,
                                         uint32_t flags) {
  return ramfs().Rename(*this, name, static_cast<RamDirectory&>(to), to_name, flags);
}

void RamDirectory::AddSize(FileStatus& status) {
  status.size = entry_count_.load(std::memory_order_relaxed) * kEntrySize;
}

Result<void, Errno> RamDirectory::ReadEntries(File& file, DirectorySink& sink) {
  // Threads that read one open directory at once get some entries twice.
  uint64_t position = file.position;
  bool has_room = true;
  if (position == 0) {
    has_room = sink.Add(".", number(), DirectoryEntryType(kS_IFDIR), 1);
    position = has_room ? 1 : position;
  }
  if (has_room && position == 1) {
    has_room = sink.Add("..", Parent()->number(), DirectoryEntryType(kS_IFDIR), 2);
    position = has_room ? 2 : position;
  }
  while (has_room) {
    char name[kNAME_MAX];
    size_t size;
    uint64_t inode_number;
    uint8_t type;
    uint64_t next;
    {
      SpinLockGuard guard(ramfs().lock_);
      const auto entry = by_cookie_.FindNext(position);
      if (entry.value == nullptr) {
        break;
      }
      const std::string_view text = entry.value->text();
      size = text.size();
      std::memcpy(name, text.data(), size);
      inode_number = entry.value->inode->number();
      type = DirectoryEntryType(entry.value->inode->mode());
      next = entry.key + 1;
    }
    has_room = sink.Add({name, size}, inode_number, type, next);
    if (has_room) {
      position = next;
    }
  }
  file.position = position;
  TouchAccessTime();
  return {};
}

Result<int64_t, Errno> RamDirectory::Seek(File& file, int64_t offset, uint32_t whence) {
  if (whence != kSEEK_SET && whence != kSEEK_CUR) {
    return Error(Errno::kEINVAL);
  }
  const int64_t target = TRY(SeekTarget(file.position, 0, offset, whence));
  file.position = static_cast<uint64_t>(target);
  return target;
}

// ---- the file system

RamFs::~RamFs() {
  RamDirectory* at = root_.get();
  while (at != nullptr) {
    NameHolder dead;
    SpinLockGuard guard(lock_);
    const auto entry = at->by_cookie_.FindNext(0);
    if (entry.value == nullptr) {
      at = at == root_.get() ? nullptr : &ParentOf(*at);
      continue;
    }
    RamInode& inode = *entry.value->inode;
    if (inode.is_directory() && !static_cast<RamDirectory&>(inode).by_cookie_.is_empty()) {
      at = &static_cast<RamDirectory&>(inode);
      continue;
    }
    Detach(*entry.value);
    dead.Hold(*entry.value);
  }
  root_ = nullptr;
  CHECK(inode_count_.load(std::memory_order_relaxed) == 0);
}

Result<void, Errno> RamFs::Init(uint32_t root_mode) {
  Ref<RamInode> made = TRY(NewInode({.mode = kS_IFDIR | root_mode}));
  made->CountLinks(2, FileTimeNow());
  root_ = Ref<RamDirectory>::Adopt(static_cast<RamDirectory*>(made.Release()));
  return {};
}

void RamFs::DescribeSpace(LinuxStatfs& out) {
  out.f_type = kTMPFS_MAGIC;
  out.f_bsize = out.f_frsize = kPageSize;
  out.f_blocks = about::TotalMemory() / kPageSize;
  out.f_bfree = out.f_bavail = about::FreeMemory() / kPageSize;
  // As many inodes as blocks; nothing else bounds them.
  out.f_files = out.f_blocks;
  out.f_ffree = out.f_bfree;
}

Result<Ref<RamInode>, Errno> RamFs::NewInode(const NewNode& node) {
  const uint64_t number = next_number_.fetch_add(1, std::memory_order_relaxed);
  const auto adopt = [](auto result) -> Result<Ref<RamInode>, Errno> {
    if (!result.ok()) {
      return Error(Errno::kENOSPC);
    }
    return Ref<RamInode>::Adopt(result.value());
  };
  switch (node.mode & kS_IFMT) {
    case kS_IFREG:
      return adopt(New<RamFile>(*this, number, node));
    case kS_IFDIR:
      return adopt(New<RamDirectory>(*this, number, node));
    case kS_IFLNK:
      return RamSymlink::New(*this, number, node);
    default:
      return adopt(New<RamSpecial>(*this, number, node));
  }
}

Result<Ref<RamFile>, Errno> RamFs::CreateMemoryFile(std::string_view label, const NewNode& node) {
  const uint64_t number = next_number_.fetch_add(1, std::memory_order_relaxed);
  auto made = New<RamFile>(*this, number, node, label);
  if (!made.ok()) {
    return Error(made.error());
  }
  return Ref<RamFile>::Adopt(made.value());
}

bool RamFs::Attach(RamDirectory& directory, RamName& name, uint64_t hash) {
  name.directory = &directory;
  name.hash = hash;
  name.cookie = directory.next_cookie_;
  if (!directory.by_cookie_.Insert(name.cookie, name)) {
    return false;
  }
  ++directory.next_cookie_;
  names_.Insert(name);
  name.inode->names_.PushBack(name);
  directory.entry_count_.store(directory.entry_count_.load(std::memory_order_relaxed) + 1,
                               std::memory_order_relaxed);
  return true;
}

void RamFs::Detach(RamName& name) {
  RamDirectory& directory = *name.directory;
  directory.by_cookie_.Erase(name.cookie);
  if (name.cookie + 1 == directory.next_cookie_) {
    // Files that come and go do not use up numbers, which would make the tree deep.
    directory.next_cookie_ = name.cookie;
  }
  names_.Erase(name);
  name.inode->names_.Erase(name);
  directory.entry_count_.store(directory.entry_count_.load(std::memory_order_relaxed) - 1,
                               std::memory_order_relaxed);
}

void RamFs::CountSubdirectory(RamDirectory& directory, int32_t change, FileTime now) {
  directory.CountLinks(change, now);
}

void RamFs::NoteRemoval(RamDirectory& directory, RamInode& inode, FileTime now) {
  if (inode.is_directory()) {
    RamDirectory& removed = static_cast<RamDirectory&>(inode);
    removed.CountLinks(-2, now);
    removed.is_removed_ = true;
    removed.former_parent_ = Ref<RamDirectory>::Share(directory);
    CountSubdirectory(directory, -1, now);
  } else {
    inode.CountLinks(-1, now);
  }
}

RamDirectory& RamFs::ParentOf(RamDirectory& directory) {
  const RamName* const name = directory.names_.Front();
  if (name != nullptr) {
    return *name->directory;
  }
  return directory.former_parent_ ? *directory.former_parent_ : directory;
}

bool RamFs::IsBelow(RamDirectory& directory, const RamInode& ancestor) {
  RamDirectory* at = &directory;
  while (at != &ancestor) {
    const RamName* const name = at->names_.Front();
    if (name == nullptr) {
      return false;
    }
    at = name->directory;
  }
  return true;
}

Result<Ref<RamInode>, Errno> RamFs::Create(RamDirectory& directory, std::string_view text,
                                           const NewNode& node) {
  const uint64_t hash = NameTable::Hash(directory, text);
  const FileTime now = FileTimeNow();
  NameHolder name(TRY(RamName::New(text)));
  Ref<RamInode> made = TRY(NewInode(node));
  made->CountLinks(made->is_directory() ? 2 : 1, now);
  (*name).inode = made.Clone();

  SpinLockGuard guard(lock_);
  if (directory.is_removed_) {
    return Error(Errno::kENOENT);
  }
  if (Find(directory, text, hash) != nullptr) {
    return Error(Errno::kEEXIST);
  }
  if (!Attach(directory, *name, hash)) {
    return Error(Errno::kENOSPC);
  }
  name.Release();
  if (made->is_directory()) {
    CountSubdirectory(directory, 1, now);
  }
  directory.Touch(now);
  return made;
}

Result<void, Errno> RamFs::Link(RamDirectory& directory, std::string_view text, RamInode& target) {
  const uint64_t hash = NameTable::Hash(directory, text);
  const FileTime now = FileTimeNow();
  NameHolder name(TRY(RamName::New(text)));
  (*name).inode = Ref<RamInode>::Share(target);

  SpinLockGuard guard(lock_);
  if (directory.is_removed_) {
    return Error(Errno::kENOENT);
  }
  if (Find(directory, text, hash) != nullptr) {
    return Error(Errno::kEEXIST);
  }
  if (target.names_.is_empty() && !target.is_linkable_) {
    return Error(Errno::kENOENT);
  }
  if (!Attach(directory, *name, hash)) {
    return Error(Errno::kENOSPC);
  }
  name.Release();
  target.is_linkable_ = false;
  target.CountLinks(1, now);
  directory.Touch(now);
  return {};
}

Result<void, Errno> RamFs::Remove(RamDirectory& directory, std::string_view text, bool is_rmdir) {
  const uint64_t hash = NameTable::Hash(directory, text);
  const FileTime now = FileTimeNow();
  NameHolder dead;
  SpinLockGuard guard(lock_);
  RamName* const name = Find(directory, text, hash);
  if (name == nullptr) {
    return Error(Errno::kENOENT);
  }
  RamInode& inode = *name->inode;
  if (is_rmdir) {
    if (!inode.is_directory()) {
      return Error(Errno::kENOTDIR);
    }
    if (!static_cast<RamDirectory&>(inode).by_cookie_.is_empty()) {
      return Error(Errno::kENOTEMPTY);
    }
  } else if (inode.is_directory()) {
    return Error(Errno::kEISDIR);
  }
  Detach(*name);
  dead.Hold(*name);
  NoteRemoval(directory, inode, now);
  directory.Touch(now);
  return {};
}

Result<void, Errno> RamFs::Rename(RamDirectory& from, std::string_view from_text, RamDirectory& to,
                                  std::string_view to_text, uint32_t flags) {
  const uint64_t from_hash = NameTable::Hash(from, from_text);
  const uint64_t to_hash = NameTable::Hash(to, to_text);
  const FileTime now = FileTimeNow();
  const bool exchange = (flags & kRENAME_EXCHANGE) != 0;
  // Everything that may fail comes before the first change. A name is never edited, always
  // replaced.
  NameHolder at_target(TRY(RamName::New(to_text)));
  NameHolder at_source(exchange ? TRY(RamName::New(from_text)) : nullptr);
  NameHolder dead_source;
  NameHolder dead_target;

  SpinLockGuard guard(lock_);
  RamName* const source = Find(from, from_text, from_hash);
  RamName* const target = Find(to, to_text, to_hash);
  if (source == nullptr || to.is_removed_ || (exchange && target == nullptr)) {
    return Error(Errno::kENOENT);
  }
  if (target != nullptr && (flags & kRENAME_NOREPLACE) != 0) {
    return Error(Errno::kEEXIST);
  }
  RamInode& moved = *source->inode;
  if (moved.is_directory() && IsBelow(to, moved)) {
    return Error(Errno::kEINVAL);
  }
  if (target != nullptr) {
    RamInode& other = *target->inode;
    if (&other == &moved) {
      return {};
    }
    if (exchange) {
      if (other.is_directory() && IsBelow(from, other)) {
        return Error(Errno::kEINVAL);
      }
    } else if (other.is_directory()) {
      if (IsBelow(from, other)) {
        return Error(Errno::kENOTEMPTY);
      }
      if (!moved.is_directory()) {
        return Error(Errno::kEISDIR);
      }
      if (!static_cast<RamDirectory&>(other).by_cookie_.is_empty()) {
        return Error(Errno::kENOTEMPTY);
      }
    } else if (moved.is_directory()) {
      return Error(Errno::kENOTDIR);
    }
  }

  (*at_target).inode = Ref<RamInode>::Share(moved);
  if (!Attach(to, *at_target, to_hash)) {
    return Error(Errno::kENOSPC);
  }
  if (exchange) {
    (*at_source).inode = target->inode.Clone();
    if (!Attach(from, *at_source, from_hash)) {
      Detach(*at_target);
      return Error(Errno::kENOSPC);
    }
    at_source.Release();
  }
  at_target.Release();

  Detach(*source);
  dead_source.Hold(*source);
  if (moved.is_directory() && &from != &to) {
    CountSubdirectory(from, -1, now);
    CountSubdirectory(to, 1, now);
  }
  moved.CountLinks(0, now);
  if (target != nullptr) {
    RamInode& other = *target->inode;
    Detach(*target);
    dead_target.Hold(*target);
    if (!exchange) {
      NoteRemoval(to, other, now);
    } else {
      if (other.is_directory() && &from != &to) {
        CountSubdirectory(to, -1, now);
        CountSubdirectory(from, 1, now);
      }
      other.CountLinks(0, now);
    }
  }
  from.Touch(now);
  to.Touch(now);
  NoteMove();
  return {};
}

}  // namespace nsgx::libos
