// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/core/align.h"
#include "base/core/scope_exit.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/access.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/open.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"

namespace nsgx::libos {
namespace {

// A path of the program, walked up to its last component.
class Place {
 public:
  Result<void, Errno> Find(int32_t directory, UserIn<char> path) {
    TRY(text_.Load(path));
    return walk_.ToLast(TRY(StartDirectory(directory, text_.view())), text_.view());
  }

  Inode& directory() const { return walk_.directory(); }
  std::string_view name() const { return walk_.name(); }
  bool is_name() const { return walk_.last() == LastComponent::kName; }
  LastComponent last() const { return walk_.last(); }
  bool has_trailing_slash() const { return walk_.has_trailing_slash(); }

  // What is there itself: not what is mounted on it, nor what it links to.
  Result<Ref<Inode>, Errno> LookUp() const { return directory().Lookup(name()); }

  // A new name may be made here. EEXIST; ENOENT: a trailing slash, and it will not be a directory.
  Result<void, Errno> CheckIsFree(bool for_directory) const {
    if (!is_name()) {
      return Error(Errno::kEEXIST);
    }
    auto found = LookUp();
    if (found.ok()) {
      return Error(Errno::kEEXIST);
    }
    if (found.error() != Errno::kENOENT) {
      return Error(found.error());
    }
    if (has_trailing_slash() && !for_directory) {
      return Error(Errno::kENOENT);
    }
    return CheckMayChange(directory(), process_credentials.effective);
  }

 private:
  PathString text_;
  PathWalk walk_;
};

// Somebody else may take a name between a check and the change; the file system refuses that, so
// checks decide over errors alone.
SysResult MakeNode(int32_t directory, UserIn<char> path, uint32_t type, uint32_t mode,
                   uint64_t device) {
  Place place;
  TRY(place.Find(directory, path));
  TRY(place.CheckIsFree(type == kS_IFDIR));
  NewNode node = NodeFor(place.directory(), type, mode);
  node.special_device = device;
  const Ref<Inode> made = TRY(place.directory().Create(place.name(), node));
  notice::Created(place.directory(), place.name(), *made);
  return 0;
}

SysResult RemoveName(int32_t directory, UserIn<char> path) {
  Place place;
  TRY(place.Find(directory, path));
  if (!place.is_name()) {
    return Error(Errno::kEISDIR);
  }
  const Ref<Inode> victim = TRY(place.LookUp());
  if (place.has_trailing_slash()) {
    return Error(victim->is_directory() ? Errno::kEISDIR : Errno::kENOTDIR);
  }
  TRY(CheckMayRemove(place.directory(), *victim, process_credentials.effective));
  if (victim->mounted() != nullptr) {
    return Error(Errno::kEBUSY);
  }
  TRY(place.directory().Unlink(place.name()));
  notice::Removed(place.directory(), place.name(), *victim);
  return 0;
}

SysResult RemoveEmptyDirectory(int32_t directory, UserIn<char> path) {
  Place place;
  TRY(place.Find(directory, path));
  switch (place.last()) {
    case LastComponent::kDot:
      return Error(Errno::kEINVAL);
    case LastComponent::kDotDot:
      return Error(Errno::kENOTEMPTY);
    case LastComponent::kRoot:
      return Error(Errno::kEBUSY);
    case LastComponent::kName:
      break;
  }
  const Ref<Inode> victim = TRY(place.LookUp());
  TRY(CheckMayRemove(place.directory(), *victim, process_credentials.effective));
  if (!victim->is_directory()) {
    return Error(Errno::kENOTDIR);
  }
  if (victim->mounted() != nullptr) {
    return Error(Errno::kEBUSY);
  }
  TRY(place.directory().RemoveDirectory(place.name()));
  notice::Removed(place.directory(), place.name(), *victim);
  return 0;
}

// Copies the text of a link, cut to the buffer's size.
SysResult ReadLinkText(Inode& link, UserOut<char> buffer, int32_t size) {
  if (!link.is_symlink()) {
    return Error(Errno::kEINVAL);
  }
  const std::string_view text = TRY(link.LinkTarget());
  const size_t count = std::min(text.size(), static_cast<size_t>(size));
  TRY(CopyToUser(buffer.address(), std::as_bytes(std::span(text.data(), count))));
  return static_cast<int64_t>(count);
}

// Writes directory entries to the program as getdents or getdents64 has them.
class EntryWriter final : public DirectorySink {
 public:
  EntryWriter(uint64_t address, size_t room, bool is_64)
      : address_(address), room_(room), is_64_(is_64) {}

