// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/signed_image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "enclave-loader/image/image.h"
#include "enclave-loader/image/testing/test_elf.h"
#include "enclave-loader/sign/development_key.h"
#include "vmpl-switch/image/signature.h"

namespace nsgx::loader {
namespace {

using Bytes = std::vector<std::byte>;

constexpr uint32_t kDate = 20261121;
constexpr std::byte kFirstByte = std::byte{'a'};

// A program as the linker leaves it: with an empty place for its configuration.
TestElf UnsignedElf() {
  TestElf elf = GoodElf();
  Bytes& data = elf.SegmentAt(0).data;
  std::fill_n(data.begin() + kTestConfigAddress, sizeof(nsgx_config), std::byte{0});
  return elf;
}

Bytes Sign(std::span<const std::byte> file, const LaunchConfig& config = {}) {
  auto made = SignImage(file, config, DevelopmentKey(), kDate);
  EXPECT_TRUE(made.ok()) << made.error().text();
  return std::move(made).value();
}

// What makes an image run: all checks that the loader and the SEH make. kOk or the first that
// fails.
Status CheckAll(const Image& image) {
  const auto config = image.Config();
  const auto signature = image.Signature();
  if (!config.ok() || !signature.ok()) {
    return Status::kMalformed;
  }
  return ToStatus(CheckSignature(signature.value(), image.Identity(), config.value().config()));
}

TEST(SignedImageTest, WhatIsSignedIsAccepted) {
  LaunchConfig config;
  config.svn = 3;
  const Bytes file = Sign(UnsignedElf().Build(), config);
  const auto parsed = Image::Parse(file);
  ASSERT_TRUE(parsed.ok());
  const Image& image = parsed.value();
  EXPECT_EQ(CheckAll(image), Status::kOk);
  const auto view = image.Config();
  EXPECT_EQ(view.value().svn(), 3u);
  EXPECT_EQ(view.value().config().host_calls[0], 0x82u) << "from the linker's list";
  const auto signature = image.Signature();
  EXPECT_EQ(signature.value().date, kDate);
  EXPECT_EQ(signature.value().svn, 3u);
  EXPECT_EQ(SignerOf(signature.value()), Sha256::Hash(DevelopmentKey().modulus()));
}

TEST(SignedImageTest, TheSameAgainGivesTheSameBytes) {
  const Bytes file = UnsignedElf().Build();
  EXPECT_EQ(Sign(file), Sign(file));
}

TEST(SignedImageTest, SigningAgainReplaces) {
  const Bytes once = Sign(UnsignedElf().Build());
  LaunchConfig other;
  other.svn = 4;
  const Bytes again = Sign(once, other);
  EXPECT_EQ(again.size(), once.size());
  EXPECT_NE(again, once);
  EXPECT_EQ(CheckAll(Image::Parse(again).value()), Status::kOk);
  EXPECT_EQ(Sign(again), once) << "nothing of the other configuration is left";
}

TEST(SignedImageTest, OtherSectionsStayWhereTheyAre) {
  const Bytes before = UnsignedElf().Build();
  const Bytes after = Sign(before);
  const auto old_elf = ElfFile::Open(before);
  const auto new_elf = ElfFile::Open(after);
  ASSERT_EQ(new_elf.value().section_count(), old_elf.value().section_count() + 1);
  for (size_t i = 0; i < old_elf.value().section_count(); ++i) {
    const Elf64_Shdr was = old_elf.value().section(i);
    const Elf64_Shdr is = new_elf.value().section(i);
    EXPECT_EQ(new_elf.value().SectionName(is), old_elf.value().SectionName(was));
    if (new_elf.value().SectionName(is) != ".shstrtab") {
      EXPECT_EQ(is.sh_offset, was.sh_offset);
      EXPECT_EQ(is.sh_size, was.sh_size);
    }
  }
}

Bytes SignWith(std::span<const std::byte> file, std::span<const FileToEmbed> files,
               const LaunchConfig& config = {}) {
  auto made = SignImage(file, config, DevelopmentKey(), kDate, files);
  EXPECT_TRUE(made.ok()) << made.error().text();
  return std::move(made).value();
}

TEST(SignedImageTest, EmbeddedFilesArePartOfTheImage) {
  const Bytes contents(5000, std::byte{'c'});
  const FileToEmbed files[] = {{"/app/large", contents, false},
                               {"/app/empty", {}, false},
                               {"/app/tool", std::span(contents).first(3), true}};
  const Bytes plain = UnsignedElf().Build();
  const Bytes file = SignWith(plain, files);
  const auto parsed = Image::Parse(file);
  ASSERT_TRUE(parsed.ok());
  const Image& image = parsed.value();
  EXPECT_EQ(CheckAll(image), Status::kOk);
  const uint64_t end = Image::Parse(plain).value().size();
  EXPECT_EQ(image.size(), end + uint64_t{3} * NSGX_PAGE_SIZE);
  const Segment& segment = image.segments().back();
  EXPECT_EQ(segment.offset, end);
  EXPECT_EQ(segment.permissions, NSGX_PERMISSION_READ);
  const auto config = image.Config();
  ASSERT_TRUE(config.ok());
  const std::vector<std::string_view> entries(config.value().files().begin(),
                                              config.value().files().end());
  const std::string first = std::to_string(end),
                    behind = std::to_string(end + uint64_t{2} * NSGX_PAGE_SIZE);
  EXPECT_EQ(entries,
            (std::vector<std::string_view>{first + ":5000:r:/app/large", behind + ":0:r:/app/empty",
                                           behind + ":3:x:/app/tool"}));
  const auto held = image.FileContents(ParseEmbeddedFile(entries[0]).value());
  EXPECT_TRUE(std::ranges::equal(held.value(), contents));

  EXPECT_EQ(SignWith(plain, files), file) << "the same again";
  EXPECT_EQ(SignWith(file, files), file) << "in place of what is there";
  EXPECT_EQ(SignWith(SignWith(file, std::span(files).last(1)), files), file);
  EXPECT_EQ(CheckAll(Image::Parse(SignWith(Sign(plain), files)).value()), Status::kOk)
      << "behind a signature";
  const Bytes without = Sign(file);
  EXPECT_EQ(Image::Parse(without).value().size(), end);
  EXPECT_EQ(CheckAll(Image::Parse(without).value()), Status::kOk);
}

TEST(SignedImageTest, EveryByteOfAnEmbeddedFileIsMeasured) {
  const Bytes contents(300, std::byte{'c'});
  const FileToEmbed files[] = {{"/app/file", contents, false}};
  Bytes file = SignWith(UnsignedElf().Build(), files);
  const uint64_t begin = Image::Parse(file).value().segments().back().file_offset;
  for (size_t i = 0; i < NSGX_PAGE_SIZE; i += i < 304 ? 1 : 100) {
    file[begin + i] ^= std::byte{1};
    EXPECT_EQ(CheckAll(Image::Parse(file).value()), Status::kBadMeasurement) << i;
    file[begin + i] ^= std::byte{1};
  }
  EXPECT_EQ(CheckAll(Image::Parse(file).value()), Status::kOk);
}

TEST(SignedImageTest, FilesThatCannotBeEmbeddedAreRefused) {
  const FileToEmbed files[] = {{"/app/file", std::span(&kFirstByte, 1), false}};
  const auto complaint = [&](const Bytes& file, const LaunchConfig& config = {}) {
    const auto made = SignImage(file, config, DevelopmentKey(), kDate, files);
    return made.ok() ? std::string() : std::string(made.error().text());
  };
  LaunchConfig config;
  config.mounts = {"hostfs:/data:rw", "hostfs:/app:ro"};
  EXPECT_NE(complaint(UnsignedElf().Build(), config).find("hostfs:/app:ro would hide"),
            std::string::npos);
  TestElf elf = UnsignedElf();
  elf.segments.pop_back();  // the stack's
  EXPECT_NE(complaint(elf.Build()).find("no program header to spare"), std::string::npos);

  // Somebody has put something behind the files since.
  Bytes file = SignWith(UnsignedElf().Build(), files);
  const auto opened = ElfFile::Open(file);
  Elf64_Shdr moved = opened.value().section(2);
  moved.sh_offset = file.size() - moved.sh_size;
  std::memcpy(file.data() + opened.value().header().e_shoff + 2 * sizeof(moved), &moved,
              sizeof(moved));
  EXPECT_NE(complaint(file).find("was changed after files were embedded"), std::string::npos)
      << complaint(file);
}

TEST(SignedImageTest, WhatIsNoImageIsNotSigned) {
  const auto complaint = [](const Bytes& file, const LaunchConfig& config = {}) {
    return std::string(SignImage(file, config, DevelopmentKey(), kDate).error().text());
  };
  TestElf elf = UnsignedElf();
  elf.SectionNamed(NSGX_CONFIG_SECTION).name = ".other";
  EXPECT_NE(complaint(elf.Build()).find("no launch configuration"), std::string::npos);
  elf = UnsignedElf();
  elf.SectionNamed(NSGX_HOST_CALLS_SECTION).data[0] = std::byte{200};
  EXPECT_NE(complaint(elf.Build()).find("list of host calls"), std::string::npos);
  LaunchConfig large;
  large.fixed_args = {std::string(NSGX_PAGE_SIZE, 'x')};
  EXPECT_NE(complaint(UnsignedElf().Build(), large).find("has room for"), std::string::npos);
  LaunchConfig small;
  small.address_range = NSGX_MIN_ADDRESS_RANGE;
  elf = UnsignedElf();
  elf.SegmentAt(kTestDataAddress).header.p_memsz = NSGX_MIN_ADDRESS_RANGE;
  EXPECT_NE(complaint(elf.Build(), small).find("more than its configured address range"),
            std::string::npos);
}

// Everything about an image that can come to matter: pages, where they go, and what is checked
// about them.
struct Loaded {
  explicit Loaded(const Image& image)
      : entry(image.entry()), size(image.size()), config_offset(image.config_offset()) {
    for (const PageRun& run : image.runs()) {
      // Page by page, whatever runs they come in; zeros may be many.
      for (size_t at = 0; at < run.bytes.size(); at += NSGX_PAGE_SIZE) {
        const auto page = run.bytes.subspan(at, NSGX_PAGE_SIZE);
        pages.emplace_back(run.offset + at, run.permissions, Bytes(page.begin(), page.end()));
      }
      if (run.bytes.empty()) {
        zeros.emplace_back(run.offset, run.permissions, run.page_count);
      }
    }
    const auto config_section = image.config_section();
    config.assign(config_section.begin(), config_section.end());
    const auto parsed = image.Signature();
    if (parsed.ok()) {
      const auto bytes = std::as_bytes(std::span(&parsed.value(), 1));
      signature.assign(bytes.begin(), bytes.end());
    }
  }
  friend bool operator==(const Loaded&, const Loaded&) = default;

