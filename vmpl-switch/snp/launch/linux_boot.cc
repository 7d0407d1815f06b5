// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/launch/linux_boot.h"

#include <algorithm>
#include <array>

#include "base/core/bytes.h"
#include "base/core/mem_raw.h"
#include "vmpl-switch/snp/cpu/start_vmsa.h"
#include "vmpl-switch/snp/memory/rmp.h"

namespace nsgx::snp {
namespace {

// Linux' boot protocol (x86), as offsets in the file's head and in boot_params.
constexpr size_t kRsdpAddress = 0x070;
constexpr size_t kE820Count = 0x1e8;
constexpr size_t kSetupSectors = 0x1f1;
constexpr size_t kHeaderStart = 0x1f1;
constexpr size_t kBootFlag = 0x1fe;
constexpr size_t kHeaderSizeByte = 0x201;
constexpr size_t kHeaderMagic = 0x202;
constexpr size_t kProtocolVersion = 0x206;
constexpr size_t kLoaderType = 0x210;
constexpr size_t kLoadFlags = 0x211;
constexpr size_t kInitrdAddress = 0x218;
constexpr size_t kInitrdSize = 0x21c;
constexpr size_t kCommandLine = 0x228;
constexpr size_t kInitrdAddressMax = 0x22c;
constexpr size_t kAlignment = 0x230;
constexpr size_t kRelocatable = 0x234;
constexpr size_t kLoadFlags64 = 0x236;
constexpr size_t kCommandLineMax = 0x238;
constexpr size_t kSetupData = 0x250;
constexpr size_t kPreferredAddress = 0x258;
constexpr size_t kInitSize = 0x260;
constexpr size_t kHeaderMaxEnd = 0x290;
constexpr size_t kE820Table = 0x2d0;

constexpr uint16_t kMinProtocol = 0x20c;
constexpr uint8_t kUnknownLoader = 0xff;
constexpr uint8_t kLoadedHigh = 1;
constexpr uint16_t kHas64BitEntry = 1;
constexpr uint64_t kEntryOffset = 0x200;
constexpr size_t kMaxE820Entries = 128;

enum class E820Type : uint32_t { kRam = 1, kReserved = 2, kAcpi = 3 };
struct [[gnu::packed]] E820Entry {
  uint64_t address;
  uint64_t size;
  uint32_t type;
};
static_assert(sizeof(E820Entry) == 20);

struct [[gnu::packed]] SetupData {
  uint64_t next;
  uint32_t type;
  uint32_t size;
  uint32_t blob;
};

// Selectors that the boot protocol names.
constexpr uint16_t kBootCode = 0x10;
constexpr uint16_t kBootData = 0x18;

// Conventional memory, below the first megabyte, is for what is small.
constexpr GuestPhys kLowArea{0x10000};
constexpr GuestPhys kCommandLineAddress{0x20000};
constexpr GuestPhys kOneMegabyte{0x100000};

template <typename T>
T Load(std::span<const std::byte> bytes, size_t offset) {
  T value;
  CopyOnce(&value, bytes.subspan(offset, sizeof(T)).data(), sizeof(T));
  return value;
}
template <typename T>
void Store(std::span<std::byte> bytes, size_t offset, T value) {
  CopyOnce(bytes.subspan(offset, sizeof(T)).data(), &value, sizeof(T));
}

}  // namespace

Result<KernelHeader> ParseKernelHeader(std::span<const std::byte, kKernelHeadSize> head,
                                       uint64_t file_size) {
  constexpr uint32_t kMagic = 0x53726448;  // "HdrS"
  if (Load<uint16_t>(head, kBootFlag) != 0xaa55 || Load<uint32_t>(head, kHeaderMagic) != kMagic) {
    return Error(Status::kMalformed);
  }
  if (Load<uint16_t>(head, kProtocolVersion) < kMinProtocol ||
      Load<uint8_t>(head, kRelocatable) == 0 ||
      (Load<uint16_t>(head, kLoadFlags64) & kHas64BitEntry) == 0) {
    return Error(Status::kUnsupported);
  }
  constexpr uint32_t kSectorSize = 512;
  constexpr uint8_t kDefaultSectors = 4;
  const uint8_t sectors = Load<uint8_t>(head, kSetupSectors);
  KernelHeader header;
  header.payload_offset = ((sectors == 0 ? kDefaultSectors : sectors) + uint32_t{1}) * kSectorSize;
  header.init_size = Load<uint32_t>(head, kInitSize);
  header.alignment = Load<uint32_t>(head, kAlignment);
  header.preferred_address = Load<uint64_t>(head, kPreferredAddress);
  header.initrd_address_max = Load<uint32_t>(head, kInitrdAddressMax);
  header.command_line_max = Load<uint32_t>(head, kCommandLineMax);
  if (header.payload_offset >= file_size || !std::has_single_bit(header.alignment) ||
      header.alignment < kPageSize || header.init_size == 0) {
    return Error(Status::kMalformed);
  }
  return header;
}

namespace {

// Returns the lowest place at or above `from`, aligned, for `size` bytes.
Result<GuestPhys> LowestPlace(const MemoryMap& ram, uint64_t from, uint64_t alignment,
                              uint64_t size) {
  for (const GuestPageRange& range : ram.ranges()) {
    const GuestPhys start =
        TRY(CheckedAlignUp(std::max(range.address(), GuestPhys(from)), alignment));
    if (start < range.end_address() && size <= range.end_address() - start) {
      return start;
    }
  }
  return Error(Status::kOutOfRange);
}

// Returns the highest place below `end`, aligned to a page, for `size` bytes.
Result<GuestPhys> HighestPlace(const MemoryMap& ram, GuestPhys end, uint64_t size) {
  for (size_t i = ram.ranges().size(); i-- != 0;) {
    const GuestPageRange& range = ram.ranges()[i];
    const GuestPhys top = std::min(range.end_address(), end);
    if (range.address() < top && size <= top - range.address()) {
      return AlignDown(top - size, kPageSize);
    }
  }
  return Error(Status::kOutOfRange);
}

}  // namespace

Result<BootLayout> PlanBoot(const MemoryMap& ram, const GuestPageRange& region,
                            const KernelHeader& kernel, const BootFiles& files) {
  BootLayout layout;
  layout.boot_params = kLowArea;
  layout.page_tables = kLowArea + kPageSize;
  layout.descriptors = layout.page_tables + kBootTablePages * kPageSize;
  layout.cc_blob = layout.descriptors + kPageSize;
  layout.command_line = kCommandLineAddress;
  CHECK(layout.cc_blob + kPageSize <= layout.command_line);
  const GuestPageRange low =
      GuestPageRange::Make(kLowArea, layout.command_line + kCommandLineArea - kLowArea).value();

  if (region.address().raw() < (kReservedPages + kAcpiPages) * kPageSize) {
    return Error(Status::kOutOfRange);
  }
  layout.reserved =
      GuestPageRange::OfPages(region.address() - kReservedPages * kPageSize, kReservedPages)
          .value();
  layout.acpi =
      GuestPageRange::OfPages(layout.reserved.address() - kAcpiPages * kPageSize, kAcpiPages)
          .value();
  layout.secrets = layout.reserved.page(0);
  layout.cpuid = layout.reserved.page(1);
  layout.calling_area = layout.reserved.page(2);
  if (!ram.Contains(low) || !ram.Contains(layout.reserved) || !ram.Contains(layout.acpi) ||
      files.command_line_size >= kCommandLineArea) {
    return Error(Status::kOutOfRange);
  }

  MemoryMap free;
  free.CopyFrom(ram);
  TRY(free.Exclude(layout.reserved));
  TRY(free.Exclude(layout.acpi));
  TRY(free.Exclude(GuestPageRange::Make(GuestPhys(), kOneMegabyte.raw()).value()));
  const uint64_t payload_size = files.kernel_size - kernel.payload_offset;
  const uint64_t kernel_space = std::max<uint64_t>(kernel.init_size, payload_size);
  layout.kernel =
      TRY(LowestPlace(free, std::max<uint64_t>(kernel.preferred_address, kOneMegabyte.raw()),
                      kernel.alignment, kernel_space));
  TRY(free.Exclude(TRY(
      GuestPageRange::Covering(TRY(AddrRange<GuestPhysTag>::Make(layout.kernel, kernel_space))))));
  if (files.initrd_size != 0) {
    const GuestPhys limit(uint64_t{kernel.initrd_address_max} + 1);
    layout.initrd = TRY(HighestPlace(free, limit, files.initrd_size));
  }
  return layout;
}

Result<void> WriteBootParams(std::span<std::byte, kPageSize> page,
                             std::span<const std::byte, kKernelHeadSize> head, const MemoryMap& ram,
                             const GuestPageRange& region, const BootLayout& layout,
                             const BootFiles& files, uint64_t rsdp) {
  const size_t header_end =
      std::min<size_t>(size_t{kHeaderMagic} + Load<uint8_t>(head, kHeaderSizeByte), kHeaderMaxEnd);
  CopyOnce(page.data() + kHeaderStart, head.data() + kHeaderStart, header_end - kHeaderStart);
  Store<uint64_t>(page, kRsdpAddress, rsdp);
  Store<uint8_t>(page, kLoaderType, kUnknownLoader);
  Store<uint8_t>(page, kLoadFlags,
                 static_cast<uint8_t>(Load<uint8_t>(page, kLoadFlags) | kLoadedHigh));
  Store<uint32_t>(page, kInitrdAddress, static_cast<uint32_t>(layout.initrd.raw()));
  Store<uint32_t>(page, kInitrdSize, static_cast<uint32_t>(files.initrd_size));
  Store<uint32_t>(page, kCommandLine, static_cast<uint32_t>(layout.command_line.raw()));
  Store<uint64_t>(page, kSetupData, layout.cc_blob.raw() + kSetupDataOffset);

  MemoryMap usable;
  usable.CopyFrom(ram);
  TRY(usable.Exclude(layout.reserved));
  TRY(usable.Exclude(layout.acpi));
  size_t count = 0;
  const auto add = [&](const GuestPageRange& range, E820Type type) -> Result<void> {
    if (count == kMaxE820Entries) {
      return Error(Status::kOutOfRange);
    }
    Store(page, kE820Table + count++ * sizeof(E820Entry),
          E820Entry{range.address().raw(), range.size(), static_cast<uint32_t>(type)});
    return {};
  };
  for (const GuestPageRange& range : usable.ranges()) {
    TRY(add(range, E820Type::kRam));
  }
  TRY(add(layout.acpi, E820Type::kAcpi));
  TRY(add(layout.reserved, E820Type::kReserved));
  TRY(add(region, E820Type::kReserved));
  Store<uint8_t>(page, kE820Count, static_cast<uint8_t>(count));
  return {};
}

void WriteCcBlob(std::span<std::byte, kPageSize> page, const BootLayout& layout) {
  snp_cc_blob blob = {};
  blob.magic = SNP_CC_BLOB_MAGIC;
  blob.secrets_address = layout.secrets.raw();
  blob.secrets_size = kPageSize;
  blob.cpuid_address = layout.cpuid.raw();
  blob.cpuid_size = kPageSize;
  Store(page, 0, blob);
  Store(page, kSetupDataOffset,
        SetupData{0, SNP_SETUP_CC_BLOB, sizeof(uint32_t),
                  static_cast<uint32_t>(layout.cc_blob.raw())});
}

void WriteBootTables(std::span<std::byte, kBootTablePages * kPageSize> pages, GuestPhys at,
                     uint64_t encryption_bit) {
  constexpr uint64_t kTable = 0x3;       // present, writable
  constexpr uint64_t kLargeLeaf = 0x83;  // and 2 MiB
  constexpr unsigned kDirectories = 4;
  Store<uint64_t>(pages, 0, (at.raw() + kPageSize) | kTable | encryption_bit);
  for (unsigned i = 0; i < kDirectories; ++i) {
    Store<uint64_t>(pages, kPageSize + i * sizeof(uint64_t),
                    (at.raw() + (2 + i) * kPageSize) | kTable | encryption_bit);
  }
  for (uint64_t i = 0; i < kDirectories * kPageSize / sizeof(uint64_t); ++i) {
    Store<uint64_t>(pages, 2 * kPageSize + i * sizeof(uint64_t),
                    i * kLargePageSize | kLargeLeaf | encryption_bit);
  }
}

void WriteBootDescriptors(std::span<std::byte, kPageSize> page) {
  Store<uint64_t>(page, kBootCode, 0x00af9b000000ffff);
  Store<uint64_t>(page, kBootData, 0x00cf93000000ffff);
}

void WriteGuestSecrets(snp_secrets& guest, const snp_secrets& own, const GuestPageRange& region,
                       const BootLayout& layout) {
  guest = own;
  for (unsigned vmpl = 0; vmpl < kGuestVmpl; ++vmpl) {
    FillOnce(guest.vmpck[vmpl], std::byte{0}, sizeof(guest.vmpck[vmpl]));
  }
  guest.svsm_base = region.address().raw();
  guest.svsm_size = region.size();
  guest.svsm_caa = layout.calling_area.raw();
  guest.svsm_max_version = 1;
  guest.svsm_guest_vmpl = kGuestVmpl;
}

void WriteBootVmsa(snp_vmsa& vmsa, const BootLayout& layout, uint64_t encryption_bit) {
  WriteStartVmsa(vmsa, kBootCode, kBootData);
  vmsa.gdtr = {0, 0, kBootGdtSize - 1, layout.descriptors.raw()};
  vmsa.vmpl = kGuestVmpl;
  vmsa.efer = SNP_EFER_SVME | 0xd00;  // LME, LMA, NXE
  vmsa.cr0 = 0x80000033;              // PG, NE, ET, MP, PE
  vmsa.cr3 = layout.page_tables.raw() | encryption_bit;
  vmsa.cr4 = 0x620;  // OSXMMEXCPT, OSFXSR, PAE
  vmsa.rip = layout.kernel.raw() + kEntryOffset;
  vmsa.rsi = layout.boot_params.raw();
  vmsa.sev_features = SNP_FEATURE_SNP;
}

}  // namespace nsgx::snp
