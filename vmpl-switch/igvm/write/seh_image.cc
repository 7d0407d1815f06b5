// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/igvm/write/seh_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "base/core/align.h"
#include "base/core/bytes.h"

namespace nsgx::igvm {
namespace {

// Simultaneous multithreading allowed; bit 17 has to be set.
constexpr uint64_t kPolicy = 0x30000;

constexpr char kNoteName[] = "NSGX";
constexpr uint32_t kNoteType = 1;

// The note's eight numbers, as vmpl-switch/snp/image/note.S has them.
struct Note {
  uint64_t cpuid_page, secrets_page, memory_map_page, parameter_page;
  uint64_t vp_count_offset, environment_offset;
  uint64_t region, region_size;
};

struct NoteHeader {
  uint32_t name_size, size, type;
  char name[8];  // with padding
};
static_assert(sizeof(kNoteName) == 5);

template <typename T>
std::optional<T> ReadAt(std::span<const std::byte> bytes, uint64_t offset) {
  const Result<std::span<const std::byte>> slice = Slice(bytes, offset, sizeof(T));
  if (!slice.ok()) {
    return std::nullopt;
  }
  T object;
  std::memcpy(&object, slice.value().data(), sizeof(T));
  return object;
}

std::optional<Note> FindNote(std::span<const std::byte> elf, std::span<const Elf64_Phdr> segments) {
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_NOTE) {
      continue;
    }
    const std::optional<NoteHeader> header = ReadAt<NoteHeader>(elf, segment.p_offset);
    if (header && header->type == kNoteType && header->name_size == sizeof(kNoteName) &&
        header->size == sizeof(Note) &&
        std::memcmp(header->name, kNoteName, sizeof(kNoteName)) == 0) {
      return ReadAt<Note>(elf, segment.p_offset + sizeof(NoteHeader));
    }
  }
  return std::nullopt;
}

// Adds the pages of one segment: what the file has of it, then zeros.
void AddSegment(std::span<const std::byte> file_part, uint64_t address, uint64_t memory_size,
                FileContents& contents) {
  for (uint64_t offset = 0; offset < memory_size; offset += kPageSize) {
    FileContents::Page page = {.address = GuestPhys(address + offset)};
    if (offset < file_part.size()) {
      const std::span<const std::byte> rest = file_part.subspan(offset);
      const std::span<const std::byte> part = rest.first(std::min(rest.size(), size_t{kPageSize}));
      page.bytes.assign(part.begin(), part.end());
      page.bytes.resize(kPageSize);
    }
    contents.pages.push_back(std::move(page));
  }
}

}  // namespace

Result<FileContents, const char*> ReadSehImage(std::span<const std::byte> elf) {
  const std::optional<Elf64_Ehdr> header = ReadAt<Elf64_Ehdr>(elf, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64 ||
      header->e_type != ET_EXEC || header->e_phentsize != sizeof(Elf64_Phdr)) {
    return Error<const char*>("is no ELF file of a fixed x86-64 program");
  }
  std::vector<Elf64_Phdr> segments;
  for (uint64_t i = 0; i < header->e_phnum; ++i) {
    const std::optional<Elf64_Phdr> segment =
        ReadAt<Elf64_Phdr>(elf, header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) {
      return Error<const char*>("ends within its program headers");
    }
    segments.push_back(*segment);
  }
  const std::optional<Note> note = FindNote(elf, segments);
  if (!note) {
    return Error<const char*>("has no note NSGX of type 1, which says where the host's pages go");
  }
  const uint64_t region_end = note->region + note->region_size;
  const auto in_region = [&](uint64_t address, uint64_t size) {
    return address >= note->region && address < region_end && size <= region_end - address;
  };
  if (region_end < note->region || region_end > uint64_t{1} << 32 ||
      !IsAligned(note->region | note->region_size, kPageSize)) {
    return Error<const char*>("has a region that is not whole pages below 4 GiB");
  }

  FileContents result = {.policy = kPolicy};
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_LOAD) {
      continue;
    }
    const Result<std::span<const std::byte>> file_part =
        Slice(elf, segment.p_offset, segment.p_filesz);
    if (!file_part.ok() || segment.p_filesz > segment.p_memsz ||
        !in_region(segment.p_paddr, segment.p_memsz) || !IsAligned(segment.p_paddr, kPageSize)) {
      return Error<const char*>(
          "has a segment that does not start with a page of its region, or leaves that");
    }
    AddSegment(file_part.value(), segment.p_paddr, segment.p_memsz, result);
  }
  if (!in_region(header->e_entry, 1)) {
    return Error<const char*>("starts outside its region");
  }
  for (uint64_t page :
       {note->cpuid_page, note->secrets_page, note->memory_map_page, note->parameter_page}) {
    if (!in_region(page, kPageSize)) {
      return Error<const char*>("wants a page of the host's outside its region");
    }
  }
  constexpr uint64_t kLastWord = kPageSize - sizeof(uint32_t);
  if (note->vp_count_offset > kLastWord || note->environment_offset > kLastWord) {
    return Error<const char*>("wants a parameter behind the end of its page");
  }

  result.required_memory.push_back(
      {.address = GuestPhys(note->region), .size = static_cast<uint32_t>(note->region_size)});
  result.pages.push_back({.address = GuestPhys(note->cpuid_page), .type = IGVM_DATA_CPUID});
  result.pages.push_back({.address = GuestPhys(note->secrets_page), .type = IGVM_DATA_SECRETS});
  result.parameter_pages.push_back({.address = GuestPhys(note->memory_map_page), .memory_map = 0});
  result.parameter_pages.push_back(
      {.address = GuestPhys(note->parameter_page),
       .vp_count = static_cast<uint32_t>(note->vp_count_offset),
       .environment_info = static_cast<uint32_t>(note->environment_offset)});
  result.vmsa = StartState(GuestPhys(header->e_entry));
  return result;
}

snp_vmsa StartState(GuestPhys entry) {
  constexpr uint32_t kWholeSpace = 0xffffffff;
  constexpr snp_segment kCode = {
      .selector = 0x08, .attributes = 0xc9b, .limit = kWholeSpace, .base = 0};
  constexpr snp_segment kData = {
      .selector = 0x10, .attributes = 0xc93, .limit = kWholeSpace, .base = 0};
  snp_vmsa vmsa = {};
  vmsa.cs = kCode;
  vmsa.ds = vmsa.es = vmsa.fs = vmsa.gs = vmsa.ss = kData;
  vmsa.efer = SNP_EFER_SVME | 0x800;  // no-execute enabled, as every host's own list has it
  vmsa.cr0 = 0x31;                    // protected mode; KVM forces the other two bits
  vmsa.cr4 = 0x60;                    // PAE and machine checks
  vmsa.rflags = 2;
  vmsa.rip = entry.raw();
  vmsa.g_pat = SNP_PAT_RESET;
  vmsa.sev_features = SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION;
  vmsa.xcr0 = 1;
  return vmsa;
}

}  // namespace nsgx::igvm