  uint64_t entry, size, config_offset;
  std::vector<std::tuple<uint64_t, uint32_t, Bytes>> pages;
  std::vector<std::tuple<uint64_t, uint32_t, uint64_t>> zeros;
  Bytes config, signature;
};

// One byte of a signed image changes: it is refused, or what is loaded, measured and checked is the
// same to the last bit, so that the byte plays no part (names and headers of other sections,
// comments, padding).
TEST(SignedImageTest, EveryByteIsProtectedOrPlaysNoPart) {
  // Small, as this is done for each byte of it.
  TestElf elf = UnsignedElf();
  TestSegment& constants = elf.SegmentAt(0);
  constants.data.resize(0x2010);
  constants.header.p_filesz = constants.header.p_memsz = 0x2010;
  TestSegment& code = elf.SegmentAt(kTestCodeAddress);
  code.data.resize(0x100);
  code.header.p_offset = 0x3000;
  code.header.p_filesz = code.header.p_memsz = 0x100;
  TestSegment& data = elf.SegmentAt(kTestDataAddress);
  data.data.resize(0x80);
  data.header.p_offset = 0x2a00;
  data.header.p_filesz = 0x80;

  Bytes file = Sign(elf.Build());
  const auto original_image = Image::Parse(file);
  const Loaded original(original_image.value());
  const FilePart signature = original_image.value().signature_part();
  const auto matters = [&](size_t at) {
    for (const TestSegment& segment : elf.segments) {
      if (at - segment.header.p_offset < segment.header.p_filesz) {
        return true;
      }
    }
    return at - signature.file_offset < signature.size;
  };
  const auto try_flip = [&](size_t at) {
    const auto parsed = Image::Parse(file);
    if (!parsed.ok()) {
      return;
    }
    if (Loaded(parsed.value()) == original) {
      EXPECT_FALSE(matters(at)) << "byte " << at << " is part of the image and plays no part";
    } else {
      EXPECT_NE(CheckAll(parsed.value()), Status::kOk)
          << "byte " << at << " changes what is loaded, and nobody sees it";
    }
  };
  for (size_t at = 0; at < file.size(); ++at) {
    const std::byte before = file[at];
    file[at] ^= static_cast<std::byte>(1 << (at % 8));
    try_flip(at);
    file[at] = ~before;
    try_flip(at);
    file[at] = before;
  }
}

TEST(SignedImageTest, TruncatedIsRefused) {
  const Bytes file = Sign(UnsignedElf().Build());
  for (size_t size = 0; size < file.size(); size += 512) {
    EXPECT_FALSE(Image::Parse(std::span(file).first(size)).ok()) << size;
  }
}

}  // namespace
}  // namespace nsgx::loader
