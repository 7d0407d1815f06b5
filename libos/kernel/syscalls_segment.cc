// SPDX-License-Identifier: Apache-2.0
// System V shared memory: segments are files in memory without a name, attached by mapping them.
#include <cstring>
#include <utility>

#include "base/core/addr.h"
#include "base/core/align.h"
#include "libos/kernel/process.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/system_v.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/address_space.h"
#include "libos/mm/mapped_file.h"
#include "libos/vfs/file.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/memory_file.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {
namespace {

constexpr size_t kMostSegments = 4096;  // as Linux has it

constexpr uint32_t kSHM_HUGETLB = 04000;
constexpr uint32_t kSHM_RDONLY = 010000;
constexpr uint32_t kSHM_RND = 020000;
constexpr uint32_t kSHM_REMAP = 040000;
constexpr uint32_t kSHM_EXEC = 0100000;
constexpr int32_t kSHM_LOCK = 11;
constexpr int32_t kSHM_UNLOCK = 12;
constexpr uint32_t kSHM_DEST = 01000;  // a bit of the mode: ends with its last attachment
constexpr uint32_t kSHM_LOCKED = 02000;

// struct shmid_ds.
struct LinuxShmidDs {
  LinuxIpcPerm permission;
  uint64_t size;
  int64_t attach_time;
  int64_t detach_time;
  int64_t change_time;
  int32_t creator;
  int32_t last;
  uint64_t attachments;
  uint64_t unused[2];
};
static_assert(sizeof(LinuxShmidDs) == 112);

class Segment final : public SystemVObject {
 public:
  Segment(int32_t key, uint32_t flags, Ref<File> file, MappedFile& mapping, uint64_t size)
      : SystemVObject(key, flags), file_(std::move(file)), mapping_(mapping), size_(size) {}

  uint64_t size() const { return size_; }
  uint64_t mapped_size() const { return AlignUp(size_, kPageSize); }
  MappedFile& mapping() const { return mapping_; }

  bool is_removed = false;  // ends when nobody has it attached
  bool is_locked = false;
  int64_t attach_time = 0;
  int64_t detach_time = 0;
  int32_t last = 0;

 private:
  const Ref<File> file_;
  MappedFile& mapping_;
  const uint64_t size_;
};

[[clang::no_destroy]] constinit SystemVObjects<Segment, kMostSegments> segments;

Result<Segment*, Errno> MakeSegment(int32_t key, uint32_t flags, uint64_t size) {
  Ref<File> file = TRY(MakeMemoryFile("SYSV", 0));
  // Up to whole pages, so that all that is mapped can be touched.
  TRY(file->inode().Truncate(AlignUp(size, kPageSize)));
  MappedFile* const mapping = file->object().Mapping(*file);
  if (mapping == nullptr) {
    return Error(Errno::kENOMEM);
  }
  return New<Segment>(key, flags, std::move(file), *mapping, size);
}

// Those that are removed and no longer attached are taken out, to be deleted without the lock.
// munmap may have ended an attachment, too, so this is looked at when somebody is about to care.
void TakeEnded(IntrusiveList<Segment>& ended) REQUIRES(segments.lock) {
  const auto has_ended = [](const Segment& segment) {
    return segment.is_removed && Memory().MappingCount(segment.mapping()) == 0;
  };
  while (Segment* const segment = segments.FindIf(has_ended)) {
    segments.Remove(*segment);
    ended.PushBack(*segment);
  }
}
void DeleteAll(IntrusiveList<Segment>& ended) {
  while (Segment* const segment = ended.PopFront()) {
    Delete(segment);
  }
}

struct Attachment {
  gate::Rights rights;
  uint32_t access;
};
// EACCES: writable and executable at once, which no memory is.
Result<Attachment, Errno> AttachmentFor(uint32_t flags) {
  const bool is_executable = (flags & kSHM_EXEC) != 0;
  const uint32_t execute = is_executable ? 0111u : 0u;
  if ((flags & kSHM_RDONLY) != 0) {
    return Attachment{.rights = is_executable ? gate::Rights::kReadExecute : gate::Rights::kRead,
                      .access = kSystemVRead | execute};
  }
  if (is_executable) {
    return Error(Errno::kEACCES);
  }
  return Attachment{.rights = gate::Rights::kReadWrite, .access = kSystemVRead | kSystemVWrite};
}

Result<uint64_t, Errno> PlaceFor(uint64_t address, uint32_t flags) {
  if (IsAligned(address, kPageSize)) {
    return address == 0 && (flags & kSHM_REMAP) != 0 ? Error(Errno::kEINVAL)
                                                     : Result<uint64_t, Errno>(address);
  }
  const uint64_t rounded = AlignDown(address, kPageSize);
  if ((flags & kSHM_RND) == 0 || (rounded == 0 && (flags & kSHM_REMAP) != 0)) {
    return Error(Errno::kEINVAL);
  }
  return rounded;
}

SysResult TellStatus(int32_t id, UserOut<LinuxShmidDs> out) {
  LinuxShmidDs status = {};
  {
    SpinLockGuard guard(segments.lock);
    const Segment& segment = *TRY(segments.FindFor(id, kSystemVRead));
    status.permission = segment.permission();
    status.permission.mode |=
        (segment.is_removed ? kSHM_DEST : 0) | (segment.is_locked ? kSHM_LOCKED : 0);
    status.size = segment.size();
    status.attach_time = segment.attach_time;
    status.detach_time = segment.detach_time;
    status.change_time = segment.change_time;
    status.creator = kProcessId;
    status.last = segment.last;
    status.attachments = Memory().MappingCount(segment.mapping());
  }
  TRY(Write(out, status));
  return 0;
}

SysResult ChangeStatus(int32_t id, UserIn<LinuxShmidDs> from) {
  const LinuxShmidDs wanted = TRY(Read(from));
  const int64_t now = SystemVNow();
  SpinLockGuard guard(segments.lock);
  Segment& segment = *TRY(segments.FindOwned(id));
  segment.ChangePermission(wanted.permission);
  segment.change_time = now;
  return 0;
}

// RMID, LOCK and UNLOCK.
SysResult ChangeState(int32_t id, int32_t command) {
  IntrusiveList<Segment> ended;
  {
    SpinLockGuard guard(segments.lock);
    Segment& segment = *TRY(segments.FindOwned(id));
    if (command == kIPC_RMID) {
      segment.is_removed = true;
      segment.ForgetKey();
    } else {
      segment.is_locked = command == kSHM_LOCK;
    }
    TakeEnded(ended);
  }
  DeleteAll(ended);
  return 0;
}

}  // namespace

