// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/launch_linux.h"

#include <array>

#include "base/core/log.h"
#include "base/core/mem_raw.h"
#include "vmpl-switch/snp/image/fw_cfg_port.h"
#include "vmpl-switch/snp/image/layout.h"
#include "vmpl-switch/snp/image/seh.h"
#include "vmpl-switch/snp/launch/acpi_loader.h"
#include "vmpl-switch/snp/launch/linux_boot.h"

namespace nsgx::snp {
namespace {

// Memory of the guest, by the SEH's direct map; the range was planned inside the guest's RAM.
std::span<std::byte> GuestBytes(GuestPhys start, uint64_t size) {
  return {g_seh.memory.At(start), static_cast<size_t>(size)};
}
template <uint64_t kSize>
std::span<std::byte, kSize> GuestArea(GuestPhys start) {
  std::byte* data = g_seh.memory.At(start);
  FillOnce(data, std::byte{0}, kSize);
  return std::span<std::byte, kSize>(data, kSize);
}

struct Files {
  FwCfgFile kernel;
  FwCfgFile initrd;
  FwCfgFile command_line;
};

Files FindFiles(FwCfg& fw_cfg) {
  Files files;
  files.kernel = OrTerminate(fw_cfg.Find("opt/org.nsgx/kernel"), Termination::kNoKernel);
  files.initrd = fw_cfg.Find("opt/org.nsgx/initrd").value_or(FwCfgFile{});
  files.command_line = fw_cfg.Find("opt/org.nsgx/cmdline").value_or(FwCfgFile{});
  return files;
}

void LoadFile(FwCfg& fw_cfg, const FwCfgFile& file, GuestPhys place) {
  if (file.size == 0) {
    return;
  }
  OrTerminate(fw_cfg.Select(file), Termination::kNoKernel);
  OrTerminate(fw_cfg.ReadNext(GuestBytes(place, file.size)), Termination::kNoKernel);
}

// Linux can do without tables, though not well.
uint64_t LoadAcpi(FwCfg& fw_cfg, const BootLayout& layout) {
  const std::span<std::byte> memory = GuestBytes(layout.acpi.address(), layout.acpi.size());
  FillOnce(memory.data(), std::byte{0}, memory.size());
  AcpiLoader loader(fw_cfg, layout.acpi, memory);
  const Result<GuestPhys> rsdp = loader.Load();
  if (!rsdp.ok()) {
    LOG(kWarning, "no ACPI tables: ", rsdp.error());
    return 0;
  }
  return rsdp.value().raw();
}

// Makes the page with the state of Linux' first processor, in our own memory.
GuestPhys MakeVmsa(const BootLayout& layout) {
  GuestPhys page = OrTerminate(g_seh.allocator.AllocatePage(), Termination::kNoMemory);
  if (IsAligned(page, kLargePageSize)) {
    // Processors mistake a VMSA at the start of 2 MiB for a large page; this one is never used.
    page = OrTerminate(g_seh.allocator.AllocatePage(), Termination::kNoMemory);
  }
  WriteBootVmsa(*g_seh.memory.ObjectAt<snp_vmsa>(page), layout, g_seh.encryption_bit);
  if (g_seh.rmp.Adjust(page, SnpPageSize::k4K, kGuestVmpl, 0, true) != SNP_OK) {
    Terminate(Termination::kRmpAdjust);
  }
  return page;
}

}  // namespace

void LaunchLinux(GuestCpus& cpus) {
  const SharedPages buffer = MakeSharedPages(FwCfgDma::kPages, false);
  FwCfgDma port(g_seh.first.ghcb, buffer.data, buffer.address);
  FwCfg fw_cfg(port);
  const Files files = FindFiles(fw_cfg);
  const BootFiles sizes = {.kernel_size = files.kernel.size,
                           .initrd_size = files.initrd.size,
                           .command_line_size = files.command_line.size};

  static constinit std::array<std::byte, kKernelHeadSize> g_head = {};
  if (sizes.kernel_size < g_head.size()) {
    Terminate(Termination::kNoKernel);
  }
  OrTerminate(fw_cfg.Select(files.kernel), Termination::kNoKernel);
  OrTerminate(fw_cfg.ReadNext(g_head), Termination::kNoKernel);
  const KernelHeader header =
      OrTerminate(ParseKernelHeader(g_head, sizes.kernel_size), Termination::kNoKernel);
  const GuestPageRange region = SehRegion();
  const BootLayout layout =
      OrTerminate(PlanBoot(g_seh.guest_ram, region, header, sizes), Termination::kLaunch);

  // The payload goes behind what has been read; the rest of the head belongs to it or not.
  std::byte* kernel = g_seh.memory.At(layout.kernel);
  size_t early = 0;
  if (header.payload_offset < g_head.size()) {
    early = g_head.size() - header.payload_offset;
    CopyOnce(kernel, g_head.data() + header.payload_offset, early);
  } else {
    // Between the two: dropped into the place of the payload, which comes next.
    OrTerminate(fw_cfg.ReadNext(std::span(kernel, header.payload_offset - g_head.size())),
                Termination::kNoKernel);
  }
  OrTerminate(
      fw_cfg.ReadNext(std::span(kernel + early, sizes.kernel_size - header.payload_offset - early)),
      Termination::kNoKernel);
  LoadFile(fw_cfg, files.initrd, layout.initrd);
  GuestArea<kCommandLineArea>(layout.command_line);
  LoadFile(fw_cfg, files.command_line, layout.command_line);

  OrTerminate(WriteBootParams(GuestArea<kPageSize>(layout.boot_params), g_head, g_seh.guest_ram,
                              region, layout, sizes, LoadAcpi(fw_cfg, layout)),
              Termination::kLaunch);
  WriteCcBlob(GuestArea<kPageSize>(layout.cc_blob), layout);
  WriteBootTables(GuestArea<kBootTablePages * kPageSize>(layout.page_tables), layout.page_tables,
                  g_seh.encryption_bit);
  WriteBootDescriptors(GuestArea<kPageSize>(layout.descriptors));
  WriteGuestSecrets(*g_seh.memory.ObjectAt<snp_secrets>(layout.secrets),
                    *g_seh.memory.ObjectAt<snp_secrets>(GuestPhys(SEH_SECRETS_PAGE)), region,
                    layout);
  CopyOnce(g_seh.memory.At(layout.cpuid), g_seh.memory.At(GuestPhys(SEH_CPUID_PAGE)), kPageSize);
  GuestArea<kPageSize>(layout.calling_area);
  OrTerminate(g_seh.pages.Begin(layout.calling_area, PageState::kGuest), Termination::kLaunch);
  g_seh.pages.Finish(layout.calling_area, PageState::kCallingArea);

  const GuestPhys vmsa = MakeVmsa(layout);
  OrTerminate(cpus.AddProcessor(g_seh.first.cpu.apic_id), Termination::kLaunch);
  OrTerminate(cpus.Add({.vmsa = vmsa,
                        .calling_area = layout.calling_area,
                        .apic_id = g_seh.first.cpu.apic_id,
                        .is_own = true}),
              Termination::kLaunch);
  OrTerminate(g_seh.first.ghcb.Exit({.code = GHCB_EXIT_AP_CREATION,
                                     .info1 = GHCB_AP_CREATE_ON_INIT | uint64_t{kGuestVmpl} << 16 |
                                              uint64_t{g_seh.first.cpu.apic_id} << 32,
                                     .info2 = vmsa.raw(),
                                     .sends_rax = true,
                                     .rax = SNP_FEATURE_SNP}),
              Termination::kLaunch);
  LOG(kInfo, "Linux at ", layout.kernel, ", ", sizes.kernel_size, " bytes; initrd at ",
      layout.initrd, ", ", sizes.initrd_size, " bytes");
}

}  // namespace nsgx::snp
