// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/igvm/write/writer.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/hex.h"
#include "base/crypto/sha256.h"
#include "vmpl-switch/igvm/launch_digest.h"
#include "vmpl-switch/igvm/reader.h"
#include "vmpl-switch/igvm/write/seh_image.h"

namespace nsgx::igvm {
namespace {

std::string Hex(std::span<const std::byte> bytes) {
  std::string text(2 * bytes.size(), '\0');
  CHECK(EncodeHex(bytes, text).ok());
  return text;
}

std::vector<std::byte> PageOf(uint8_t first) {
  std::vector<std::byte> page(kPageSize);
  page[0] = std::byte{first};
  return page;
}

// The contents of a file that other programs read and measure, too: the writer of the igvm crate
// makes the same bytes, and igvmmeasure and sev-snp-measure the same digest.
FileContents KnownContents() {
  FileContents contents;
  contents.policy = 0x30000;
  contents.required_memory = {{.address = GuestPhys(0x10000), .size = 0x10000}};
  contents.parameter_pages = {{.address = GuestPhys(0x15000), .vp_count = 0}};
  contents.pages = {
      {.address = GuestPhys(0x14000), .measured = false},
      {.address = GuestPhys(0x13000), .type = IGVM_DATA_CPUID},
      {.address = GuestPhys(0x12000), .type = IGVM_DATA_SECRETS},
      {.address = GuestPhys(0x11000)},
      {.address = GuestPhys(0x10000), .bytes = PageOf(0xf4)},
  };
  constexpr snp_segment kData = {
      .selector = 0x10, .attributes = 0xa93, .limit = 0xffffffff, .base = 0};
  snp_vmsa& vmsa = contents.vmsa;
  vmsa = StartState(GuestPhys(0x10000));
  vmsa.ds = vmsa.es = vmsa.fs = vmsa.gs = vmsa.ss = kData;
  vmsa.rsp = 0x18000;
  vmsa.sev_features = SNP_FEATURE_SNP;
  return contents;
}

TEST(WriterTest, WritesTheFileThatOthersWrite) {
  const Result<std::vector<std::byte>> file = WriteFile(KnownContents());
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file.value().size(), 0x2168u);
  EXPECT_EQ(Hex(Sha256::Hash(file.value())),
            "e63bf50036eeebdc85566dacfc9cb812410146e093d0ffbbeaaa2f1a8dda9dc3");
}

TEST(WriterTest, TheReaderMeasuresItAsOthersDo) {
  const Result<std::vector<std::byte>> bytes = WriteFile(KnownContents());
  ASSERT_TRUE(bytes.ok());
  const Result<File> file = File::Open(bytes.value());
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file.value().policy(), 0x30000u);
  EXPECT_EQ(Hex(MeasureFile(file.value())),
            "333ad13de9751f63189a75f3b7d9d259df0341da3956afc1e1c803132127dc13"
            "64fb861bbc20f89407db9fb1ad7f561d");
}

TEST(WriterTest, OnePageOfZerosIsAsGoodAsNone) {
  FileContents contents = KnownContents();
  contents.pages[3].bytes = std::vector<std::byte>(kPageSize);
  const Result<std::vector<std::byte>> with = WriteFile(contents);
  const Result<std::vector<std::byte>> without = WriteFile(KnownContents());
  ASSERT_TRUE(with.ok() && without.ok());
  EXPECT_EQ(with.value(), without.value());
}

TEST(WriterTest, RefusesWhatIsNotPages) {
  FileContents contents = KnownContents();
  contents.pages[0].address = GuestPhys(0x14008);
  EXPECT_EQ(WriteFile(contents).error(), Status::kInvalidArgument);
  contents = KnownContents();
  contents.pages[0].bytes.resize(17);
  EXPECT_EQ(WriteFile(contents).error(), Status::kInvalidArgument);
  contents = KnownContents();
  contents.required_memory[0].size = 17;
  EXPECT_EQ(WriteFile(contents).error(), Status::kInvalidArgument);
}

