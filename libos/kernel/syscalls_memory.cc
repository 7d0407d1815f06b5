// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include "base/core/log.h"
#include "libos/kernel/syscalls.h"
#include "libos/mm/address_space.h"
#include "libos/mm/mapped_file.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kPage = 4096;

enum : int32_t { kProtRead = 1, kProtWrite = 2, kProtExec = 4, kProtAll = 7 };
enum : int32_t {
  kMapShared = 0x01,
  kMapPrivate = 0x02,
  kMapSharedValidate = 0x03,
  kMapTypeMask = 0x0f,
  kMapFixed = 0x10,
  kMapAnonymous = 0x20,
  kMapGrowsDown = 0x100,
  kMapPopulate = 0x8000,
  kMapHugeTlb = 0x40000,
  kMapFixedNoReplace = 0x100000,
};

// A program seldom says why it ends when memory does.
void TellOutOfMemory(uint64_t size) {
  static constinit std::atomic<bool> told{false};
  // What can never fit is the program's own affair.
  if (size > Memory().size() || told.exchange(true)) {
    return;
  }
  LOG(kWarning, "out of memory: no room for ", size >> 20, " MiB more, ",
      Memory().mapped_bytes() >> 20, " MiB are mapped in an address range of ",
      Memory().size() >> 20, " MiB; raise address_range in the enclave's configuration");
}

Result<uint64_t, Errno> MapOrTell(const MapRequest& request) {
  auto mapped = Memory().Map(request);
  if (!mapped.ok() && mapped.error() == Errno::kENOMEM) {
    TellOutOfMemory(request.size);
  }
  return mapped;
}

bool IsPageAligned(uint64_t value) { return value % kPage == 0; }

// EACCES: write and execute at once, which the SEH gives to nobody. EINVAL: unknown bits.
Result<gate::Rights, Errno> RightsOf(int32_t protection) {
  constexpr int32_t kGrowsBits = 0x03000000;  // PROT_GROWSDOWN, PROT_GROWSUP
  if ((protection & ~kProtAll & ~kGrowsBits) != 0) {
    return Error(Errno::kEINVAL);
  }
  if ((protection & kProtWrite) != 0 && (protection & kProtExec) != 0) {
    static constinit bool told = false;
    if (!told) {
      told = true;
      LOG(kWarning, "memory that is writable and executable at once is refused");
    }
    return Error(Errno::kEACCES);
  }
  if ((protection & kProtWrite) != 0) {
    return gate::Rights::kReadWrite;
  }
  if ((protection & kProtExec) != 0) {
    return gate::Rights::kReadExecute;
  }
  return (protection & kProtRead) != 0 ? gate::Rights::kRead : gate::Rights::kNone;
}

}  // namespace

SysResult SysMmap(uint64_t address, size_t size, int32_t protection, int32_t flags, int32_t fd,
                  uint64_t offset) {
  const int32_t type = flags & kMapTypeMask;
  if ((type != kMapShared && type != kMapPrivate && type != kMapSharedValidate) ||
      !IsPageAligned(offset)) {
    return Error(Errno::kEINVAL);
  }
  MapRequest request;
  request.rights = TRY(RightsOf(protection));
  request.hint = address & ~(kPage - 1);
  request.size = size;
  request.is_shared = type != kMapPrivate;
  request.populate = (flags & kMapPopulate) != 0;
  if ((flags & kMapFixedNoReplace) != 0) {
    request.placement = MapRequest::Placement::kFixedNoReplace;
    request.hint = address;
  } else if ((flags & kMapFixed) != 0) {
    request.placement = MapRequest::Placement::kFixed;
    request.hint = address;
  }
  if ((flags & kMapAnonymous) != 0) {
    return static_cast<int64_t>(TRY(MapOrTell(request)));
  }
  if ((flags & kMapHugeTlb) != 0 || size == 0) {
    return Error(Errno::kEINVAL);
  }
  request.file =
      TRY(OpenForMapping(fd, request.is_shared && request.rights == gate::Rights::kReadWrite));
  request.file_offset = offset;
  auto mapped = MapOrTell(request);
  request.file->DropMappingReference();
  return static_cast<int64_t>(TRY(std::move(mapped)));
}

SysResult SysMunmap(uint64_t address, size_t size) {
  TRY(Memory().Unmap(address, size));
  return 0;
}

