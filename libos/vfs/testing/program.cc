// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/testing/program.h"

#include <algorithm>
#include <cstring>
#include <ostream>

#include "base/core/check.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

UserIn<char> Path(std::string_view path) { return UserIn<char>(UserString(path)); }

StatResult StatWith(SysResult (*call)(UserIn<char>, UserOut<LinuxStat>), std::string_view path) {
  LinuxStat& out = NewUser<LinuxStat>();
  const int64_t result = ResultOf(call(Path(path), UserOut<LinuxStat>(AddressOf(out))));
  return {.result = result, .stat = out};
}

}  // namespace

int64_t ResultOf(SysResult result) { return result.ok() ? result.value() : Fails(result.error()); }

void PrintTo(const Bytes& bytes, std::ostream* out) {
  *out << "result " << bytes.result << ", \"" << bytes.data.substr(0, 80) << "\"";
}

int Open(std::string_view path, uint32_t flags, uint32_t mode) {
  return static_cast<int>(ResultOf(SysOpen(Path(path), flags, mode)));
}
int OpenAt(int directory, std::string_view path, uint32_t flags, uint32_t mode) {
  return static_cast<int>(ResultOf(SysOpenat(directory, Path(path), flags, mode)));
}
int Close(int fd) { return static_cast<int>(ResultOf(SysClose(fd))); }

int64_t Write(int fd, std::string_view data) {
  return ResultOf(SysWrite(fd, UserIn<std::byte>(UserString(data)), data.size()));
}
int64_t Pwrite(int fd, std::string_view data, int64_t offset) {
  return ResultOf(SysPwrite64(fd, UserIn<std::byte>(UserString(data)), data.size(), offset));
}
int64_t Writev(int fd, std::initializer_list<std::string_view> pieces) {
  const auto memory = AllocateUser(pieces.size() * sizeof(LinuxIovec));
  auto* segments = reinterpret_cast<LinuxIovec*>(memory.data());
  size_t i = 0;
  for (std::string_view piece : pieces) {
    segments[i++] = {.iov_base = UserString(piece), .iov_len = piece.size()};
  }
  return ResultOf(
      SysWritev(fd, UserIn<LinuxIovec>(AddressOf(memory)), static_cast<int32_t>(pieces.size())));
}

Bytes Read(int fd, size_t size) {
  const auto buffer = AllocateUser(size);
  const int64_t result = ResultOf(SysRead(fd, UserOut<std::byte>(AddressOf(buffer)), size));
  return {.result = result,
          .data = result > 0 ? TextOf(buffer, static_cast<size_t>(result)) : std::string()};
}
Bytes Pread(int fd, size_t size, int64_t offset) {
  const auto buffer = AllocateUser(size);
  const int64_t result =
      ResultOf(SysPread64(fd, UserOut<std::byte>(AddressOf(buffer)), size, offset));
  return {.result = result,
          .data = result > 0 ? TextOf(buffer, static_cast<size_t>(result)) : std::string()};
}
int64_t Lseek(int fd, int64_t offset, uint32_t whence) {
  return ResultOf(SysLseek(fd, offset, whence));
}

int64_t Mkdir(std::string_view path, uint32_t mode) { return ResultOf(SysMkdir(Path(path), mode)); }
int64_t Rmdir(std::string_view path) { return ResultOf(SysRmdir(Path(path))); }
int64_t Unlink(std::string_view path) { return ResultOf(SysUnlink(Path(path))); }
int64_t Rename(std::string_view from, std::string_view to, uint32_t flags) {
  return ResultOf(SysRenameat2(kAtCwd, Path(from), kAtCwd, Path(to), flags));
}
int64_t Link(std::string_view from, std::string_view to) {
  return ResultOf(SysLink(Path(from), Path(to)));
}
int64_t Symlink(std::string_view target, std::string_view path) {
  return ResultOf(SysSymlink(Path(target), Path(path)));
}
Bytes Readlink(std::string_view path, int size) {
  const auto buffer = AllocateUser(static_cast<size_t>(std::max(size, 0)));
  const int64_t result = ResultOf(SysReadlink(Path(path), UserOut<char>(AddressOf(buffer)), size));
  return {.result = result,
          .data = result > 0 ? TextOf(buffer, static_cast<size_t>(result)) : std::string()};
}
int64_t Mknod(std::string_view path, uint32_t mode, uint64_t device) {
  return ResultOf(SysMknod(Path(path), mode, device));
}
int64_t Chdir(std::string_view path) { return ResultOf(SysChdir(Path(path))); }
Bytes Getcwd(size_t size) {
  const auto buffer = AllocateUser(size);
  const int64_t result = ResultOf(SysGetcwd(UserOut<char>(AddressOf(buffer)), size));
  return {.result = result,
          .data = result > 0 ? TextOf(buffer, static_cast<size_t>(result) - 1) : std::string()};
}

