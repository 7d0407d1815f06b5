// SPDX-License-Identifier: Apache-2.0
// The program's memory: what mmap, brk and their kin do. Pages are committed in large steps, ahead
// of small mappings and at the first touch of large ones, so that few calls of the SEH are made;
// memory of small mappings that end is kept for the next.
#pragma once

#include <cstdint>

#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/gate.h"
#include "libos/mm/commit_map.h"
#include "libos/mm/mapped_file.h"
#include "libos/mm/region_tree.h"

namespace nsgx::libos {

enum class Access { kRead, kWrite, kExecute };

enum class FaultResult {
  kResolved,  // the access can be made again
  kNotMapped,
  kNotPermitted,
  kOutOfMemory,  // mapped, but there is no memory for it
};

struct MapRequest {
  enum class Placement { kAnywhere, kFixed, kFixedNoReplace };

  uint64_t hint = 0;  // address, or a wish
  uint64_t size = 0;
  gate::Rights rights = gate::Rights::kNone;
  Placement placement = Placement::kAnywhere;
  bool is_shared = false;
  bool populate = false;
  MappedFile* file = nullptr;  // the region takes a reference of its own
  uint64_t file_offset = 0;
};

class AddressSpace {
 public:
  constexpr AddressSpace() = default;
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  // Once, at boot. [begin, end): what the library OS may commit. The image and what the SEH made
  // lie in [base, begin).
  void Init(uint64_t base, uint64_t begin, uint64_t end);

  // All addresses and sizes given here are the program's, unchecked.
  Result<uint64_t, Errno> Map(MapRequest request);
  Result<void, Errno> Unmap(uint64_t address, uint64_t size);
  // Unmaps what is left of a mapping of `file`, from its beginning on, that was made at `address`.
  // False: there is none.
  bool UnmapFile(const MappedFile& file, uint64_t address, uint64_t size);
  // How many shared mappings the file has; one that was taken apart counts as several.
  size_t MappingCount(const MappedFile& file);
  Result<void, Errno> Protect(uint64_t address, uint64_t size, gate::Rights rights);
  struct RemapRequest {
    uint64_t address;
    uint64_t old_size;
    uint64_t new_size;
    bool may_move;
    bool is_fixed;
    bool keep_old;  // MREMAP_DONTUNMAP: what was there is mapped still, and empty
    uint64_t new_address;
  };
  Result<uint64_t, Errno> Remap(const RemapRequest& request);
  // Contents are not needed any more: zero, or what the file has, at the next access.
  Result<void, Errno> Discard(uint64_t address, uint64_t size);
  // Writes shared mappings of files back.
  Result<void, Errno> Synchronize(uint64_t address, uint64_t size);
  // All of them: the program ends, and files outlive it.
  void SynchronizeAll();
  // ENOMEM unless every page of the range is mapped.
  Result<void, Errno> CheckMapped(uint64_t address, uint64_t size);
  // Whether the page is mapped and committed. ENOMEM: not mapped.
  Result<bool, Errno> IsResident(uint64_t page);
  // Moves the break; returns where it is afterwards, which is where it was if it cannot be moved.
  uint64_t Break(uint64_t wanted);

  FaultResult ResolveFault(uint64_t address, Access access);

  // Copies that mappings have of pages of `file` give way. True: some mapping may write to it.
  bool Recall(MappedFile& file, uint64_t offset, uint64_t size, MappedFile::Recall how);

  // One mapping for /proc: the first that ends behind `address`. False: there is none.
  struct Mapping {
    uint64_t begin, end;
    gate::Rights rights;
    RegionKind kind;
    bool is_shared;
    uint64_t file_offset;
  };
  bool NextMapping(uint64_t address, Mapping* mapping);
  uint64_t mapped_bytes();
  uint64_t committed_bytes();
  uint64_t peak_committed_bytes();
  uint64_t size() const { return end_ - begin_; }
  // Where the enclave's addresses end.
  uint64_t end() const { return end_; }

 private:
  bool IsInside(uint64_t address, uint64_t size) const {
    return address >= begin_ && address <= end_ && size <= end_ - address;
  }
  RegionTree::Hole FindPlace(const MapRequest& request, uint64_t size) REQUIRES(lock_);
  Result<void, Errno> TakeAddresses(uint64_t begin, uint64_t end) REQUIRES(lock_);
  Result<Region*, Errno> AddRegion(const MapRequest& request, uint64_t begin, uint64_t end)
      REQUIRES(lock_);
  Region* MergeWithNeighbours(Region& region) REQUIRES(lock_);
  Result<void, Errno> SplitAt(uint64_t address) REQUIRES(lock_);
  void ForgetRegion(Region& region) REQUIRES(lock_);
  Result<void, Errno> UnmapLocked(uint64_t begin, uint64_t end) REQUIRES(lock_);
  Result<void, Errno> CheckMappedLocked(uint64_t begin, uint64_t end) REQUIRES(lock_);

  // Makes fresh pages: zeros, with these rights. What cannot be committed is left as it was.
  // ENOMEM.
  Result<void, Errno> MakeUsable(uint64_t begin, uint64_t end, gate::Rights rights,
                                 uint64_t ahead_end) REQUIRES(lock_);
  Result<void, Errno> CommitRun(uint64_t begin, uint64_t end, gate::Rights rights) REQUIRES(lock_);
  Result<void, Errno> Prepare(Region& region, uint64_t begin, uint64_t end, uint64_t hole_end,
                              bool populate) REQUIRES(lock_);
  Result<void, Errno> SetRights(uint64_t begin, uint64_t end, gate::Rights rights) REQUIRES(lock_);
  void TrimCommitted(uint64_t begin, uint64_t end) REQUIRES(lock_);
  void Zero(uint64_t begin, uint64_t end, gate::Rights rights) REQUIRES(lock_);
  Result<void, Errno> ReadFile(Region& region) REQUIRES(lock_);

  // Shared mappings of files: shared_file.cc.
  void Share(Region& region) REQUIRES(lock_);
  FaultResult ResolveSharedFault(Region& region, uint64_t page, Access access) REQUIRES(lock_);
  Result<void, Errno> BringPage(Region& region, uint64_t page, Access access, bool is_alone)
      REQUIRES(lock_);
  void RecallFrom(Region& region, uint64_t begin, uint64_t end, MappedFile::Recall how)
      REQUIRES(lock_);
  void RecallFromAll(MappedFile& file, const Region* but, uint64_t offset, uint64_t size,
                     MappedFile::Recall how) REQUIRES(lock_);
  void WriteBack(Region& region, uint64_t begin, uint64_t end) REQUIRES(lock_);

  uint64_t base_ = 0;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
  uint64_t break_limit_ = 0;  // how far brk may go
  uint64_t large_begin_ = 0;  // large mappings are placed behind this

  SpinLock lock_;
  RegionTree regions_ GUARDED_BY(lock_);
  CommitMap committed_ GUARDED_BY(lock_);
  CommitMap lent_for_writing_ GUARDED_BY(lock_);  // copies that a shared mapping may write to
  uint64_t break_ GUARDED_BY(lock_) = 0;
  uint64_t mapped_bytes_ GUARDED_BY(lock_) = 0;
  uint64_t committed_bytes_ GUARDED_BY(lock_) = 0;
  uint64_t peak_committed_bytes_ GUARDED_BY(lock_) = 0;
};

AddressSpace& Memory();

inline FaultResult ResolveFault(uint64_t address, Access access) {
  return Memory().ResolveFault(address, access);
}

}  // namespace nsgx::libos
