// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/certificate_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/core/addr.h"
#include "base/core/bytes.h"
#include "base/core/hex.h"
#include "vmpl-switch/emulator/chip/chip.h"

namespace nsgx::firmware {
namespace {

TEST(CertificateTableTest, HoldsTheChainUnderAmdsGuids) {
  std::vector<std::byte> out(CertificateTablePages() * kPageSize, std::byte{0xff});
  ASSERT_TRUE(WriteCertificateTable(out).ok());
  ByteReader table(out);
  ByteReader chain(chip::CertificateChain());
  size_t end = size_t{4} * 24;
  for (const char* guid : {"63da758de6644564adc5f4b93be8accd", "4ab7b379bbac4fe4a02f05aef327c782",
                           "c0b406a4a803495297433fb6014cd0ae"}) {
    std::string text(32, ' ');
    ASSERT_TRUE(EncodeHex(table.ReadBytes(16).value(), text).ok());
    EXPECT_EQ(text, guid);
    const uint32_t offset = table.Read<uint32_t>().value();
    const uint32_t size = table.Read<uint32_t>().value();
    EXPECT_EQ(offset, end);
    end += size;
    ASSERT_EQ(size, chain.Read<uint32_t>().value());
    const auto expected = chain.ReadBytes(size).value();
    const auto got = Slice(out, offset, size).value();
    EXPECT_TRUE(std::equal(got.begin(), got.end(), expected.begin()));
  }
  const auto zeros = [](std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(),
                       [](std::byte byte) { return byte == std::byte{0}; });
  };
  EXPECT_TRUE(zeros(table.ReadBytes(24).value()));
  EXPECT_TRUE(zeros(std::span(out).subspan(end)));
  EXPECT_GT(end, out.size() - kPageSize);
}

TEST(CertificateTableTest, WantsAllItsPages) {
  std::vector<std::byte> out((CertificateTablePages() - 1) * kPageSize, std::byte{0xff});
  EXPECT_EQ(WriteCertificateTable(out).error(), Status::kOutOfRange);
  EXPECT_TRUE(
      std::all_of(out.begin(), out.end(), [](std::byte byte) { return byte == std::byte{0xff}; }));
}

}  // namespace
}  // namespace nsgx::firmware
