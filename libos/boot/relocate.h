// SPDX-License-Identifier: Apache-2.0
// Relocation of the image by itself, before anything else runs: until it is done, no constant that
// holds an address is right.
#pragma once

#include <elf.h>

#include <cstdint>

namespace nsgx::libos {

// Applies the relative relocations (RELA and RELR) that `dynamic` names, to an image linked at
// address 0 and loaded at `base`.
//
// Called once, first of all. False: the image has another kind of relocation, so the linker was
// told the wrong thing. Trust: the image is measured.
bool RelocateImage(uint64_t base, const Elf64_Dyn* dynamic);

}  // namespace nsgx::libos
