// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/snp_machine.h"

#include <algorithm>
#include <array>

#include "base/core/check.h"
#include "base/core/mem_raw.h"
#include "base/core/scope_exit.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/snp/enclave/layout.h"

namespace nsgx::snp {
namespace {

// Pages that are taken out before translations are flushed, once for all of them.
constexpr uint64_t kRemoveBatch = 64;

// Table pages of an empty space: root, two on the way to the gate and its table, one for the alias.
constexpr uint64_t kSpacePages = 5;

MapRights RightsOf(seh::Permissions permissions) {
  switch (permissions) {
    case seh::Permissions::kNone:
      return {};
    case seh::Permissions::kRead:
      return {.user = true};
    case seh::Permissions::kReadWrite:
      return {.write = true, .user = true};
    case seh::Permissions::kReadExecute:
      return {.execute = true, .user = true};
  }
  __builtin_unreachable();
}

// Returns how many table pages mapping `count` pages in a row can take.
constexpr uint64_t TablePagesFor(uint64_t count) {
  return count / 512 + 2 + count / (512 * 512) + 2;
}

}  // namespace

uint32_t SnpMachine::kind() const { return NSGX_MACHINE_SNP; }

void SnpMachine::Activate() {
  if (!range_.empty()) {
    hardware_.Activate(&space_);
  }
}

Result<void> SnpMachine::AddWindow(uint64_t index, GuestPhys page) {
  SpinLockGuard guard(lock_);
  CHECK(!range_.empty() && index < kMaxWindowSize / kPageSize);
  TRY(pool_.Need(TablePagesFor(1)));
  TRY(services_.pages.Begin(page, PageState::kGuest));
  const Result<void> mapped =
      space_.Map(kWindowAddress + index * kPageSize, page, {.write = true, .user = true});
  if (!mapped.ok()) {
    services_.pages.Abandon(page);
    return Error(mapped.error());
  }
  services_.pages.Finish(page, PageState::kWindow);
  return {};
}

Result<EnclaveVirt> SnpMachine::ReserveRange(uint64_t size) {
  SpinLockGuard guard(lock_);
  CHECK(range_.empty() && size != 0);
  if (size > kMaxEnclaveSize) {
    return Error(Status::kNoMemory);
  }
  TRY(pool_.Need(kSpacePages));
  space_ = TRY(AddressSpace::Make(services_.memory, pool_, services_.encryption_bit,
                                  &services_.kernel_space));
  ScopeExit undo([&] { space_.Destroy(); });
  TRY(space_.MakeAlias(kEnclaveBase));
  TRY(space_.Map(kGateAddress, gate_, {.execute = true, .user = true}));
  undo.Cancel();
  range_ = Pages::Make(EnclaveVirt(kEnclaveBase), size).value();
  hardware_.Activate(&space_);
  return EnclaveVirt(kEnclaveBase);
}

void SnpMachine::ReleaseRange(EnclaveVirt base, uint64_t size) {
  SpinLockGuard guard(lock_);
  CHECK(base == range_.address() && size == range_.size());
  // Nobody runs in it, and no processor has it but this one, which forgets it now.
  hardware_.Activate(nullptr);
  // The gate lies in the same tables as the window.
  CHECK(space_.Unmap(kGateAddress).ok());
  space_.UnmapAll(
      kWindowAddress,
      [](void* context, GuestPhys page) {
        GuestPages& pages = *static_cast<GuestPages*>(context);
        CHECK(pages.Begin(page, PageState::kWindow).ok());
        pages.Finish(page, PageState::kGuest);
      },
      &services_.pages);
  space_.UnmapAll(
      kEnclaveBase,
      [](void* context, GuestPhys page) { static_cast<PagePool*>(context)->FreePage(page); },
      &pool_);
  space_.Destroy();
  range_ = Pages();
}

// Maps pages of the pool that are zero, or hold `contents` if there are any.
Result<void> SnpMachine::MapFresh(const Pages& pages, seh::Permissions permissions,
                                  std::span<const std::byte> contents) {
  CHECK(range_.Contains(pages));
  // What the run needs is asked for at once, so that the guest can donate it at once.
  TRY(pool_.Need(pages.page_count() + TablePagesFor(pages.page_count())));
  const MapRights rights = RightsOf(permissions);
  for (const EnclaveVirt address : pages) {
    const Result<GuestPhys> page = pool_.AllocatePage();
    if (page.ok()) {
      if (!contents.empty()) {
        CopyOnce(services_.memory.At(page.value()), contents.data() + (address - pages.address()),
                 kPageSize);
      }
      if (space_.Map(address.raw(), page.value(), rights).ok()) {
        continue;
      }
      pool_.FreePage(page.value());
    }
    // Another slot took what was there.
    Remove(Pages::Make(pages.address(), address - pages.address()).value());
    return Error(Status::kNoMemory);
  }
  return {};
}

void SnpMachine::Remove(const Pages& pages) {
  CHECK(range_.Contains(pages));
  std::array<GuestPhys, kRemoveBatch> removed;
  for (uint64_t first = 0; first < pages.page_count(); first += kRemoveBatch) {
    const uint64_t count = std::min(pages.page_count() - first, kRemoveBatch);
    for (uint64_t i = 0; i < count; ++i) {
      removed[i] = space_.Unmap(pages.page(first + i).raw()).value();
    }
    hardware_.FlushPages(pages.page(first), count);
    for (uint64_t i = 0; i < count; ++i) {
      pool_.FreePage(removed[i]);
    }
  }
}

Result<void> SnpMachine::Load(EnclaveVirt start, const seh::PageSource& source,
                              seh::Permissions permissions) {
  SpinLockGuard guard(lock_);
  return MapFresh(TRY(Pages::Make(start, source.bytes.size())), permissions, source.bytes);
}

Result<void> SnpMachine::Commit(EnclaveVirt start, uint64_t size, seh::Permissions permissions) {
  SpinLockGuard guard(lock_);
  return MapFresh(TRY(Pages::Make(start, size)), permissions, {});
}

Result<void> SnpMachine::Protect(EnclaveVirt start, uint64_t size, seh::Permissions permissions) {
  SpinLockGuard guard(lock_);
  const Pages pages = TRY(Pages::Make(start, size));
  CHECK(range_.Contains(pages));
  const MapRights rights = RightsOf(permissions);
  for (const EnclaveVirt page : pages) {
    CHECK(space_.Protect(page.raw(), rights).ok());
  }
  hardware_.FlushPages(start, pages.page_count());
  return {};
}

void SnpMachine::Trim(EnclaveVirt start, uint64_t size) {
  SpinLockGuard guard(lock_);
  Remove(Pages::Make(start, size).value());
}

std::span<std::byte> SnpMachine::Access(EnclaveVirt start, uint64_t size) {
  CHECK(range_.Contains(AddrRange<struct EnclaveVirtTag>::Make(start, size).value()));
  return hardware_.Alias(space_, start, size);
}

template <typename Copy>
size_t SnpMachine::ForEachPiece(EnclaveVirt start, size_t size, Copy&& copy) {
  SpinLockGuard guard(lock_);
  size_t done = 0;
  while (done < size) {
    const Result<EnclaveVirt> address = CheckedAdd(start, done);
    if (!address.ok() || !range_.Contains(address.value())) {
      break;
    }
    const Result<GuestPhys> page = space_.Translate(address.value().raw());
    if (!page.ok()) {
      break;
    }
    const size_t piece = std::min<uint64_t>(size - done, kPageSize - address.value().page_offset());
    copy(services_.memory.At(page.value()), done, piece);
    done += piece;
  }
  return done;
}

size_t SnpMachine::Read(EnclaveVirt start, std::span<std::byte> to) {
  return ForEachPiece(start, to.size(), [&](const std::byte* memory, size_t offset, size_t size) {
    CopyOnce(to.data() + offset, memory, size);
  });
}

size_t SnpMachine::Write(EnclaveVirt start, std::span<const std::byte> from) {
  return ForEachPiece(start, from.size(), [&](std::byte* memory, size_t offset, size_t size) {
    CopyOnce(memory, from.data() + offset, size);
  });
}

Result<std::byte*> SnpMachine::AllocateTablePage() {
  return services_.memory.At(TRY(pool_.AllocatePage()));
}

void SnpMachine::FreeTablePage(std::byte* page) {
  pool_.FreePage(services_.memory.AddressOf(page));
}

Result<nsgx_clock> SnpMachine::Clock() {
  if (services_.clock.khz() == 0) {
    return Error(Status::kUnsupported);
  }
  return services_.clock.Conversion();
}

Result<void> SnpMachine::RootKey(std::span<std::byte, 32> out) {
  snp_key_request request = {};
  request.fields = SNP_KEY_FIELD_POLICY | SNP_KEY_FIELD_IMAGE_ID | SNP_KEY_FIELD_FAMILY_ID |
                   SNP_KEY_FIELD_MEASUREMENT;
  return services_.messages.DerivedKey(request, out);
}

Result<void> SnpMachine::HardwareReport(std::span<const std::byte, 64> report_data,
                                        std::span<std::byte, 1184> out) {
  return services_.messages.Report(report_data, out);
}

}  // namespace nsgx::snp
