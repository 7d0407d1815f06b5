// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/testing/fake_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace nsgx::libos {
namespace testing {
namespace {

// Objects by token: a path to each, and what it is open for.
std::mutex lock;
std::map<uint32_t, int> paths;
std::map<std::string, uint64_t, std::less<>> calls;
std::string mount_target;
uint32_t next_token = 1;
std::function<void(host::FileFacts&)> facts_spoiler;
std::function<void(std::string&)> names_spoiler;
Errno data_error = {};

void Count(std::string_view name) {
  std::lock_guard guard(lock);
  ++calls[std::string(name)];
}
int PathOf(uint32_t token) {
  std::lock_guard guard(lock);
  const auto found = paths.find(token);
  return found == paths.end() ? -1 : found->second;
}
std::string LinkTo(int fd) { return "/proc/self/fd/" + std::to_string(fd); }
Error<Errno> Failure() { return Error(static_cast<Errno>(errno)); }
Result<void, Errno> Outcome(int result) {
  if (result != 0) {
    return Failure();
  }
  return {};
}

// Opens the object itself.
class Opened {
 public:
  Opened(uint32_t token, int flags) : fd_(open(LinkTo(PathOf(token)).c_str(), flags | O_CLOEXEC)) {}
  ~Opened() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

Result<host::FileFacts, Errno> FactsOf(int path, uint32_t token) {
  struct stat status;
  if (fstat(path, &status) != 0) {
    return Failure();
  }
  const auto moment = [](const timespec& time) {
    return host::FileMoment{time.tv_sec, static_cast<uint32_t>(time.tv_nsec)};
  };
  host::FileFacts facts = {.token = token,
                           .mode = status.st_mode,
                           .links = static_cast<uint32_t>(status.st_nlink),
                           .is_own = status.st_uid == geteuid(),
                           .device = status.st_dev,
                           .number = status.st_ino,
                           .size = static_cast<uint64_t>(status.st_size),
                           .blocks = static_cast<uint64_t>(status.st_blocks),
                           .block_size = 4096,
                           .access = moment(status.st_atim),
                           .modification = moment(status.st_mtim),
                           .change = moment(status.st_ctim)};
  if (facts_spoiler) {
    facts_spoiler(facts);
  }
  return facts;
}

Result<host::FileFacts, Errno> Tell(int path) {
  if (path < 0) {
    return Failure();
  }
  uint32_t token;
  {
    std::lock_guard guard(lock);
    token = next_token++;
    paths[token] = path;
  }
  return FactsOf(path, token);
}

Result<void, Errno> DataFailure() {
  if (data_error != Errno{}) {
    return Error(data_error);
  }
  return {};
}

}  // namespace

void ProvideFolder(std::string_view folder, std::string_view target) {
  std::lock_guard guard(lock);
  for (const auto& [token, path] : paths) {
    close(path);
  }
  paths.clear();
  calls.clear();
  facts_spoiler = nullptr;
  names_spoiler = nullptr;
  data_error = {};
  next_token = 1;
  mount_target = target;
  if (!folder.empty()) {
    paths[0] = open(std::string(folder).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    umask(0);
  }
}

void SpoilFacts(std::function<void(host::FileFacts&)> spoiler) {
  facts_spoiler = std::move(spoiler);
}
void SpoilNames(std::function<void(std::string&)> spoiler) { names_spoiler = std::move(spoiler); }
void FailData(Errno error) { data_error = error; }

size_t token_count() {
  std::lock_guard guard(lock);
  return paths.size() - paths.count(0);
}
uint64_t file_calls(std::string_view name) {
  std::lock_guard guard(lock);
  const auto found = calls.find(name);
  return found == calls.end() ? 0 : found->second;
}

}  // namespace testing

namespace host {

using namespace testing;  // this is the test's host

Result<FileMount, Errno> GetFileMount(uint32_t index, std::span<char> buffer) {
  if (index != 0 || PathOf(0) < 0) {
    return Error(Errno::kENOENT);
  }
  std::copy(mount_target.begin(), mount_target.end(), buffer.begin());
  return FileMount{.root = 0, .is_writable = true, .target = {buffer.data(), mount_target.size()}};
}

Result<FileFacts, Errno> FileLookUp(FileToken directory, std::string_view name) {
  Count("look_up");
  return Tell(
      openat(PathOf(directory), std::string(name).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

Result<FileFacts, Errno> FileMake(FileToken directory, std::string_view name, uint32_t mode,
                                  std::string_view target) {
  Count("make");
  const std::string text(name);
  const int parent = PathOf(directory);
  if (S_ISREG(mode)) {
    const int file = text.empty()
                         ? open(LinkTo(parent).c_str(), O_TMPFILE | O_RDWR, mode & 07777)
                         : openat(parent, text.c_str(), O_CREAT | O_EXCL | O_RDWR, mode & 07777);
    if (file < 0) {
      return Failure();
    }
    const int path = open(LinkTo(file).c_str(), O_PATH | O_CLOEXEC);
    close(file);
    return Tell(path);
  }
  if ((S_ISDIR(mode) ? mkdirat(parent, text.c_str(), mode & 07777)
                     : symlinkat(std::string(target).c_str(), parent, text.c_str())) != 0) {
    return Failure();
  }
  return Tell(openat(parent, text.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

Result<void, Errno> FileLink(FileToken file, FileToken directory, std::string_view name) {
  return Outcome(linkat(AT_FDCWD, LinkTo(PathOf(file)).c_str(), PathOf(directory),
                        std::string(name).c_str(), AT_SYMLINK_FOLLOW));
}

Result<void, Errno> FileRemove(FileToken directory, std::string_view name, bool is_directory) {
  return Outcome(
      unlinkat(PathOf(directory), std::string(name).c_str(), is_directory ? AT_REMOVEDIR : 0));
}

Result<void, Errno> FileRename(FileToken from, std::string_view name, FileToken to,
                               std::string_view to_name, uint32_t flags) {
  return Outcome(renameat2(PathOf(from), std::string(name).c_str(), PathOf(to),
                           std::string(to_name).c_str(), flags));
}

Result<std::string_view, Errno> FileReadLink(FileToken link, std::span<char> buffer) {
  const ssize_t size = readlinkat(PathOf(link), "", buffer.data(), buffer.size());
  if (size < 0) {
    return Failure();
  }
  return std::string_view(buffer.data(), static_cast<size_t>(size));
}

Result<bool, Errno> FileList(FileToken directory, uint64_t* position, FileEntrySink& sink) {
  Count("list");
  const int fd = open(LinkTo(PathOf(directory)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listing = fd < 0 ? nullptr : fdopendir(fd);
  if (listing == nullptr) {
    return Failure();
  }
  uint64_t index = 0;
  bool more = false;
  constexpr uint64_t kPart = 3;
  const uint64_t first = *position;
  while (const dirent* entry = readdir(listing)) {
    std::string name = entry->d_name;
    if (name == "." || name == ".." || index++ < first) {
      continue;
    }
    if (index > first + kPart) {
      break;
    }
    more = true;
    if (names_spoiler) {
      names_spoiler(name);
    }
    *position = index;
    if (!sink.Add(name, entry->d_ino, entry->d_type)) {
      more = false;
      break;
    }
  }
  closedir(listing);
  return more;
}

Result<FileFacts, Errno> FileStatus(FileToken token) {
  Count("status");
  return FactsOf(PathOf(token), token);
}

Result<void, Errno> ChangeFile(FileToken token, const FileChange& change) {
  const std::string path = LinkTo(PathOf(token));
  if (change.permissions != nullptr && chmod(path.c_str(), *change.permissions) != 0) {
    return Failure();
  }
  timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  if (change.access != nullptr) {
    times[0] = {change.access->seconds, change.access->nanoseconds};
  }
  if (change.modification != nullptr) {
    times[1] = {change.modification->seconds, change.modification->nanoseconds};
  }
  return Outcome(utimensat(AT_FDCWD, path.c_str(), times, 0));
}

Result<FileSpace, Errno> GetFileSpace(FileToken token) {
  struct statfs status;
  if (fstatfs(PathOf(token), &status) != 0) {
    return Failure();
  }
  return FileSpace{.block_size = static_cast<uint64_t>(status.f_bsize),
                   .blocks = status.f_blocks,
                   .free_blocks = status.f_bfree,
                   .available_blocks = status.f_bavail,
                   .files = status.f_files,
                   .free_files = status.f_ffree};
}

Result<void, Errno> FileOpen(FileToken file, bool read, bool write) {
  Count("open");
  const Opened opened(file, read && write ? O_RDWR : write ? O_WRONLY : O_RDONLY);
  return opened.fd() < 0 ? Result<void, Errno>(Failure()) : Result<void, Errno>();
}

// As small a part as makes no call move everything.
constexpr size_t kPart = 100'000;

Result<size_t, Errno> FileRead(FileToken file, uint64_t offset, size_t size, FileSink& sink) {
  Count("read");
  TRY(DataFailure());
  const Opened opened(file, O_RDONLY);
  std::vector<std::byte> bytes(std::min(size, kPart));
  const ssize_t count = pread(opened.fd(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  if (count < 0) {
    return Failure();
  }
  return count == 0 ? 0 : sink.Put(std::span(bytes).first(static_cast<size_t>(count)));
}

Result<size_t, Errno> FileWrite(FileToken file, uint64_t offset, size_t size, FileSource& source) {
  Count("write");
  TRY(DataFailure());
  const Opened opened(file, O_WRONLY);
  std::vector<std::byte> bytes(std::min(size, kPart));
  const size_t filled = source.Fill(bytes);
  if (filled == 0) {
    return size_t{0};
  }
  const ssize_t count = pwrite(opened.fd(), bytes.data(), filled, static_cast<off_t>(offset));
  if (count < 0) {
    return Failure();
  }
  return static_cast<size_t>(count);
}

Result<void, Errno> FileResize(FileToken file, uint64_t size) {
  return Outcome(truncate(LinkTo(PathOf(file)).c_str(), static_cast<off_t>(size)));
}

Result<void, Errno> FileAllocate(FileToken file, uint32_t mode, uint64_t offset, uint64_t size) {
  const Opened opened(file, O_WRONLY);
  return Outcome(fallocate(opened.fd(), static_cast<int>(mode), static_cast<off_t>(offset),
                           static_cast<off_t>(size)));
}

Result<uint64_t, Errno> FileSeek(FileToken file, uint32_t whence, uint64_t offset) {
  const Opened opened(file, O_RDONLY);
  const off_t found = lseek(opened.fd(), static_cast<off_t>(offset), static_cast<int>(whence));
  if (found < 0) {
    return Failure();
  }
  return static_cast<uint64_t>(found);
}

Result<void, Errno> FileSync(FileToken, FileSyncKind) {
  Count("sync");
  return DataFailure();
}

void FileRelease(std::span<const FileToken> tokens) {
  std::lock_guard guard(lock);
  for (const FileToken token : tokens) {
    const auto found = paths.find(token);
    if (token != 0 && found != paths.end()) {
      close(found->second);
      paths.erase(found);
    }
  }
}

}  // namespace host
}  // namespace nsgx::libos
