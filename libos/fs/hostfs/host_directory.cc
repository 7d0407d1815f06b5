// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/hostfs/host_directory.h"

#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "base/core/log.h"
#include "libos/fs/hostfs/host_file.h"
#include "libos/fs/hostfs/host_fs.h"
#include "libos/fs/hostfs/host_tokens.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/radix_tree.h"

namespace nsgx::libos {

// The names of a directory at one moment, each once, whatever the host says.
class HostListing {
 public:
  struct Entry {
    uint64_t number;
    Entry* next_in_bucket;
    uint8_t type;
    uint8_t name_size;
    // The name follows.

    std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
  };

  HostListing() = default;
  HostListing(const HostListing&) = delete;
  HostListing& operator=(const HostListing&) = delete;

  void AddReference() { references_.Add(); }
  void DropReference() {
    if (references_.Drop()) {
      Delete(this);
    }
  }

  // EIO, ENOMEM, and what the host says.
  Result<void, Errno> Load(host::FileToken directory) {
    Collector collector(*this);
    uint64_t position = 0;
    while (true) {
      const uint64_t before = count_;
      if (!TRY(host::FileList(directory, &position, collector))) {
        break;
      }
      if (count_ == before || count_ > kMaxNames) {
        LOG(kWarning, "the host lists a directory without end, which is not used");
        return Error(Errno::kEIO);
      }
    }
    if (collector.is_out_of_memory) {
      return Error(Errno::kENOMEM);
    }
    return {};
  }

  const Entry* At(uint64_t index) const { return entries_.Find(index); }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~HostListing() {
    for (uint64_t i = 0; i < count_; ++i) {
      KernelFree(entries_.Erase(i));
    }
  }

  class Collector final : public host::FileEntrySink {
   public:
    explicit Collector(HostListing& listing) : listing_(listing) {}
    bool Add(std::string_view name, uint64_t number, uint8_t type) override {
      is_out_of_memory = !listing_.Add(name, number, type);
      return !is_out_of_memory;
    }
    bool is_out_of_memory = false;

   private:
    HostListing& listing_;
  };

  bool Add(std::string_view name, uint64_t number, uint8_t type) {
    uint64_t hash = 0xcbf29ce484222325;
    for (const char character : name) {
      hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
    }
    Entry*& first = buckets_[(hash ^ hash >> 32) % kBuckets];
    for (const Entry* at = first; at != nullptr; at = at->next_in_bucket) {
      if (at->name() == name) {
        return true;
      }
    }
    void* const memory = KernelAllocate(sizeof(Entry) + name.size());
    if (memory == nullptr) {
      return false;
    }
    Entry* const entry = ::new (memory) Entry{.number = number,
                                              .next_in_bucket = first,
                                              .type = type,
                                              .name_size = static_cast<uint8_t>(name.size())};
    std::memcpy(entry + 1, name.data(), name.size());
    if (!entries_.Insert(count_, *entry)) {
      KernelFree(entry);
      return false;
    }
    first = entry;
    ++count_;
    return true;
  }

  static constexpr size_t kBuckets = 256;
  // More than anybody has in one directory, less than would fill the memory.
  static constexpr uint64_t kMaxNames = 4'000'000;

