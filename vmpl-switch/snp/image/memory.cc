// SPDX-License-Identifier: Apache-2.0
// The SEH's own memory, its page tables, and the guest's RAM at the start.
#include <algorithm>

#include "base/core/log.h"
#include "vmpl-switch/abi/igvm.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"
#include "vmpl-switch/snp/image/layout.h"
#include "vmpl-switch/snp/image/seh.h"

// image.lds, entry.S
extern "C" {
extern const std::byte image_start[];
extern const std::byte image_rodata[];
extern const std::byte image_data[];
extern const std::byte image_end[];
extern const std::byte boot_stack_guard[];
}

namespace nsgx::snp {
namespace {

// The boot tables map this much.
constexpr uint64_t kBootMapSize = uint64_t{1} << 30;
// The table of page states has a byte for each page, and half of the region at most.
constexpr uint64_t kMaxRam = uint64_t{SEH_REGION_SIZE} / 2 * kPageSize;

constexpr GuestPageRange kScreenAndRom = GuestPageRange::Make(GuestPhys(0xa0000), 0x60000).value();
constexpr GuestPageRange kRom = GuestPageRange::Make(GuestPhys(0xc0000), 0x40000).value();

GuestPhys PhysicalOf(const void* image_address) {
  return GuestPhys(reinterpret_cast<uintptr_t>(image_address) - SEH_IMAGE_OFFSET);
}

// Validates pages of our region that were not part of the launch. A page that is validated already
// has been put there by a host that wants to swap it later.
void ValidateOwn(const GuestPageRange& pages) {
  for (GuestPhys page = pages.address(); page < pages.end_address();) {
    if (IsAligned(page, kLargePageSize) && page + kLargePageSize <= pages.end_address()) {
      const ValidateResult result = g_seh.rmp.Validate(page, SnpPageSize::k2M, true);
      if (result.ok() && g_seh.rmp.Adjust(page, SnpPageSize::k2M, kGuestVmpl, 0, false) == SNP_OK) {
        page += kLargePageSize;
        continue;
      }
      if (result.code != SNP_FAIL_SIZE_MISMATCH) {
        Terminate(Termination::kValidate);
      }
      // The host keeps this one in small pages.
    }
    if (!g_seh.rmp.Validate(page, SnpPageSize::k4K, true).ok()) {
      Terminate(Termination::kValidate);
    }
    OrTerminate(TakeFromGuest(g_seh.rmp, page), Termination::kRmpAdjust);
    page += kPageSize;
  }
}

void ReadMemoryMap() {
  const igvm_memory_map_entry* entries =
      g_seh.memory.ObjectAt<igvm_memory_map_entry>(GuestPhys(SEH_MEMORY_MAP_PAGE));
  // Private and measured as to its place; the host has chosen what is in it before the launch, and
  // cannot change it any more.
  OrTerminate(g_seh.ram.Read(std::span(entries, kPageSize / sizeof(*entries)), GuestPhys(kMaxRam)),
              Termination::kBadMemoryMap);
  g_seh.guest_ram.CopyFrom(g_seh.ram);
  OrTerminate(g_seh.guest_ram.Exclude(SehRegion()), Termination::kBadMemoryMap);
  // Hosts call it RAM, but a PC has its screen and ROM there.
  OrTerminate(g_seh.guest_ram.Exclude(kScreenAndRom), Termination::kBadMemoryMap);
}

}  // namespace

constinit Seh g_seh;

GuestPageRange SehRegion() {
  return GuestPageRange::Make(GuestPhys(SEH_REGION), SEH_REGION_SIZE).value();
}

GuestPageRange SehImage() {
  return GuestPageRange::Make(PhysicalOf(image_start),
                              static_cast<uint64_t>(image_end - image_start))
      .value();
}

void StartMemory(uint64_t encryption_bit) {
  g_seh.encryption_bit = encryption_bit;
  g_seh.memory = DirectMap(reinterpret_cast<std::byte*>(SEH_DIRECT_MAP), kBootMapSize);
  const GuestPageRange image = SehImage();
  const GuestPageRange region = SehRegion();
  // The image was linked for this place; a host that loads it elsewhere does not get this far, but
  // the region must hold it and leave something.
  if (!region.Contains(image) || image.address() != GuestPhys(SEH_IMAGE) ||
      !IsAligned(region.address(), kLargePageSize)) {
    Terminate(Termination::kBadAddress);
  }
  ReadMemoryMap();

  // The pages of the launch are validated; the guest never has had a right on them, but only the
  // host's word for that.
  for (GuestPhys page = GuestPhys(SEH_CPUID_PAGE); page <= GuestPhys(SEH_PARAMETER_PAGE);
       page += kPageSize) {
    OrTerminate(TakeFromGuest(g_seh.rmp, page), Termination::kRmpAdjust);
  }
  for (const GuestPhys page : image) {
    OrTerminate(TakeFromGuest(g_seh.rmp, page), Termination::kRmpAdjust);
  }
  const GuestPageRange rest =
      GuestPageRange::Make(image.end_address(), region.end_address() - image.end_address()).value();
  ValidateOwn(rest);
  g_seh.allocator.Initialize(g_seh.memory, rest);

  const uint64_t pages = std::max(g_seh.ram.end(), region.end_address()).raw() >> kPageShift;
  const GuestPhys table =
      OrTerminate(g_seh.allocator.AllocateForEver((pages + kPageSize - 1) >> kPageShift),
                  Termination::kNoMemory);
  g_seh.pages.Initialize(
      std::span(reinterpret_cast<uint8_t*>(g_seh.memory.At(table)), static_cast<size_t>(pages)));
  g_seh.pages.SetInitial(region, PageState::kOwn);
}

void StartAddressSpace() {
  AddressSpace& space = g_seh.space;
  space =
      OrTerminate(AddressSpace::Make(g_seh.memory, g_seh.allocator, g_seh.encryption_bit, nullptr),
                  Termination::kNoMemory);
  const GuestPageRange image = SehImage();
  const GuestPhys rodata = PhysicalOf(image_rodata);
  const GuestPhys data = PhysicalOf(image_data);
  const GuestPhys guard = PhysicalOf(boot_stack_guard);

  for (const GuestPhys page : image) {
    if (page == guard) {
      continue;
    }
    OrTerminate(space.Map(SEH_IMAGE_OFFSET + page.raw(), page,
                          {.write = page >= data, .execute = page < rodata}),
                Termination::kNoMemory);
  }

  // Everything else by pages of 2 MiB; where the image lies, by small ones, so that what is
  // read-only there is read-only here.
  const GuestPhys end = AlignDown(
      std::max(g_seh.ram.end(), SehRegion().end_address()) + (kLargePageSize - 1), kLargePageSize);
  for (GuestPhys large; large < end; large += kLargePageSize) {
    const GuestPageRange covered = GuestPageRange::Make(large, kLargePageSize).value();
    if (!covered.Overlaps(image)) {
      OrTerminate(space.MapLarge(SEH_DIRECT_MAP + large.raw(), large, {.write = true}),
                  Termination::kNoMemory);
      continue;
    }
    for (const GuestPhys page : covered) {
      const bool is_constant = image.Contains(page) && page < data;
      if (page != guard) {
        OrTerminate(space.Map(SEH_DIRECT_MAP + page.raw(), page, {.write = !is_constant}),
                    Termination::kNoMemory);
      }
    }
  }

  // The tables that all address spaces share must exist before the first copy of the top one.
  OrTerminate(space.ReserveTables(SEH_SHARED_MAP), Termination::kNoMemory);
  WriteCr3(space.cr3());
  g_seh.memory = DirectMap(reinterpret_cast<std::byte*>(SEH_DIRECT_MAP), end.raw());
}

namespace {

// Addresses for pages that are mapped one by one; a page that is not mapped lies before each run.
uint64_t TakeAddresses(uint64_t count) {
  static constinit uint64_t g_next = SEH_SHARED_MAP;
  const uint64_t address = g_next + kPageSize;
  g_next = address + count * kPageSize;
  return address;
}

}  // namespace

uint64_t MakeStack(uint64_t count) {
  const GuestPhys first =
      OrTerminate(g_seh.allocator.AllocateForEver(count), Termination::kNoMemory);
  const uint64_t address = TakeAddresses(count);
  for (uint64_t i = 0; i < count; ++i) {
    OrTerminate(g_seh.space.Map(address + i * kPageSize, first + i * kPageSize, {.write = true}),
                Termination::kNoMemory);
  }
  return address + count * kPageSize;
}

SharedPages MakeSharedPages(uint64_t count, bool by_msr) {
  const GuestPhys first =
      OrTerminate(g_seh.allocator.AllocateForEver(count), Termination::kNoMemory);
  const uint64_t address = TakeAddresses(count);
  for (uint64_t i = 0; i < count; ++i) {
    const GuestPhys page = first + i * kPageSize;
    if (!g_seh.rmp.Validate(page, SnpPageSize::k4K, false).ok()) {
      Terminate(Termination::kValidate);
    }
    if (by_msr) {
      OrTerminate(ChangePageStateByMsr(g_seh.first.gate, page, GHCB_PAGE_SHARED),
                  Termination::kPageState);
    }
    OrTerminate(g_seh.space.Map(address + i * kPageSize, page, {.write = true, .shared = true}),
                Termination::kNoMemory);
  }
  if (!by_msr) {
    for (uint64_t done = 0; done < count; done += Ghcb::kMaxPageStates) {
      const size_t part = std::min<size_t>(count - done, Ghcb::kMaxPageStates);
      OrTerminate(g_seh.first.ghcb.ChangePageStates(first + done * kPageSize, part, false,
                                                    GHCB_PAGE_SHARED),
                  Termination::kPageState);
    }
  }
  return {reinterpret_cast<volatile std::byte*>(address), first};
}

namespace {

// Makes the pages [begin, end) private, validates them and gives them to the guest.
void GiveRange(GuestPhys begin, GuestPhys end, SnpPageSize size) {
  const bool is_large = size == SnpPageSize::k2M;
  const uint64_t step = is_large ? kLargePageSize : kPageSize;
  while (begin < end) {
    const size_t count = std::min<uint64_t>((end - begin) / step, Ghcb::kMaxPageStates);
    OrTerminate(g_seh.first.ghcb.ChangePageStates(begin, count, is_large, GHCB_PAGE_PRIVATE),
                Termination::kPageState);
    for (size_t i = 0; i < count; ++i, begin += step) {
      ValidateResult result = g_seh.rmp.Validate(begin, size, true);
      if (is_large && result.code == SNP_FAIL_SIZE_MISMATCH) {
        // The host keeps this one in small pages.
        for (GuestPhys page = begin; page < begin + kLargePageSize; page += kPageSize) {
          if (!g_seh.rmp.Validate(page, SnpPageSize::k4K, true).ok()) {
            Terminate(Termination::kValidate);
          }
          OrTerminate(GiveToGuest(g_seh.rmp, page), Termination::kRmpAdjust);
        }
        continue;
      }
      if (!result.ok()) {
        Terminate(Termination::kValidate);
      }
      if (g_seh.rmp.Adjust(begin, size, kGuestVmpl, SNP_RIGHTS_ALL, false) != SNP_OK) {
        Terminate(Termination::kRmpAdjust);
      }
    }
  }
}

}  // namespace

void GiveMemoryToGuest() {
  for (const GuestPageRange& range : g_seh.guest_ram.ranges()) {
    const GuestPhys begin = range.address();
    const GuestPhys end = range.end_address();
    const GuestPhys large_end = AlignDown(end, kLargePageSize);
    const GuestPhys large_begin =
        std::min(AlignDown(begin + (kLargePageSize - 1), kLargePageSize), end);
    if (large_begin >= large_end) {
      GiveRange(begin, end, SnpPageSize::k4K);
    } else {
      GiveRange(begin, large_begin, SnpPageSize::k4K);
      GiveRange(large_begin, large_end, SnpPageSize::k2M);
      GiveRange(large_end, end, SnpPageSize::k4K);
    }
    g_seh.pages.SetInitial(range, PageState::kGuest);
  }
  // Linux looks for tables there, as in memory of its own.
  if (g_seh.ram.Contains(kRom)) {
    GiveRange(kRom.address(), kRom.end_address(), SnpPageSize::k4K);
    g_seh.pages.SetInitial(kRom, PageState::kFirmware);
  }
  LOG(kInfo, "gave ", g_seh.pages.Count(PageState::kGuest), " pages to VMPL1");
}

}  // namespace nsgx::snp
