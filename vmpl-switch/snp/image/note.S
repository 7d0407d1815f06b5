# SPDX-License-Identifier: Apache-2.0
# What an IGVM file has to say besides the segments: an ELF note, name "NSGX", type 1, and eight
# numbers of 64 bits, all guest-physical: CPUID page, secrets page, page for the memory map, page for
# the other parameters, offsets in that of VP count and environment info, region, its size.
#include "vmpl-switch/snp/image/layout.h"

	.section .note.nsgx, "a", @note
	.balign 4
	.long	5, 64, 1
	.asciz	"NSGX"
	.balign 4
	.quad	SEH_CPUID_PAGE, SEH_SECRETS_PAGE, SEH_MEMORY_MAP_PAGE, SEH_PARAMETER_PAGE
	.quad	SEH_PARAMETER_VP_COUNT, SEH_PARAMETER_ENVIRONMENT, SEH_REGION, SEH_REGION_SIZE

	.section .note.GNU-stack, "", @progbits
