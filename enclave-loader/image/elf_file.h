// SPDX-License-Identifier: Apache-2.0
// The headers of an ELF file: found within its bounds, and those of a static position-independent
// x86-64 program.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "enclave-loader/image/refusal.h"

namespace nsgx::loader {

// The text at `offset` of a table of NUL-terminated ones; empty when none ends inside.
std::string_view StringAt(std::span<const std::byte> strings, uint64_t offset);

// Headers are copied out when asked for, as the file may have them at any alignment. The file must
// stay and not change.
class ElfFile {
 public:
  // Checks the file header and that both tables of headers are there.
  //
  // Errors: the first reason why this is not such a file.
  static Result<ElfFile, Refusal> Open(std::span<const std::byte> file);

  const Elf64_Ehdr& header() const { return header_; }
  size_t segment_count() const { return header_.e_phnum; }
  size_t section_count() const { return header_.e_shnum; }

  // Require: index is below the count.
  Elf64_Phdr segment(size_t index) const;
  Elf64_Shdr section(size_t index) const;

  // Returns the name of a section; empty when it has none inside the file.
  std::string_view SectionName(const Elf64_Shdr& section) const;

  // Returns whether the file has all these bytes.
  bool Holds(uint64_t offset, uint64_t size) const {
    return offset <= file_.size() && size <= file_.size() - offset;
  }

  // Refuses what a dynamic section asks for and nobody would do: libraries, relocations in code.
  Result<void, Refusal> CheckDynamic(const Elf64_Phdr& segment) const;

 private:
  ElfFile(std::span<const std::byte> file, const Elf64_Ehdr& header)
      : file_(file), header_(header) {}

  std::span<const std::byte> file_;
  Elf64_Ehdr header_;
  std::span<const std::byte> names_;
};

}  // namespace nsgx::loader
