// SPDX-License-Identifier: Apache-2.0
#include "base/core/range.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace nsgx {
namespace {

using Bytes = AddrRange<GuestPhysTag>;
using Pages = PageRange<GuestPhysTag>;

Bytes MakeBytes(uint64_t begin, uint64_t size) {
  return Bytes::Make(GuestPhys(begin), size).value();
}
Pages MakePages(uint64_t begin, uint64_t size) {
  return Pages::Make(GuestPhys(begin), size).value();
}

TEST(AddrRange, RefusesToWrap) {
  EXPECT_TRUE(Bytes::Make(GuestPhys(UINT64_MAX), 0).ok());
  EXPECT_EQ(Bytes::Make(GuestPhys(UINT64_MAX), 1).error(), Status::kOutOfRange);
  EXPECT_EQ(Bytes::Make(GuestPhys(1), UINT64_MAX).error(), Status::kOutOfRange);
  EXPECT_EQ(Bytes::Make(GuestPhys(0), UINT64_MAX).value().size(), UINT64_MAX);
}

TEST(AddrRange, Between) {
  EXPECT_EQ(Bytes::Between(GuestPhys(5), GuestPhys(9)).value(), MakeBytes(5, 4));
  EXPECT_TRUE(Bytes::Between(GuestPhys(5), GuestPhys(5)).value().empty());
  EXPECT_EQ(Bytes::Between(GuestPhys(5), GuestPhys(4)).error(), Status::kInvalidArgument);
}

// Against the definition, byte by byte, for all small ranges.
TEST(AddrRange, ContainsAndOverlapsAsDefined) {
  constexpr uint64_t kLimit = 6;
  for (uint64_t a = 0; a <= kLimit; ++a) {
    for (uint64_t a_end = a; a_end <= kLimit; ++a_end) {
      for (uint64_t b = 0; b <= kLimit; ++b) {
        for (uint64_t b_end = b; b_end <= kLimit; ++b_end) {
          const Bytes left = MakeBytes(a, a_end - a);
          const Bytes right = MakeBytes(b, b_end - b);
          bool shares = false;
          bool all = true;
          for (uint64_t i = b; i < b_end; ++i) {
            const bool inside = a <= i && i < a_end;
            EXPECT_EQ(left.Contains(GuestPhys(i)), inside);
            shares |= inside;
            all &= inside;
          }
          EXPECT_EQ(left.Overlaps(right), shares);
          if (!right.empty()) {
            EXPECT_EQ(left.Contains(right), all);
          } else {
            EXPECT_EQ(left.Contains(right), a <= b && b <= a_end);
          }
        }
      }
    }
  }
}

TEST(PageRange, OnlyWholePages) {
  EXPECT_EQ(Pages::Make(GuestPhys(1), kPageSize).error(), Status::kInvalidArgument);
  EXPECT_EQ(Pages::Make(GuestPhys(0), kPageSize + 1).error(), Status::kInvalidArgument);
  EXPECT_EQ(Pages::Make(GuestPhys(~kPageMask), kPageSize).error(), Status::kOutOfRange);
  EXPECT_EQ(Pages::OfPages(GuestPhys(0), uint64_t{1} << 52).error(), Status::kOutOfRange);
  EXPECT_EQ(Pages::OfPages(GuestPhys(0x4000), 3).value(), MakePages(0x4000, 0x3000));
}

TEST(PageRange, Iterates) {
  std::vector<uint64_t> seen;
  const Pages pages = MakePages(0x4000, 0x3000);
  for (GuestPhys page : pages) {
    seen.push_back(page.raw());
  }
  EXPECT_EQ(seen, (std::vector<uint64_t>{0x4000, 0x5000, 0x6000}));
  EXPECT_EQ(pages.page_count(), 3u);
  EXPECT_EQ(pages.page(2), GuestPhys(0x6000));
  for (GuestPhys page : Pages()) {
    FAIL() << page.raw();
  }
}

TEST(PageRange, Covering) {
  EXPECT_EQ(Pages::Covering(MakeBytes(0x1fff, 2)).value(), MakePages(0x1000, 0x2000));
  EXPECT_EQ(Pages::Covering(MakeBytes(0x1000, 0x1000)).value(), MakePages(0x1000, 0x1000));
  EXPECT_TRUE(Pages::Covering(MakeBytes(0x1234, 0)).value().empty());
  EXPECT_EQ(Pages::Covering(MakeBytes(UINT64_MAX - 1, 1)).error(), Status::kOutOfRange);
}

TEST(PageRange, Relations) {
  const Pages pages = MakePages(0x4000, 0x3000);
  EXPECT_TRUE(pages.Contains(MakePages(0x5000, 0x2000)));
  EXPECT_FALSE(pages.Contains(MakePages(0x5000, 0x3000)));
  EXPECT_TRUE(pages.Contains(MakeBytes(0x6fff, 1)));
  EXPECT_FALSE(pages.Contains(MakeBytes(0x6fff, 2)));
  EXPECT_TRUE(pages.Overlaps(MakePages(0x3000, 0x2000)));
  EXPECT_FALSE(pages.Overlaps(MakePages(0x7000, 0x1000)));
}

TEST(PageRangeDeathTest, PageIndexOutside) {
  EXPECT_DEATH(static_cast<void>(MakePages(0, 0x1000).page(1)), "page_count");
}

}  // namespace
}  // namespace nsgx