SysResult SysMprotect(uint64_t address, size_t size, int32_t protection) {
  TRY(Memory().Protect(address, size, TRY(RightsOf(protection))));
  return 0;
}

SysResult SysMremap(uint64_t address, size_t old_size, size_t new_size, uint32_t flags,
                    uint64_t new_address) {
  enum : uint32_t { kMayMove = 1, kFixed = 2, kDontUnmap = 4 };
  const bool keep_old = (flags & kDontUnmap) != 0;
  if ((flags & ~uint32_t{kMayMove | kFixed | kDontUnmap}) != 0 ||
      ((flags & (kFixed | kDontUnmap)) != 0 && (flags & kMayMove) == 0) ||
      (keep_old && old_size != new_size)) {
    return Error(Errno::kEINVAL);
  }
  return static_cast<int64_t>(TRY(Memory().Remap({.address = address,
                                                  .old_size = old_size,
                                                  .new_size = new_size,
                                                  .may_move = (flags & kMayMove) != 0,
                                                  .is_fixed = (flags & kFixed) != 0,
                                                  .keep_old = keep_old,
                                                  .new_address = new_address})));
}

SysResult SysMadvise(uint64_t address, size_t size, int32_t advice) {
  enum : int32_t {
    kNormal = 0,
    kWillNeed = 3,
    kDontNeed = 4,
    kFree = 8,
    kRemove = 9,
    kLastOfFirst = 4,
    kDontFork = 10,
    kPageOut = 21,
    kPopulateRead = 22,
    kPopulateWrite = 23,
    kDontNeedLocked = 24,
    kCollapse = 25
  };
  if (!IsPageAligned(address)) {
    return Error(Errno::kEINVAL);
  }
  switch (advice) {
    case kDontNeed:
    case kDontNeedLocked:
    case kRemove:
      TRY(Memory().Discard(address, size));
      return 0;
    case kFree:
      // Any time later would do. Memory that is worth the call is given back now.
      if (size >= uint64_t{2} << 20) {
        TRY(Memory().Discard(address, size));
        return 0;
      }
      break;
    default:
      if ((advice > kLastOfFirst && advice < kFree) || advice < kNormal || advice > kCollapse) {
        return Error(Errno::kEINVAL);
      }
      break;
  }
  TRY(Memory().CheckMapped(address, size));
  return 0;
}

SysResult SysMsync(uint64_t address, size_t size, int32_t flags) {
  enum : int32_t { kAsync = 1, kInvalidate = 2, kSync = 4 };
  if (!IsPageAligned(address) || (flags & ~(kAsync | kInvalidate | kSync)) != 0 ||
      ((flags & kAsync) != 0 && (flags & kSync) != 0)) {
    return Error(Errno::kEINVAL);
  }
  TRY(Memory().Synchronize(address, size));
  return 0;
}

SysResult SysMincore(uint64_t address, size_t size, UserOut<uint8_t> pages) {
  if (!IsPageAligned(address)) {
    return Error(Errno::kEINVAL);
  }
  for (uint64_t page = 0; page * kPage < size; ++page) {
    const uint8_t resident = TRY(Memory().IsResident(address + page * kPage)) ? 1 : 0;
    TRY(Write(pages, resident, page));
  }
  return 0;
}

SysResult SysBrk(uint64_t address) { return static_cast<int64_t>(Memory().Break(address)); }

// The library OS swaps nothing out. What is locked must be there, though, or be refused.
SysResult SysMlock(uint64_t address, size_t size) {
  TRY(Memory().CheckMapped(address, size));
  return 0;
}
SysResult SysMlock2(uint64_t address, size_t size, uint32_t flags) {
  constexpr uint32_t kOnFault = 1;
  if ((flags & ~kOnFault) != 0) {
    return Error(Errno::kEINVAL);
  }
  return SysMlock(address, size);
}
SysResult SysMunlock(uint64_t address, size_t size) { return SysMlock(address, size); }
SysResult SysMlockall(uint32_t flags) {
  constexpr uint32_t kKnown = 7;
  if (flags == 0 || (flags & ~kKnown) != 0) {
    return Error(Errno::kEINVAL);
  }
  return 0;
}
SysResult SysMunlockall() { return 0; }

}  // namespace nsgx::libos
