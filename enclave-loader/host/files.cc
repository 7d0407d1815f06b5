// SPDX-License-Identifier: Apache-2.0
// Why nothing outside of the folders is reached: an object is found only by a single name, which is
// neither ".." nor has a slash, in a directory that was found the same way; links are never
// followed, those of /proc included; and an object is opened for reading or writing by its
// descriptor, not by a name. openat2 has the kernel insist on it as well, where there is openat2.
#include "enclave-loader/host/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/core/bytes.h"

namespace nsgx::loader {
namespace {

using shim::HostCall;

constexpr uint32_t kTokenLimit = 1u << 24;

// The Linux ABI, where headers are too old for it.
constexpr long kOpenat2 = 437;
struct HowToOpen {
  uint64_t flags;
  uint64_t mode;
  uint64_t resolve;
};
constexpr uint64_t kNoMagicLinks = 0x02;
constexpr uint64_t kNoSymlinks = 0x04;
constexpr uint64_t kBeneath = 0x08;
constexpr int kTmpFile = 020000000 | O_DIRECTORY;

// The enclave has no business with which limit of ours it was.
int64_t Failure() { return errno == EMFILE ? -ENFILE : -errno; }

// Of a call that returns 0 or -1.
int64_t Outcome(int result) { return result == 0 ? 0 : Failure(); }

// A name in one directory: nothing that leads out of it.
bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= NAME_MAX && name != "." && name != ".." &&
         name.find('/') == name.npos && name.find('\0') == name.npos;
}

// A private copy of what the enclave wrote, which it could change while it is looked at.
std::string TextOf(std::span<const std::byte> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

template <typename T>
T Copy(std::span<const std::byte> data) {
  T object;
  std::memcpy(&object, data.data(), sizeof(object));
  return object;
}
template <typename T>
void Store(std::span<std::byte> room, const T& object) {
  std::memcpy(room.data(), &object, sizeof(object));
}

// Opens `name` in `directory` without going anywhere else.
int OpenInside(int directory, const char* name, int flags, mode_t mode) {
  static std::atomic<bool> has_openat2 = true;
  flags |= O_NOFOLLOW | O_CLOEXEC;
  if (has_openat2.load(std::memory_order_relaxed)) {
    const HowToOpen how = {.flags = static_cast<uint64_t>(flags),
                           .mode = mode,
                           .resolve = kBeneath | kNoMagicLinks | kNoSymlinks};
    const long fd = syscall(kOpenat2, directory, name, &how, sizeof(how));
    // EPERM: some sandboxes refuse what they do not know.
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) {
      return static_cast<int>(fd);
    }
    if (errno == ENOSYS) {
      has_openat2 = false;
    }
  }
  return openat(directory, name, flags, mode);
}

timespec ToTimespec(int64_t seconds, uint32_t nanoseconds) {
  return {.tv_sec = seconds, .tv_nsec = static_cast<long>(nanoseconds)};
}

// The name of a descriptor in /proc/self/fd.
class DescriptorName {
 public:
  explicit DescriptorName(int fd) { std::snprintf(text_, sizeof(text_), "%d", fd); }
  const char* c_str() const { return text_; }

 private:
  char text_[16];
};

shim::FileRecord RecordOf(uint32_t token, const struct stat& status) {
  shim::FileRecord record = {};
  record.token = token;
  record.mode = status.st_mode;
  record.links = static_cast<uint32_t>(status.st_nlink);
  record.is_own = status.st_uid == geteuid() ? 1 : 0;
  record.device = status.st_dev;
  record.number = status.st_ino;
  record.size = static_cast<uint64_t>(status.st_size);
  record.blocks = static_cast<uint64_t>(status.st_blocks);
  record.block_size = static_cast<uint32_t>(status.st_blksize);
  record.access_nanoseconds = static_cast<uint32_t>(status.st_atim.tv_nsec);
  record.modification_nanoseconds = static_cast<uint32_t>(status.st_mtim.tv_nsec);
  record.change_nanoseconds = static_cast<uint32_t>(status.st_ctim.tv_nsec);
  record.access_seconds = status.st_atim.tv_sec;
  record.modification_seconds = status.st_mtim.tv_sec;
  record.change_seconds = status.st_ctim.tv_sec;
  return record;
}

}  // namespace

