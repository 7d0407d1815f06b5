// SPDX-License-Identifier: Apache-2.0
#include "libos/boot/relocate.h"

#include <cstddef>

namespace nsgx::libos {
namespace {

uint64_t& WordAt(uint64_t address) { return *reinterpret_cast<uint64_t*>(address); }

// RELR: an even entry is the address of a word to relocate; an odd one is a bitmap of the 63 words
// that follow.
void ApplyRelr(uint64_t base, const uint64_t* entries, size_t count) {
  uint64_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t entry = entries[i];
    if ((entry & 1) == 0) {
      WordAt(base + entry) += base;
      next = base + entry + sizeof(uint64_t);
      continue;
    }
    for (uint64_t bits = entry >> 1, word = next; bits != 0; bits >>= 1, word += sizeof(uint64_t)) {
      if ((bits & 1) != 0) {
        WordAt(word) += base;
      }
    }
    next += 63 * sizeof(uint64_t);
  }
}

}  // namespace

bool RelocateImage(uint64_t base, const Elf64_Dyn* dynamic) {
  uint64_t rela = 0, rela_size = 0, relr = 0, relr_size = 0;
  for (; dynamic->d_tag != DT_NULL; ++dynamic) {
    const uint64_t value = dynamic->d_un.d_val;
    // No switch: its jump table would be one of the constants that are not relocated yet.
    if (dynamic->d_tag == DT_RELA) {
      rela = value;
    } else if (dynamic->d_tag == DT_RELASZ) {
      rela_size = value;
    } else if (dynamic->d_tag == DT_RELR) {
      relr = value;
    } else if (dynamic->d_tag == DT_RELRSZ) {
      relr_size = value;
    }
  }
  const auto* entries = reinterpret_cast<const Elf64_Rela*>(base + rela);
  for (size_t i = 0; i < rela_size / sizeof(Elf64_Rela); ++i) {
    if (ELF64_R_TYPE(entries[i].r_info) != R_X86_64_RELATIVE) {
      return false;
    }
    WordAt(base + entries[i].r_offset) = base + static_cast<uint64_t>(entries[i].r_addend);
  }
  ApplyRelr(base, reinterpret_cast<const uint64_t*>(base + relr), relr_size / sizeof(uint64_t));
  return true;
}

}  // namespace nsgx::libos
