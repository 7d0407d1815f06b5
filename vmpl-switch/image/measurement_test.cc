// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/measurement.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/core/addr.h"
#include "base/core/bytes.h"

namespace nsgx {
namespace {

constexpr uint32_t kR = NSGX_PERMISSION_READ;
constexpr uint32_t kRw = NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE;
constexpr uint32_t kRx = NSGX_PERMISSION_READ | NSGX_PERMISSION_EXECUTE;

ImageShape Shape() {
  ImageShape shape;
  shape.image_size = 100 * kPageSize;
  shape.entry = 5;
  shape.config_offset = kPageSize;
  shape.config_size = kPageSize;
  return shape;
}

Measurement Begun() { return Measurement::Begin(Shape()).value(); }

std::vector<std::byte> Pages(size_t count, unsigned seed) {
  std::vector<std::byte> bytes(count * kPageSize);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>((i * 2654435761u + seed) >> 7);
  }
  return bytes;
}

// The definition, written down once more and in the simplest way.
Sha256::Digest IdentityOf(const ImageShape& shape,
                          const std::vector<nsgx_measure_record>& records) {
  nsgx_measure_header header = {};
  header.magic = 0x3153414d5847534e;
  header.version = 1;
  header.page_size = 4096;
  header.image_size = shape.image_size;
  header.entry = shape.entry;
  header.config_offset = shape.config_offset;
  header.config_size = shape.config_size;
  std::copy_n(reinterpret_cast<const uint8_t*>(shape.config_sha256.data()), 32,
              header.config_sha256);
  std::vector<std::byte> all(BytesOf(header).begin(), BytesOf(header).end());
  for (const nsgx_measure_record& record : records) {
    const auto bytes = std::as_bytes(std::span(&record, 1));
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return Sha256::Hash(all);
}

nsgx_measure_record DataRecord(uint64_t offset, uint32_t permissions,
                               std::span<const std::byte> page) {
  nsgx_measure_record record = {};
  record.offset = offset;
  record.type = 1;
  record.permissions = permissions;
  const Sha256::Digest digest = Sha256::Hash(page);
  std::copy_n(reinterpret_cast<const uint8_t*>(digest.data()), 32, record.u.sha256);
  return record;
}

nsgx_measure_record ZeroRecord(uint64_t offset, uint32_t permissions, uint64_t page_count) {
  nsgx_measure_record record = {};
  record.offset = offset;
  record.type = 2;
  record.permissions = permissions;
  record.u.run.page_count = page_count;
  return record;
}

TEST(Measurement, IsTheHashOfTheRecords) {
  const std::vector<std::byte> code = Pages(2, 1);
  const std::vector<std::byte> data = Pages(1, 2);
  Measurement measurement = Begun();
  ASSERT_TRUE(MeasurePages(measurement, 0, kRx, code).ok());
  ASSERT_TRUE(MeasurePages(measurement, 4 * kPageSize, kRw, data).ok());
  ASSERT_TRUE(measurement.AddZeroPages(5 * kPageSize, kRw, 7).ok());
  const std::span<const std::byte> bytes = code;
  EXPECT_EQ(measurement.Identity(),
            IdentityOf(Shape(), {DataRecord(0, 5, bytes.first(4096)),
                                 DataRecord(4096, 5, bytes.subspan(4096)),
                                 DataRecord(16384, 3, data), ZeroRecord(20480, 3, 7)}));
}

TEST(Measurement, DependsOnEveryPartOfTheShape) {
  std::vector<Sha256::Digest> seen;
  const auto add = [&](auto&& change) {
    ImageShape shape = Shape();
    change(shape);
    const Sha256::Digest identity = Measurement::Begin(shape).value().Identity();
    EXPECT_EQ(identity, IdentityOf(shape, {}));
    for (const Sha256::Digest& other : seen) {
      EXPECT_NE(identity, other);
    }
    seen.push_back(identity);
  };
  add([](ImageShape&) {});
  add([](ImageShape& shape) { shape.image_size += kPageSize; });
  add([](ImageShape& shape) { ++shape.entry; });
  add([](ImageShape& shape) { shape.config_offset += kPageSize; });
  add([](ImageShape& shape) { shape.config_size += kPageSize; });
  add([](ImageShape& shape) { shape.config_sha256[31] = std::byte{1}; });
}

TEST(Measurement, IsTheSameHoweverPagesAreCutIntoCalls) {
  const std::vector<std::byte> bytes = Pages(99, 3);
  const std::span<const std::byte> pages = bytes;
  Measurement whole = Begun();
  ASSERT_TRUE(MeasurePages(whole, 0, kR, pages).ok());
  for (size_t step = 1; step < 99; step += 7) {
    Measurement cut = Begun();
    for (size_t page = 0; page < 99; page += step) {
      const size_t count = std::min(step, 99 - page);
      ASSERT_TRUE(MeasurePages(cut, page * kPageSize, kR,
                               pages.subspan(page * kPageSize, count * kPageSize))
                      .ok());
    }
    EXPECT_EQ(cut.Identity(), whole.Identity()) << step;
  }
}

TEST(Measurement, JoinsZeroRunsThatTouchWithEqualPermissions) {
  Measurement one = Begun();
  ASSERT_TRUE(one.AddZeroPages(0, kRw, 6).ok());
  ASSERT_TRUE(one.AddZeroPages(6 * kPageSize, kR, 1).ok());
  ASSERT_TRUE(one.AddZeroPages(9 * kPageSize, kR, 1).ok());
  Measurement cut = Begun();
  ASSERT_TRUE(cut.AddZeroPages(0, kRw, 1).ok());
  ASSERT_TRUE(cut.AddZeroPages(kPageSize, kRw, 3).ok());
  ASSERT_TRUE(cut.AddZeroPages(4 * kPageSize, kRw, 2).ok());
  ASSERT_TRUE(cut.AddZeroPages(6 * kPageSize, kR, 1).ok());
  ASSERT_TRUE(cut.AddZeroPages(9 * kPageSize, kR, 1).ok());
  EXPECT_EQ(one.Identity(), cut.Identity());
  EXPECT_EQ(one.Identity(), IdentityOf(Shape(), {ZeroRecord(0, 3, 6), ZeroRecord(6 * 4096, 1, 1),
                                                 ZeroRecord(9 * 4096, 1, 1)}));
}

TEST(Measurement, TellsZeroPagesWithContentsFromRuns) {
  const std::vector<std::byte> zeros(kPageSize);
  Measurement data = Begun();
  ASSERT_TRUE(MeasurePages(data, 0, kRw, zeros).ok());
  Measurement run = Begun();
  ASSERT_TRUE(run.AddZeroPages(0, kRw, 1).ok());
  EXPECT_NE(data.Identity(), run.Identity());
}

TEST(Measurement, GoesOnAfterIdentity) {
  const std::vector<std::byte> page = Pages(1, 4);
  Measurement asked = Begun();
  Measurement not_asked = Begun();
  for (Measurement* measurement : {&asked, &not_asked}) {
    ASSERT_TRUE(measurement->AddZeroPages(0, kRw, 1).ok());
    if (measurement == &asked) {
      EXPECT_EQ(asked.Identity(), asked.Identity());
    }
    ASSERT_TRUE(measurement->AddZeroPages(kPageSize, kRw, 1).ok());
    ASSERT_TRUE(MeasurePages(*measurement, 2 * kPageSize, kRw, page).ok());
  }
  EXPECT_EQ(asked.Identity(), not_asked.Identity());
}

TEST(Measurement, RefusesWithoutAChange) {
  const std::vector<std::byte> page = Pages(1, 5);
  const std::array<Sha256::Digest, 1> digest = {};
  Measurement measurement = Begun();
  ASSERT_TRUE(MeasurePages(measurement, 10 * kPageSize, kR, page).ok());
  const Sha256::Digest before = measurement.Identity();

  const auto status = [&](uint64_t offset, uint32_t permissions, uint64_t count) {
    const Result<void> zero = measurement.AddZeroPages(offset, permissions, count);
    EXPECT_EQ(ToStatus(zero), ToStatus(measurement.CheckPages(offset, permissions, count)));
    if (count == 1) {
      EXPECT_EQ(ToStatus(measurement.AddPages(offset, permissions, digest)), ToStatus(zero));
    }
    return ToStatus(zero);
  };
  EXPECT_EQ(status(11 * kPageSize + 1, kR, 1), Status::kInvalidArgument);
  EXPECT_EQ(status(10 * kPageSize, kR, 1), Status::kInvalidArgument);  // there already
  EXPECT_EQ(status(9 * kPageSize, kR, 1), Status::kInvalidArgument);   // descending
  EXPECT_EQ(status(11 * kPageSize, kR, 0), Status::kInvalidArgument);
  for (uint32_t permissions : {0u, 2u, 4u, 6u, 7u, 8u, 9u, ~0u}) {
    EXPECT_EQ(status(11 * kPageSize, permissions, 1), Status::kInvalidArgument) << permissions;
  }
  EXPECT_EQ(status(100 * kPageSize, kR, 1), Status::kOutOfRange);
  EXPECT_EQ(status(99 * kPageSize, kR, 2), Status::kOutOfRange);
  EXPECT_EQ(status(11 * kPageSize, kR, ~uint64_t{0}), Status::kOutOfRange);
  EXPECT_EQ(status(11 * kPageSize, kR, (uint64_t{1} << 52) - 11), Status::kOutOfRange);
  EXPECT_EQ(status(~kPageMask, kR, 1), Status::kOutOfRange);
  EXPECT_EQ(
      ToStatus(MeasurePages(measurement, 11 * kPageSize, kR, std::span(page).first(kPageSize - 1))),
      Status::kInvalidArgument);
  EXPECT_EQ(measurement.Identity(), before);
  EXPECT_TRUE(measurement.AddZeroPages(99 * kPageSize, kR, 1).ok());
}

TEST(Measurement, RefusesAShapeThatIsNone) {
  const auto status = [](auto&& change) {
    ImageShape shape = Shape();
    change(shape);
    const Result<Measurement> result = Measurement::Begin(shape);
    return result.ok() ? Status::kOk : result.error();
  };
  EXPECT_EQ(status([](ImageShape& s) { s.image_size = 0; }), Status::kOutOfRange);
  EXPECT_EQ(status([](ImageShape& s) { s.image_size = ~kPageMask; }), Status::kOutOfRange);
  EXPECT_EQ(status([](ImageShape& s) { s.image_size += 1; }), Status::kInvalidArgument);
  EXPECT_EQ(status([](ImageShape& s) { s.entry = s.image_size; }), Status::kOutOfRange);
  EXPECT_EQ(status([](ImageShape& s) { s.config_offset = 1; }), Status::kInvalidArgument);
  EXPECT_EQ(status([](ImageShape& s) { s.config_offset = s.image_size; }), Status::kOutOfRange);
  EXPECT_EQ(status([](ImageShape& s) { s.config_offset = ~kPageMask; }), Status::kOutOfRange);
  EXPECT_EQ(status([](ImageShape& s) { s.config_size = ~uint64_t{0}; }), Status::kOutOfRange);
  EXPECT_EQ(status([](ImageShape& s) { s.config_size = 7; }), Status::kInvalidArgument);
}

TEST(Measurement, IsUnusableUntilBegun) {
  Measurement measurement;
  EXPECT_EQ(ToStatus(measurement.AddZeroPages(0, kR, 1)), Status::kOutOfRange);
}

}  // namespace
}  // namespace nsgx