// Its descriptors are closed when the last call that uses it is done.
class HostFiles::Node {
 public:
  Node(int path, uint32_t mount, bool is_writable)
      : path_(path), mount_(mount), is_writable_(is_writable) {}
  ~Node() {
    for (const int fd : {path_, read_.load(), write_.load()}) {
      if (fd >= 0) {
        close(fd);
      }
    }
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  int path() const { return path_; }
  uint32_t mount() const { return mount_; }
  bool is_writable() const { return is_writable_; }
  int read() const { return read_.load(std::memory_order_acquire); }
  int write() const { return write_.load(std::memory_order_acquire); }
  // Any descriptor for data.
  int data() const { return read() >= 0 ? read() : write(); }

  // Opens the object itself for one direction, if it is not. Returns 0 or a negative errno.
  int64_t Open(int descriptors, bool for_write) {
    std::atomic<int>& fd = for_write ? write_ : read_;
    std::lock_guard guard(lock_);
    if (fd.load(std::memory_order_relaxed) >= 0) {
      return 0;
    }
    struct stat status;
    if (fstat(path_, &status) != 0) {
      return Failure();
    }
    // Of anything else, opening alone may do something, or wait.
    if (!S_ISREG(status.st_mode) && !(S_ISDIR(status.st_mode) && !for_write)) {
      return -EACCES;
    }
    const int opened = openat(descriptors, DescriptorName(path_).c_str(),
                              (for_write ? O_WRONLY : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
    if (opened < 0) {
      return Failure();
    }
    fd.store(opened, std::memory_order_release);
    return 0;
  }
  // A file that was opened when it was made.
  void SetReadWrite(int fd) {
    read_.store(fd, std::memory_order_release);
    write_.store(fcntl(fd, F_DUPFD_CLOEXEC, 0), std::memory_order_release);
  }

  int64_t List(int descriptors, uint64_t position, std::span<std::byte> room);

 private:
  const int path_;
  const uint32_t mount_;
  const bool is_writable_;
  std::atomic<int> read_ = -1;
  std::atomic<int> write_ = -1;
  std::mutex lock_;
};

// Entries as the kernel has them become entries as the enclave reads them.
int64_t HostFiles::Node::List(int descriptors, uint64_t position, std::span<std::byte> room) {
  if (const int64_t opened = Open(descriptors, false); opened != 0) {
    return opened;
  }
  std::lock_guard guard(lock_);  // the position is the descriptor's
  if (lseek(read(), static_cast<off_t>(position), SEEK_SET) < 0) {
    return Failure();
  }
  struct Entry {
    uint64_t number;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
  };
  alignas(Entry) std::array<std::byte, 32768> entries;
  size_t used = 0;
  while (used == 0) {
    const long size =
        syscall(SYS_getdents64, read(), entries.data(), std::min(entries.size(), room.size()));
    if (size <= 0) {
      return size == 0 ? 0 : Failure();
    }
    for (size_t at = 0; at < static_cast<size_t>(size);) {
      const auto* entry = reinterpret_cast<const Entry*>(&entries[at]);
      at += entry->size;
      const std::string_view name(entry->name);
      if (!IsName(name)) {
        continue;
      }
      const shim::FileEntryRecord record = {.number = entry->number,
                                            .next = static_cast<uint64_t>(entry->next),
                                            .type = entry->type,
                                            .name_size = static_cast<uint8_t>(name.size()),
                                            .reserved = {}};
      if (room.size() - used < sizeof(record) + name.size()) {
        return static_cast<int64_t>(used);
      }
      Store(room.subspan(used), record);
      std::memcpy(&room[used + sizeof(record)], name.data(), name.size());
      used += sizeof(record) + name.size();
    }
  }
  return static_cast<int64_t>(used);
}

HostFiles::~HostFiles() {
  if (descriptors_ >= 0) {
    close(descriptors_);
  }
}

Result<void, Complaint> HostFiles::Open(std::span<const Mount> mounts) {
  if (mounts.empty()) {
    return {};
  }
  descriptors_ = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptors_ < 0) {
    return Complain("folders can't be mounted without /proc; mount it");
  }
  for (const Mount& mount : mounts) {
    const int root = open(mount.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
      return Complain("the folder ", mount.folder, " for ", mount.target, " can't be opened (",
                      std::strerror(errno), "); correct --mount");
    }
    nodes_.push_back(
        std::make_shared<Node>(root, static_cast<uint32_t>(nodes_.size()), mount.is_writable));
    mounts_.push_back(mount);
  }
  umask(0);
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  return {};
}

HostFiles::NodeRef HostFiles::Find(uint64_t token) const {
  std::lock_guard guard(lock_);
  return token < nodes_.size() ? nodes_[static_cast<size_t>(token)] : nullptr;
}

int64_t HostFiles::Tell(int path, const NodeRef& parent, std::span<std::byte> room,
                        int read_write) {
  auto node = std::make_shared<Node>(path, parent->mount(), parent->is_writable());
  if (read_write >= 0) {
    node->SetReadWrite(read_write);
  }
  struct stat status;
  if (fstat(path, &status) != 0) {
    return Failure();
  }
  uint32_t token;
  {
    std::lock_guard guard(lock_);
    if (free_.empty()) {
      if (nodes_.size() >= kTokenLimit) {
        return -ENFILE;
      }
      token = static_cast<uint32_t>(nodes_.size());
      nodes_.push_back(std::move(node));
    } else {
      token = free_.back();
      free_.pop_back();
      nodes_[token] = std::move(node);
    }
  }
  Store(room, RecordOf(token, status));
  return 1;
}

void HostFiles::Release(std::span<const std::byte> tokens) {
  for (size_t at = 0; at < tokens.size(); at += sizeof(uint32_t)) {
    const uint32_t token = Copy<uint32_t>(tokens.subspan(at));
    NodeRef released;  // closes after the lock
    std::lock_guard guard(lock_);
    if (token >= mounts_.size() && token < nodes_.size() && nodes_[token] != nullptr) {
      released = std::move(nodes_[token]);
      nodes_[token] = nullptr;
      free_.push_back(token);
    }
  }
}

int64_t HostFiles::DescribeMount(uint64_t index, std::span<std::byte> room) const {
  if (index >= mounts_.size()) {
    return -ENOENT;
  }
  const Mount& mount = mounts_[static_cast<size_t>(index)];
  const shim::FileMountRecord record = {.token = static_cast<uint32_t>(index),
                                        .is_writable = mount.is_writable ? 1u : 0u};
  if (room.size() < sizeof(record) + mount.target.size()) {
    return -EINVAL;
  }
  Store(room, record);
  std::memcpy(&room[sizeof(record)], mount.target.data(), mount.target.size());
  return static_cast<int64_t>(sizeof(record) + mount.target.size());
}

int64_t HostFiles::LookUp(const NodeRef& directory, std::span<const std::byte> data,
                          std::span<std::byte> room) {
  const std::string name = TextOf(data);
  if (!IsName(name)) {
    return -EINVAL;
  }
  const int path = OpenInside(directory->path(), name.c_str(), O_PATH, 0);
  return path < 0 ? Failure() : Tell(path, directory, room);
}

int64_t HostFiles::Make(const NodeRef& directory, uint32_t mode, std::span<const std::byte> data,
                        std::span<std::byte> room) {
  const std::string text = TextOf(data);
  const size_t end = std::min(text.find('\0'), text.size());
  const std::string name = text.substr(0, end);
  const std::string target = end == text.size() ? "" : text.substr(end + 1);
  const bool has_name = !name.empty();
  if ((has_name && !IsName(name)) || target.find('\0') != target.npos) {
    return -EINVAL;
  }
  const int parent = directory->path();
  const mode_t permissions = mode & 07777;
  int file = -1;
  switch (mode & S_IFMT) {
    case S_IFREG:
      file = has_name ? OpenInside(parent, name.c_str(), O_RDWR | O_CREAT | O_EXCL, permissions)
                      : openat(descriptors_, DescriptorName(parent).c_str(),
                               kTmpFile | O_RDWR | O_CLOEXEC, permissions);
      if (file < 0) {
        return Failure();
      }
      break;
    case S_IFDIR:
      if (mkdirat(parent, name.c_str(), permissions) != 0) {
        return Failure();
      }
      break;
    case S_IFLNK:
      if (symlinkat(target.c_str(), parent, name.c_str()) != 0) {
        return Failure();
      }
      break;
    default:
      return -EPERM;
  }
  // The path of a file is that of what was opened; that of others is found by name once more.
  const int path = file >= 0
                       ? openat(descriptors_, DescriptorName(file).c_str(), O_PATH | O_CLOEXEC)
                       : OpenInside(parent, name.c_str(), O_PATH, 0);
  if (path < 0) {
    const int64_t failure = Failure();
    if (file >= 0) {
      close(file);
    }
    return failure;
  }
  return Tell(path, directory, room, file);
}

int64_t HostFiles::Link(const NodeRef& file, const NodeRef& directory,
                        std::span<const std::byte> data) {
  const std::string name = TextOf(data);
  if (!IsName(name)) {
    return -EINVAL;
  }
  return Outcome(linkat(descriptors_, DescriptorName(file->path()).c_str(), directory->path(),
                        name.c_str(), AT_SYMLINK_FOLLOW));
}

int64_t HostFiles::Rename(const NodeRef& from, const NodeRef& to, uint64_t flags,
                          std::span<const std::byte> data) {
  const std::string names = TextOf(data);
  const size_t end = names.find('\0');
  if (end == names.npos) {
    return -EINVAL;
  }
  const std::string name = names.substr(0, end), to_name = names.substr(end + 1);
  if (!IsName(name) || !IsName(to_name)) {
    return -EINVAL;
  }
  if (flags == 0) {
    return Outcome(renameat(from->path(), name.c_str(), to->path(), to_name.c_str()));
  }
  return Outcome(static_cast<int>(syscall(SYS_renameat2, from->path(), name.c_str(), to->path(),
                                          to_name.c_str(), static_cast<unsigned>(flags))));
}

namespace {

int64_t ReadLink(int path, std::span<std::byte> room) {
  const ssize_t size = readlinkat(path, "", reinterpret_cast<char*>(room.data()), room.size());
  return size < 0 ? Failure() : size;
}

// By way of /proc, because what we have is a path.
int64_t Change(int descriptors, int path, const shim::FileChangeRecord& change) {
  if ((change.what & shim::kFileChangePermissions) != 0 &&
      fchmodat(descriptors, DescriptorName(path).c_str(), change.permissions & 07777, 0) != 0) {
    return Failure();
  }
  constexpr uint32_t kTimes = shim::kFileChangeAccessTime | shim::kFileChangeModificationTime;
  if ((change.what & kTimes) == 0) {
    return 0;
  }
  constexpr timespec kKeep = {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
  timespec times[2] = {kKeep, kKeep};
  // No value of the enclave's means "now" or "keep".
  constexpr uint32_t kLast = 999'999'999;
  if ((change.what & shim::kFileChangeAccessTime) != 0) {
    times[0] = ToTimespec(change.access_seconds, std::min(change.access_nanoseconds, kLast));
  }
  if ((change.what & shim::kFileChangeModificationTime) != 0) {
    times[1] =
        ToTimespec(change.modification_seconds, std::min(change.modification_nanoseconds, kLast));
  }
  if (utimensat(path, "", times, AT_EMPTY_PATH) == 0) {
    return 0;
  }
  // Linux before 5.8 has this for links only by their names.
  return Outcome(utimensat(descriptors, DescriptorName(path).c_str(), times, 0));
}

int64_t Space(int path, std::span<std::byte> room) {
  struct statfs status;
  if (fstatfs(path, &status) != 0) {
    return Failure();
  }
  Store(room, shim::FileSpaceRecord{.block_size = static_cast<uint64_t>(status.f_bsize),
                                    .blocks = status.f_blocks,
                                    .free_blocks = status.f_bfree,
                                    .available_blocks = status.f_bavail,
                                    .files = status.f_files,
                                    .free_files = status.f_ffree});
  return 1;
}

int64_t Read(int fd, uint64_t offset, std::span<std::byte> room) {
  ssize_t count;
  do {
    count = pread(fd, room.data(), room.size(), static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  return count < 0 ? Failure() : count;
}

int64_t Write(int fd, uint64_t offset, std::span<const std::byte> data) {
  ssize_t count;
  do {
    count = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  return count < 0 ? Failure() : count;
}

int64_t Sync(int fd, uint64_t how) {
  switch (how) {
    case 0:
      return Outcome(fsync(fd));
    case 1:
      return Outcome(fdatasync(fd));
    default:
      return Outcome(syncfs(fd));
  }
}

// Whether data and room are as large as the records that go there.
bool HasRecords(HostCall call, std::span<const std::byte> data, std::span<std::byte> room) {
  switch (call) {
    case HostCall::kFileLookUp:
    case HostCall::kFileMake:
    case HostCall::kFileStatus:
      return room.size() == sizeof(shim::FileRecord);
    case HostCall::kFileSpace:
      return room.size() == sizeof(shim::FileSpaceRecord);
    case HostCall::kFileChange:
      return data.size() == sizeof(shim::FileChangeRecord);
    default:
      return true;
  }
}

bool ChangesSomething(HostCall call) {
  switch (call) {
    case HostCall::kFileMake:
    case HostCall::kFileWrite:
    case HostCall::kFileResize:
    case HostCall::kFileAllocate:
    case HostCall::kFileChange:
    case HostCall::kFileLink:
    case HostCall::kFileRemove:
    case HostCall::kFileRename:
      return true;
    default:
      return false;
  }
}

}  // namespace

int64_t HostFiles::Answer(HostCall call, const shim::HostCallValues& values,
                          std::span<const std::byte> data, std::span<std::byte> room) {
  if (call == HostCall::kFileMount) {
    return DescribeMount(values[0], room);
  }
  if (call == HostCall::kFileRelease) {
    Release(data);
    return 0;
  }
  if (!HasRecords(call, data, room)) {
    return -EINVAL;
  }
  const NodeRef node = Find(values[0]);
  if (node == nullptr) {
    return -EBADF;
  }
  if (!node->is_writable() && ChangesSomething(call)) {
    return -EROFS;
  }
  // The other object of those calls that have two. What is allowed in one mount is not allowed for
  // what lies in another.
  NodeRef other;
  if (call == HostCall::kFileLink || call == HostCall::kFileRename) {
    other = Find(values[1]);
    if (other == nullptr) {
      return -EBADF;
    }
    if (other->mount() != node->mount()) {
      return -EXDEV;
    }
  }
  switch (call) {
    case HostCall::kFileLookUp:
      return LookUp(node, data, room);
    case HostCall::kFileMake:
      return Make(node, static_cast<uint32_t>(values[1]), data, room);
    case HostCall::kFileStatus: {
      struct stat status;
      if (fstat(node->path(), &status) != 0) {
        return Failure();
      }
      Store(room, RecordOf(static_cast<uint32_t>(values[0]), status));
      return 1;
    }
    case HostCall::kFileOpen: {
      int64_t opened = 0;
      if ((values[1] & shim::kFileOpenRead) != 0) {
        opened = node->Open(descriptors_, false);
      }
      if (opened == 0 && (values[1] & shim::kFileOpenWrite) != 0) {
        opened = node->is_writable() ? node->Open(descriptors_, true) : -EROFS;
      }
      return opened;
    }
    case HostCall::kFileRead:
      return Read(node->read(), values[1], room);
    case HostCall::kFileWrite:
      return Write(node->write(), values[1], data);
    case HostCall::kFileResize: {
      // truncate(path) needs no open file.
      const int64_t opened = node->Open(descriptors_, true);
      return opened != 0 ? opened
                         : Outcome(ftruncate(node->write(), static_cast<off_t>(values[1])));
    }
    case HostCall::kFileAllocate:
      return Outcome(fallocate(node->write(), static_cast<int>(values[1]),
                               static_cast<off_t>(values[2]), static_cast<off_t>(values[3])));
    case HostCall::kFileSeek: {
      if (values[1] != SEEK_DATA && values[1] != SEEK_HOLE) {
        return -EINVAL;
      }
      const off_t found =
          lseek(node->data(), static_cast<off_t>(values[2]), static_cast<int>(values[1]));
      return found < 0 ? Failure() : found;
    }
    case HostCall::kFileSync: {
      const int64_t opened = node->data() >= 0 ? 0 : node->Open(descriptors_, false);
      return opened != 0 ? opened : Sync(node->data(), values[1]);
    }
    case HostCall::kFileChange:
      return Change(descriptors_, node->path(), Copy<shim::FileChangeRecord>(data));
    case HostCall::kFileList:
      return node->List(descriptors_, values[1], room);
    case HostCall::kFileReadLink:
      return ReadLink(node->path(), room);
    case HostCall::kFileLink:
      return Link(node, other, data);
    case HostCall::kFileRemove: {
      const std::string name = TextOf(data);
      if (!IsName(name)) {
        return -EINVAL;
      }
      return Outcome(unlinkat(node->path(), name.c_str(), values[1] != 0 ? AT_REMOVEDIR : 0));
    }
    case HostCall::kFileRename:
      return Rename(node, other, values[2], data);
    case HostCall::kFileSpace:
      return Space(node->path(), room);
    default:
      return -EINVAL;
  }
}

}  // namespace nsgx::loader
