// SPDX-License-Identifier: Apache-2.0
// Whatever a host gives as steps for ACPI tables, memory map or kernel, the loaders refuse it or
// stay where they belong.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/core/check.h"
#include "vmpl-switch/snp/launch/acpi_loader.h"
#include "vmpl-switch/snp/launch/linux_boot.h"
#include "vmpl-switch/snp/launch/memory_map.h"
#include "vmpl-switch/snp/testing/fake_fw_cfg.h"

namespace {

using namespace nsgx;
using namespace nsgx::snp;

void TryAcpi(std::span<const std::byte> steps) {
  FakeFwCfg device;
  device.AddFile("etc/acpi/rsdp", std::vector<std::byte>(36));
  device.AddFile("etc/acpi/tables", std::vector<std::byte>(300));
  device.AddFile("etc/vmgenid_addr", std::vector<std::byte>(8));
  device.AddFile("etc/table-loader", {steps.begin(), steps.end()});
  FwCfg fw_cfg(device);
  const GuestPageRange area = GuestPageRange::OfPages(GuestPhys(0x7f80000), 4).value();
  std::vector<std::byte> memory(area.size());
  AcpiLoader loader(fw_cfg, area, memory);
  const Result<GuestPhys> rsdp = loader.Load();
  CHECK(!rsdp.ok() || area.Contains(rsdp.value()));
}

void TryMap(std::span<const std::byte> bytes) {
  std::vector<igvm_memory_map_entry> entries(bytes.size() / sizeof(igvm_memory_map_entry));
  if (!entries.empty()) {
    std::memcpy(entries.data(), bytes.data(), entries.size() * sizeof(entries[0]));
  }
  constexpr GuestPhys kLimit{uint64_t{1} << 35};
  const GuestPageRange region = GuestPageRange::Make(GuestPhys(0x8000000), 0x1000000).value();
  MemoryMap map;
  if (!map.Read(entries, kLimit).ok() || !map.Exclude(region).ok()) {
    return;
  }
  GuestPhys end;
  for (const GuestPageRange& range : map.ranges()) {
    CHECK(!range.empty() && range.address() >= end && !range.Overlaps(region));
    end = range.end_address();
  }
  CHECK(end <= kLimit);
}

void TryKernel(std::span<const std::byte> bytes) {
  std::array<std::byte, kKernelHeadSize> head = {};
  std::copy_n(bytes.begin(), std::min(bytes.size(), head.size()), head.begin());
  const BootFiles files = {.kernel_size = 10'000'000, .initrd_size = 5'000'000};
  const Result<KernelHeader> header = ParseKernelHeader(head, files.kernel_size);
  if (!header.ok()) {
    return;
  }
  igvm_memory_map_entry ram = {};
  ram.page_count = 0x3c000;
  const GuestPageRange region = GuestPageRange::Make(GuestPhys(0x8000000), 0x1000000).value();
  MemoryMap map;
  map.Read(std::span(&ram, 1), GuestPhys(uint64_t{1} << 35)).value();
  map.Exclude(region).value();
  const Result<BootLayout> layout = PlanBoot(map, region, header.value(), files);
  if (!layout.ok()) {
    return;
  }
  const auto check = [&map](GuestPhys start, uint64_t size) {
    CHECK(map.Contains(
        GuestPageRange::Covering(AddrRange<GuestPhysTag>::Make(start, size).value()).value()));
  };
  check(layout.value().kernel, files.kernel_size - header.value().payload_offset);
  check(layout.value().initrd, files.initrd_size);
  std::array<std::byte, kPageSize> page = {};
  CHECK(WriteBootParams(page, head, map, region, layout.value(), files, 0).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> input = std::as_bytes(std::span(data, size));
  TryAcpi(input);
  TryMap(input);
  TryKernel(input);
  return 0;
}
