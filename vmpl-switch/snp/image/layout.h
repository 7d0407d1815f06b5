// SPDX-License-Identifier: Apache-2.0
// Where the image and its pages lie, in guest-physical memory and in the SEH's address space. The
// note in note.S tells the physical half to whoever writes the IGVM file.
#pragma once

// The SEH's region: the first pages are filled in at launch, then comes the image, and the rest is
// the SEH's memory. 2 MiB aligned, so that no page of 2 MiB is half the guest's.
#define SEH_REGION 0x8000000
#define SEH_REGION_SIZE 0x1000000
#define SEH_CPUID_PAGE SEH_REGION
#define SEH_SECRETS_PAGE (SEH_REGION + 0x1000)
#define SEH_MEMORY_MAP_PAGE (SEH_REGION + 0x2000)
#define SEH_PARAMETER_PAGE (SEH_REGION + 0x3000)
#define SEH_PARAMETER_VP_COUNT 0
#define SEH_PARAMETER_ENVIRONMENT 4
#define SEH_IMAGE (SEH_REGION + 0x10000)

// The upper half, PML4 entry by PML4 entry: 256 the direct map, 509 shared pages (C = 0), 510 what
// address spaces have for themselves (AddressSpace::kEnclaveSlot), 511 the image.
#define SEH_DIRECT_MAP 0xffff800000000000
#define SEH_SHARED_MAP 0xfffffe8000000000
#define SEH_IMAGE_OFFSET 0xffffffff80000000

// What entry.S needs to know of other headers; checked in checks.cc.
#define ENTRY_CPUID_ENTRIES 16
#define ENTRY_CPUID_ENTRY_SIZE 48
#define ENTRY_CPUID_MAX_ENTRIES 64
#define ENTRY_CPUID_LEAF 0x8000001f
#define ENTRY_CPUID_EBX 0x1c
#define ENTRY_MSR_GHCB 0xc0010130
#define ENTRY_TERMINATE 0x00017100