TEST(WriterTest, RefusesTwoPagesAtOneAddress) {
  FileContents contents = KnownContents();
  contents.pages[0].address = contents.pages[1].address;
  EXPECT_EQ(WriteFile(contents).error(), Status::kMalformed);
  contents = KnownContents();
  contents.parameter_pages[0].address = contents.pages[1].address;
  EXPECT_EQ(WriteFile(contents).error(), Status::kMalformed);
}

// An ELF file like the SEH's: one segment of a page and a half in the file and three in memory.
struct SmallElf {
  Elf64_Ehdr header = {};
  Elf64_Phdr segments[2] = {};
  struct [[gnu::packed]] {
    uint32_t sizes_and_type[3] = {5, 64, 1};
    char name[8] = "NSGX";
    uint64_t numbers[8] = {0x8000000, 0x8001000, 0x8002000, 0x8003000, 0, 4, 0x8000000, 0x100000};
  } note;
  uint8_t code[0x1800] = {0xf4};

  SmallElf() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_entry = 0x8010000;
    header.e_phoff = offsetof(SmallElf, segments);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    segments[0].p_type = PT_LOAD;
    segments[0].p_offset = offsetof(SmallElf, code);
    segments[0].p_paddr = 0x8010000;
    segments[0].p_filesz = sizeof(code);
    segments[0].p_memsz = 0x3000;
    segments[1].p_type = PT_NOTE;
    segments[1].p_offset = offsetof(SmallElf, note);
    segments[1].p_filesz = sizeof(note);
    code[0x17ff] = 0x55;
  }

  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(this, 1)); }
  std::string Refusal() const {
    const Result<FileContents, const char*> contents = ReadSehImage(bytes());
    return contents.ok() ? "" : contents.error();
  }
};

TEST(SehImageTest, TakesSegmentsAndTheHostsPages) {
  const SmallElf elf;
  const Result<FileContents, const char*> contents = ReadSehImage(elf.bytes());
  ASSERT_TRUE(contents.ok());
  ASSERT_EQ(contents.value().pages.size(), 5u);
  EXPECT_EQ(contents.value().pages[0].bytes[0], std::byte{0xf4});
  // What the file has not, is zero.
  ASSERT_EQ(contents.value().pages[1].bytes.size(), kPageSize);
  EXPECT_EQ(contents.value().pages[1].bytes[0x7ff], std::byte{0x55});
  EXPECT_EQ(contents.value().pages[1].bytes[0x800], std::byte{0});
  EXPECT_TRUE(contents.value().pages[2].bytes.empty());
  EXPECT_EQ(contents.value().vmsa.rip, 0x8010000u);

  const Result<std::vector<std::byte>> bytes = WriteFile(contents.value());
  ASSERT_TRUE(bytes.ok());
  EXPECT_TRUE(File::Open(bytes.value()).ok());
}

TEST(SehImageTest, RefusesOtherFiles) {
  SmallElf elf;
  elf.header.e_machine = EM_AARCH64;
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("is no ELF file"));
  elf = SmallElf();
  elf.header.e_phoff = sizeof(elf) - 8;
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("program headers"));
  elf = SmallElf();
  elf.note.name[0] = 'X';
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("no note NSGX"));
  elf = SmallElf();
  elf.segments[0].p_memsz = 0x200000;
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("segment"));
  elf = SmallElf();
  elf.segments[0].p_filesz = sizeof(elf);
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("segment"));
  elf = SmallElf();
  elf.header.e_entry = 0x100;
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("starts outside"));
  elf = SmallElf();
  elf.note.numbers[1] = 0x9000000;
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("outside its region"));
  elf = SmallElf();
  elf.note.numbers[5] = kPageSize - 2;
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("behind the end of its page"));
  elf = SmallElf();
  elf.note.numbers[6] = ~uint64_t{0xfff};
  EXPECT_THAT(elf.Refusal(), testing::HasSubstr("whole pages below 4 GiB"));
}

}  // namespace
}  // namespace nsgx::igvm
