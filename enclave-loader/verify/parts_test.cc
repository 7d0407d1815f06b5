// SPDX-License-Identifier: Apache-2.0
// The small parts: DER, AMD's extensions, generations, times.
#include <gtest/gtest.h>

#include "enclave-loader/verify/amd_extensions.h"
#include "enclave-loader/verify/der_reader.h"
#include "enclave-loader/verify/generation.h"
#include "enclave-loader/verify/time_text.h"
#include "vmpl-switch/emulator/chip/der.h"

namespace nsgx::verify {
namespace {

using chip::der::Der;
using chip::der::Element;

std::span<const std::byte> AsBytes(const Der& der) { return std::as_bytes(std::span(der)); }

TEST(DerReaderTest, ReadsOneElementAfterTheOther) {
  const Der der = {0x02, 0x01, 0x05, 0x04, 0x02, 0xaa, 0xbb};
  DerReader reader(AsBytes(der));
  EXPECT_TRUE(reader.NextIs(tag::kInteger));
  EXPECT_FALSE(reader.Read(tag::kOctetString).ok());  // changes nothing
  EXPECT_EQ(reader.Read(tag::kInteger).value().size(), 1u);
  EXPECT_EQ(reader.ReadWhole(tag::kOctetString).value().size(), 4u);
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.NextIs(tag::kInteger));
  EXPECT_FALSE(reader.Read(tag::kInteger).ok());
}

TEST(DerReaderTest, RefusesLengthsThatAreNotDer) {
  for (const Der& der : {
           Der{0x04},                                            // no length
           Der{0x04, 0x01},                                      // ends early
           Der{0x04, 0x80, 0x00, 0x00},                          // of no definite length
           Der{0x04, 0x81, 0x01, 0xaa},                          // long form for a short length
           Der{0x04, 0x82, 0x00, 0x01, 0xaa},                    // leading zero
           Der{0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 0xaa},        // behind the end
           Der{0x04, 0x85, 0x01, 0x00, 0x00, 0x00, 0x00, 0xaa},  // longer than anything
       }) {
    EXPECT_FALSE(DerReader(AsBytes(der)).Read(tag::kOctetString).ok());
  }
}

Der Extension(std::string_view number, const Der& value) {
  return Element(chip::der::kSequence, {chip::der::Oid("1.3.6.1.4.1.3704.1." + std::string(number)),
                                        Element(chip::der::kOctetString, {value})});
}

Result<AmdExtensions> Parse(std::initializer_list<Der> extensions) {
  return ParseAmdExtensions(AsBytes(Element(chip::der::kSequence, extensions)));
}

TEST(AmdExtensionsTest, ReadsVersionsOfEitherSize) {
  const Result<AmdExtensions> parsed = Parse(
      {Extension("3.1", chip::der::Integer(0)), Extension("3.2", chip::der::Integer(0x7f)),
       Extension("3.3", chip::der::Integer(0x80)), Extension("3.8", chip::der::Integer(0xff))});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().Tcb(Generation::kMilan), (TcbBytes{0, 0x7f, 0, 0, 0, 0, 0x80, 0xff}));
  EXPECT_EQ(parsed.value().Tcb(Generation::kTurin), std::nullopt);
}

TEST(AmdExtensionsTest, RefusesWrongValues) {
  EXPECT_FALSE(Parse({Extension("3.1", chip::der::Integer(0x100))}).ok());
  EXPECT_FALSE(Parse({Extension("3.1", {0x02, 0x01, 0x80})}).ok());        // negative
  EXPECT_FALSE(Parse({Extension("3.1", {0x02, 0x02, 0x00, 0x01})}).ok());  // not minimal
  EXPECT_FALSE(Parse({Extension("3.1", {0x02, 0x00})}).ok());              // empty
  EXPECT_FALSE(Parse({Extension("3.1", {0x02, 0x01, 0x01, 0x00})}).ok());  // more behind it
  EXPECT_FALSE(Parse({Extension("3.1", {})}).ok());
  EXPECT_FALSE(Parse({Extension("2", chip::der::Text(chip::der::kUtf8String, "Milan"))}).ok());
  EXPECT_FALSE(Parse({Extension("4", Der(63, 0x11))}).ok());
  EXPECT_FALSE(Parse({Extension("4", Der(66, 0x11))}).ok());
}

