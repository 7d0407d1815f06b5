// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/symbols/debug_file.h"

#include <string_view>

#include "enclave-loader/image/elf_file.h"

namespace nsgx::loader {

DebugFile DebugFile::Of(std::span<const std::byte> file) {
  DebugFile found;
  const Result<ElfFile, Refusal> elf = ElfFile::Open(file);
  if (!elf.ok()) {
    return found;
  }
  const struct {
    std::string_view name;
    std::span<const std::byte>& bytes;
  } wanted[] = {{".symtab", found.symbols},
                {".strtab", found.symbol_names},
                {".debug_line", found.lines},
                {".debug_line_str", found.line_strings},
                {".debug_str", found.strings}};
  for (size_t i = 0; i < elf.value().section_count(); ++i) {
    const Elf64_Shdr section = elf.value().section(i);
    if (section.sh_type == SHT_NOBITS || (section.sh_flags & SHF_COMPRESSED) != 0 ||
        !elf.value().Holds(section.sh_offset, section.sh_size)) {
      continue;
    }
    for (const auto& [name, bytes] : wanted) {
      if (elf.value().SectionName(section) == name) {
        bytes = file.subspan(section.sh_offset, section.sh_size);
      }
    }
  }
  return found;
}

}  // namespace nsgx::loader