  bool Add(std::string_view name, uint64_t number, uint8_t type, uint64_t next) override {
    // The old form keeps the type in the last byte, the new one before the name; both end the name
    // with a NUL.
    const size_t name_offset = is_64_ ? kDirent64NameOffset : kDirentNameOffset;
    const size_t used = name_offset + name.size() + (is_64_ ? 1 : 2);
    const size_t size = AlignUp(used, alignof(uint64_t));
    if (size > room_ - written_) {
      is_full_ = true;
      return false;
    }
    std::byte record[AlignUp(kDirent64NameOffset + kNAME_MAX + 1, alignof(uint64_t))] = {};
    const LinuxDirent64 head = {.d_ino = number,
                                .d_off = static_cast<int64_t>(next),
                                .d_reclen = static_cast<uint16_t>(size),
                                .d_type = type};
    std::memcpy(record, &head, name_offset);
    std::memcpy(record + name_offset, name.data(), name.size());
    if (!is_64_) {
      record[size - 1] = std::byte{type};
    }
    if (!CopyToUser(address_ + written_, std::span(record, size)).ok()) {
      has_faulted_ = true;
      return false;
    }
    written_ += size;
    return true;
  }

  SysResult Outcome() const {
    if (written_ == 0 && has_faulted_) {
      return Error(Errno::kEFAULT);
    }
    if (written_ == 0 && is_full_) {
      return Error(Errno::kEINVAL);
    }
    return static_cast<int64_t>(written_);
  }

