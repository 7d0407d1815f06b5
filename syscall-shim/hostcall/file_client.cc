// SPDX-License-Identifier: Apache-2.0
// The enclave's side of the calls on files: libos/host/files.h over the gate.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "libos/host/files.h"
#include "syscall-shim/hostcall/gate_calls.h"

namespace nsgx::libos::host {
namespace {

using shim::HostCall;

constexpr size_t kMaxName = 255;
constexpr uint32_t kTypeBits = 0170000;
constexpr uint32_t kModeBits = 0177777;
constexpr uint64_t kMaxNumber = INT64_MAX;

bool IsType(uint32_t type) {
  constexpr uint32_t kTypes[] = {0010000, 0020000, 0040000, 0060000, 0100000, 0120000, 0140000};
  return std::ranges::find(kTypes, type) != std::end(kTypes);
}

bool IsWellFormed(const shim::FileRecord& record) {
  constexpr uint32_t kSecond = 1'000'000'000;
  return record.token < kFileTokenLimit && (record.mode & ~kModeBits) == 0 &&
         IsType(record.mode & kTypeBits) && record.is_own <= 1 && record.size <= kMaxNumber &&
         record.blocks <= kMaxNumber && record.block_size >= 512 &&
         record.block_size <= (1u << 20) && std::has_single_bit(record.block_size) &&
         record.access_nanoseconds < kSecond && record.modification_nanoseconds < kSecond &&
         record.change_nanoseconds < kSecond;
}

// One record is in the window.
Result<FileFacts, Errno> TakeFacts(HostCall call, uint64_t count) {
  if (count != 1) {
    return IllegalContents(call);
  }
  shim::FileRecord record;
  TRY(CopyFromWindow(MutableBytesOf(record)));
  if (!IsWellFormed(record)) {
    return IllegalContents(call);
  }
  return FileFacts{
      .token = record.token,
      .mode = record.mode,
      .links = record.links,
      .is_own = record.is_own != 0,
      .device = record.device,
      .number = record.number,
      .size = record.size,
      .blocks = record.blocks,
      .block_size = record.block_size,
      .access = {record.access_seconds, record.access_nanoseconds},
      .modification = {record.modification_seconds, record.modification_nanoseconds},
      .change = {record.change_seconds, record.change_nanoseconds},
  };
}

// Puts `first` into the window and, if there is one, a NUL and `second`; returns the size.
Result<uint64_t, Errno> PutText(std::string_view first, std::string_view second, bool has_second) {
  CHECK(first.size() <= kMaxName);
  TRY(CopyToWindow(BytesOf(first)));
  if (!has_second) {
    return uint64_t{first.size()};
  }
  constexpr std::byte kNul = {};
  TRY(CopyToWindow(std::span(&kNul, 1), first.size()));
  TRY(CopyToWindow(BytesOf(second), first.size() + 1));
  return uint64_t{first.size() + 1 + second.size()};
}

bool IsName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos &&
         name.find('\0') == name.npos;
}

}  // namespace

Result<FileMount, Errno> GetFileMount(uint32_t index, std::span<char> buffer) {
  const size_t room =
      TRY(PartOf(sizeof(shim::FileMountRecord) + buffer.size(), HostCall::kFileMount, 1));
  const uint64_t size = TRY(CallFileMount({index, room}));
  shim::FileMountRecord record;
  if (size <= sizeof(record)) {
    return IllegalContents(HostCall::kFileMount);
  }
  TRY(CopyFromWindow(MutableBytesOf(record)));
  if (record.token >= kFileTokenLimit || record.is_writable > 1) {
    return IllegalContents(HostCall::kFileMount);
  }
  const std::span<char> target = buffer.first(size - sizeof(record));
  TRY(CopyFromWindow(std::as_writable_bytes(target), sizeof(record)));
  return FileMount{.root = record.token,
                   .is_writable = record.is_writable != 0,
                   .target = {target.data(), target.size()}};
}

Result<FileFacts, Errno> FileLookUp(FileToken directory, std::string_view name) {
  const uint64_t size = TRY(PutText(name, {}, false));
  return TakeFacts(HostCall::kFileLookUp, TRY(CallFileLookUp({directory, size, 1})));
}

Result<FileFacts, Errno> FileMake(FileToken directory, std::string_view name, uint32_t mode,
                                  std::string_view target) {
  const uint64_t size = TRY(PutText(name, target, !target.empty()));
  const FileFacts facts =
      TRY(TakeFacts(HostCall::kFileMake, TRY(CallFileMake({directory, mode, size, 1}))));
  if ((facts.mode & kTypeBits) != (mode & kTypeBits)) {
    return IllegalContents(HostCall::kFileMake);
  }
  return facts;
}

Result<void, Errno> FileLink(FileToken file, FileToken directory, std::string_view name) {
  const uint64_t size = TRY(PutText(name, {}, false));
  TRY(CallFileLink({file, directory, size}));
  return {};
}

Result<void, Errno> FileRemove(FileToken directory, std::string_view name, bool is_directory) {
  const uint64_t size = TRY(PutText(name, {}, false));
  TRY(CallFileRemove({directory, is_directory, size}));
  return {};
}

Result<void, Errno> FileRename(FileToken from, std::string_view name, FileToken to,
                               std::string_view to_name, uint32_t flags) {
  const uint64_t size = TRY(PutText(name, to_name, true));
  TRY(CallFileRename({from, to, flags, size}));
  return {};
}

Result<std::string_view, Errno> FileReadLink(FileToken link, std::span<char> buffer) {
  const size_t room = TRY(PartOf(buffer.size(), HostCall::kFileReadLink, 1));
  const std::span<char> out = buffer.first(TRY(CallFileReadLink({link, room})));
  TRY(CopyFromWindow(std::as_writable_bytes(out)));
  const std::string_view text(out.data(), out.size());
  if (text.empty() || text.find('\0') != text.npos) {
    return IllegalContents(HostCall::kFileReadLink);
  }
  return text;
}

