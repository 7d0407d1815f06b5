// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/launch/linux_boot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace nsgx::snp {
namespace {

constexpr uint64_t kEncryptionBit = uint64_t{1} << 47;

template <typename T>
void Put(std::span<std::byte> bytes, size_t offset, T value) {
  std::memcpy(bytes.subspan(offset, sizeof(T)).data(), &value, sizeof(T));
}
template <typename T>
T Get(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.subspan(offset, sizeof(T)).data(), sizeof(T));
  return value;
}

class LinuxBootTest : public testing::Test {
 protected:
  LinuxBootTest() {
    Put<uint8_t>(head_, 0x1f1, 39);
    Put<uint16_t>(head_, 0x1fe, 0xaa55);
    Put<uint8_t>(head_, 0x201, 0x6a);
    Put<uint32_t>(head_, 0x202, 0x53726448);
    Put<uint16_t>(head_, 0x206, 0x20f);
    Put<uint32_t>(head_, 0x22c, 0x7fffffff);
    Put<uint32_t>(head_, 0x230, 0x200000);
    Put<uint8_t>(head_, 0x234, 1);
    Put<uint16_t>(head_, 0x236, 0x7f);
    Put<uint32_t>(head_, 0x238, 2047);
    Put<uint64_t>(head_, 0x258, 0x1000000);
    Put<uint32_t>(head_, 0x260, 0x3c00000);
    files_.kernel_size = 11'000'000;
    files_.initrd_size = 1'000'001;
    files_.command_line_size = 30;
    SetRam({{0, 0xa0}, {0x100, 0x3bf00}});
  }

  void SetRam(const std::vector<std::pair<uint64_t, uint64_t>>& ranges) {
    std::vector<igvm_memory_map_entry> entries;
    for (const auto& [first, count] : ranges) {
      igvm_memory_map_entry entry = {};
      entry.first_page = first;
      entry.page_count = count;
      entries.push_back(entry);
    }
    ASSERT_TRUE(ram_.Read(entries, GuestPhys(uint64_t{1} << 40)).ok());
    ASSERT_TRUE(ram_.Exclude(region_).ok());
  }

  Result<BootLayout> Plan() {
    return PlanBoot(ram_, region_, ParseKernelHeader(head_, files_.kernel_size).value(), files_);
  }

  std::array<std::byte, kKernelHeadSize> head_ = {};
  GuestPageRange region_ = GuestPageRange::Make(GuestPhys(0x8000000), 0x1000000).value();
  MemoryMap ram_;
  BootFiles files_;
};

TEST_F(LinuxBootTest, ReadsTheHeader) {
  const KernelHeader header = ParseKernelHeader(head_, files_.kernel_size).value();
  EXPECT_EQ(header.payload_offset, 40u * 512);
  EXPECT_EQ(header.preferred_address, 0x1000000u);
  EXPECT_EQ(header.init_size, 0x3c00000u);
  Put<uint8_t>(head_, 0x1f1, 0);  // stands for 4
  EXPECT_EQ(ParseKernelHeader(head_, files_.kernel_size).value().payload_offset, 5u * 512);
}

TEST_F(LinuxBootTest, RefusesWhatIsNoKernel) {
  const struct {
    const char* what;
    void (*change)(std::span<std::byte> head);
    Status status;
  } kCases[] = {
      {"boot flag", [](std::span<std::byte> h) { Put<uint16_t>(h, 0x1fe, 0); }, Status::kMalformed},
      {"magic", [](std::span<std::byte> h) { Put<uint32_t>(h, 0x202, 0); }, Status::kMalformed},
      {"old", [](std::span<std::byte> h) { Put<uint16_t>(h, 0x206, 0x20b); }, Status::kUnsupported},
      {"not relocatable", [](std::span<std::byte> h) { Put<uint8_t>(h, 0x234, 0); },
       Status::kUnsupported},
      {"32 bits", [](std::span<std::byte> h) { Put<uint16_t>(h, 0x236, 0x7e); },
       Status::kUnsupported},
      {"alignment 0", [](std::span<std::byte> h) { Put<uint32_t>(h, 0x230, 0); },
       Status::kMalformed},
      {"odd alignment", [](std::span<std::byte> h) { Put<uint32_t>(h, 0x230, 0x300000); },
       Status::kMalformed},
      {"no memory", [](std::span<std::byte> h) { Put<uint32_t>(h, 0x260, 0); }, Status::kMalformed},
  };
  for (const auto& test : kCases) {
    auto head = head_;
    test.change(head);
    EXPECT_EQ(ParseKernelHeader(head, files_.kernel_size).error(), test.status) << test.what;
  }
  EXPECT_EQ(ParseKernelHeader(head_, 40 * 512).error(), Status::kMalformed);
}

