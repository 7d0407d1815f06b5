// SPDX-License-Identifier: Apache-2.0
// How Linux is started at VMPL1: where everything lies in the guest's memory, and what boot_params
// says about it. Nothing of this is trusted by anybody, so nothing of it is measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/snp/launch/memory_map.h"

namespace nsgx::snp {

// What the header of a bzImage says.
struct KernelHeader {
  uint32_t payload_offset = 0;  // of the protected-mode part in the file
  uint32_t init_size = 0;       // memory that it needs at its place
  uint32_t alignment = 0;
  uint64_t preferred_address = 0;
  uint32_t initrd_address_max = 0;
  uint32_t command_line_max = 0;
};

// Bytes of the kernel file that ParseKernelHeader and WriteBootParams want to see.
inline constexpr size_t kKernelHeadSize = 4096;

// Errors: kMalformed    it is no bzImage.
//         kUnsupported  it has no 64-bit entry, is not relocatable, or older than protocol 2.12.
// Trust:  the bytes are the host's.
Result<KernelHeader> ParseKernelHeader(std::span<const std::byte, kKernelHeadSize> head,
                                       uint64_t file_size);

// Sizes of the files, as fw_cfg says.
struct BootFiles {
  uint64_t kernel_size = 0;
  uint64_t initrd_size = 0;
  uint64_t command_line_size = 0;
};

// Guest-physical addresses of everything that Linux starts with.
struct BootLayout {
  GuestPhys boot_params;   // one page
  GuestPhys page_tables;   // kBootTablePages
  GuestPhys descriptors;   // GDT; one page
  GuestPhys cc_blob;       // and the setup_data node; in RAM that E820 calls RAM, because Linux
                           // maps it once more without the C-bit if it is not
  GuestPhys command_line;  // kCommandLineArea bytes
  GuestPhys kernel;
  GuestPhys initrd;
  // ACPI tables, which E820 calls that: Linux then maps them with the C-bit.
  GuestPageRange acpi;
  // A block that E820 calls reserved, though it is the guest's:
  GuestPageRange reserved;
  GuestPhys secrets;
  GuestPhys cpuid;
  GuestPhys calling_area;
};

inline constexpr uint64_t kBootTablePages = 6;  // PML4, PDPT, four page directories: 4 GiB
inline constexpr uint64_t kCommandLineArea = 16 * kPageSize;
inline constexpr uint64_t kReservedPages = 16;
inline constexpr uint64_t kAcpiPages = 112;

// Chooses addresses. `ram` is what the guest gets; `region` the SEH's, below which the reserved
// block goes.
//
// Errors: kOutOfRange  something has no room.
Result<BootLayout> PlanBoot(const MemoryMap& ram, const GuestPageRange& region,
                            const KernelHeader& kernel, const BootFiles& files);

// Fills in boot_params, of zeros: header of the kernel, E820, places of initrd and command line.
// `rsdp`: address of the ACPI tables' root, or 0.
//
// Errors: kOutOfRange  E820 has no room for all ranges.
Result<void> WriteBootParams(std::span<std::byte, kPageSize> page,
                             std::span<const std::byte, kKernelHeadSize> head, const MemoryMap& ram,
                             const GuestPageRange& region, const BootLayout& layout,
                             const BootFiles& files, uint64_t rsdp);

// Fills in the blob by which Linux finds secrets and CPUID page, and the setup_data node that
// names it. At kSetupDataOffset of the page.
inline constexpr uint64_t kSetupDataOffset = 256;
void WriteCcBlob(std::span<std::byte, kPageSize> page, const BootLayout& layout);

// Fills in page tables that map 4 GiB at their own addresses, private.
void WriteBootTables(std::span<std::byte, kBootTablePages * kPageSize> pages, GuestPhys at,
                     uint64_t encryption_bit);

// Fills in the GDT that Linux' boot protocol demands.
inline constexpr uint16_t kBootGdtSize = 32;
void WriteBootDescriptors(std::span<std::byte, kPageSize> page);

// Makes what the guest sees of the secrets page: everything but the keys of VMPLs below its own,
// and where its SVSM is.
void WriteGuestSecrets(snp_secrets& guest, const snp_secrets& own, const GuestPageRange& region,
                       const BootLayout& layout);

// Fills in the processor state in which Linux' 64-bit entry is called.
void WriteBootVmsa(snp_vmsa& vmsa, const BootLayout& layout, uint64_t encryption_bit);

}  // namespace nsgx::snp