 private:
  const uint64_t address_;
  const size_t room_;
  const bool is_64_;
  size_t written_ = 0;
  bool is_full_ = false;
  bool has_faulted_ = false;
};

SysResult ReadDirectory(uint32_t fd, UserOut<std::byte> buffer, uint32_t size, bool is_64) {
  const Ref<File> file = TRY(GetFile(static_cast<int32_t>(fd)));
  EntryWriter writer(buffer.address(), size, is_64);
  TRY(file->object().ReadEntries(*file, writer));
  notice::Happened(file->inode(), kIN_ACCESS);
  return writer.Outcome();
}

SysResult EnterDirectory(Ref<Inode> directory) {
  if (!directory->is_directory()) {
    return Error(Errno::kENOTDIR);
  }
  TRY(CheckAccess(*directory, kX_OK, process_credentials.effective));
  process_files.SetWorkingDirectory(std::move(directory));
  return 0;
}

// A name that is about to be taken away from a directory, or given to another object there.
Result<void, Errno> CheckMayMove(const Place& place, const Inode& moved, const Inode& to) {
  const Credentials& who = process_credentials.effective;
  TRY(CheckMayRemove(place.directory(), moved, who));
  // Its ".." changes.
  if (moved.is_directory() && &place.directory() != &to) {
    TRY(CheckAccess(moved, kW_OK, who));
  }
  if (moved.mounted() != nullptr) {
    return Error(Errno::kEBUSY);
  }
  return {};
}

}  // namespace

SysResult SysMkdirat(int32_t directory, UserIn<char> path, uint32_t mode) {
  return MakeNode(directory, path, kS_IFDIR, mode & (0777 | kS_ISVTX), 0);
}

SysResult SysMkdir(UserIn<char> path, uint32_t mode) { return SysMkdirat(kAT_FDCWD, path, mode); }

SysResult SysMknodat(int32_t directory, UserIn<char> path, uint32_t mode, uint64_t device) {
  uint32_t type = mode & kS_IFMT;
  switch (type) {
    case 0:
      type = kS_IFREG;
      break;
    case kS_IFREG:
    case kS_IFIFO:
    case kS_IFSOCK:
      break;
    case kS_IFCHR:
    case kS_IFBLK:
      if (!process_credentials.effective.is_root()) {
        return Error(Errno::kEPERM);
      }
      return MakeNode(directory, path, type, mode, device);
    case kS_IFDIR:
      return Error(Errno::kEPERM);
    default:
      return Error(Errno::kEINVAL);
  }
  return MakeNode(directory, path, type, mode, 0);
}

SysResult SysMknod(UserIn<char> path, uint32_t mode, uint64_t device) {
  return SysMknodat(kAT_FDCWD, path, mode, device);
}

SysResult SysRmdir(UserIn<char> path) { return RemoveEmptyDirectory(kAT_FDCWD, path); }

SysResult SysUnlink(UserIn<char> path) { return RemoveName(kAT_FDCWD, path); }

SysResult SysUnlinkat(int32_t directory, UserIn<char> path, uint32_t flags) {
  if ((flags & ~kAT_REMOVEDIR) != 0) {
    return Error(Errno::kEINVAL);
  }
  return flags != 0 ? RemoveEmptyDirectory(directory, path) : RemoveName(directory, path);
}

SysResult SysLinkat(int32_t from_directory, UserIn<char> from, int32_t to_directory,
                    UserIn<char> to, uint32_t flags) {
  if ((flags & ~(kAT_SYMLINK_FOLLOW | kAT_EMPTY_PATH)) != 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<Inode> target = TRY(ResolvePath(from_directory, from, (flags & kAT_SYMLINK_FOLLOW) != 0,
                                            (flags & kAT_EMPTY_PATH) != 0));
  Place place;
  TRY(place.Find(to_directory, to));
  TRY(place.CheckIsFree(false));
  if (&target->file_system() != &place.directory().file_system()) {
    return Error(Errno::kEXDEV);
  }
  if (target->is_directory()) {
    return Error(Errno::kEPERM);
  }
  TRY(place.directory().Link(place.name(), *target));
  notice::Linked(place.directory(), place.name(), *target);
  return 0;
}

SysResult SysLink(UserIn<char> from, UserIn<char> to) {
  return SysLinkat(kAT_FDCWD, from, kAT_FDCWD, to, 0);
}

SysResult SysSymlinkat(UserIn<char> target, int32_t directory, UserIn<char> path) {
  PathString text;
  TRY(text.Load(target));
  if (text.view().empty()) {
    return Error(Errno::kENOENT);
  }
  Place place;
  TRY(place.Find(directory, path));
  TRY(place.CheckIsFree(false));
  NewNode node = NodeFor(place.directory(), kS_IFLNK, 0);
  node.mode = kS_IFLNK | 0777;  // never looked at
  node.link_target = text.view();
  const Ref<Inode> made = TRY(place.directory().Create(place.name(), node));
  notice::Created(place.directory(), place.name(), *made);
  return 0;
}

SysResult SysSymlink(UserIn<char> target, UserIn<char> path) {
  return SysSymlinkat(target, kAT_FDCWD, path);
}

SysResult SysReadlinkat(int32_t directory, UserIn<char> path, UserOut<char> buffer, int32_t size) {
  if (size <= 0) {
    return Error(Errno::kEINVAL);
  }
  PathString text;
  TRY(text.Load(path));
  if (text.view().empty()) {
    // A link that was opened as a path.
    if (directory == kAT_FDCWD) {
      return Error(Errno::kENOENT);
    }
    const Ref<File> file = TRY(GetFileOrPath(directory));
    if (!file->inode().is_symlink()) {
      return Error(Errno::kENOENT);
    }
    return ReadLinkText(file->inode(), buffer, size);
  }
  PathWalk walk;
  const Ref<Inode> link =
      TRY(walk.ToEnd(TRY(StartDirectory(directory, text.view())), text.view(), false));
  return ReadLinkText(*link, buffer, size);
}

SysResult SysReadlink(UserIn<char> path, UserOut<char> buffer, int32_t size) {
  return SysReadlinkat(kAT_FDCWD, path, buffer, size);
}

SysResult SysRenameat2(int32_t from_directory, UserIn<char> from_path, int32_t to_directory,
                       UserIn<char> to_path, uint32_t flags) {
  const bool no_replace = (flags & kRENAME_NOREPLACE) != 0;
  const bool exchange = (flags & kRENAME_EXCHANGE) != 0;
  if ((flags & ~(kRENAME_NOREPLACE | kRENAME_EXCHANGE)) != 0 || (no_replace && exchange)) {
    return Error(Errno::kEINVAL);
  }
  Place from;
  Place to;
  TRY(from.Find(from_directory, from_path));
  TRY(to.Find(to_directory, to_path));
  if (&from.directory().file_system() != &to.directory().file_system()) {
    return Error(Errno::kEXDEV);
  }
  if (!from.is_name()) {
    return Error(Errno::kEBUSY);
  }
  if (!to.is_name()) {
    return Error(no_replace ? Errno::kEEXIST : Errno::kEBUSY);
  }
  const Ref<Inode> moved = TRY(from.LookUp());
  auto found = to.LookUp();
  if (!found.ok() && found.error() != Errno::kENOENT) {
    return Error(found.error());
  }
  const Ref<Inode> other = found.ok() ? std::move(found).value() : Ref<Inode>();
  if (other && no_replace) {
    return Error(Errno::kEEXIST);
  }
  if (!other && exchange) {
    return Error(Errno::kENOENT);
  }
  if (!moved->is_directory() &&
      (from.has_trailing_slash() || (!exchange && to.has_trailing_slash()))) {
    return Error(Errno::kENOTDIR);
  }
  if (exchange && !other->is_directory() && to.has_trailing_slash()) {
    return Error(Errno::kENOTDIR);
  }
  if (other.get() == moved.get()) {
    return 0;
  }
  TRY(CheckMayMove(from, *moved, to.directory()));
  if (!other) {
    TRY(CheckMayChange(to.directory(), process_credentials.effective));
  } else if (exchange) {
    TRY(CheckMayMove(to, *other, from.directory()));
  } else {
    TRY(CheckMayRemove(to.directory(), *other, process_credentials.effective));
    if (other->mounted() != nullptr) {
      return Error(Errno::kEBUSY);
    }
  }
  TRY(from.directory().Rename(from.name(), to.directory(), to.name(), flags));
  notice::Moved(from.directory(), from.name(), to.directory(), to.name(), *moved,
                exchange ? nullptr : other.get());
  if (exchange) {
    notice::Moved(to.directory(), to.name(), from.directory(), from.name(), *other, nullptr);
  }
  return 0;
}

SysResult SysRenameat(int32_t from_directory, UserIn<char> from, int32_t to_directory,
                      UserIn<char> to) {
  return SysRenameat2(from_directory, from, to_directory, to, 0);
}

SysResult SysRename(UserIn<char> from, UserIn<char> to) {
  return SysRenameat2(kAT_FDCWD, from, kAT_FDCWD, to, 0);
}

SysResult SysGetdents(uint32_t fd, UserOut<std::byte> buffer, uint32_t size) {
  return ReadDirectory(fd, buffer, size, false);
}

SysResult SysGetdents64(uint32_t fd, UserOut<std::byte> buffer, uint32_t size) {
  return ReadDirectory(fd, buffer, size, true);
}

SysResult SysGetcwd(UserOut<char> buffer, size_t size) {
  char* const memory = static_cast<char*>(KernelAllocate(kPATH_MAX));
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  ScopeExit free([&] { KernelFree(memory); });
  memory[kPATH_MAX - 1] = '\0';
  const Ref<Inode> directory = process_files.working_directory();
  const std::string_view path = TRY(PathOf(*directory, std::span(memory, kPATH_MAX - 1)));
  const size_t with_nul = path.size() + 1;
  if (with_nul > size) {
    return Error(Errno::kERANGE);
  }
  TRY(CopyToUser(buffer.address(), std::as_bytes(std::span(path.data(), with_nul))));
  return static_cast<int64_t>(with_nul);
}

SysResult SysChdir(UserIn<char> path) {
  return EnterDirectory(TRY(ResolvePath(kAT_FDCWD, path, true)));
}

SysResult SysFchdir(int32_t fd) {
  return EnterDirectory(Ref<Inode>::Share(TRY(GetFileOrPath(fd))->inode()));
}

SysResult SysChroot(UserIn<char> path) {
  Ref<Inode> directory = TRY(ResolvePath(kAT_FDCWD, path, true));
  if (!directory->is_directory()) {
    return Error(Errno::kENOTDIR);
  }
  TRY(CheckAccess(*directory, kX_OK, process_credentials.effective));
  if (!process_credentials.effective.is_root()) {
    return Error(Errno::kEPERM);
  }
  process_files.SetRoot(std::move(directory));
  return 0;
}

}  // namespace nsgx::libos
