// SPDX-License-Identifier: Apache-2.0
#include "base/core/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace nsgx {
namespace {

struct Record {
  uint32_t kind;
  uint32_t size;
};

struct Padded {
  uint8_t kind;
  uint32_t size;
};

static_assert(PlainBytes<Record> && PlainBytes<uint64_t> && PlainBytes<std::array<std::byte, 3>>);
static_assert(!PlainBytes<Padded> && !PlainBytes<bool> && !PlainBytes<int*> && !PlainBytes<float>);

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (int value : values) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

TEST(ByteReader, LittleEndianAtAnyAlignment) {
  const std::vector<std::byte> bytes = Bytes(
      {0xaa, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0xff});
  ByteReader reader(bytes);
  EXPECT_EQ(reader.Read<uint8_t>().value(), 0xaau);
  EXPECT_EQ(reader.Read<uint64_t>().value(), 0x0807060504030201u);
  EXPECT_EQ(reader.Read<uint32_t>().value(), 0x0c0b0a09u);
  EXPECT_EQ(reader.Read<uint16_t>().value(), 0xff0du);
  EXPECT_TRUE(reader.at_end());
}

TEST(ByteReader, EveryReadStopsAtTheEnd) {
  for (size_t size = 0; size <= 9; ++size) {
    // On the heap with the exact size, so that the sanitizer sees one byte too many.
    std::vector<std::byte> bytes(size, std::byte{7});
    bytes.shrink_to_fit();
    EXPECT_EQ(ByteReader(bytes).Read<uint8_t>().ok(), size >= 1);
    EXPECT_EQ(ByteReader(bytes).Read<uint16_t>().ok(), size >= 2);
    EXPECT_EQ(ByteReader(bytes).Read<uint32_t>().ok(), size >= 4);
    EXPECT_EQ(ByteReader(bytes).Read<uint64_t>().ok(), size >= 8);
    EXPECT_EQ(ByteReader(bytes).ReadObject<Record>().ok(), size >= sizeof(Record));
    EXPECT_TRUE(ByteReader(bytes).ReadBytes(size).ok());
    EXPECT_EQ(ByteReader(bytes).ReadBytes(size + 1).error(), Status::kMalformed);
    EXPECT_EQ(ByteReader(bytes).Skip(size + 1).error(), Status::kMalformed);
    EXPECT_EQ(ByteReader(bytes).Seek(size + 1).error(), Status::kMalformed);
  }
}

TEST(ByteReader, HugeSizesDoNotWrap) {
  const std::vector<std::byte> bytes = Bytes({1, 2, 3, 4});
  ByteReader reader(bytes);
  ASSERT_TRUE(reader.Skip(2).ok());
  for (uint64_t size : {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 2, uint64_t{1} << 63}) {
    EXPECT_EQ(reader.ReadBytes(size).error(), Status::kMalformed);
    EXPECT_EQ(reader.Skip(size).error(), Status::kMalformed);
    EXPECT_EQ(reader.Seek(size).error(), Status::kMalformed);
    EXPECT_EQ(Slice(bytes, size, 2).error(), Status::kOutOfRange);
    EXPECT_EQ(Slice(bytes, 2, size).error(), Status::kOutOfRange);
  }
}

TEST(ByteReader, AFailedReadChangesNothing) {
  const std::vector<std::byte> bytes = Bytes({1, 2, 3});
  ByteReader reader(bytes);
  EXPECT_FALSE(reader.Read<uint32_t>().ok());
  EXPECT_EQ(reader.offset(), 0u);
  EXPECT_EQ(reader.Read<uint16_t>().value(), 0x0201u);
  EXPECT_EQ(reader.remaining(), 1u);
}

TEST(ByteReader, SeekGoesBothWays) {
  const std::vector<std::byte> bytes = Bytes({1, 2, 3, 4});
  ByteReader reader(bytes);
  ASSERT_TRUE(reader.Seek(4).ok());
  EXPECT_TRUE(reader.at_end());
  ASSERT_TRUE(reader.Seek(1).ok());
  EXPECT_EQ(reader.Read<uint8_t>().value(), 2u);
}

TEST(ByteWriter, ReadsBackWhatItWrote) {
  std::array<std::byte, 64> buffer{};
  ByteWriter writer(buffer);
  ASSERT_TRUE(writer.Write(uint8_t{0xaa}).ok());
  ASSERT_TRUE(writer.Write(uint16_t{0x1234}).ok());
  ASSERT_TRUE(writer.Write(uint32_t{0xdeadbeef}).ok());
  ASSERT_TRUE(writer.Write(uint64_t{0x0123456789abcdef}).ok());
  ASSERT_TRUE(writer.WriteObject(Record{.kind = 5, .size = 6}).ok());
  ASSERT_TRUE(writer.WriteZeros(3).ok());
  ASSERT_TRUE(writer.WriteBytes(BytesOf("abc")).ok());
  EXPECT_EQ(writer.written().size(), 1u + 2 + 4 + 8 + 8 + 3 + 3);

  ByteReader reader(writer.written());
  EXPECT_EQ(reader.Read<uint8_t>().value(), 0xaau);
  EXPECT_EQ(reader.Read<uint16_t>().value(), 0x1234u);
  EXPECT_EQ(reader.Read<uint32_t>().value(), 0xdeadbeefu);
  EXPECT_EQ(reader.Read<uint64_t>().value(), 0x0123456789abcdefu);
  EXPECT_EQ(reader.ReadObject<Record>().value().size, 6u);
  EXPECT_TRUE(reader.Skip(3).ok());
  EXPECT_TRUE(std::ranges::equal(reader.ReadBytes(3).value(), BytesOf("abc")));
}

TEST(ByteWriter, NothingIsWrittenBehindTheEnd) {
  std::array<std::byte, 8> buffer{};
  ByteWriter writer(std::span(buffer).first(3));
  EXPECT_EQ(writer.Write(uint32_t{0xffffffff}).error(), Status::kOutOfRange);
  EXPECT_EQ(writer.WriteBytes(BytesOf("abcd")).error(), Status::kOutOfRange);
  EXPECT_EQ(writer.WriteZeros(UINT64_MAX).error(), Status::kOutOfRange);
  EXPECT_EQ(writer.offset(), 0u);
  ASSERT_TRUE(writer.Write(uint16_t{0xffff}).ok());
  EXPECT_EQ(writer.Write(uint16_t{0xffff}).error(), Status::kOutOfRange);
  for (size_t i = 2; i < buffer.size(); ++i) {
    EXPECT_EQ(buffer[i], std::byte{0});
  }
}

TEST(Slice, Edges) {
  std::vector<std::byte> bytes = Bytes({1, 2, 3, 4});
  EXPECT_EQ(Slice(bytes, 4, 0).value().size(), 0u);
  EXPECT_EQ(Slice(bytes, 1, 3).value()[0], std::byte{2});
  EXPECT_EQ(Slice(bytes, 1, 4).error(), Status::kOutOfRange);
  EXPECT_EQ(Slice(bytes, 5, 0).error(), Status::kOutOfRange);
  MutableSlice(bytes, 3, 1).value()[0] = std::byte{9};
  EXPECT_EQ(bytes[3], std::byte{9});
  EXPECT_EQ(MutableSlice(bytes, 3, 2).error(), Status::kOutOfRange);
}

}  // namespace
}  // namespace nsgx
