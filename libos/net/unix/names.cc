// SPDX-License-Identifier: Apache-2.0
#include "libos/net/unix/names.h"

#include <cstring>
#include <utility>

#include "base/core/bytes.h"
#include "base/core/spinlock.h"
#include "libos/net/unix/unix_socket.h"
#include "libos/vfs/access.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/open.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

using NameList = IntrusiveList<UnixSocket, SocketsByName>;

constexpr size_t kBuckets = 64;
// Taken with no other lock, but that of the reference counts of what is found.
constinit SpinLock table_lock;
[[clang::no_destroy]] constinit NameList table[kBuckets] GUARDED_BY(table_lock);
constinit uint32_t next_automatic GUARDED_BY(table_lock) = 0;

bool IsAbstract(std::string_view text) { return text.front() == '\0'; }

uint64_t HashOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) {
    hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  }
  return hash;
}

uint64_t HashOf(const Inode& inode) { return reinterpret_cast<uint64_t>(&inode) >> 6; }

SocketAddress AddressOf(std::string_view text) {
  SocketAddress address;
  const uint16_t family = static_cast<uint16_t>(kAF_UNIX);
  std::memcpy(address.bytes, &family, sizeof(family));
  std::memcpy(address.bytes + kUnixPathOffset, text.data(), text.size());
  // A path is told with its NUL.
  address.size = kUnixPathOffset + text.size() + (text.empty() || IsAbstract(text) ? 0 : 1);
  return address;
}

std::string_view TextOf(const SocketAddress& address) {
  return {reinterpret_cast<const char*>(address.bytes) + kUnixPathOffset,
          address.size - kUnixPathOffset};
}

// Null: there is none.
UnixSocket* FindAbstract(std::string_view text, uint64_t hash) REQUIRES(table_lock) {
  for (UnixSocket& socket : table[hash % kBuckets]) {
    if (!socket.name.inode && socket.name.hash == hash && TextOf(socket.name.address) == text) {
      return &socket;
    }
  }
  return nullptr;
}

void Enter(UnixSocket& socket, std::string_view text, Ref<Inode> inode, uint64_t hash)
    REQUIRES(table_lock) {
  socket.name.address = AddressOf(text);
  socket.name.inode = std::move(inode);
  socket.name.hash = hash;
  table[hash % kBuckets].PushBack(socket);
}

Result<void, Errno> BindAbstract(UnixSocket& socket, std::string_view text) {
  const uint64_t hash = HashOf(text);
  SpinLockGuard guard(table_lock);
  if (socket.name.address.size != 0) {
    return Error(Errno::kEINVAL);
  }
  if (FindAbstract(text, hash) != nullptr) {
    return Error(Errno::kEADDRINUSE);
  }
  Enter(socket, text, nullptr, hash);
  return {};
}

// An abstract name of five hexadecimal digits.
Result<void, Errno> BindAutomatically(UnixSocket& socket) {
  constexpr uint32_t kNames = 1u << 20;
  SpinLockGuard guard(table_lock);
  if (socket.name.address.size != 0) {
    return {};
  }
  for (uint32_t tries = 0; tries < kNames; ++tries) {
    char text[6] = {};
    const uint32_t number = next_automatic++ % kNames;
    for (uint32_t i = 0; i < 5; ++i) {
      text[1 + i] = "0123456789abcdef"[number >> (16 - 4 * i) & 0xf];
    }
    const std::string_view name(text, sizeof(text));
    const uint64_t hash = HashOf(name);
    if (FindAbstract(name, hash) == nullptr) {
      Enter(socket, name, nullptr, hash);
      return {};
    }
  }
  return Error(Errno::kENOSPC);
}

Result<void, Errno> BindPath(UnixSocket& socket, std::string_view text) {
  if (NameOf(socket).size != 0) {
    return Error(Errno::kEINVAL);
  }
  PathWalk walk;
  TRY(walk.ToLast(TRY(StartDirectory(kAT_FDCWD, text)), text));
  if (walk.last() != LastComponent::kName || walk.LookUpLast().ok()) {
    return Error(Errno::kEADDRINUSE);
  }
  if (walk.has_trailing_slash()) {
    return Error(Errno::kENOENT);
  }
  Inode& directory = walk.directory();
  TRY(CheckMayChange(directory, process_credentials.effective));
  auto made = directory.Create(walk.name(), NodeFor(directory, kS_IFSOCK, 0777));
  if (!made.ok()) {
    return Error(made.error() == Errno::kEEXIST ? Errno::kEADDRINUSE : made.error());
  }
  Ref<Inode> inode = std::move(made).value();
  notice::Created(directory, walk.name(), *inode);
  const uint64_t hash = HashOf(*inode);
  SpinLockGuard guard(table_lock);
  if (socket.name.address.size != 0) {
    return Error(Errno::kEINVAL);
  }
  Enter(socket, text, std::move(inode), hash);
  return {};
}

}  // namespace

Result<std::string_view, Errno> UnixAddressText(const SocketAddress& address) {
  if (address.size < kUnixPathOffset || address.size > kUnixPathOffset + kUnixPathSize ||
      address.family() != kAF_UNIX) {
    return Error(Errno::kEINVAL);
  }
  std::string_view text = TextOf(address);
  if (!text.empty() && !IsAbstract(text)) {
    text = text.substr(0, text.find('\0'));
  }
  return text;
}

Result<void, Errno> BindName(UnixSocket& socket, std::string_view text) {
  if (text.empty()) {
    return BindAutomatically(socket);
  }
  return IsAbstract(text) ? BindAbstract(socket, text) : BindPath(socket, text);
}

void ReleaseName(UnixSocket& socket) {
  Ref<Inode> inode;  // dropped after the lock
  SpinLockGuard guard(table_lock);
  if (static_cast<ListNode<SocketsByName>&>(socket).is_linked()) {
    table[socket.name.hash % kBuckets].Erase(socket);
    inode = std::move(socket.name.inode);
  }
}

SocketAddress NameOf(UnixSocket& socket) {
  SpinLockGuard guard(table_lock);
  return socket.name.address;
}

Result<Ref<UnixSocket>, Errno> FindByName(std::string_view text) {
  if (text.empty()) {
    return Error(Errno::kEINVAL);
  }
  if (IsAbstract(text)) {
    const uint64_t hash = HashOf(text);
    SpinLockGuard guard(table_lock);
    UnixSocket* const found = FindAbstract(text, hash);
    if (found == nullptr) {
      return Error(Errno::kECONNREFUSED);
    }
    return Ref<UnixSocket>::Share(*found);
  }
  PathWalk walk;
  const Ref<Inode> inode = TRY(walk.ToEnd(TRY(StartDirectory(kAT_FDCWD, text)), text, true));
  TRY(CheckAccess(*inode, kW_OK, process_credentials.effective));
  const uint64_t hash = HashOf(*inode);
  SpinLockGuard guard(table_lock);
  for (UnixSocket& socket : table[hash % kBuckets]) {
    if (socket.name.inode.get() == inode.get()) {
      return Ref<UnixSocket>::Share(socket);
    }
  }
  return Error(Errno::kECONNREFUSED);
}

}  // namespace nsgx::libos
