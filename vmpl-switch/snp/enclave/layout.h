// SPDX-License-Identifier: Apache-2.0
// Where things lie in an enclave's address space. What ring 3 sees is in the lower half, each part
// in 512 GiB of its own.
#pragma once

#include <cstdint>

#include "vmpl-switch/snp/memory/address_space.h"

namespace nsgx::snp {

// The gate page, and the windows of all slots: not part of the enclave's range.
inline constexpr uint64_t kGateAddress = uint64_t{1} << 39;
inline constexpr uint64_t kWindowAddress = kGateAddress + (uint64_t{1} << 30);
inline constexpr uint64_t kMaxWindowSize = uint64_t{4} << 30;

// The enclave's range, and the SEH's own view of it (AddressSpace::MakeAlias).
inline constexpr uint64_t kEnclaveBase = uint64_t{2} << 39;
inline constexpr uint64_t kMaxEnclaveSize = uint64_t{1} << 39;
inline constexpr uint64_t kAliasBase = 0xffff000000000000 | uint64_t{AddressSpace::kEnclaveSlot}
                                                                << 39;

// What lies in the gate page: mov %rcx, %r10; syscall; ret. SYSCALL overwrites rcx, an argument.
inline constexpr uint8_t kGateCode[] = {0x49, 0x89, 0xca, 0x0f, 0x05, 0xc3};
// Where SYSCALL came from if it was that one.
inline constexpr uint64_t kGateReturn = kGateAddress + 5;

}  // namespace nsgx::snp