TEST_F(LinuxBootTest, PutsEverythingIntoTheGuestsRam) {
  const BootLayout layout = Plan().value();
  EXPECT_EQ(layout.kernel, GuestPhys(0x1000000));
  EXPECT_EQ(layout.reserved.end_address(), region_.address());
  const std::vector<std::pair<GuestPhys, uint64_t>> parts = {
      {layout.boot_params, kPageSize},
      {layout.page_tables, kBootTablePages * kPageSize},
      {layout.descriptors, kPageSize},
      {layout.cc_blob, kPageSize},
      {layout.command_line, kCommandLineArea},
      {layout.kernel, 0x3c00000},
      {layout.initrd, files_.initrd_size},
      {layout.acpi.address(), layout.acpi.size()},
      {layout.secrets, kPageSize},
      {layout.cpuid, kPageSize},
      {layout.calling_area, kPageSize},
  };
  std::vector<AddrRange<GuestPhysTag>> ranges;
  for (const auto& [start, size] : parts) {
    const auto range = AddrRange<GuestPhysTag>::Make(start, size).value();
    EXPECT_TRUE(ram_.Contains(GuestPageRange::Covering(range).value())) << start.raw();
    for (const auto& other : ranges) {
      EXPECT_FALSE(range.Overlaps(other)) << start.raw() << " " << other.begin().raw();
    }
    ranges.push_back(range);
  }
}

TEST_F(LinuxBootTest, FindsOtherPlaces) {
  // No room at the preferred address.
  SetRam({{0, 0xa0}, {0x100, 0x2000}, {0x7f00, 0x34000}});
  const BootLayout layout = Plan().value();
  EXPECT_EQ(layout.kernel, GuestPhys(0x9000000));
  // An initrd has to stay below its limit.
  SetRam({{0, 0xa0}, {0x100, 0x3bf00}, {0x100000, 0x100000}});
  EXPECT_LT(Plan().value().initrd.raw() + files_.initrd_size, 0x80000000u);
}

TEST_F(LinuxBootTest, SaysWhenThereIsNoRoom) {
  const auto with_ram = [this](const std::vector<std::pair<uint64_t, uint64_t>>& ranges) {
    SetRam(ranges);
    return Plan().error();
  };
  EXPECT_EQ(with_ram({{0x100, 0x3bf00}}), Status::kOutOfRange);            // no low memory
  EXPECT_EQ(with_ram({{0, 0xa0}, {0x100, 0x3000}}), Status::kOutOfRange);  // no kernel
  EXPECT_EQ(with_ram({{0, 0xa0}, {0x100, 0x7d00}}), Status::kOutOfRange);  // no reserved
  SetRam({{0, 0xa0}, {0x100, 0x3bf00}});
  files_.initrd_size = 0x40000000;
  EXPECT_EQ(Plan().error(), Status::kOutOfRange);
  files_.initrd_size = ~uint64_t{0};
  EXPECT_EQ(Plan().error(), Status::kOutOfRange);
  files_.initrd_size = 0;
  EXPECT_TRUE(Plan().ok());
  files_.command_line_size = kCommandLineArea;
  EXPECT_EQ(Plan().error(), Status::kOutOfRange);
}

TEST_F(LinuxBootTest, WritesBootParams) {
  const BootLayout layout = Plan().value();
  std::array<std::byte, kPageSize> page = {};
  ASSERT_TRUE(WriteBootParams(page, head_, ram_, region_, layout, files_, 0xf5a40).ok());
  EXPECT_EQ(Get<uint64_t>(page, 0x70), 0xf5a40u);
  EXPECT_EQ(Get<uint32_t>(page, 0x202), 0x53726448u);
  EXPECT_EQ(Get<uint8_t>(page, 0x210), 0xff);
  EXPECT_EQ(Get<uint32_t>(page, 0x218), layout.initrd.raw());
  EXPECT_EQ(Get<uint32_t>(page, 0x21c), files_.initrd_size);
  EXPECT_EQ(Get<uint32_t>(page, 0x228), layout.command_line.raw());
  EXPECT_EQ(Get<uint64_t>(page, 0x250), layout.cc_blob.raw() + kSetupDataOffset);

  // What Linux may use is what the guest has, and nothing of the SEH.
  uint64_t usable = 0;
  const uint8_t count = Get<uint8_t>(page, 0x1e8);
  for (uint8_t i = 0; i < count; ++i) {
    const uint64_t start = Get<uint64_t>(page, 0x2d0 + i * 20u);
    const uint64_t size = Get<uint64_t>(page, 0x2d8 + i * 20u);
    if (Get<uint32_t>(page, 0x2e0 + i * 20u) == 1) {
      const GuestPageRange range = GuestPageRange::Make(GuestPhys(start), size).value();
      EXPECT_TRUE(ram_.Contains(range));
      EXPECT_FALSE(range.Overlaps(region_));
      EXPECT_FALSE(range.Overlaps(layout.reserved));
      usable += size;
    }
  }
  EXPECT_EQ(usable, (0xa0 + 0x3bf00 - 0x1000 - kReservedPages - kAcpiPages) * kPageSize);
}

