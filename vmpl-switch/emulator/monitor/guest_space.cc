// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/guest_space.h"

#include <algorithm>

#include "base/core/mem_raw.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kPresent = 1 << 0;
constexpr uint64_t kWritable = 1 << 1;
constexpr uint64_t kUser = 1 << 2;
constexpr uint64_t kLarge = 1 << 7;
constexpr uint64_t kNoExecute = uint64_t{1} << 63;
constexpr uint64_t kFrame = 0x000ffffffffff000 & ~kEncryptionBit;
constexpr int kTopLevel = 3;

// Page-fault error code.
constexpr uint32_t kErrorPresent = 1 << 0;
constexpr uint32_t kErrorWrite = 1 << 1;
constexpr uint32_t kErrorUser = 1 << 2;
constexpr uint32_t kErrorFetch = 1 << 4;

}  // namespace

Result<Translation, SpaceFault> GuestSpace::Translate(GuestVirt address, AccessKind kind,
                                                      bool is_user) const {
  if (!is_paging()) {
    return Translation{.address = GuestPhys(address.raw()), .is_private = true};
  }
  if ((state_.efer & kEferLongActive) == 0 || (state_.cr4 & kCr4La57) != 0) {
    return Error(SpaceFault{.kind = SpaceFault::Kind::kUnsupported});
  }
  const uint32_t error = (kind == AccessKind::kWrite ? kErrorWrite : 0) |
                         (kind == AccessKind::kExecute ? kErrorFetch : 0) |
                         (is_user ? kErrorUser : 0);
  const auto page_fault = [error](uint32_t present) {
    return Error(SpaceFault{.kind = SpaceFault::Kind::kPageFault, .error_code = error | present});
  };
  uint64_t table = state_.cr3 & kFrame;
  bool can_write = true;
  bool user = true;
  bool no_execute = false;
  for (int level = kTopLevel; level >= 0; --level) {
    const Page page = PageOf(GuestPhys(table));
    const RmpFault fault = rmp_.Check(page, vmpl_, true, AccessKind::kRead);
    if (fault != RmpFault::kNone) {
      return Error(SpaceFault{.kind = SpaceFault::Kind::kRmp, .rmp = fault, .page = page});
    }
    const int shift = 12 + 9 * level;
    const uint64_t index = address.raw() >> shift & 511;
    uint64_t entry;
    CopyOnce(&entry, memory_.At(page) + index * sizeof(entry), sizeof(entry));
    if ((entry & kPresent) == 0) {
      return page_fault(0);
    }
    can_write = can_write && (entry & kWritable) != 0;
    user = user && (entry & kUser) != 0;
    no_execute = no_execute || (entry & kNoExecute) != 0;
    const bool is_leaf = level == 0 || (level < kTopLevel && (entry & kLarge) != 0);
    if (!is_leaf) {
      table = entry & kFrame;
      continue;
    }
    const bool write_is_checked = is_user || (state_.cr0 & kCr0WriteProtect) != 0;
    if ((kind == AccessKind::kWrite && !can_write && write_is_checked) || (is_user && !user) ||
        (kind == AccessKind::kExecute && no_execute)) {
      return page_fault(kErrorPresent);
    }
    const uint64_t mask = (uint64_t{1} << shift) - 1;
    return Translation{.address = GuestPhys((entry & kFrame & ~mask) | (address.raw() & mask)),
                       .is_private = (entry & kEncryptionBit) != 0,
                       .can_write = can_write};
  }
  return page_fault(0);
}

Result<std::byte*, SpaceFault> GuestSpace::Access(GuestVirt address, AccessKind kind) const {
  const Translation translation = TRY(Translate(address, kind, false));
  const Page page = PageOf(translation.address);
  const RmpFault fault = rmp_.Check(page, vmpl_, translation.is_private, kind);
  if (fault != RmpFault::kNone) {
    return Error(SpaceFault{.kind = SpaceFault::Kind::kRmp, .rmp = fault, .page = page});
  }
  if (kind == AccessKind::kWrite) {
    rmp_.MarkWritten(page);
  }
  return memory_.At(page) + translation.address.page_offset();
}

Result<void, SpaceFault> GuestSpace::Read(GuestVirt address, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const size_t size = std::min<uint64_t>(bytes.size(), kPageSize - address.page_offset());
    CopyOnce(bytes.data(), TRY(Access(address, AccessKind::kRead)), size);
    bytes = bytes.subspan(size);
    address = GuestVirt(address.raw() + size);
  }
  return {};
}

Result<void, SpaceFault> GuestSpace::Write(GuestVirt address,
                                           std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const size_t size = std::min<uint64_t>(bytes.size(), kPageSize - address.page_offset());
    CopyOnce(TRY(Access(address, AccessKind::kWrite)), bytes.data(), size);
    bytes = bytes.subspan(size);
    address = GuestVirt(address.raw() + size);
  }
  return {};
}

size_t GuestSpace::Fetch(GuestVirt address, std::span<std::byte> bytes) const {
  size_t done = 0;
  while (done < bytes.size()) {
    const size_t size = std::min<uint64_t>(bytes.size() - done, kPageSize - address.page_offset());
    const Result<std::byte*, SpaceFault> source = Access(address, AccessKind::kExecute);
    if (!source.ok()) {
      break;
    }
    CopyOnce(bytes.data() + done, source.value(), size);
    done += size;
    address = GuestVirt(address.raw() + size);
  }
  return done;
}

}  // namespace nsgx::emu
