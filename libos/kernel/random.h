// SPDX-License-Identifier: Apache-2.0
// Random bytes for the program and the library OS.
#pragma once

#include <cstddef>
#include <span>

namespace nsgx::libos {

// Seeds the generator: with what the SEH put into the boot area, and from then on with what the SEH
// and the processor give. False: no good entropy could be had.
bool InitRandom(std::span<const std::byte> boot_seed);

// Fills `out`. Never fails: when a fresh seed is due and cannot be had, the enclave ends.
void FillRandom(std::span<std::byte> out);

}  // namespace nsgx::libos
