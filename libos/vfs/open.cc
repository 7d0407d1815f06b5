// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/open.h"

#include <utility>

#include "libos/vfs/access.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

// Bits that say how to open, and are of no interest afterwards.
constexpr uint32_t kOpeningFlags = kO_CREAT | kO_EXCL | kO_NOCTTY | kO_TRUNC | kO_CLOEXEC;

Result<Ref<File>, Errno> NewFile(Ref<Inode> inode, uint32_t flags) {
  Inode& object = *inode;
  return File::New(std::move(inode), object, (flags & ~kOpeningFlags) | kO_LARGEFILE);
}

Result<Ref<File>, Errno> OpenUnnamed(Ref<Inode> start, std::string_view path, uint32_t flags,
                                     uint32_t mode, uint64_t resolve) {
  PathWalk walk(process_credentials.effective, resolve);
  const Ref<Inode> directory = TRY(walk.ToEnd(std::move(start), path, true));
  TRY(CheckMayChange(*directory, process_credentials.effective));
  Ref<Inode> inode =
      TRY(directory->CreateUnnamed(NodeFor(*directory, kS_IFREG, mode), (flags & kO_EXCL) == 0));
  return NewFile(std::move(inode), flags);
}

Result<Ref<File>, Errno> OpenAsPath(Ref<Inode> start, std::string_view path, uint32_t flags,
                                    uint64_t resolve) {
  PathWalk walk(process_credentials.effective, resolve);
  Ref<Inode> inode = TRY(walk.ToEnd(std::move(start), path, (flags & kO_NOFOLLOW) == 0));
  if ((flags & kO_DIRECTORY) != 0 && !inode->is_directory()) {
    return Error(Errno::kENOTDIR);
  }
  Inode& object = *inode;
  return File::New(std::move(inode), object, flags & (kO_PATH | kO_DIRECTORY | kO_NOFOLLOW));
}

// Whether what is there may be opened so.
Result<void, Errno> CheckMayOpen(const Inode& inode, uint32_t flags) {
  const Credentials& who = process_credentials.effective;
  uint32_t wanted = 0;
  switch (flags & kO_ACCMODE) {
    case kO_RDONLY:
      wanted = kR_OK;
      break;
    case kO_WRONLY:
      wanted = kW_OK;
      break;
    default:
      wanted = kR_OK | kW_OK;
      break;
  }
  if ((flags & kO_TRUNC) != 0) {
    wanted |= kW_OK;
  }
  if (inode.is_directory() && (wanted & kW_OK) != 0) {
    return Error(Errno::kEISDIR);
  }
  TRY(CheckAccess(inode, wanted, who));
  if ((flags & kO_NOATIME) != 0 && !who.is_root() && who.user != inode.user()) {
    return Error(Errno::kEPERM);
  }
  return {};
}

struct Opened {
  Ref<Inode> inode;
  bool is_new;
};

// The last component as it is, links not followed, or made. Nothing at all in `inode`: it came into
// being under our eyes.
Result<Opened, Errno> FindOrCreate(const PathWalk& walk, uint32_t flags, uint32_t mode) {
  const bool exclusive = (flags & kO_EXCL) != 0;
  if (walk.last() != LastComponent::kName) {
    return Error(exclusive ? Errno::kEEXIST : Errno::kEISDIR);
  }
  if (walk.has_trailing_slash()) {
    return Error(Errno::kEISDIR);
  }
  Inode& directory = walk.directory();
  auto found = directory.Lookup(walk.name());
  if (found.ok()) {
    if (exclusive) {
      return Error(Errno::kEEXIST);
    }
    Ref<Inode> inode = Uncovered(std::move(found).value());
    if (inode->is_directory()) {
      return Error(Errno::kEISDIR);
    }
    return Opened{.inode = std::move(inode), .is_new = false};
  }
  if (found.error() != Errno::kENOENT) {
    return Error(found.error());
  }
  TRY(CheckMayChange(directory, process_credentials.effective));
  auto made = directory.Create(walk.name(), NodeFor(directory, kS_IFREG, mode));
  if (!made.ok()) {
    if (made.error() == Errno::kEEXIST && !exclusive) {
      return Opened{.inode = nullptr, .is_new = false};
    }
    return Error(made.error());
  }
  notice::Created(directory, walk.name(), *made.value());
  return Opened{.inode = std::move(made).value(), .is_new = true};
}

}  // namespace

NewNode NodeFor(const Inode& directory, uint32_t type, uint32_t mode) {
  const Credentials& who = process_credentials.effective;
  NewNode node = {.mode = type | (mode & kPermissionBits & ~process_files.umask()),
                  .user = who.user,
                  .group = who.group};
  if ((directory.mode() & kS_ISGID) != 0) {
    node.group = directory.group();
    if (type == kS_IFDIR) {
      node.mode |= kS_ISGID;
    }
  }
  return node;
}

Result<Ref<File>, Errno> OpenPath(Ref<Inode> start, std::string_view path, uint32_t flags,
                                  uint32_t mode, uint64_t resolve) {
  if ((flags & kO_PATH) != 0) {
    return OpenAsPath(std::move(start), path, flags, resolve);
  }
  if ((flags & kO_TMPFILE) == kO_TMPFILE) {
    if ((flags & kO_ACCMODE) == kO_RDONLY || (flags & kO_CREAT) != 0) {
      return Error(Errno::kEINVAL);
    }
    return OpenUnnamed(std::move(start), path, flags, mode, resolve);
  }
  const bool create = (flags & kO_CREAT) != 0;
  if (create && (flags & kO_DIRECTORY) != 0) {
    return Error(Errno::kEINVAL);
  }

  PathWalk walk(process_credentials.effective, resolve);
  TRY(walk.ToLast(std::move(start), path));
  Opened opened = {.inode = nullptr, .is_new = false};
  while (!opened.inode) {
    if (create) {
      opened = TRY(FindOrCreate(walk, flags, mode));
    } else {
      opened.inode = TRY(walk.LookUpLast());
    }
    if (opened.inode && opened.inode->is_symlink()) {
      if ((flags & kO_NOFOLLOW) != 0 && !walk.has_trailing_slash()) {
        return Error(Errno::kELOOP);
      }
      opened.inode = TRY(walk.FollowLast(std::move(opened.inode)));
    }
  }
  Inode& inode = *opened.inode;
  if (!inode.is_directory() && ((flags & kO_DIRECTORY) != 0 || walk.has_trailing_slash())) {
    return Error(Errno::kENOTDIR);
  }
  // Who makes a file may open it in any way, whatever its mode says.
  if (!opened.is_new) {
    if (create && inode.is_directory()) {
      return Error(Errno::kEISDIR);
    }
    TRY(CheckMayOpen(inode, flags));
  }
  Ref<File> file = TRY(NewFile(std::move(opened.inode), flags));
  TRY(inode.Open(*file));
  if ((flags & kO_TRUNC) != 0 && !opened.is_new && inode.is_regular()) {
    TRY(inode.Truncate(0));
    notice::Happened(inode, kIN_MODIFY);
  }
  file->is_closing_told = true;
  notice::Happened(inode, kIN_OPEN);
  return file;
}

}  // namespace nsgx::libos
