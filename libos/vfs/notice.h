// SPDX-License-Identifier: Apache-2.0
// Telling those who watch files and directories (inotify) what happens to them. The system calls
// call these after the deed. While nobody watches anything, that costs one load each.
//
// A directory learns of what happens to the files in it by the name that they have then.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "libos/vfs/file.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

// Events, as inotify has them.
inline constexpr uint32_t kIN_ACCESS = 0x001;
inline constexpr uint32_t kIN_MODIFY = 0x002;
inline constexpr uint32_t kIN_ATTRIB = 0x004;
inline constexpr uint32_t kIN_CLOSE_WRITE = 0x008;
inline constexpr uint32_t kIN_CLOSE_NOWRITE = 0x010;
inline constexpr uint32_t kIN_OPEN = 0x020;
inline constexpr uint32_t kIN_MOVED_FROM = 0x040;
inline constexpr uint32_t kIN_MOVED_TO = 0x080;
inline constexpr uint32_t kIN_CREATE = 0x100;
inline constexpr uint32_t kIN_DELETE = 0x200;
inline constexpr uint32_t kIN_DELETE_SELF = 0x400;
inline constexpr uint32_t kIN_MOVE_SELF = 0x800;
inline constexpr uint32_t kIN_ALL_EVENTS = 0xfff;
inline constexpr uint32_t kIN_Q_OVERFLOW = 0x4000;
inline constexpr uint32_t kIN_IGNORED = 0x8000;
inline constexpr uint32_t kIN_ISDIR = 0x40000000;

namespace notice {

// How many watches there are.
extern constinit std::atomic<uint32_t> watch_count;
inline bool AnybodyWatches() { return watch_count.load(std::memory_order_relaxed) != 0; }

// For who has looked whether anybody watches.
void TellFile(Inode& inode, uint32_t event);
void TellCreated(Inode& directory, std::string_view name, Inode& inode);
void TellLinked(Inode& directory, std::string_view name, Inode& inode);
void TellRemoved(Inode& directory, std::string_view name, Inode& inode);
// `replaced` may be null.
void TellMoved(Inode& from, std::string_view from_name, Inode& to, std::string_view to_name,
               Inode& moved, Inode* replaced);
// The last reference to `inode`, which is watched, has gone.
void TellGone(Inode& inode);

// One thing has happened to an object that has been there: kIN_ACCESS, MODIFY, ATTRIB, OPEN.
inline void Happened(Inode& inode, uint32_t event) {
  if (AnybodyWatches()) [[unlikely]] {
    TellFile(inode, event);
  }
}
inline void Created(Inode& directory, std::string_view name, Inode& inode) {
  if (AnybodyWatches()) [[unlikely]] {
    TellCreated(directory, name, inode);
  }
}
// A further name.
inline void Linked(Inode& directory, std::string_view name, Inode& inode) {
  if (AnybodyWatches()) [[unlikely]] {
    TellLinked(directory, name, inode);
  }
}
inline void Removed(Inode& directory, std::string_view name, Inode& inode) {
  if (AnybodyWatches()) [[unlikely]] {
    TellRemoved(directory, name, inode);
  }
}
inline void Moved(Inode& from, std::string_view from_name, Inode& to, std::string_view to_name,
                  Inode& moved, Inode* replaced) {
  if (AnybodyWatches()) [[unlikely]] {
    TellMoved(from, from_name, to, to_name, moved, replaced);
  }
}

}  // namespace notice

// What watches; a file object.
class Notifier;

// An open inotify file. ENOMEM.
Result<Ref<File>, Errno> MakeNotifier(uint32_t flags);

// What is done about a watch that is there already for the same inode.
enum class WatchAgain { kReplace, kAdd, kRefuse };
// Returns the number of the watch. EEXIST: refused. ENOSPC: memory is out.
Result<int32_t, Errno> AddWatch(Notifier& notifier, Ref<Inode> inode, uint32_t events,
                                bool only_once, WatchAgain again);
// EINVAL: there is no such watch.
Result<void, Errno> RemoveWatch(Notifier& notifier, int32_t number);
// EINVAL: `file` is something else.
Result<Notifier*, Errno> NotifierOf(File& file);

}  // namespace nsgx::libos
