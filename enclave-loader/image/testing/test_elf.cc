// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/image/testing/test_elf.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace nsgx::loader {
namespace {

std::vector<std::byte> Pattern(size_t size, unsigned seed) {
  std::vector<std::byte> data(size);
  for (size_t i = 0; i < size; ++i) {
    data[i] = static_cast<std::byte>((i * 31 + seed) % 251 + 1);
  }
  return data;
}

void Put(std::vector<std::byte>& file, uint64_t offset, const void* data, size_t size) {
  if (size == 0) {
    return;
  }
  file.resize(std::max<size_t>(file.size(), offset + size));
  std::memcpy(file.data() + offset, data, size);
}

TestSegment Load(uint64_t address, uint64_t offset, uint32_t flags, std::vector<std::byte> data,
                 uint64_t zeros = 0) {
  TestSegment segment;
  segment.header.p_type = PT_LOAD;
  segment.header.p_flags = flags;
  segment.header.p_vaddr = segment.header.p_paddr = address;
  segment.header.p_offset = offset;
  segment.header.p_filesz = data.size();
  segment.header.p_memsz = data.size() + zeros;
  segment.header.p_align = NSGX_PAGE_SIZE;
  segment.data = std::move(data);
  return segment;
}

}  // namespace

TestSegment& TestElf::SegmentAt(uint64_t address) {
  for (TestSegment& segment : segments) {
    if (segment.header.p_vaddr == address) {
      return segment;
    }
  }
  throw std::out_of_range("no such segment");
}

TestSection& TestElf::SectionNamed(const std::string& name) {
  for (TestSection& section : sections) {
    if (section.name == name) {
      return section;
    }
  }
  throw std::out_of_range("no such section");
}

std::vector<std::byte> TestElf::Build() const {
  std::vector<std::byte> file;
  for (const TestSegment& segment : segments) {
    Put(file, segment.header.p_offset, segment.data.data(), segment.data.size());
  }
  std::string names(1, '\0');
  std::vector<Elf64_Shdr> headers(1);
  for (const TestSection& section : sections) {
    Elf64_Shdr out = section.header;
    out.sh_name = static_cast<uint32_t>(names.size());
    names += section.name + '\0';
    if (!section.data.empty()) {
      out.sh_offset = file.size();
      out.sh_size = section.data.size();
      Put(file, file.size(), section.data.data(), section.data.size());
    }
    headers.push_back(out);
  }
  Elf64_Shdr names_header = {};
  names_header.sh_name = static_cast<uint32_t>(names.size());
  names += std::string(".shstrtab") + '\0';
  names_header.sh_type = SHT_STRTAB;
  names_header.sh_offset = file.size();
  names_header.sh_size = names.size();
  Put(file, file.size(), names.data(), names.size());
  headers.push_back(names_header);

  Elf64_Ehdr out = header;
  out.e_phnum = static_cast<uint16_t>(segments.size());
  out.e_phoff = sizeof(Elf64_Ehdr);
  out.e_shnum = static_cast<uint16_t>(headers.size());
  out.e_shoff = file.size();
  out.e_shstrndx = static_cast<uint16_t>(headers.size() - 1);
  Put(file, file.size(), headers.data(), headers.size() * sizeof(Elf64_Shdr));
  for (size_t i = 0; i < segments.size(); ++i) {
    Put(file, out.e_phoff + i * sizeof(Elf64_Phdr), &segments[i].header, sizeof(Elf64_Phdr));
  }
  Put(file, 0, &out, sizeof(out));
  return file;
}

nsgx_config GoodConfig() {
  nsgx_config config = {};
  config.magic = NSGX_CONFIG_MAGIC;
  config.version = NSGX_CONFIG_VERSION;
  config.size = sizeof(config);
  config.address_range_size = uint64_t{1} << 30;
  config.max_vcpus = 4;
  config.main_stack_size = uint64_t{1} << 20;
  config.host_calls[0] = 0x82;
  return config;
}

TestElf GoodElf() {
  TestElf elf;
  std::memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
  elf.header.e_ident[EI_CLASS] = ELFCLASS64;
  elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
  elf.header.e_ident[EI_VERSION] = EV_CURRENT;
  elf.header.e_type = ET_DYN;
  elf.header.e_machine = EM_X86_64;
  elf.header.e_version = EV_CURRENT;
  elf.header.e_entry = kTestCodeAddress + 0x10;
  elf.header.e_ehsize = sizeof(Elf64_Ehdr);
  elf.header.e_phentsize = sizeof(Elf64_Phdr);
  elf.header.e_shentsize = sizeof(Elf64_Shdr);

  std::vector<std::byte> constants = Pattern(0x2345, 1);
  std::fill(constants.begin() + kTestConfigAddress, constants.begin() + 0x2000, std::byte{0});
  const nsgx_config config = GoodConfig();
  std::memcpy(constants.data() + kTestConfigAddress, &config, sizeof(config));
  elf.segments.push_back(Load(0, 0, PF_R, std::move(constants)));
  elf.segments.push_back(Load(kTestCodeAddress, 0x3000, PF_R | PF_X, Pattern(0x8f0, 2)));
  elf.segments.push_back(Load(kTestDataAddress, 0x3a00, PF_R | PF_W, Pattern(0x900, 3), 0x3000));
  TestSegment stack;
  stack.header.p_type = PT_GNU_STACK;
  stack.header.p_flags = PF_R | PF_W;
  elf.segments.push_back(stack);

  TestSection config_section;
  config_section.name = NSGX_CONFIG_SECTION;
  config_section.header.sh_type = SHT_PROGBITS;
  config_section.header.sh_flags = SHF_ALLOC;
  config_section.header.sh_addr = config_section.header.sh_offset = kTestConfigAddress;
  config_section.header.sh_size = NSGX_PAGE_SIZE;
  elf.sections.push_back(config_section);
  TestSection host_calls;
  host_calls.name = NSGX_HOST_CALLS_SECTION;
  host_calls.header.sh_type = SHT_PROGBITS;
  host_calls.data = {std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0},
                     std::byte{7}, std::byte{0}, std::byte{0}, std::byte{0}};
  elf.sections.push_back(host_calls);
  TestSection comment;
  comment.name = ".comment";
  comment.header.sh_type = SHT_PROGBITS;
  comment.data = Pattern(40, 4);
  elf.sections.push_back(comment);
  return elf;
}

}  // namespace nsgx::loader
