// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/image/elf_file.h"

#include <algorithm>
#include <cstring>

#include "base/core/check.h"

namespace nsgx::loader {
namespace {

// Requires: the bytes are there.
template <typename T>
T CopyAt(std::span<const std::byte> file, uint64_t offset) {
  CHECK(offset <= file.size() && sizeof(T) <= file.size() - offset);
  T object;
  std::memcpy(&object, file.data() + offset, sizeof(object));
  return object;
}

Result<void, Refusal> CheckIdent(std::span<const std::byte> file) {
  const auto at = [&](size_t index) { return std::to_integer<unsigned char>(file[index]); };
  if (file.size() < SELFMAG || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0) {
    return Refuse(Cause::kNotElf);
  }
  if (file.size() < EI_NIDENT) {
    return Refuse(Cause::kTruncated);
  }
  if (at(EI_CLASS) != ELFCLASS64) {
    return Refuse(Cause::kNot64Bit);
  }
  if (at(EI_DATA) != ELFDATA2LSB) {
    return Refuse(Cause::kBigEndian);
  }
  if (at(EI_VERSION) != EV_CURRENT) {
    return Refuse(Cause::kOtherElfVersion);
  }
  return {};
}

Result<void, Refusal> CheckHeader(const Elf64_Ehdr& header) {
  if (header.e_machine != EM_X86_64) {
    return Refuse(Cause::kOtherMachine, header.e_machine);
  }
  if (header.e_version != EV_CURRENT) {
    return Refuse(Cause::kOtherElfVersion);
  }
  if (header.e_type == ET_EXEC) {
    return Refuse(Cause::kNotPositionIndependent);
  }
  if (header.e_type != ET_DYN) {
    return Refuse(Cause::kNotAProgram, header.e_type);
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr) ||
      (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr))) {
    return Refuse(Cause::kBadHeaders);
  }
  return {};
}

}  // namespace

std::string_view StringAt(std::span<const std::byte> strings, uint64_t offset) {
  if (offset >= strings.size()) {
    return {};
  }
  const auto text = strings.subspan(static_cast<size_t>(offset));
  const auto end = std::find(text.begin(), text.end(), std::byte{0});
  if (end == text.end()) {
    return {};
  }
  return {reinterpret_cast<const char*>(text.data()), static_cast<size_t>(end - text.begin())};
}

Result<ElfFile, Refusal> ElfFile::Open(std::span<const std::byte> file) {
  TRY(CheckIdent(file));
  if (file.size() < sizeof(Elf64_Ehdr)) {
    return Refuse(Cause::kTruncated);
  }
  const auto header = CopyAt<Elf64_Ehdr>(file, 0);
  TRY(CheckHeader(header));
  ElfFile elf(file, header);
  // 16-bit counts times 64: nothing wraps.
  if (!elf.Holds(header.e_phoff, elf.segment_count() * sizeof(Elf64_Phdr)) ||
      !elf.Holds(header.e_shoff, elf.section_count() * sizeof(Elf64_Shdr))) {
    return Refuse(Cause::kTruncated);
  }
  if (header.e_shstrndx < elf.section_count()) {
    const Elf64_Shdr names = elf.section(header.e_shstrndx);
    if (!elf.Holds(names.sh_offset, names.sh_size)) {
      return Refuse(Cause::kTruncated);
    }
    elf.names_ = file.subspan(names.sh_offset, names.sh_size);
  }
  return elf;
}

Elf64_Phdr ElfFile::segment(size_t index) const {
  CHECK(index < segment_count());
  return CopyAt<Elf64_Phdr>(file_, header_.e_phoff + index * sizeof(Elf64_Phdr));
}

Elf64_Shdr ElfFile::section(size_t index) const {
  CHECK(index < section_count());
  return CopyAt<Elf64_Shdr>(file_, header_.e_shoff + index * sizeof(Elf64_Shdr));
}

std::string_view ElfFile::SectionName(const Elf64_Shdr& section) const {
  return StringAt(names_, section.sh_name);
}

Result<void, Refusal> ElfFile::CheckDynamic(const Elf64_Phdr& segment) const {
  if (!Holds(segment.p_offset, segment.p_filesz)) {
    return Refuse(Cause::kTruncated);
  }
  const uint64_t end = segment.p_offset + segment.p_filesz;
  for (uint64_t at = segment.p_offset; end - at >= sizeof(Elf64_Dyn); at += sizeof(Elf64_Dyn)) {
    const auto entry = CopyAt<Elf64_Dyn>(file_, at);
    switch (entry.d_tag) {
      case DT_NULL:
        return {};
      case DT_NEEDED:
        return Refuse(Cause::kDynamic);
      case DT_TEXTREL:
        return Refuse(Cause::kTextRelocations);
      case DT_FLAGS:
        if ((entry.d_un.d_val & DF_TEXTREL) != 0) {
          return Refuse(Cause::kTextRelocations);
        }
        break;
      default:
        break;
    }
  }
  return {};
}

}  // namespace nsgx::loader
