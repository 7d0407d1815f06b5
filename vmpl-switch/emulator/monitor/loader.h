// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/core/result.h"
#include "vmpl-switch/emulator/firmware/guest_cpuid.h"
#include "vmpl-switch/emulator/firmware/secure_processor.h"
#include "vmpl-switch/emulator/monitor/rmp.h"
#include "vmpl-switch/igvm/launch_digest.h"
#include "vmpl-switch/igvm/reader.h"

namespace nsgx::emu {

// Does what a host and its firmware do with an IGVM file: pages, parameters, secrets, and the state
// in which the first processor starts, which goes to `vmsa`. Returns the launch digest, which
// `firmware` has been told already. RAM that the file does not speak of stays shared.
//
// `entropy`: fresh random bytes, for the keys of messages. `processors`: how many there are.
//
// Errors: kOutOfRange        the file wants memory that is no RAM.
//         kUnsupported       the file is signed; the emulated firmware checks no signatures.
//         kPermissionDenied  the firmware refuses the file's policy.
Result<igvm::LaunchDigest::Value> LoadIgvm(
    const igvm::File& file, const GuestMemory& memory, Rmp& rmp, const firmware::GuestCpuid& cpuid,
    firmware::SecureProcessor& firmware,
    std::span<const std::byte, firmware::SecureProcessor::kEntropySize> entropy,
    uint32_t processors, snp_vmsa& vmsa);

}  // namespace nsgx::emu
