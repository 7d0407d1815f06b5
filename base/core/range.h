// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/addr.h"
#include "base/core/checked.h"
#include "base/core/result.h"

namespace nsgx {

// A half-open range of bytes [begin, end) in the space named by Tag. May be empty.
//
// A range that exists does not wrap: whoever holds one may add and compare without checking. The
// very last byte of the 64-bit space cannot be in a range, because `end` could not be written.
template <typename Tag>
class AddrRange {
 public:
  using Address = Addr<Tag>;

  constexpr AddrRange() = default;

  // Makes the range of `size` bytes at `begin`.
  //
  // Errors: kOutOfRange  the range would wrap.
  static constexpr Result<AddrRange> Make(Address begin, uint64_t size) {
    return AddrRange(begin, TRY(CheckedAdd(begin, size)));
  }

  // Makes the range from `begin` up to, not including, `end`.
  //
  // Errors: kInvalidArgument  end < begin.
  static constexpr Result<AddrRange> Between(Address begin, Address end) {
    if (end < begin) {
      return Error(Status::kInvalidArgument);
    }
    return AddrRange(begin, end);
  }

  constexpr Address begin() const { return begin_; }
  constexpr Address end() const { return end_; }
  constexpr uint64_t size() const { return end_ - begin_; }
  constexpr bool empty() const { return begin_ == end_; }

  constexpr bool Contains(Address address) const { return begin_ <= address && address < end_; }

  // True when every byte of `other` is in this range. An empty `other` is contained when it lies
  // within or at an edge, so that a zero-size buffer outside is still refused.
  constexpr bool Contains(const AddrRange& other) const {
    return begin_ <= other.begin_ && other.end_ <= end_;
  }

  // True when the two share a byte. An empty range overlaps nothing.
  constexpr bool Overlaps(const AddrRange& other) const {
    return !empty() && !other.empty() && begin_ < other.end_ && other.begin_ < end_;
  }

  friend constexpr bool operator==(const AddrRange&, const AddrRange&) = default;

 private:
  constexpr AddrRange(Address begin, Address end) : begin_(begin), end_(end) {}

  Address begin_;
  Address end_;
};

// A range of whole 4 KiB pages; everything AddrRange promises, and both ends are page-aligned.
// Iterating over it yields the address of each page.
template <typename Tag>
class PageRange {
 public:
  using Address = Addr<Tag>;

  class Iterator {
   public:
    constexpr explicit Iterator(Address page) : page_(page) {}
    constexpr Address operator*() const { return page_; }
    constexpr Iterator& operator++() {
      page_ += kPageSize;
      return *this;
    }
    friend constexpr bool operator==(Iterator, Iterator) = default;

   private:
    Address page_;
  };

  constexpr PageRange() = default;

  // Makes the range of `size` bytes at `begin`.
  //
  // Errors: kInvalidArgument  begin or size is no multiple of the page size.
  //         kOutOfRange       the range would wrap.
  static constexpr Result<PageRange> Make(Address begin, uint64_t size) {
    if (!begin.is_page_aligned() || (size & kPageMask) != 0) {
      return Error(Status::kInvalidArgument);
    }
    return PageRange(TRY(AddrRange<Tag>::Make(begin, size)));
  }

  // Makes the range of `page_count` pages at `begin`. Errors: as Make.
  static constexpr Result<PageRange> OfPages(Address begin, uint64_t page_count) {
    return Make(begin, TRY(CheckedMul(page_count, kPageSize)));
  }

  // Makes the smallest page range that holds every byte of `bytes`.
  //
  // Errors: kOutOfRange  the last page is the last of the 64-bit space.
  static constexpr Result<PageRange> Covering(const AddrRange<Tag>& bytes) {
    if (bytes.empty()) {
      return Make(bytes.begin().PageStart(), 0);
    }
    const Address begin = bytes.begin().PageStart();
    return Make(begin, TRY(CheckedAlignUp(bytes.end(), kPageSize)) - begin);
  }

  constexpr Address address() const { return bytes_.begin(); }
  constexpr Address end_address() const { return bytes_.end(); }
  constexpr uint64_t size() const { return bytes_.size(); }
  constexpr uint64_t page_count() const { return bytes_.size() >> kPageShift; }
  constexpr bool empty() const { return bytes_.empty(); }
  constexpr const AddrRange<Tag>& bytes() const { return bytes_; }

  // Returns the address of page number `index`. Requires: index < page_count().
  constexpr Address page(uint64_t index) const {
    CHECK(index < page_count());
    return address() + (index << kPageShift);
  }

  constexpr bool Contains(Address address) const { return bytes_.Contains(address); }
  constexpr bool Contains(const PageRange& other) const { return bytes_.Contains(other.bytes_); }
  constexpr bool Contains(const AddrRange<Tag>& other) const { return bytes_.Contains(other); }
  constexpr bool Overlaps(const PageRange& other) const { return bytes_.Overlaps(other.bytes_); }

  constexpr Iterator begin() const { return Iterator(address()); }
  constexpr Iterator end() const { return Iterator(end_address()); }

  friend constexpr bool operator==(const PageRange&, const PageRange&) = default;

 private:
  constexpr explicit PageRange(AddrRange<Tag> bytes) : bytes_(bytes) {}

  AddrRange<Tag> bytes_;
};

}  // namespace nsgx
