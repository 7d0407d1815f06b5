// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/path.h"

#include <atomic>
#include <cstring>
#include <utility>

#include "base/core/check.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/access.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {

PathString::~PathString() { KernelFree(long_); }

// A program that uses names wants the files that are mounted from elsewhere: the linker keeps them,
// by a relocation that writes nothing. What keeps them is in libos/fs.
#define KEEP_NAMED_FILES()                  \
  asm volatile(                             \
      ".weak nsgx_named_files_record\n\t"   \
      ".hidden nsgx_named_files_record\n\t" \
      ".reloc ., R_X86_64_NONE, nsgx_named_files_record")

Result<void, Errno> PathString::Load(UserIn<char> path) {
  KEEP_NAMED_FILES();
  CHECK(long_ == nullptr);
  auto size = CopyStringFromUser(std::span(short_), path.address());
  if (size.ok()) [[likely]] {
    view_ = {short_, size.value()};
    return {};
  }
  if (size.error() != Errno::kENAMETOOLONG) {
    return Error(size.error());
  }
  long_ = static_cast<char*>(KernelAllocate(kPATH_MAX));
  if (long_ == nullptr) {
    return Error(Errno::kENOMEM);
  }
  view_ = {long_, TRY(CopyStringFromUser(std::span(long_, kPATH_MAX), path.address()))};
  return {};
}

Result<Ref<Inode>, Errno> StartDirectory(int32_t directory, std::string_view path) {
  if (path.starts_with('/')) {
    return process_files.root();
  }
  if (directory == kAT_FDCWD) {
    return process_files.working_directory();
  }
  const Ref<File> file = TRY(GetFileOrPath(directory));
  if (!file->inode().is_directory()) {
    return Error(Errno::kENOTDIR);
  }
  return Ref<Inode>::Share(file->inode());
}

PathWalk::~PathWalk() {
  while (depth_ != 0) {
    Ref<Inode>::Adopt(stack_[--depth_].owner);
  }
}

Result<Ref<Inode>, Errno> PathWalk::Enter(Ref<Inode> next) {
  next = Uncovered(std::move(next));
  if ((resolve_ & kRESOLVE_NO_XDEV) != 0 && &next->file_system() != &directory_->file_system())
      [[unlikely]] {
    return Error(Errno::kEXDEV);
  }
  return next;
}

Result<Ref<Inode>, Errno> PathWalk::ParentOf(Inode& directory) {
  Ref<Inode> at = Ref<Inode>::Share(directory);
  while (true) {
    if (at.get() == root_.get()) {
      if ((resolve_ & kRESOLVE_BENEATH) != 0) {
        return Error(Errno::kEXDEV);
      }
      return at;
    }
    FileSystem& file_system = at->file_system();
    if (at.get() != &file_system.root() || file_system.covered() == nullptr) {
      break;
    }
    at = Ref<Inode>::Share(*file_system.covered());
  }
  return Enter(at->Parent());
}

Result<void, Errno> PathWalk::ToLast(Ref<Inode> start, std::string_view path) {
  if (path.empty()) {
    return Error(Errno::kENOENT);
  }
  if (path.starts_with('/') && (resolve_ & kRESOLVE_BENEATH) != 0) {
    return Error(Errno::kEXDEV);
  }
  root_ = is_scoped() ? start.Clone() : process_files.root();
  directory_ = std::move(start);
  rest_ = path;
  return Advance();
}

Result<void, Errno> PathWalk::Advance() {
  while (true) {
    size_t begin = rest_.find_first_not_of('/');
    if (begin == std::string_view::npos) {
      if (depth_ == 0) {
        // Nothing but slashes.
        last_ = LastComponent::kRoot;
        name_ = {};
        trailing_slash_ = true;
        return {};
      }
      const Rest& rest = stack_[--depth_];
      rest_ = {rest.text, rest.size};
      rest_owner_ = Ref<Inode>::Adopt(rest.owner);
      continue;
    }
    if (!directory_->is_directory()) {
      return Error(Errno::kENOTDIR);
    }
    TRY(CheckAccess(*directory_, kX_OK, who_));
    size_t end = rest_.find('/', begin);
    if (end == std::string_view::npos) {
      end = rest_.size();
    }
    const std::string_view name = rest_.substr(begin, end - begin);
    if (name.size() > kNAME_MAX) {
      return Error(Errno::kENAMETOOLONG);
    }
    rest_.remove_prefix(end);
    const LastComponent kind = name == "."    ? LastComponent::kDot
                               : name == ".." ? LastComponent::kDotDot
                                              : LastComponent::kName;
    if (depth_ == 0 && rest_.find_first_not_of('/') == std::string_view::npos) {
      trailing_slash_ = trailing_slash_ || !rest_.empty();
      name_ = name;
      last_ = kind;
      return {};
    }
    if (kind == LastComponent::kDot) {
      continue;
    }
    if (kind == LastComponent::kDotDot) {
      directory_ = TRY(ParentOf(*directory_));
      continue;
    }
    Ref<Inode> next = TRY(Enter(TRY(directory_->Lookup(name))));
    if (next->is_symlink()) {
      TRY(EnterLink(std::move(next)));
    } else {
      directory_ = std::move(next);
    }
  }
}