Result<bool, Errno> FileList(FileToken directory, uint64_t* position, FileEntrySink& sink) {
  constexpr size_t kRoom = 65536;
  const size_t room = TRY(PartOf(kRoom, HostCall::kFileList, 2));
  const uint64_t size = TRY(CallFileList({directory, *position, room}));
  for (size_t at = 0; at < size;) {
    shim::FileEntryRecord record;
    std::array<char, kMaxName> name;
    if (size - at < sizeof(record)) {
      return IllegalContents(HostCall::kFileList);
    }
    TRY(CopyFromWindow(MutableBytesOf(record), at));
    at += sizeof(record);
    if (record.next > kMaxNumber || record.name_size > size - at) {
      return IllegalContents(HostCall::kFileList);
    }
    TRY(CopyFromWindow(std::as_writable_bytes(std::span(name).first(record.name_size)), at));
    at += record.name_size;
    const std::string_view text(name.data(), record.name_size);
    if (!IsName(text) || (record.type != 0 && !IsType(static_cast<uint32_t>(record.type) << 12))) {
      return IllegalContents(HostCall::kFileList);
    }
    if (!sink.Add(text, record.number, record.type)) {
      return false;
    }
    *position = record.next;
  }
  return size != 0;
}

Result<FileFacts, Errno> FileStatus(FileToken token) {
  const FileFacts facts = TRY(TakeFacts(HostCall::kFileStatus, TRY(CallFileStatus({token, 1}))));
  if (facts.token != token) {
    return IllegalContents(HostCall::kFileStatus);
  }
  return facts;
}

Result<void, Errno> ChangeFile(FileToken token, const FileChange& change) {
  shim::FileChangeRecord record = {};
  if (change.permissions != nullptr) {
    record.what |= shim::kFileChangePermissions;
    record.permissions = *change.permissions;
  }
  if (change.access != nullptr) {
    record.what |= shim::kFileChangeAccessTime;
    record.access_seconds = change.access->seconds;
    record.access_nanoseconds = change.access->nanoseconds;
  }
  if (change.modification != nullptr) {
    record.what |= shim::kFileChangeModificationTime;
    record.modification_seconds = change.modification->seconds;
    record.modification_nanoseconds = change.modification->nanoseconds;
  }
  TRY(CopyToWindow(BytesOf(record)));
  TRY(CallFileChange({token, 1}));
  return {};
}

Result<FileSpace, Errno> GetFileSpace(FileToken token) {
  if (TRY(CallFileSpace({token, 1})) != 1) {
    return IllegalContents(HostCall::kFileSpace);
  }
  shim::FileSpaceRecord record;
  TRY(CopyFromWindow(MutableBytesOf(record)));
  for (const uint64_t number : {record.block_size, record.blocks, record.free_blocks,
                                record.available_blocks, record.files, record.free_files}) {
    if (number > kMaxNumber) {
      return IllegalContents(HostCall::kFileSpace);
    }
  }
  return FileSpace{.block_size = record.block_size,
                   .blocks = record.blocks,
                   .free_blocks = record.free_blocks,
                   .available_blocks = record.available_blocks,
                   .files = record.files,
                   .free_files = record.free_files};
}

Result<void, Errno> FileOpen(FileToken file, bool read, bool write) {
  TRY(CallFileOpen({file, (read ? shim::kFileOpenRead : 0) | (write ? shim::kFileOpenWrite : 0)}));
  return {};
}

Result<size_t, Errno> FileRead(FileToken file, uint64_t offset, size_t size, FileSink& sink) {
  const size_t part = TRY(PartOf(size, HostCall::kFileRead, 2));
  const size_t count = TRY(CallFileRead({file, offset, part}));
  return count == 0 ? 0 : sink.Put(WindowMemory().first(count));
}

Result<size_t, Errno> FileWrite(FileToken file, uint64_t offset, size_t size, FileSource& source) {
  const size_t part = TRY(PartOf(size, HostCall::kFileWrite, 2));
  const size_t filled = source.Fill(WindowMemory().first(part));
  if (filled == 0) {
    return size_t{0};
  }
  const size_t count = TRY(CallFileWrite({file, offset, filled}));
  if (count == 0) {
    return IllegalContents(HostCall::kFileWrite);  // Linux writes something, or says why not
  }
  return count;
}

Result<void, Errno> FileResize(FileToken file, uint64_t size) {
  TRY(CallFileResize({file, size}));
  return {};
}

Result<void, Errno> FileAllocate(FileToken file, uint32_t mode, uint64_t offset, uint64_t size) {
  TRY(CallFileAllocate({file, mode, offset, size}));
  return {};
}

Result<uint64_t, Errno> FileSeek(FileToken file, uint32_t whence, uint64_t offset) {
  const uint64_t found = TRY(CallFileSeek({file, whence, offset}));
  if (found < offset) {
    return IllegalContents(HostCall::kFileSeek);
  }
  return found;
}

Result<void, Errno> FileSync(FileToken file, FileSyncKind kind) {
  TRY(CallFileSync({file, static_cast<uint64_t>(kind)}));
  return {};
}

void FileRelease(std::span<const FileToken> tokens) {
  CHECK(tokens.size() <= kMaxReleased);
  if (tokens.empty() || !CopyToWindow(std::as_bytes(tokens)).ok()) {
    return;
  }
  // Whatever the host makes of it is its own affair.
  static_cast<void>(CallFileRelease({tokens.size()}));
}

}  // namespace nsgx::libos::host
