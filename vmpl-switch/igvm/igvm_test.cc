// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/bytes.h"
#include "base/core/hex.h"
#include "base/crypto/sha256.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/igvm/crc32.h"
#include "vmpl-switch/igvm/launch_digest.h"
#include "vmpl-switch/igvm/reader.h"

namespace nsgx::igvm {
namespace {

// A file whose digest other programs have computed, too (the igvm crate, igvmmeasure,
// sev-snp-measure): platform, policy, required memory, one parameter area with the VP count, five
// pages, the processor's state.
constexpr std::string_view kHead =
    "4947564d0100000018000000500100006821 0000641aaac7"
    "01000000100000000100000000020100 0000000000000000"
    "01010000100000000000030000000000 0100000000000000"
    "05030000180000000000010000000000 0100000000000100 0000000000000000"
    "01030000100000000010000000000000 0000000000000000"
    "07030000080000000000000000000000"
    "03030000100000000050010000000000 0100000000000000"
    "02030000180000000000010000000000 0100000068010000 0000000000000000"
    "02030000180000000010010000000000 0100000000000000 0000000000000000"
    "02030000180000000020010000000000 0100000000000000 0000000001000000"
    "02030000180000000030010000000000 0100000000000000 0000000002000000"
    "02030000180000000040010000000000 0100000000000000 0200000000000000"
    "040300001400000000f0ffffffff0000 0100000068110000 0000000000000000";

constexpr size_t kFirstPage = 0xa8;  // offset of the header of the page of code

std::string WithoutSpaces(std::string_view text) {
  std::string result;
  for (char character : text) {
    if (character != ' ') {
      result += character;
    }
  }
  return result;
}

snp_vmsa StartState() {
  snp_vmsa vmsa = {};
  const snp_segment data = {0x10, 0xa93, 0xffffffff, 0};
  vmsa.es = vmsa.ss = vmsa.ds = vmsa.fs = vmsa.gs = data;
  vmsa.cs = {0x08, 0xc9b, 0xffffffff, 0};
  vmsa.efer = 0x1800;
  vmsa.cr4 = 0x60;
  vmsa.cr0 = 0x31;
  vmsa.rflags = 2;
  vmsa.rip = 0x10000;
  vmsa.rsp = 0x18000;
  vmsa.g_pat = SNP_PAT_RESET;
  vmsa.sev_features = SNP_FEATURE_SNP;
  vmsa.xcr0 = 1;
  return vmsa;
}

using Bytes = std::vector<std::byte>;

Bytes TestFile() {
  const std::string hex = WithoutSpaces(kHead);
  Bytes file(hex.size() / 2 + 2 * kPageSize);
  EXPECT_TRUE(DecodeHex(hex, std::span(file).first(hex.size() / 2)).ok());
  file[hex.size() / 2] = std::byte{0xf4};
  const snp_vmsa vmsa = StartState();
  std::memcpy(&file[hex.size() / 2 + kPageSize], &vmsa, sizeof(vmsa));
  return file;
}

template <typename T>
void Put(Bytes& file, size_t offset, T value) {
  std::memcpy(&file[offset], &value, sizeof(value));
}

// Makes size and checksum right again after a change.
void Seal(Bytes& file) {
  igvm_fixed_header header;
  std::memcpy(&header, file.data(), sizeof(header));
  header.total_size = static_cast<uint32_t>(file.size());
  header.checksum = 0;
  Crc32 crc;
  crc.Update(BytesOf(header));
  crc.Update(std::span(file).subspan(sizeof(header), header.variable_size));
  header.checksum = crc.Finish();
  std::memcpy(file.data(), &header, sizeof(header));
}

// Inserts a variable header in front of `offset`.
void InsertHeader(Bytes& file, size_t offset, uint32_t type, Bytes content) {
  Bytes header(8);
  Put(header, 0, type);
  Put(header, 4, static_cast<uint32_t>(content.size()));
  header.insert(header.end(), content.begin(), content.end());
  header.resize((header.size() + 7) & ~size_t{7});
  file.insert(file.begin() + static_cast<ptrdiff_t>(offset), header.begin(), header.end());
  uint32_t size;
  std::memcpy(&size, &file[12], sizeof(size));
  Put(file, 12, static_cast<uint32_t>(size + header.size()));
}

Status OpenError(const Bytes& file) {
  const Result<File> result = File::Open(file);
  return result.ok() ? Status::kOk : result.error();
}

std::string HexOf(std::span<const std::byte> bytes) {
  std::string buffer(2 * bytes.size(), ' ');
  return std::string(EncodeHex(bytes, buffer).value());
}

TEST(Crc32, KnownAnswer) {
  Crc32 crc;
  crc.Update(BytesOf("123456789"));
  EXPECT_EQ(crc.Finish(), 0xcbf43926u);
}

TEST(Reader, TestFileIsTheKnownOne) {
  EXPECT_EQ(HexOf(Sha256::Hash(TestFile())),
            "e63bf50036eeebdc85566dacfc9cb812410146e093d0ffbbeaaa2f1a8dda9dc3");
}

TEST(Reader, ListsDirectivesInOrder) {
  const Bytes bytes = TestFile();
  const Result<File> file = File::Open(bytes);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file.value().policy(), 0x30000u);
  std::vector<Directive> list;
  for (const Directive& directive : file.value().directives()) {
    list.push_back(directive);
  }
  ASSERT_EQ(list.size(), 10u);
  EXPECT_EQ(list[0].kind, DirectiveKind::kRequiredMemory);
  EXPECT_EQ(list[0].address, GuestPhys(0x10000));
  EXPECT_EQ(list[0].size, 0x10000u);
  EXPECT_EQ(list[1].kind, DirectiveKind::kParameterArea);
  EXPECT_EQ(list[2].kind, DirectiveKind::kVpCount);
  EXPECT_EQ(list[3].kind, DirectiveKind::kParameterInsert);
  EXPECT_EQ(list[3].address, GuestPhys(0x15000));
  EXPECT_EQ(list[3].size, kPageSize);
  EXPECT_EQ(list[4].kind, DirectiveKind::kNormalPage);
  ASSERT_EQ(list[4].data.size(), kPageSize);
  EXPECT_EQ(list[4].data[0], std::byte{0xf4});
  EXPECT_EQ(list[5].kind, DirectiveKind::kNormalPage);
  EXPECT_TRUE(list[5].data.empty());
  EXPECT_EQ(list[6].kind, DirectiveKind::kSecretsPage);
  EXPECT_EQ(list[7].kind, DirectiveKind::kCpuidPage);
  EXPECT_EQ(list[8].kind, DirectiveKind::kUnmeasuredPage);
  EXPECT_EQ(list[9].kind, DirectiveKind::kVpContext);
  EXPECT_EQ(list[9].address, GuestPhys(SNP_VMSA_GPA));
}

TEST(LaunchDigest, EachLinkIsTheKnownOne) {
  const std::string_view expected[] = {
      // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one in two lines
      "48ec6acfec9a561b590191791ae27bedf6e4c931b221365909df5977814db749"
      "c18eedcc1a2490bef39ab7071fc95d0d",
      "874c8b2602740de6bb9f096192bcc459277227ff0459e9130ba1c13364a568fd"
      "010ec8bd684fff9f1b12ce2f5b7fdec9",
      "a4fdb89e9c3fbcd8c73dd8bbd7abce49d606cdea07b64c8fe59887f347bef8ad"
      "3172d4d180366193aaec10abd002a818",
      "f6b9a12eb17ac142fb6e6757b624bcd6e24312d942ba1e6e4b890a7e55d82060"
      "914c5269d35ecae6cadbc3e639e570eb",
      "25ada7429f881f077d1f0a0adf4fc27275c0524f0b707d93d3203c32b1b0ea71"
      "833b7f2967166e3c42763c2a92023b94",
      "0ff5056f4b5bd52566a0c04f84044500931c82cf7f86e795c9f61d9dfc0d124e"
      "c59d9af1b2196857857ec2b00c5d0ddc",
      "333ad13de9751f63189a75f3b7d9d259df0341da3956afc1e1c803132127dc13"
      "64fb861bbc20f89407db9fb1ad7f561d"};
  const Bytes bytes = TestFile();
  const Result<File> file = File::Open(bytes);
  ASSERT_TRUE(file.ok());
  LaunchDigest digest;
  size_t link = 0;
  for (const Directive& directive : file.value().directives()) {
    const LaunchDigest::Value before = digest.value();
    digest.Add(directive);
    if (digest.value() != before) {
      ASSERT_LT(link, std::size(expected));
      EXPECT_EQ(HexOf(digest.value()), expected[link]);
      ++link;
    }
  }
  EXPECT_EQ(link, std::size(expected));
  EXPECT_EQ(MeasureFile(file.value()), digest.value());
}

TEST(LaunchDigest, ZeroPagesOfTheFirmwareLinkDifferently) {
  LaunchDigest contents;
  LaunchDigest place;
  const std::byte zeros[kPageSize] = {};
  contents.AddContents(SNP_PAGE_NORMAL, GuestPhys(0x1000), zeros);
  place.AddPlace(SNP_PAGE_ZERO, GuestPhys(0x1000));
  EXPECT_NE(contents.value(), place.value());
}

TEST(Reader, RefusesBrokenFiles) {
  Bytes file = TestFile();
  file[0x40] ^= std::byte{1};  // the mask of the policy
  EXPECT_EQ(OpenError(file), Status::kMalformed);
  Seal(file);
  EXPECT_EQ(OpenError(file), Status::kUnsupported);  // no platform is left in it

  file = TestFile();
  file.push_back(std::byte{0});
  EXPECT_EQ(OpenError(file), Status::kMalformed);

  for (size_t size : {size_t{0}, size_t{23}, size_t{24}, size_t{0x167}, size_t{0x168}}) {
    file = TestFile();
    file.resize(size);
    if (size >= 24) {
      Seal(file);
    }
    EXPECT_EQ(OpenError(file), Status::kMalformed) << size;
  }
}

TEST(Reader, RefusesWhatSomeHostsRefuse) {
  struct Case {
    const char* what;
    size_t offset;
    uint32_t value;
    Status expected;
  };
  const Case cases[] = {
      {"magic", 0x00, 0x4d564748, Status::kMalformed},
      {"version 2", 0x04, 2, Status::kUnsupported},
      {"headers elsewhere", 0x08, 0x20, Status::kMalformed},
      {"headers not whole", 0x0c, 0x14c, Status::kMalformed},
      {"two platforms in a mask", 0x20, 3, Status::kUnsupported},
      {"VTL 1, platform version 1", 0x24, 0x00010201, Status::kMalformed},
      {"platform version 2", 0x24, 0x00020200, Status::kUnsupported},
      {"TDX", 0x24, 0x00010300, Status::kUnsupported},
      {"shared boundary", 0x28, 1, Status::kUnsupported},
      {"no policy", 0x30, IGVM_PAGE_DATA, Status::kUnsupported},
      {"policy for another platform", 0x40, 2, Status::kUnsupported},
      {"unknown kind of directive", kFirstPage, 0x3ff, Status::kUnsupported},
      {"ignorable directive", kFirstPage, 0x80000302, Status::kUnsupported},
      {"platform behind the policy", kFirstPage, IGVM_SUPPORTED_PLATFORM, Status::kMalformed},
      {"content too short", kFirstPage + 4, 0x10, Status::kMalformed},
      {"content beyond the end", kFirstPage + 4, 0xfffffff0, Status::kMalformed},
      {"page not aligned", kFirstPage + 8, 0x10001, Status::kMalformed},
      {"data inside the headers", kFirstPage + 0x14, 0x100, Status::kMalformed},
      {"data beyond the end", kFirstPage + 0x14, 0x1169, Status::kMalformed},
      {"page of 2 MiB", kFirstPage + 0x18, IGVM_PAGE_2M, Status::kUnsupported},
      {"shared page", kFirstPage + 0x18, IGVM_PAGE_SHARED, Status::kUnsupported},
      {"extended processor state", kFirstPage + 0x1c, 3, Status::kUnsupported},
      {"area of another index", 0x78, 1, Status::kMalformed},
      {"area of half a page", 0x70, 0x800, Status::kMalformed},
      {"count behind its area", 0x8c, 0xffd, Status::kMalformed},
  };
  for (const Case& test : cases) {
    Bytes file = TestFile();
    Put(file, test.offset, test.value);
    Seal(file);
    EXPECT_EQ(OpenError(file), test.expected) << test.what;
  }
}

TEST(Reader, WantsOneProcessorState) {
  const std::string hex = WithoutSpaces(kHead);
  const size_t context = hex.size() / 2 - 32;
  Bytes file = TestFile();
  const Bytes content(file.begin() + static_cast<ptrdiff_t>(context) + 8,
                      file.begin() + static_cast<ptrdiff_t>(context) + 28);
  InsertHeader(file, context, IGVM_VP_CONTEXT, content);
  // The data has moved behind the new header.
  Put<uint32_t>(file, kFirstPage + 0x14, 0x168 + 0x20);
  Put<uint32_t>(file, context + 0x14, 0x1168 + 0x20);
  Put<uint32_t>(file, context + 0x34, 0x1168 + 0x20);
  Seal(file);
  EXPECT_EQ(OpenError(file), Status::kUnsupported);

  file = TestFile();
  Put<uint32_t>(file, context, IGVM_PAGE_DATA);
  Put<uint32_t>(file, context + 4, 0x18);
  Seal(file);
  EXPECT_EQ(OpenError(file), Status::kMalformed);

  for (size_t field : {offsetof(snp_vmsa, vmpl), offsetof(snp_vmsa, sev_features)}) {
    file = TestFile();
    file[0x1168 + field] ^= std::byte{1};
    EXPECT_EQ(OpenError(file), Status::kUnsupported);
  }
}

TEST(Reader, WantsParametersInsertedBeforeTheProcessorState) {
  // The insert moves from its place to the end; nothing changes its offset.
  constexpr size_t kInsert = 0x90;
  constexpr size_t kSize = 24;
  Bytes file = TestFile();
  const auto at = [&file](size_t offset) { return file.begin() + static_cast<ptrdiff_t>(offset); };
  std::rotate(at(kInsert), at(kInsert + kSize), at(WithoutSpaces(kHead).size() / 2));
  Seal(file);
  EXPECT_EQ(OpenError(file), Status::kUnsupported);
}

TEST(Reader, TakesEachParameterAreaOnce) {
  // At the end of the headers, but for the processor's state.
  const size_t end = WithoutSpaces(kHead).size() / 2 - 32;
  const auto with = [end](uint32_t type, const Bytes& content) {
    Bytes file = TestFile();
    const size_t before = file.size();
    InsertHeader(file, end, type, content);
    const auto moved = static_cast<uint32_t>(file.size() - before);
    Put<uint32_t>(file, kFirstPage + 0x14, 0x168 + moved);
    Put<uint32_t>(file, end + moved + 0x14, 0x1168 + moved);
    Seal(file);
    return OpenError(file);
  };
  Bytes area(16);
  Put<uint64_t>(area, 0, kPageSize);
  EXPECT_EQ(with(IGVM_PARAMETER_AREA, area), Status::kMalformed);  // declared already
  Put<uint32_t>(area, 8, 1);
  EXPECT_EQ(with(IGVM_PARAMETER_AREA, area), Status::kOk);
  Put<uint64_t>(area, 0, 2 << 20);
  EXPECT_EQ(with(IGVM_PARAMETER_AREA, area), Status::kUnsupported);  // too large

  const Bytes parameter(8);
  EXPECT_EQ(with(IGVM_ENVIRONMENT_INFO, parameter), Status::kMalformed);  // inserted already
  Bytes insert(16);
  Put<uint64_t>(insert, 0, 0x16000);
  Put<uint32_t>(insert, 8, 1);
  EXPECT_EQ(with(IGVM_PARAMETER_INSERT, insert), Status::kMalformed);

  EXPECT_EQ(with(IGVM_SNP_ID_BLOCK, Bytes(0x2b8)), Status::kOk);
  EXPECT_EQ(with(IGVM_SNP_ID_BLOCK, Bytes(0x2b0)), Status::kMalformed);
}

TEST(Reader, WantsPagesBeforeTheProcessorState) {
  Bytes file = TestFile();
  const size_t end = WithoutSpaces(kHead).size() / 2;
  Bytes content(0x18);
  Put<uint64_t>(content, 0, 0x16000);
  Put<uint32_t>(content, 8, 1);
  InsertHeader(file, end, IGVM_PAGE_DATA, content);
  // The data has moved behind the new header.
  Put<uint32_t>(file, kFirstPage + 0x14, 0x168 + 0x20);
  Put<uint32_t>(file, end - 0xc, 0x1168 + 0x20);
  Seal(file);
  EXPECT_EQ(OpenError(file), Status::kUnsupported);
}

}  // namespace
}  // namespace nsgx::igvm
