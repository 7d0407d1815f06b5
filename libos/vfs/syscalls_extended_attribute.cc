// SPDX-License-Identifier: Apache-2.0
// setxattr and its kin: by path, by path without following a link, by descriptor.
#include <algorithm>
#include <utility>

#include "base/core/scope_exit.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/access.h"
#include "libos/vfs/extended_attributes.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"

namespace nsgx::libos {
namespace {

constexpr size_t kMaxName = 255;
constexpr size_t kMaxSize = 65536;  // of a value, and of a list
constexpr uint32_t kCreate = 1, kReplace = 2;

class AttributeName {
 public:
  // ERANGE: empty or too long, as Linux has it. EFAULT.
  Result<void, Errno> Load(UserIn<char> name) {
    auto size = CopyStringFromUser(std::span(text_), name.address());
    if (!size.ok()) {
      return Error(size.error() == Errno::kENAMETOOLONG ? Errno::kERANGE : size.error());
    }
    if (size.value() == 0) {
      return Error(Errno::kERANGE);
    }
    size_ = size.value();
    return {};
  }
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[kMaxName + 1];
  size_t size_ = 0;
};

// Whether the process may read or, with kW_OK, change the attribute of this name. EOPNOTSUPP:
// nobody keeps attributes of such names, or for such a file.
Result<void, Errno> CheckMayUse(const Inode& inode, std::string_view name, uint32_t wanted) {
  const Credentials& who = process_credentials.effective;
  const bool writes = wanted == kW_OK;
  if (writes && inode.file_system().is_read_only()) {
    return Error(Errno::kEROFS);
  }
  const bool is_trusted = name.starts_with(kTrustedAttributes);
  if (is_trusted && !who.is_root()) {
    return Error(writes ? Errno::kEPERM : Errno::kENODATA);
  }
  const bool is_users = name.starts_with(kUserAttributes);
  if (is_users) {
    // Whoever may write to a device or follow a link could fill the disk otherwise.
    if (!inode.is_regular() && !inode.is_directory()) {
      return Error(writes ? Errno::kEPERM : Errno::kENODATA);
    }
    if (writes && inode.is_directory() && (inode.mode() & kS_ISVTX) != 0 && !who.is_root() &&
        who.user != inode.user()) {
      return Error(Errno::kEPERM);
    }
    TRY(CheckAccess(inode, wanted, who));
  }
  if ((!is_users && !is_trusted) || !inode.keeps_extended_attributes()) {
    return Error(Errno::kEOPNOTSUPP);
  }
  if (name == kUserAttributes || name == kTrustedAttributes) {
    return Error(Errno::kEINVAL);
  }
  return {};
}

Result<void, Errno> NoteChange(Inode& inode) {
  TRY(inode.ChangeAttributes({}));
  notice::Happened(inode, kIN_ATTRIB);
  return {};
}

SysResult Set(Result<Ref<Inode>, Errno> found, UserIn<char> name, UserIn<std::byte> value,
              size_t size, uint32_t flags) {
  const Ref<Inode> inode = TRY(std::move(found));
  if ((flags & ~(kCreate | kReplace)) != 0) {
    return Error(Errno::kEINVAL);
  }
  AttributeName text;
  TRY(text.Load(name));
  if (size > kMaxSize) {
    return Error(Errno::kE2BIG);
  }
  std::byte* const memory = static_cast<std::byte*>(KernelAllocate(std::max<size_t>(size, 1)));
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  ScopeExit free([&] { KernelFree(memory); });
  TRY(CopyFromUser(std::span(memory, size), value.address()));
  TRY(CheckMayUse(*inode, text.view(), kW_OK));
  ExtendedAttributes* const attributes = TRY(inode->EnsureExtendedAttributes());
  TRY(attributes->Set(text.view(), std::span(memory, size),
                      (flags & kCreate) != 0    ? AttributeMustBe::kNew
                      : (flags & kReplace) != 0 ? AttributeMustBe::kThere
                                                : AttributeMustBe::kEither));
  TRY(NoteChange(*inode));
  return 0;
}

// Lets `tell(span)` fill a buffer as large as the program's, and copies what it returns.
template <typename Tell>
SysResult TellBytes(UserOut<std::byte> out, size_t size, Tell tell) {
  const size_t room = std::min(size, kMaxSize);
  std::byte* memory = nullptr;
  ScopeExit free([&] { KernelFree(memory); });
  if (room != 0) {
    memory = static_cast<std::byte*>(KernelAllocate(room));
    if (memory == nullptr) {
      return Error(Errno::kENOMEM);
    }
  }
  const size_t told = TRY(tell(std::span(memory, room)));
  if (room != 0) {
    TRY(CopyToUser(out.address(), std::span(memory, told)));
  }
  return static_cast<int64_t>(told);
}

SysResult Get(Result<Ref<Inode>, Errno> found, UserIn<char> name, UserOut<std::byte> value,
              size_t size) {
  const Ref<Inode> inode = TRY(std::move(found));
  AttributeName text;
  TRY(text.Load(name));
  TRY(CheckMayUse(*inode, text.view(), kR_OK));
  ExtendedAttributes* const attributes = inode->extended_attributes();
  if (attributes == nullptr) {
    return Error(Errno::kENODATA);
  }
  return TellBytes(value, size,
                   [&](std::span<std::byte> out) { return attributes->Get(text.view(), out); });
}

SysResult List(Result<Ref<Inode>, Errno> found, UserOut<std::byte> list, size_t size) {
  const Ref<Inode> inode = TRY(std::move(found));
  ExtendedAttributes* const attributes = inode->extended_attributes();
  if (attributes == nullptr) {
    return 0;
  }
  return TellBytes(list, size, [&](std::span<std::byte> out) {
    return attributes->List(out, process_credentials.effective.is_root());
  });
}

SysResult Remove(Result<Ref<Inode>, Errno> found, UserIn<char> name) {
  const Ref<Inode> inode = TRY(std::move(found));
  AttributeName text;
  TRY(text.Load(name));
  TRY(CheckMayUse(*inode, text.view(), kW_OK));
  ExtendedAttributes* const attributes = inode->extended_attributes();
  if (attributes == nullptr) {
    return Error(Errno::kENODATA);
  }
  TRY(attributes->Remove(text.view()));
  TRY(NoteChange(*inode));
  return 0;
}

Result<Ref<Inode>, Errno> AtPath(UserIn<char> path) { return ResolvePath(kAT_FDCWD, path, true); }
Result<Ref<Inode>, Errno> AtLink(UserIn<char> path) { return ResolvePath(kAT_FDCWD, path, false); }
Result<Ref<Inode>, Errno> Behind(int32_t fd) {
  return Ref<Inode>::Share(TRY(GetFile(fd))->inode());
}

}  // namespace

SysResult SysSetxattr(UserIn<char> path, UserIn<char> name, UserIn<std::byte> value, size_t size,
                      uint32_t flags) {
  return Set(AtPath(path), name, value, size, flags);
}
SysResult SysLsetxattr(UserIn<char> path, UserIn<char> name, UserIn<std::byte> value, size_t size,
                       uint32_t flags) {
  return Set(AtLink(path), name, value, size, flags);
}
SysResult SysFsetxattr(int32_t fd, UserIn<char> name, UserIn<std::byte> value, size_t size,
                       uint32_t flags) {
  return Set(Behind(fd), name, value, size, flags);
}

SysResult SysGetxattr(UserIn<char> path, UserIn<char> name, UserOut<std::byte> value, size_t size) {
  return Get(AtPath(path), name, value, size);
}
SysResult SysLgetxattr(UserIn<char> path, UserIn<char> name, UserOut<std::byte> value,
                       size_t size) {
  return Get(AtLink(path), name, value, size);
}
SysResult SysFgetxattr(int32_t fd, UserIn<char> name, UserOut<std::byte> value, size_t size) {
  return Get(Behind(fd), name, value, size);
}

SysResult SysListxattr(UserIn<char> path, UserOut<std::byte> list, size_t size) {
  return List(AtPath(path), list, size);
}
SysResult SysLlistxattr(UserIn<char> path, UserOut<std::byte> list, size_t size) {
  return List(AtLink(path), list, size);
}
SysResult SysFlistxattr(int32_t fd, UserOut<std::byte> list, size_t size) {
  return List(Behind(fd), list, size);
}

SysResult SysRemovexattr(UserIn<char> path, UserIn<char> name) {
  return Remove(AtPath(path), name);
}
SysResult SysLremovexattr(UserIn<char> path, UserIn<char> name) {
  return Remove(AtLink(path), name);
}
SysResult SysFremovexattr(int32_t fd, UserIn<char> name) { return Remove(Behind(fd), name); }

}  // namespace nsgx::libos