Result<bool, Errno> PathWalk::EnterLink(Ref<Inode> link) {
  if (++links_ > kMaxSymlinks || (resolve_ & kRESOLVE_NO_SYMLINKS) != 0) {
    return Error(Errno::kELOOP);
  }
  Ref<Inode> direct = TRY(link->FollowDirectly());
  if (direct) {
    if ((resolve_ & kRESOLVE_NO_MAGICLINKS) != 0) {
      return Error(Errno::kELOOP);
    }
    if (is_scoped() || ((resolve_ & kRESOLVE_NO_XDEV) != 0 &&
                        &direct->file_system() != &directory_->file_system())) {
      return Error(Errno::kEXDEV);
    }
    directory_ = std::move(direct);
    return true;
  }
  const std::string_view target = TRY(link->LinkTarget());
  if (target.empty()) {
    return Error(Errno::kENOENT);
  }
  if (!rest_.empty()) {
    stack_[depth_++] = {.owner = rest_owner_.Release(), .text = rest_.data(), .size = rest_.size()};
  }
  if (target.starts_with('/')) {
    if ((resolve_ & kRESOLVE_BENEATH) != 0 ||
        ((resolve_ & kRESOLVE_NO_XDEV) != 0 &&
         &root_->file_system() != &directory_->file_system())) {
      return Error(Errno::kEXDEV);
    }
    directory_ = root_.Clone();
  }
  rest_ = target;
  rest_owner_ = std::move(link);
  return false;
}

Result<Ref<Inode>, Errno> PathWalk::LookUpLast() {
  switch (last_) {
    case LastComponent::kName:
      return Enter(TRY(directory_->Lookup(name_)));
    case LastComponent::kDotDot:
      return ParentOf(*directory_);
    case LastComponent::kDot:
    case LastComponent::kRoot:
      break;
  }
  return directory_.Clone();
}

Result<Ref<Inode>, Errno> PathWalk::FollowLast(Ref<Inode> link) {
  // What is left are slashes, which trailing_slash_ remembers.
  rest_ = {};
  if (TRY(EnterLink(std::move(link)))) {
    return directory_.Clone();
  }
  TRY(Advance());
  return Ref<Inode>();
}

Result<Ref<Inode>, Errno> PathWalk::ToEnd(Ref<Inode> start, std::string_view path, bool follow) {
  TRY(ToLast(std::move(start), path));
  while (true) {
    Ref<Inode> inode = TRY(LookUpLast());
    if (inode->is_symlink() && (follow || trailing_slash_)) {
      inode = TRY(FollowLast(std::move(inode)));
      if (!inode) {
        continue;
      }
    }
    if (trailing_slash_ && !inode->is_directory()) {
      return Error(Errno::kENOTDIR);
    }
    return inode;
  }
}

Result<Ref<Inode>, Errno> ResolvePath(int32_t directory, UserIn<char> path, bool follow,
                                      bool allow_empty, const Credentials& who) {
  PathString text;
  TRY(text.Load(path));
  if (text.view().empty() && allow_empty) {
    if (directory == kAT_FDCWD) {
      return process_files.working_directory();
    }
    return Ref<Inode>::Share(TRY(GetFileOrPath(directory))->inode());
  }
  PathWalk walk(who);
  return walk.ToEnd(TRY(StartDirectory(directory, text.view())), text.view(), follow);
}

Result<Ref<Inode>, Errno> ResolveInside(std::string_view path) {
  PathWalk walk;
  return walk.ToEnd(process_files.root(), path, true);
}

namespace {

constinit std::atomic<uint64_t> moves{0};

Result<std::string_view, Errno> BuildPath(Inode& inode, std::span<char> buffer) {
  size_t begin = buffer.size();
  const Ref<Inode> root = process_files.root();
  Ref<Inode> at = Ref<Inode>::Share(inode);
  PlaceInParent place;
  while (at.get() != root.get()) {
    FileSystem& file_system = at->file_system();
    if (at->is_directory() && at.get() == &file_system.root()) {
      if (file_system.covered() == nullptr) {
        break;  // above a root that was changed
      }
      at = Ref<Inode>::Share(*file_system.covered());
      continue;
    }
    TRY(at->GetPlace(place));
    if (begin < place.name_size + 1) {
      return Error(Errno::kENAMETOOLONG);
    }
    begin -= place.name_size;
    std::memcpy(buffer.data() + begin, place.name, place.name_size);
    buffer[--begin] = '/';
    at = std::move(place.parent);
  }
  if (begin == buffer.size()) {
    if (buffer.empty()) {
      return Error(Errno::kENAMETOOLONG);
    }
    buffer[--begin] = '/';
  }
  return std::string_view(buffer.data() + begin, buffer.size() - begin);
}

}  // namespace

void NoteMove() { moves.fetch_add(1, std::memory_order_acq_rel); }

Result<std::string_view, Errno> PathOf(Inode& inode, std::span<char> buffer) {
  while (true) {
    const uint64_t before = moves.load(std::memory_order_acquire);
    auto path = BuildPath(inode, buffer);
    if (moves.load(std::memory_order_acquire) == before) {
      return path;
    }
  }
}

}  // namespace nsgx::libos