  ReferenceCount references_{1};
  RadixTree<Entry> entries_;
  uint64_t count_ = 0;
  std::array<Entry*, kBuckets> buckets_ = {};
};

// ---- names

Result<Ref<Inode>, Errno> HostDirectory::Lookup(std::string_view name) {
  Ref<HostDirectory> remembered = hostfs().FindRemembered(*this, name);
  if (remembered) {
    return Ref<Inode>(std::move(remembered));
  }
  const HostEpoch epoch = hostfs().epoch();
  const host::FileFacts facts = TRY(host::FileLookUp(token(), name));
  TRY(TakeHostToken(facts.token));
  Ref<HostInode> inode = TRY(hostfs().Adopt(facts, this, name, epoch));
  if (inode->is_directory()) {
    hostfs().Remember(*this, name, static_cast<HostDirectory&>(*inode));
  }
  return Ref<Inode>(std::move(inode));
}

Ref<Inode> HostDirectory::Parent() {
  Ref<HostDirectory> parent = hostfs().ParentOf(*this);
  return parent ? Ref<Inode>(std::move(parent)) : Ref<Inode>::Share(*this);
}

Result<Ref<Inode>, Errno> HostDirectory::Create(std::string_view name, const NewNode& node) {
  const uint32_t type = node.mode & kS_IFMT;
  if (type != kS_IFREG && type != kS_IFDIR && type != kS_IFLNK) {
    return Error(Errno::kEPERM);  // nothing inside would be behind it
  }
  const HostEpoch epoch = hostfs().epoch();
  const host::FileFacts facts = TRY(host::FileMake(token(), name, node.mode, node.link_target));
  hostfs().NoteNameChange();
  TRY(TakeHostToken(facts.token));
  Ref<HostInode> inode = TRY(hostfs().Adopt(facts, this, name, epoch));
  if (type == kS_IFREG) {
    static_cast<HostFile&>(*inode).SetReady();
  }
  return Ref<Inode>(std::move(inode));
}

Result<Ref<Inode>, Errno> HostDirectory::CreateUnnamed(const NewNode& node, bool linkable) {
  const HostEpoch epoch = hostfs().epoch();
  const host::FileFacts facts = TRY(host::FileMake(token(), {}, node.mode, {}));
  TRY(TakeHostToken(facts.token));
  // O_EXCL promises that it never gets a name.
  Ref<HostInode> inode = TRY(hostfs().Adopt(facts, this, "", epoch));
  static_cast<HostFile&>(*inode).SetUnnamed(linkable);
  return Ref<Inode>(std::move(inode));
}

Result<void, Errno> HostDirectory::Link(std::string_view name, Inode& target) {
  HostInode& inode = static_cast<HostInode&>(target);
  if (inode.is_regular() && !static_cast<HostFile&>(inode).is_linkable()) {
    return Error(Errno::kENOENT);
  }
  TRY(host::FileLink(inode.token(), token(), name));
  hostfs().NoteNameChange();
  return {};
}

Result<void, Errno> HostDirectory::Remove(std::string_view name, bool is_directory) {
  TRY(host::FileRemove(token(), name, is_directory));
  hostfs().NoteNameChange(*this, name, nullptr, {});
  return {};
}

Result<void, Errno> HostDirectory::Unlink(std::string_view name) { return Remove(name, false); }

Result<void, Errno> HostDirectory::RemoveDirectory(std::string_view name) {
  return Remove(name, true);
}

Result<void, Errno> HostDirectory::Rename(std::string_view name, Inode& to,
                                          std::string_view to_name, uint32_t flags) {
  HostDirectory& target = static_cast<HostDirectory&>(to);
  TRY(host::FileRename(token(), name, target.token(), to_name, flags));
  if ((flags & kRENAME_EXCHANGE) != 0) {
    // Both are somewhere else: found anew by their names.
    hostfs().NoteNameChange(*this, name, nullptr, {});
    hostfs().NoteNameChange(target, to_name, nullptr, {});
    static_cast<void>(Lookup(name).ok());
    static_cast<void>(target.Lookup(to_name).ok());
    return {};
  }
  hostfs().NoteNameChange(target, to_name, nullptr, {});  // what was there before
  hostfs().NoteNameChange(*this, name, &target, to_name);
  return {};
}

// ---- listing

Result<Ref<HostListing>, Errno> HostDirectory::ListingOf(File& file) {
  {
    SpinLockGuard guard(file.lock());
    if (file.attachment != nullptr) {
      return Ref<HostListing>::Share(*static_cast<HostListing*>(file.attachment));
    }
  }
  Ref<HostListing> listing = Ref<HostListing>::Adopt(TRY(New<HostListing>()));
  TRY(listing->Load(token()));
  SpinLockGuard guard(file.lock());
  if (file.attachment == nullptr) {
    file.attachment = listing.Clone().Release();
  }
  return listing;
}

Result<void, Errno> HostDirectory::ReadEntries(File& file, DirectorySink& sink) {
  // Threads that read one open directory at once get some entries twice.
  uint64_t position = file.position;
  if (position == 0) {
    if (!sink.Add(".", number(), DirectoryEntryType(kS_IFDIR), 1)) {
      return {};
    }
    file.position = position = 1;
  }
  if (position == 1) {
    if (!sink.Add("..", Parent()->number(), DirectoryEntryType(kS_IFDIR), 2)) {
      return {};
    }
    file.position = position = 2;
  }
  const Ref<HostListing> listing = TRY(ListingOf(file));
  while (const HostListing::Entry* entry = listing->At(position - 2)) {
    if (!sink.Add(entry->name(), entry->number, entry->type, position + 1)) {
      break;
    }
    file.position = ++position;
  }
  return {};
}

Result<int64_t, Errno> HostDirectory::Seek(File& file, int64_t offset, uint32_t whence) {
  if (whence != kSEEK_SET && whence != kSEEK_CUR) {
    return Error(Errno::kEINVAL);
  }
  const int64_t target = TRY(SeekTarget(file.position, 0, offset, whence));
  file.position = static_cast<uint64_t>(target);
  if (target == 0) {
    Closed(file);  // to be read anew
  }
  return target;
}

Result<void, Errno> HostDirectory::Sync(File&) {
  return host::FileSync(token(), host::FileSyncKind::kAll);
}

void HostDirectory::Closed(File& file) {
  Ref<HostListing> listing;
  SpinLockGuard guard(file.lock());
  listing =
      Ref<HostListing>::Adopt(static_cast<HostListing*>(std::exchange(file.attachment, nullptr)));
}

}  // namespace nsgx::libos