TEST(AmdExtensionsTest, RefusesDoubles) {
  const Der version = Extension("3.1", chip::der::Integer(1));
  EXPECT_FALSE(Parse({version, version}).ok());
  const Der hwid = Extension("4", Der(64, 0x11));
  EXPECT_FALSE(Parse({hwid, hwid}).ok());
}

TEST(AmdExtensionsTest, PassesOverOthers) {
  const Der other = Element(chip::der::kSequence, {chip::der::Oid("2.5.29.35"),
                                                   Element(chip::der::kOctetString, {Der{1}})});
  EXPECT_TRUE(Parse({other, Extension("3.10", Der{1}), Extension("9", Der{1}), other}).ok());
  EXPECT_FALSE(ParseAmdExtensions(AsBytes(Der{0x30, 0x02, 0x30})).ok());
}

TEST(GenerationTest, OfProductsAndProcessors) {
  EXPECT_EQ(GenerationOfProduct("Milan-B0"), Generation::kMilan);
  EXPECT_EQ(GenerationOfProduct("Genoa"), Generation::kGenoa);
  EXPECT_EQ(GenerationOfProduct("Turin-"), Generation::kTurin);
  EXPECT_EQ(GenerationOfProduct("Milano-B0"), Generation::kUnknown);
  EXPECT_EQ(GenerationOfProduct(""), Generation::kUnknown);
  EXPECT_EQ(GenerationOfProduct("unknown"), Generation::kUnknown);
  EXPECT_EQ(GenerationOfCpuid(0x19, 0x01), Generation::kMilan);
  EXPECT_EQ(GenerationOfCpuid(0x19, 0x11), Generation::kGenoa);
  EXPECT_EQ(GenerationOfCpuid(0x19, 0xa0), Generation::kGenoa);
  EXPECT_EQ(GenerationOfCpuid(0x19, 0x20), Generation::kUnknown);
  EXPECT_EQ(GenerationOfCpuid(0x1a, 0x02), Generation::kTurin);
  EXPECT_EQ(GenerationOfCpuid(0x17, 0x31), Generation::kUnknown);
}

TEST(GenerationTest, TcbLayouts) {
  const TcbBytes bytes = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(TcbText(DecodeTcb(bytes, Generation::kMilan)),
            "boot loader 1, TEE 2, SNP 7, microcode 8");
  EXPECT_EQ(TcbText(DecodeTcb(bytes, Generation::kTurin)),
            "FMC 1, boot loader 2, TEE 3, SNP 4, microcode 8");
}

TEST(GenerationTest, MinimumsAndOrder) {
  const Tcb tcb = {std::nullopt, 3, 0, 8, 115};
  EXPECT_TRUE(ReachesMinimum(tcb, {}));
  EXPECT_TRUE(ReachesMinimum(tcb, {std::nullopt, 3, 0, 8, 115}));
  EXPECT_FALSE(ReachesMinimum(tcb, {std::nullopt, 4, 0, 8, 115}));
  Tcb with_fmc;
  with_fmc.fmc = 0;
  EXPECT_FALSE(ReachesMinimum(tcb, with_fmc));
  // No part makes up for another.
  EXPECT_FALSE(IsAtMost({1, 0, 0, 0, 0, 0, 0, 0}, {0, 9, 9, 9, 9, 9, 9, 9}));
  EXPECT_TRUE(IsAtMost({1, 2, 0, 0, 0, 0, 0, 0}, {1, 2, 0, 0, 0, 0, 0, 0}));
}

TEST(TimeTextTest, BothWays) {
  EXPECT_EQ(TimeText(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(TimeText(1795680000), "2026-11-26T08:00:00Z");
  EXPECT_EQ(ParseTime("2026-11-26T08:00:00Z").value(), 1795680000);
  EXPECT_EQ(ParseTime("2026-11-26").value(), 1795651200);
  EXPECT_EQ(ParseTime("1795680000").value(), 1795680000);
  EXPECT_EQ(ParseTime("0").value(), 0);
  for (const char* wrong :
       {"", "x", "2026-13-01", "2026-02-30", "2026-11-26T24:00:00Z", "2026-11-26T08:00:00",
        "2026-11-26 08:00:00Z", "-5", "2026-1-26", "+1795680000"}) {
    EXPECT_FALSE(ParseTime(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace nsgx::verify
