// SPDX-License-Identifier: Apache-2.0
// ELF files made to order for tests: a good one to begin with, and every header open to be spoiled.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "vmpl-switch/abi/image.h"

namespace nsgx::loader {

struct TestSegment {
  Elf64_Phdr header = {};
  std::vector<std::byte> data;  // goes to header.p_offset
};

struct TestSection {
  std::string name;
  Elf64_Shdr header = {};  // sh_name is filled in
  std::vector<std::byte>
      data;  // appended to the file, sh_offset and sh_size are filled in; empty: as the header says
};

struct TestElf {
  Elf64_Ehdr header = {};  // counts and offsets of the tables are filled in
  std::vector<TestSegment> segments;
  std::vector<TestSection> sections;

  TestSegment& SegmentAt(uint64_t address);
  TestSection& SectionNamed(const std::string& name);
  std::vector<std::byte> Build() const;
};

// What a linker makes of a small program: headers, configuration (filled in) and constants; code;
// data with a tail of zeros that shares pages of the file with others; a list of two host calls.
// Not signed.
TestElf GoodElf();

// The configuration in it.
nsgx_config GoodConfig();

inline constexpr uint64_t kTestConfigAddress = 0x1000;
inline constexpr uint64_t kTestCodeAddress = 0x3000;
inline constexpr uint64_t kTestDataAddress = 0x4a00;

}  // namespace nsgx::loader
