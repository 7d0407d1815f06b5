// SPDX-License-Identifier: Apache-2.0
// System calls on files as a program in C would write them. Each returns what the call returns,
// errors as negative numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libos/kernel/errno.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos::testing {

inline constexpr int kAtCwd = kAT_FDCWD;

// The result of a call that fails: `-errno`.
constexpr int64_t Fails(Errno error) { return -static_cast<int64_t>(error); }
int64_t ResultOf(SysResult result);

int Open(std::string_view path, uint32_t flags = kO_RDONLY, uint32_t mode = 0666);
int OpenAt(int directory, std::string_view path, uint32_t flags = kO_RDONLY, uint32_t mode = 0666);
int Close(int fd);

int64_t Write(int fd, std::string_view data);
int64_t Pwrite(int fd, std::string_view data, int64_t offset);
int64_t Writev(int fd, std::initializer_list<std::string_view> pieces);
// The error, or what was read.
struct Bytes {
  int64_t result = 0;
  std::string data = {};

  friend bool operator==(const Bytes&, const Bytes&) = default;
};
// For messages of tests.
void PrintTo(const Bytes& bytes, std::ostream* out);
inline Bytes Got(std::string_view data) {
  return {.result = static_cast<int64_t>(data.size()), .data = std::string(data)};
}
inline Bytes Got(Errno error) { return {.result = Fails(error)}; }
Bytes Read(int fd, size_t size);
Bytes Pread(int fd, size_t size, int64_t offset);
int64_t Lseek(int fd, int64_t offset, uint32_t whence);

int64_t Mkdir(std::string_view path, uint32_t mode = 0777);
int64_t Rmdir(std::string_view path);
int64_t Unlink(std::string_view path);
int64_t Rename(std::string_view from, std::string_view to, uint32_t flags = 0);
int64_t Link(std::string_view from, std::string_view to);
int64_t Symlink(std::string_view target, std::string_view path);
Bytes Readlink(std::string_view path, int size = 4096);
int64_t Mknod(std::string_view path, uint32_t mode, uint64_t device = 0);
int64_t Chdir(std::string_view path);
Bytes Getcwd(size_t size = 4096);

struct StatResult {
  int64_t result;
  LinuxStat stat;
};
StatResult Stat(std::string_view path);
StatResult Lstat(std::string_view path);
StatResult Fstat(int fd);
int64_t Chmod(std::string_view path, uint32_t mode);
int64_t Chown(std::string_view path, uint32_t user, uint32_t group);
int64_t Access(std::string_view path, uint32_t mode);
int64_t Truncate(std::string_view path, int64_t size);
int64_t Ftruncate(int fd, int64_t size);

struct DirectoryItem {
  std::string name;
  uint64_t number;
  uint8_t type;
  int64_t next;

  bool operator==(const DirectoryItem&) const = default;
};
// One getdents64 with a buffer of this size; the error is in `result`.
struct DirectoryPart {
  int64_t result;
  std::vector<DirectoryItem> items;
};
DirectoryPart Getdents(int fd, size_t size);
// All names but "." and "..", sorted.
std::vector<std::string> ListOf(std::string_view path);

struct PipePair {
  int read;
  int write;
};
PipePair MakePipePair(uint32_t flags = 0);

// Whole files.
int64_t WriteWhole(std::string_view path, std::string_view data);
std::string ReadWhole(std::string_view path);

}  // namespace nsgx::libos::testing
