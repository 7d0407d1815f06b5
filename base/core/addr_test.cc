// SPDX-License-Identifier: Apache-2.0
#include "base/core/addr.h"

#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "base/core/addr_raw.h"

namespace nsgx {
namespace {

// What must not compile is tried by negative_compile_test.py; this says the same to the compiler.
static_assert(!std::convertible_to<uint64_t, GuestPhys>);
static_assert(!std::convertible_to<GuestPhys, uint64_t>);
static_assert(!std::constructible_from<GuestPhys, EnclaveVirt>);
static_assert(!std::assignable_from<GuestPhys&, EnclaveVirt>);
static_assert(std::is_trivially_copyable_v<GuestPhys> && sizeof(GuestPhys) == 8);

TEST(Addr, PagesAndOffsets) {
  constexpr EnclaveVirt kAddress(0x12345);
  static_assert(kAddress.page_offset() == 0x345);
  static_assert(kAddress.PageStart() == EnclaveVirt(0x12000));
  static_assert(!kAddress.is_page_aligned());
  EXPECT_TRUE(EnclaveVirt(0x12000).is_page_aligned());
  EXPECT_EQ(EnclaveVirt().raw(), 0u);
}

TEST(Addr, Arithmetic) {
  GuestPhys address(0x1000);
  address += 0x10;
  EXPECT_EQ(address, GuestPhys(0x1010));
  address -= 0x20;
  EXPECT_EQ(address.raw(), 0xff0u);
  EXPECT_EQ(GuestPhys(0x3000) - GuestPhys(0x1000), 0x2000u);
  EXPECT_LT(GuestPhys(1), GuestPhys(2));
}

TEST(Addr, CheckedForValuesOfOthers) {
  EXPECT_EQ(CheckedAdd(GuestPhys(UINT64_MAX), 1).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedAdd(GuestPhys(UINT64_MAX - 1), 1).value(), GuestPhys(UINT64_MAX));
  EXPECT_EQ(CheckedAlignUp(GuestPhys(UINT64_MAX), kPageSize).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedAlignUp(GuestPhys(1), kPageSize).value(), GuestPhys(kPageSize));
  EXPECT_EQ(AlignDown(GuestPhys(kPageSize + 1), kPageSize), GuestPhys(kPageSize));
  EXPECT_TRUE(IsAligned(GuestPhys(kLargePageSize), kLargePageSize));
}

TEST(Addr, PointersThereAndBack) {
  int value = 3;
  const HostVirt address = AddressOf<HostVirt>(&value);
  EXPECT_EQ(PointerTo<int>(address), &value);
}

TEST(AddrDeathTest, WrappingIsOurBug) {
  EXPECT_DEATH(static_cast<void>(GuestPhys(UINT64_MAX) + 1), "check failed");
  EXPECT_DEATH(static_cast<void>(GuestPhys(0) - 1), "check failed");
  EXPECT_DEATH(static_cast<void>(GuestPhys(1) - GuestPhys(2)), "check failed");
}

}  // namespace
}  // namespace nsgx