StatResult Stat(std::string_view path) { return StatWith(SysStat, path); }
StatResult Lstat(std::string_view path) { return StatWith(SysLstat, path); }
StatResult Fstat(int fd) {
  LinuxStat& out = NewUser<LinuxStat>();
  const int64_t result = ResultOf(SysFstat(fd, UserOut<LinuxStat>(AddressOf(out))));
  return {.result = result, .stat = out};
}
int64_t Chmod(std::string_view path, uint32_t mode) { return ResultOf(SysChmod(Path(path), mode)); }
int64_t Chown(std::string_view path, uint32_t user, uint32_t group) {
  return ResultOf(SysChown(Path(path), user, group));
}
int64_t Access(std::string_view path, uint32_t mode) {
  return ResultOf(SysAccess(Path(path), mode));
}
int64_t Truncate(std::string_view path, int64_t size) {
  return ResultOf(SysTruncate(Path(path), size));
}
int64_t Ftruncate(int fd, int64_t size) { return ResultOf(SysFtruncate(fd, size)); }

DirectoryPart Getdents(int fd, size_t size) {
  const auto buffer = AllocateUser(size);
  DirectoryPart part = {.result = ResultOf(SysGetdents64(static_cast<uint32_t>(fd),
                                                         UserOut<std::byte>(AddressOf(buffer)),
                                                         static_cast<uint32_t>(size))),
                        .items = {}};
  for (int64_t at = 0; at < part.result;) {
    const std::byte* const record = buffer.data() + at;
    LinuxDirent64 head;
    std::memcpy(&head, record, kDirent64NameOffset);
    CHECK(head.d_reclen % 8 == 0 && head.d_reclen > kDirent64NameOffset);
    part.items.push_back({.name = reinterpret_cast<const char*>(record + kDirent64NameOffset),
                          .number = head.d_ino,
                          .type = head.d_type,
                          .next = head.d_off});
    at += head.d_reclen;
  }
  return part;
}

std::vector<std::string> ListOf(std::string_view path) {
  std::vector<std::string> names;
  const int fd = Open(path, kO_RDONLY | kO_DIRECTORY);
  CHECK(fd >= 0);
  while (true) {
    const DirectoryPart part = Getdents(fd, 512);
    CHECK(part.result >= 0);
    if (part.result == 0) {
      break;
    }
    for (const DirectoryItem& item : part.items) {
      if (item.name != "." && item.name != "..") {
        names.push_back(item.name);
      }
    }
  }
  Close(fd);
  std::sort(names.begin(), names.end());
  return names;
}

PipePair MakePipePair(uint32_t flags) {
  const auto fds = AllocateUser(2 * sizeof(int32_t));
  CHECK(ResultOf(SysPipe2(UserOut<int32_t>(AddressOf(fds)), flags)) == 0);
  int32_t pair[2];
  std::memcpy(pair, fds.data(), sizeof(pair));
  return {.read = pair[0], .write = pair[1]};
}

int64_t WriteWhole(std::string_view path, std::string_view data) {
  const int fd = Open(path, kO_WRONLY | kO_CREAT | kO_TRUNC);
  if (fd < 0) {
    return fd;
  }
  const int64_t result = Write(fd, data);
  Close(fd);
  return result;
}

std::string ReadWhole(std::string_view path) {
  std::string data;
  const int fd = Open(path);
  CHECK(fd >= 0);
  while (true) {
    const Bytes part = Read(fd, 65536);
    CHECK(part.result >= 0);
    if (part.result == 0) {
      break;
    }
    data += part.data;
  }
  Close(fd);
  return data;
}

}  // namespace nsgx::libos::testing