TEST_F(LinuxBootTest, AHostileHeaderStaysInItsField) {
  Put<uint8_t>(head_, 0x201, 0xff);
  std::fill(head_.begin() + 0x290, head_.end(), std::byte{0xee});
  const BootLayout layout = Plan().value();
  std::array<std::byte, kPageSize> page = {};
  ASSERT_TRUE(WriteBootParams(page, head_, ram_, region_, layout, files_, 0).ok());
  EXPECT_EQ(page[0x290], std::byte{0});
}

TEST_F(LinuxBootTest, WritesTheBlob) {
  const BootLayout layout = Plan().value();
  std::array<std::byte, kPageSize> page = {};
  WriteCcBlob(page, layout);
  const snp_cc_blob blob = Get<snp_cc_blob>(page, 0);
  EXPECT_EQ(blob.magic, SNP_CC_BLOB_MAGIC);
  EXPECT_EQ(blob.secrets_address, layout.secrets.raw());
  EXPECT_EQ(blob.cpuid_address, layout.cpuid.raw());
  EXPECT_EQ(Get<uint64_t>(page, kSetupDataOffset), 0u);
  EXPECT_EQ(Get<uint32_t>(page, kSetupDataOffset + 8), SNP_SETUP_CC_BLOB);
  EXPECT_EQ(Get<uint32_t>(page, kSetupDataOffset + 12), 4u);
  EXPECT_EQ(Get<uint32_t>(page, kSetupDataOffset + 16), layout.cc_blob.raw());
}

TEST_F(LinuxBootTest, KeepsItsKeyFromTheGuest) {
  const BootLayout layout = Plan().value();
  snp_secrets own;
  std::memset(&own, 0x11, sizeof(own));
  snp_secrets guest;
  WriteGuestSecrets(guest, own, region_, layout);
  EXPECT_TRUE(std::all_of(std::begin(guest.vmpck[0]), std::end(guest.vmpck[0]),
                          [](uint8_t byte) { return byte == 0; }));
  EXPECT_EQ(guest.vmpck[1][31], 0x11);
  EXPECT_EQ(guest.vmpck[3][0], 0x11);
  EXPECT_EQ(guest.svsm_base, region_.address().raw());
  EXPECT_EQ(guest.svsm_size, region_.size());
  EXPECT_EQ(guest.svsm_caa, layout.calling_area.raw());
  EXPECT_EQ(guest.svsm_max_version, 1u);
  EXPECT_EQ(guest.svsm_guest_vmpl, 1);
}

TEST_F(LinuxBootTest, StartsAtTheGuestsVmpl) {
  const BootLayout layout = Plan().value();
  snp_vmsa vmsa;
  std::memset(&vmsa, 0xff, sizeof(vmsa));
  WriteBootVmsa(vmsa, layout, kEncryptionBit);
  EXPECT_EQ(vmsa.vmpl, 1);
  EXPECT_EQ(vmsa.cpl, 0);
  EXPECT_EQ(vmsa.sev_features, SNP_FEATURE_SNP);
  EXPECT_NE(vmsa.efer & SNP_EFER_SVME, 0u);
  EXPECT_EQ(vmsa.rip, layout.kernel.raw() + 0x200);
  EXPECT_EQ(vmsa.rsi, layout.boot_params.raw());
  EXPECT_EQ(vmsa.cr3, layout.page_tables.raw() | kEncryptionBit);
  EXPECT_EQ(vmsa.rflags, 2u);
  EXPECT_EQ(vmsa.event_inj, 0u);
}

TEST_F(LinuxBootTest, MapsFourGiBAtTheirOwnAddresses) {
  const GuestPhys at(0x11000);
  std::vector<std::byte> pages(kBootTablePages * kPageSize);
  WriteBootTables(std::span<std::byte, kBootTablePages * kPageSize>(pages), at, kEncryptionBit);
  const auto entry = [&](uint64_t table, uint64_t index) {
    return Get<uint64_t>(pages, table - at.raw() + index * 8);
  };
  for (const uint64_t address : {uint64_t{0}, uint64_t{0x1000200}, uint64_t{0xffe00000}}) {
    const uint64_t mask = 0x000ffffffffff000 & ~kEncryptionBit;
    const uint64_t pdpt = entry(at.raw(), address >> 39) & mask;
    const uint64_t directory = entry(pdpt, address >> 30) & mask;
    const uint64_t leaf = entry(directory, (address >> 21) % 512);
    EXPECT_EQ(leaf, (address & ~(kLargePageSize - 1)) | kEncryptionBit | 0x83);
  }
  EXPECT_EQ(entry(at.raw(), 1), 0u);
}

}  // namespace
}  // namespace nsgx::snp
