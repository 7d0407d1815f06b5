// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/igvm/write/writer.h"

namespace nsgx::igvm {

// Returns what a host has to be told so that it starts the SEH from `elf`, which is linked as
// docs/design/snp-machine.md says: segments at their physical addresses, four pages that its note
// names, a 32-bit entry. Or what is wrong, as the end of a sentence that the file's name begins.
Result<FileContents, const char*> ReadSehImage(std::span<const std::byte> elf);

// The state in which KVM, QEMU and OpenVMM agree to start a processor: 32-bit protected mode
// without paging, at `entry`, with restricted injection.
snp_vmsa StartState(GuestPhys entry);

}  // namespace nsgx::igvm
