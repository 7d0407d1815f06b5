// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/image/image.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <string>

#include "enclave-loader/image/testing/test_elf.h"

namespace nsgx::loader {
namespace {

using Bytes = std::vector<std::byte>;

std::string Text(const Refusal& refusal) {
  std::array<char, 256> buffer;
  TextBuffer out(buffer);
  AppendText(out, refusal);
  EXPECT_FALSE(out.truncated());
  return std::string(out.text());
}

// What the loader asks of an image before it starts, as one result.
Result<void, Refusal> Check(std::span<const std::byte> file) {
  const Image image = TRY(Image::Parse(file));
  TRY(image.Config());
  return {};
}

TEST(ImageTest, AGoodFileIsTaken) {
  const Bytes file = GoodElf().Build();
  auto parsed = Image::Parse(file);
  ASSERT_TRUE(parsed.ok()) << Text(parsed.error());
  const Image& image = parsed.value();
  EXPECT_EQ(image.size(), 0x9000u);
  EXPECT_EQ(image.entry(), kTestCodeAddress + 0x10);
  EXPECT_EQ(image.config_offset(), kTestConfigAddress);
  EXPECT_EQ(image.config_section().size(), NSGX_PAGE_SIZE);
  EXPECT_EQ(image.Config().value().max_vcpus(), 4u);
  EXPECT_EQ(image.HostCalls().value(), (std::array<uint64_t, 2>{0x82, 0}));
  EXPECT_EQ(image.segments().size(), 3u);
  EXPECT_EQ(image.signature_part().size, 0u);
  EXPECT_EQ(image.Signature().error().cause, Cause::kUnsigned);
}

// Every byte of every page, rebuilt the slow way from the segments alone.
TEST(ImageTest, PagesHoldTheSegmentsAndZeros) {
  const TestElf elf = GoodElf();
  const Bytes file = elf.Build();
  const auto parsed = Image::Parse(file);
  const Image& image = parsed.value();

  Bytes memory(image.size());
  std::vector<uint32_t> permissions(image.size() / NSGX_PAGE_SIZE);
  for (const TestSegment& segment : elf.segments) {
    if (segment.header.p_type == PT_LOAD) {
      std::memcpy(memory.data() + segment.header.p_vaddr, file.data() + segment.header.p_offset,
                  segment.header.p_filesz);
    }
  }
  Bytes loaded(image.size());
  uint64_t next = 0;
  for (const PageRun& run : image.runs()) {
    EXPECT_GE(run.offset, next);
    EXPECT_EQ(run.offset % NSGX_PAGE_SIZE, 0u);
    next = run.offset + run.page_count * NSGX_PAGE_SIZE;
    ASSERT_LE(next, image.size());
    if (!run.bytes.empty()) {
      ASSERT_EQ(run.bytes.size(), run.page_count * NSGX_PAGE_SIZE);
      std::memcpy(loaded.data() + run.offset, run.bytes.data(), run.bytes.size());
      if (run.file_offset.has_value()) {
        EXPECT_EQ(run.bytes.data(), file.data() + *run.file_offset);
        EXPECT_EQ(*run.file_offset % NSGX_PAGE_SIZE, 0u);
      }
    }
    for (uint64_t page = 0; page < run.page_count; ++page) {
      permissions[run.offset / NSGX_PAGE_SIZE + page] = run.permissions;
    }
  }
  EXPECT_EQ(loaded, memory);
  EXPECT_EQ(permissions, (std::vector<uint32_t>{1, 1, 1, 5, 3, 3, 3, 3, 3}));
}

TEST(ImageTest, PagesThatTheFileHasAsTheyAreAreNotCopied) {
  const Bytes file = GoodElf().Build();
  const auto parsed = Image::Parse(file);
  // Pages 0 and 1 are the file's; 2 is, too, as zeros follow; 3 has another segment's bytes behind
  // its own, 4 before and 5 behind.
  std::vector<std::pair<uint64_t, bool>> direct;
  for (const PageRun& run : parsed.value().runs()) {
    direct.emplace_back(run.offset, run.file_offset.has_value());
  }
  EXPECT_EQ(direct,
            (std::vector<std::pair<uint64_t, bool>>{
                {0, true}, {0x3000, false}, {0x4000, false}, {0x5000, false}, {0x6000, false}}));
  EXPECT_EQ(parsed.value().runs()[0].page_count, 3u);
  EXPECT_TRUE(parsed.value().runs().back().bytes.empty());
}

TEST(ImageTest, ASegmentOfZerosAloneIsOneRun) {
  TestElf elf = GoodElf();
  TestSegment zeros;
  zeros.header.p_type = PT_LOAD;
  zeros.header.p_flags = PF_R | PF_W;
  zeros.header.p_vaddr = 0x10080;
  zeros.header.p_offset = 0x80;
  zeros.header.p_memsz = 0x2000;
  elf.segments.push_back(zeros);
  const Bytes file = elf.Build();
  const auto parsed = Image::Parse(file);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().runs().back().offset, 0x10000u);
  EXPECT_EQ(parsed.value().runs().back().page_count, 3u);
  EXPECT_TRUE(parsed.value().runs().back().bytes.empty());
  EXPECT_EQ(parsed.value().size(), 0x13000u);
}

struct Spoiled {
  const char* what;
  Cause cause;
  std::function<void(TestElf&)> spoil;
};

TEST(ImageTest, EachDefectHasItsOwnReason) {
  const auto add_dynamic = [](TestElf& elf, std::vector<Elf64_Dyn> entries) {
    TestSegment dynamic;
    dynamic.header.p_type = PT_DYNAMIC;
    dynamic.header.p_offset = 0x5000;
    dynamic.header.p_filesz = entries.size() * sizeof(Elf64_Dyn);
    dynamic.data.resize(dynamic.header.p_filesz);
    std::memcpy(dynamic.data.data(), entries.data(), dynamic.data.size());
    elf.segments.push_back(dynamic);
  };
  const auto tag = [](int64_t name, uint64_t value = 0) {
    Elf64_Dyn entry = {};
    entry.d_tag = name;
    entry.d_un.d_val = value;
    return entry;
  };
  const std::vector<Spoiled> cases = {
      {"magic", Cause::kNotElf, [](TestElf& e) { e.header.e_ident[1] = 'F'; }},
      {"32 bit", Cause::kNot64Bit, [](TestElf& e) { e.header.e_ident[EI_CLASS] = ELFCLASS32; }},
      {"big-endian", Cause::kBigEndian,
       [](TestElf& e) { e.header.e_ident[EI_DATA] = ELFDATA2MSB; }},
      {"version", Cause::kOtherElfVersion, [](TestElf& e) { e.header.e_version = 2; }},
      {"ARM", Cause::kOtherMachine, [](TestElf& e) { e.header.e_machine = EM_AARCH64; }},
      {"object file", Cause::kNotAProgram, [](TestElf& e) { e.header.e_type = ET_REL; }},
      {"fixed address", Cause::kNotPositionIndependent,
       [](TestElf& e) { e.header.e_type = ET_EXEC; }},
      {"header size", Cause::kBadHeaders, [](TestElf& e) { e.header.e_phentsize = 55; }},
      {"section header size", Cause::kBadHeaders, [](TestElf& e) { e.header.e_shentsize = 65; }},
      {"interpreter", Cause::kDynamic, [](TestElf& e) { e.segments[3].header.p_type = PT_INTERP; }},
      {"library", Cause::kDynamic,
       [&](TestElf& e) { add_dynamic(e, {tag(DT_FLAGS), tag(DT_NEEDED, 1)}); }},
      {"text relocations", Cause::kTextRelocations,
       [&](TestElf& e) { add_dynamic(e, {tag(DT_TEXTREL)}); }},
      {"text relocation flag", Cause::kTextRelocations,
       [&](TestElf& e) { add_dynamic(e, {tag(DT_FLAGS, DF_TEXTREL)}); }},
      {"no segment", Cause::kNoSegments, [](TestElf& e) { e.segments.clear(); }},
      {"many segments", Cause::kTooManySegments, [](TestElf& e) { e.segments.resize(65); }},
      {"unreadable", Cause::kSegmentNotReadable,
       [](TestElf& e) { e.segments[1].header.p_flags = PF_X; }},
      {"W+X", Cause::kSegmentWritableCode,
       [](TestElf& e) { e.segments[2].header.p_flags = PF_R | PF_W | PF_X; }},
      {"order", Cause::kSegmentOrder, [](TestElf& e) { std::swap(e.segments[1], e.segments[2]); }},
      {"overlap", Cause::kSegmentOverlap,
       [](TestElf& e) { e.segments[1].header.p_memsz = 0x1001; }},
      {"twice", Cause::kSegmentOverlap, [](TestElf& e) { e.segments[1] = e.segments[0]; }},
      {"huge", Cause::kSegmentHuge,
       [](TestElf& e) { e.segments[2].header.p_memsz = uint64_t{1} << 43; }},
      {"wraps", Cause::kSegmentHuge,
       [](TestElf& e) { e.segments[2].header.p_memsz = ~uint64_t{0}; }},
      {"shrinks", Cause::kSegmentShrinks, [](TestElf& e) { e.segments[1].header.p_memsz = 0x8ef; }},
      {"unaligned", Cause::kSegmentUnaligned,
       [](TestElf& e) { e.segments[1].header.p_vaddr += 0x10; }},
      {"alignment", Cause::kSegmentAlignment,
       [](TestElf& e) { e.segments[1].header.p_align = 4 << 20; }},
      {"beyond file", Cause::kTruncated,
       [](TestElf& e) { e.segments[2].header.p_filesz = e.segments[2].header.p_memsz = 0x10000; }},
      {"offset beyond file", Cause::kTruncated,
       [](TestElf& e) {
         e.segments[2].data.clear();
         e.segments[2].header.p_offset = ~uint64_t{0} << 12 | 0xa00;
       }},
      {"dynamic beyond file", Cause::kTruncated,
       [](TestElf& e) {
         e.segments[3].header.p_type = PT_DYNAMIC;
         e.segments[3].header.p_offset = ~uint64_t{0} - 8;
         e.segments[3].header.p_filesz = 16;
       }},
      {"entry in data", Cause::kBadEntry, [](TestElf& e) { e.header.e_entry = kTestDataAddress; }},
      {"entry behind code", Cause::kBadEntry,
       [](TestElf& e) { e.header.e_entry = kTestCodeAddress + 0x8f0; }},
      {"no configuration", Cause::kConfigMissing,
       [](TestElf& e) { e.sections[0].name = ".other"; }},
      {"two configurations", Cause::kConfigTwice,
       [](TestElf& e) { e.sections.push_back(e.sections[0]); }},
      {"configuration unaligned", Cause::kConfigUnaligned,
       [](TestElf& e) { e.sections[0].header.sh_addr += 8; }},
      {"configuration of odd size", Cause::kConfigSize,
       [](TestElf& e) { e.sections[0].header.sh_size = 100; }},
      {"configuration of no size", Cause::kConfigSize,
       [](TestElf& e) { e.sections[0].header.sh_size = 0; }},
      {"large configuration", Cause::kConfigSize,
       [](TestElf& e) { e.sections[0].header.sh_size = 0x11000; }},
      {"configuration in code", Cause::kConfigNotReadOnly,
       [](TestElf& e) {
         e.sections[0].header.sh_addr = e.sections[0].header.sh_offset = kTestCodeAddress;
       }},
      {"configuration is no part of the file", Cause::kConfigNotReadOnly,
       [](TestElf& e) { e.sections[0].header.sh_type = SHT_NOBITS; }},
      {"configuration beyond its segment", Cause::kConfigNotReadOnly,
       [](TestElf& e) { e.sections[0].header.sh_size = 0x2000; }},
      {"configuration loaded from elsewhere", Cause::kConfigNotReadOnly,
       [](TestElf& e) { e.sections[0].header.sh_offset = 0; }},
      {"writable configuration", Cause::kConfigNotReadOnly,
       [](TestElf& e) { e.segments[0].header.p_flags = PF_R | PF_W; }},
      {"empty configuration", Cause::kConfigEmpty,
       [](TestElf& e) {
         std::fill_n(e.segments[0].data.begin() + kTestConfigAddress, sizeof(nsgx_config),
                     std::byte{0});
       }},
      {"newer configuration", Cause::kConfigNewer,
       [](TestElf& e) {
         e.segments[0].data[kTestConfigAddress + offsetof(nsgx_config, version)] = std::byte{2};
       }},
      {"malformed configuration", Cause::kConfigMalformed,
       [](TestElf& e) {
         e.segments[0].data[kTestConfigAddress + offsetof(nsgx_config, reserved)] = std::byte{2};
       }},
      {"larger than its range", Cause::kImageBeyondRange,
       [](TestElf& e) { e.segments[2].header.p_memsz = uint64_t{1} << 30; }},
  };
  for (const Spoiled& test : cases) {
    TestElf elf = GoodElf();
    test.spoil(elf);
    const auto checked = Check(elf.Build());
    ASSERT_FALSE(checked.ok()) << test.what;
    EXPECT_EQ(checked.error().cause, test.cause) << test.what << ": " << Text(checked.error());
  }
}

TEST(ImageTest, ReasonsAreOneLineWithARemedy) {
  EXPECT_EQ(Text({Cause::kSegmentWritableCode, 0x3000}),
            "the segment at 0x3000 is writable and executable; link it with -z separate-code and "
            "without an executable stack");
  EXPECT_EQ(Text({Cause::kOtherMachine, 183}),
            "is made for another processor (ELF machine 183); build it for x86-64");
  for (int cause = 0; cause <= static_cast<int>(Cause::kHostCallsMalformed); ++cause) {
    const std::string text = Text({static_cast<Cause>(cause), 1});
    EXPECT_EQ(text.find('\n'), std::string::npos);
    EXPECT_NE(text.find("; "), std::string::npos) << text;
    EXPECT_EQ(text.find_first_of("#@!"), std::string::npos) << text;
  }
}

TEST(ImageTest, BadListsOfHostCallsAreRefused) {
  TestElf elf = GoodElf();
  elf.SectionNamed(NSGX_HOST_CALLS_SECTION).data.pop_back();
  const Bytes odd = elf.Build();
  EXPECT_EQ(Image::Parse(odd).value().HostCalls().error().cause, Cause::kHostCallsMalformed);
  elf = GoodElf();
  elf.SectionNamed(NSGX_HOST_CALLS_SECTION).data[0] = std::byte{NSGX_HOST_CALL_LIMIT};
  const Bytes large = elf.Build();
  EXPECT_EQ(Image::Parse(large).value().HostCalls().error().cause, Cause::kHostCallsMalformed);
}

TEST(ImageTest, SignaturesAreFound) {
  nsgx_signature signature = {};
  signature.magic = NSGX_SIGNATURE_MAGIC;
  signature.version = NSGX_SIGNATURE_VERSION;
  signature.date = 20261121;
  TestElf elf = GoodElf();
  const auto add = [&](TestElf& to) {
    TestSection section;
    section.name = NSGX_SIGNATURE_SECTION;
    section.header.sh_type = SHT_PROGBITS;
    const auto bytes = std::as_bytes(std::span(&signature, 1));
    section.data.assign(bytes.begin(), bytes.end());
    to.sections.push_back(section);
  };
  add(elf);
  const Bytes file = elf.Build();
  EXPECT_EQ(Image::Parse(file).value().Signature().value().date, 20261121u);

  const auto cause = [&](auto spoil) {
    TestElf spoiled = elf;
    spoil(spoiled);
    const Bytes bytes = spoiled.Build();
    const auto parsed = Image::Parse(bytes);
    return parsed.ok() ? parsed.value().Signature().error().cause : parsed.error().cause;
  };
  EXPECT_EQ(cause([](TestElf& e) { e.sections.back().data.pop_back(); }), Cause::kSignatureSize);
  EXPECT_EQ(cause([](TestElf& e) { e.sections.back().data[0] ^= std::byte{1}; }),
            Cause::kSignatureMalformed);
  EXPECT_EQ(cause([](TestElf& e) { e.sections.back().data[8] = std::byte{2}; }),
            Cause::kSignatureNewer);
  EXPECT_EQ(cause([](TestElf& e) { e.sections.back().data[8] = std::byte{0}; }),
            Cause::kSignatureMalformed);
  EXPECT_EQ(cause([&](TestElf& e) { add(e); }), Cause::kSignatureTwice);
}

TEST(ImageTest, TheIdentityIsThatOfThePages) {
  const Bytes file = GoodElf().Build();
  const auto parsed = Image::Parse(file);
  const Sha256::Digest identity = parsed.value().Identity();

  // By the definition in abi/image.h, from the segments alone.
  const auto hash_of = [](const Bytes& bytes) { return Sha256::Hash(bytes); };
  Bytes message;
  const auto append = [&](const auto& object) {
    const auto bytes = std::as_bytes(std::span(&object, 1));
    message.insert(message.end(), bytes.begin(), bytes.end());
  };
  nsgx_measure_header header = {};
  header.magic = NSGX_MEASURE_MAGIC;
  header.version = 1;
  header.page_size = 4096;
  header.image_size = 0x9000;
  header.entry = kTestCodeAddress + 0x10;
  header.config_offset = kTestConfigAddress;
  header.config_size = 4096;
  const auto config_hash = hash_of(Bytes(file.begin() + 0x1000, file.begin() + 0x2000));
  std::memcpy(header.config_sha256, config_hash.data(), 32);
  append(header);
  const auto page = [&](uint64_t offset, uint32_t permissions, size_t file_begin, size_t file_end,
                        size_t at) {
    Bytes bytes(4096);
    std::memcpy(bytes.data() + at, file.data() + file_begin, file_end - file_begin);
    nsgx_measure_record record = {};
    record.offset = offset;
    record.type = NSGX_PAGE_DATA;
    record.permissions = permissions;
    const auto digest = hash_of(bytes);
    std::memcpy(record.u.sha256, digest.data(), 32);
    append(record);
  };
  page(0x0000, 1, 0x0000, 0x1000, 0);
  page(0x1000, 1, 0x1000, 0x2000, 0);
  page(0x2000, 1, 0x2000, 0x2345, 0);
  page(0x3000, 5, 0x3000, 0x38f0, 0);
  page(0x4000, 3, 0x3a00, 0x4000, 0xa00);
  page(0x5000, 3, 0x4000, 0x4300, 0);
  nsgx_measure_record zeros = {};
  zeros.offset = 0x6000;
  zeros.type = NSGX_PAGE_ZERO_RUN;
  zeros.permissions = 3;
  zeros.u.run.page_count = 3;
  append(zeros);
  EXPECT_EQ(identity, hash_of(message));
}

TEST(ImageTest, TruncatedAnywhereIsRefused) {
  const Bytes file = GoodElf().Build();
  // The section headers are at the very end, so every shorter file lacks something.
  for (size_t size = 0; size < file.size(); size += size < 1024 ? 1 : 61) {
    const auto parsed = Image::Parse(std::span(file).first(size));
    ASSERT_FALSE(parsed.ok()) << size;
    EXPECT_EQ(parsed.error().cause, size < SELFMAG ? Cause::kNotElf : Cause::kTruncated) << size;
  }
}

}  // namespace
}  // namespace nsgx::loader
