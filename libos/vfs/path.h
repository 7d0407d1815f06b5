// SPDX-License-Identifier: Apache-2.0
// From a path to an inode, or to the directory and name where one is to be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/user_memory.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/linux_abi.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

// A path that the program gave, copied.
class PathString {
 public:
  PathString() = default;
  ~PathString();
  PathString(const PathString&) = delete;
  PathString& operator=(const PathString&) = delete;

  // EFAULT, ENAMETOOLONG, ENOMEM.
  Result<void, Errno> Load(UserIn<char> path);
  std::string_view view() const { return view_; }

 private:
  // Most paths are short; the others get a buffer from the heap.
  static constexpr size_t kShortSize = 128;

  char short_[kShortSize];
  char* long_ = nullptr;
  std::string_view view_;
};

// The directory that a relative path starts in: AT_FDCWD or a descriptor. EBADF, ENOTDIR.
Result<Ref<Inode>, Errno> StartDirectory(int32_t directory, std::string_view path);

// What the last component of a path is.
enum class LastComponent : uint8_t {
  kName,    // name() in directory()
  kDot,     // directory() itself
  kDotDot,  // the directory above directory()
  kRoot,    // there is none: the path is "/", or a link led to it
};

// One walk along one path. A relative link is followed from where it lies, at most kMaxSymlinks in
// all.
//
// Errors of all steps: ENOENT, ENOTDIR, EACCES (a directory on the way may not be searched), ELOOP,
// ENAMETOOLONG.
class PathWalk {
 public:
  // `resolve`: kRESOLVE_* bits. EXDEV: the path leaves the start or the file system that it may not
  // leave. With kRESOLVE_BENEATH or kRESOLVE_IN_ROOT the start is a directory even for an absolute
  // path.
  explicit PathWalk(const Credentials& who = process_credentials.effective, uint64_t resolve = 0)
      : who_(who), resolve_(resolve) {}
  ~PathWalk();
  PathWalk(const PathWalk&) = delete;
  PathWalk& operator=(const PathWalk&) = delete;

  // Goes to the directory that holds the last component; that one is not looked at. `path` outlives
  // the walk. ENOENT: the path is empty.
  Result<void, Errno> ToLast(Ref<Inode> start, std::string_view path);

  Inode& directory() const { return *directory_; }
  std::string_view name() const { return name_; }
  LastComponent last() const { return last_; }
  // The path says that the last component is a directory.
  bool has_trailing_slash() const { return trailing_slash_; }

  // What the last component stands for, links not followed. ENOENT. Leaves name() and directory()
  // as they are.
  Result<Ref<Inode>, Errno> LookUpLast();

  // Goes on with where `link`, the last component, leads. With a result: that is the end, there are
  // no directory and name. Without: there is a new last component.
  Result<Ref<Inode>, Errno> FollowLast(Ref<Inode> link);

  // From the start to the end. `follow`: also through a link that is the last component. ENOTDIR: a
  // trailing slash behind something else.
  Result<Ref<Inode>, Errno> ToEnd(Ref<Inode> start, std::string_view path, bool follow);

 private:
  // What remains to be walked once the target of a link is done. Its text is kept by a reference to
  // `owner`, or by the caller. Without constructors: most walks meet no link.
  struct Rest {
    Inode* owner;
    const char* text;
    size_t size;
  };

  Result<void, Errno> Advance();
  // Sets off into the target of `link`. True: it led straight to `directory_`, there is no text.
  Result<bool, Errno> EnterLink(Ref<Inode> link);
  Result<Ref<Inode>, Errno> ParentOf(Inode& directory);
  // What is seen of `next`, a name in directory_ or the way up from it.
  Result<Ref<Inode>, Errno> Enter(Ref<Inode> next);
  bool is_scoped() const { return (resolve_ & (kRESOLVE_BENEATH | kRESOLVE_IN_ROOT)) != 0; }

  const Credentials& who_;
  const uint64_t resolve_;
  Ref<Inode> root_;
  Ref<Inode> directory_;
  std::string_view rest_;
  Ref<Inode> rest_owner_;
  std::string_view name_;
  LastComponent last_ = LastComponent::kRoot;
  bool trailing_slash_ = false;
  uint32_t links_ = 0;
  uint32_t depth_ = 0;
  Rest stack_[kMaxSymlinks];
};

// One path of the program from start to end. `allow_empty`: AT_EMPTY_PATH; then an empty path is
// `directory` itself, which may be any open file.
Result<Ref<Inode>, Errno> ResolvePath(int32_t directory, UserIn<char> path, bool follow,
                                      bool allow_empty = false,
                                      const Credentials& who = process_credentials.effective);
// For the library OS's own paths, from the root.
Result<Ref<Inode>, Errno> ResolveInside(std::string_view path);

// The path of `inode` from the process's root, at the end of `buffer`. ENOENT: it has been removed.
// ENAMETOOLONG. EINVAL: it has no place in the tree.
Result<std::string_view, Errno> PathOf(Inode& inode, std::span<char> buffer);

// Called by whatever moves a directory, so that PathOf never tells a path that never was.
void NoteMove();

}  // namespace nsgx::libos
