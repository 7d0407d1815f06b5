// SPDX-License-Identifier: Apache-2.0
// Files of the host, as the library OS sees them: objects of the folders that the operator has
// mounted. syscall-shim/hostcall implements it over the gate; unit tests implement it in memory.
//
// Everything that is told here is a claim of the untrusted host and has passed the checks of form
// that are named; what a file holds, how large it is and what names there are, is for the host to
// say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos::host {

// Stands for one object of the host until it is released. Below kFileTokenLimit; whether the host
// has given the same one out before is for the caller to check.
using FileToken = uint32_t;
inline constexpr uint32_t kFileTokenLimit = 1u << 24;

struct FileMoment {
  int64_t seconds;
  uint32_t nanoseconds;  // below a second
};

struct FileFacts {
  FileToken token;
  uint32_t mode;  // one of the types that there are, and permissions
  uint32_t links;
  bool is_own;  // of the user who runs the enclave
  // Together the same for the same object.
  uint64_t device;
  uint64_t number;
  uint64_t size;  // at most INT64_MAX, as `blocks`
  uint64_t blocks;
  uint32_t block_size;  // 512 to 1 MiB, a power of two
  FileMoment access;
  FileMoment modification;
  FileMoment change;
};

// Bytes come and go in memory that the host can change meanwhile: each is to be read, or written,
// once.
class FileSink {
 public:
  // Takes bytes; returns how many.
  virtual size_t Put(std::span<const std::byte> bytes) = 0;

 protected:
  ~FileSink() = default;
};
class FileSource {
 public:
  // Fills the beginning of `room`; returns how much of it.
  virtual size_t Fill(std::span<std::byte> room) = 0;

 protected:
  ~FileSource() = default;
};

struct FileMount {
  FileToken root;
  bool is_writable;
  std::string_view target;  // in the caller's buffer; any bytes
};
// The mount number `index`. ENOENT: there are no more.
Result<FileMount, Errno> GetFileMount(uint32_t index, std::span<char> buffer);

// ---- names. Each is 1 to 255 bytes.
Result<FileFacts, Errno> FileLookUp(FileToken directory, std::string_view name);
// `mode` with the type, which the new object has: a regular file, ready for both directions, a
// directory or a symbolic link with the text `target`. An empty name: a file without one.
Result<FileFacts, Errno> FileMake(FileToken directory, std::string_view name, uint32_t mode,
                                  std::string_view target);
Result<void, Errno> FileLink(FileToken file, FileToken directory, std::string_view name);
Result<void, Errno> FileRemove(FileToken directory, std::string_view name, bool is_directory);
// `flags` as of renameat2: 0, not over something (1), exchange (2).
Result<void, Errno> FileRename(FileToken from, std::string_view name, FileToken to,
                               std::string_view to_name, uint32_t flags);
// The text of a link: no NUL in it, not empty.
Result<std::string_view, Errno> FileReadLink(FileToken link, std::span<char> buffer);

class FileEntrySink {
 public:
  // A name of 1 to 255 bytes without slash and NUL, neither "." nor ".."; `type` as getdents has
  // it. False: no more are wanted.
  virtual bool Add(std::string_view name, uint64_t number, uint8_t type) = 0;

 protected:
  ~FileEntrySink() = default;
};
// Entries from `*position` on, which moves; 0 is the start. False: that was all.
Result<bool, Errno> FileList(FileToken directory, uint64_t* position, FileEntrySink& sink);

// ---- attributes
// The facts have the same token.
Result<FileFacts, Errno> FileStatus(FileToken token);
struct FileChange {
  const uint32_t* permissions = nullptr;
  const FileMoment* access = nullptr;
  const FileMoment* modification = nullptr;
};
Result<void, Errno> ChangeFile(FileToken token, const FileChange& change);

struct FileSpace {
  uint64_t block_size, blocks, free_blocks, available_blocks, files, free_files;
};
Result<FileSpace, Errno> GetFileSpace(FileToken token);

// ---- data of regular files
Result<void, Errno> FileOpen(FileToken file, bool read, bool write);
// One call's worth, at most `size` bytes, not 0; returns how many the sink took. 0 is the end, or a
// sink that takes nothing.
Result<size_t, Errno> FileRead(FileToken file, uint64_t offset, size_t size, FileSink& sink);
// One call's worth of what the source has, at most `size` bytes, not 0; returns how many the host
// has written. 0: the source gave nothing.
Result<size_t, Errno> FileWrite(FileToken file, uint64_t offset, size_t size, FileSource& source);
Result<void, Errno> FileResize(FileToken file, uint64_t size);
// `mode`, `whence` as of fallocate and lseek.
Result<void, Errno> FileAllocate(FileToken file, uint32_t mode, uint64_t offset, uint64_t size);
Result<uint64_t, Errno> FileSeek(FileToken file, uint32_t whence, uint64_t offset);
enum class FileSyncKind : uint32_t { kAll = 0, kData = 1, kFileSystem = 2 };
Result<void, Errno> FileSync(FileToken file, FileSyncKind kind);

// At most kMaxReleased tokens, which are not used any more.
inline constexpr size_t kMaxReleased = 64;
void FileRelease(std::span<const FileToken> tokens);

}  // namespace nsgx::libos::host