SysResult SysShmget(int32_t key, uint64_t size, uint32_t flags) {
  constexpr uint64_t kMostBytes = uint64_t{1} << 47;  // more than any address range has
  if ((flags & kSHM_HUGETLB) != 0) {
    return Error(Errno::kEINVAL);
  }
  return int64_t{TRY(segments.FindOrMake(
      key, flags,
      [&](Segment& there) -> Result<void, Errno> {
        if (size > there.size()) {
          return Error(Errno::kEINVAL);
        }
        return {};
      },
      [&]() -> Result<Segment*, Errno> {
        if (size == 0 || size > kMostBytes) {
          return Error(Errno::kEINVAL);
        }
        return MakeSegment(key, flags, size);
      }))};
}

SysResult SysShmat(int32_t id, uint64_t address, uint32_t flags) {
  const uint64_t place = TRY(PlaceFor(address, flags));
  const Attachment wanted = TRY(AttachmentFor(flags));
  const int64_t now = SystemVNow();
  SpinLockGuard guard(segments.lock);
  Segment& segment = *TRY(segments.FindFor(id, wanted.access));
  MapRequest request;
  request.hint = place;
  request.size = segment.mapped_size();
  request.rights = wanted.rights;
  request.is_shared = true;
  request.file = &segment.mapping();
  request.placement = address == 0                ? MapRequest::Placement::kAnywhere
                      : (flags & kSHM_REMAP) != 0 ? MapRequest::Placement::kFixed
                                                  : MapRequest::Placement::kFixedNoReplace;
  auto mapped = Memory().Map(request);
  if (!mapped.ok()) {
    return Error(mapped.error() == Errno::kEEXIST ? Errno::kEINVAL : mapped.error());
  }
  segment.attach_time = now;
  segment.last = kProcessId;
  return static_cast<int64_t>(mapped.value());
}

SysResult SysShmdt(uint64_t address) {
  const int64_t now = SystemVNow();
  IntrusiveList<Segment> ended;
  {
    SpinLockGuard guard(segments.lock);
    Segment* const segment = segments.FindIf([&](const Segment& one) {
      return Memory().UnmapFile(one.mapping(), address, one.mapped_size());
    });
    if (segment == nullptr) {
      return Error(Errno::kEINVAL);
    }
    segment->detach_time = now;
    segment->last = kProcessId;
    TakeEnded(ended);
  }
  DeleteAll(ended);
  return 0;
}

SysResult SysShmctl(int32_t id, int32_t command, UserOut<std::byte> argument) {
  switch (command) {
    case kIPC_SET:
      return ChangeStatus(id, UserIn<LinuxShmidDs>(argument.address()));
    case kIPC_STAT:
      return TellStatus(id, UserOut<LinuxShmidDs>(argument.address()));
    case kIPC_RMID:
    case kSHM_LOCK:
    case kSHM_UNLOCK:
      return ChangeState(id, command);
    default:
      return Error(Errno::kEINVAL);
  }
}

}  // namespace nsgx::libos
