// SPDX-License-Identifier: Apache-2.0
// How an image gets its identity (docs/measurement.md), for SEH, loader and signer alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/crypto/sha256.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx {

// What the header record says about the image.
struct ImageShape {
  uint64_t image_size = 0;  // multiple of the page size
  uint64_t entry = 0;       // offset of the entry point
  uint64_t config_offset = 0;
  uint64_t config_size = 0;
  Sha256::Digest config_sha256 = {};
};

// The identity of one image in the making. Fed by ascending offset with the digests of pages, so it
// does not matter when or where those were computed. A failed call changes nothing.
class Measurement {
 public:
  // An unusable object, until it is assigned one that Begin returned.
  constexpr Measurement() = default;

  // Starts with the header record.
  //
  // Errors: kOutOfRange       entry or configuration leave the image; image_size is 0 or above
  // NSGX_MAX_ADDRESS_RANGE.
  //         kInvalidArgument  a size or the configuration's offset is no multiple of the page size.
  static Result<Measurement> Begin(const ImageShape& shape);

  // Adds one page with contents for each digest, the first at `offset`.
  //
  // Errors: kInvalidArgument  offset is unaligned or below the end of what is there; permissions
  // (NSGX_PERMISSION_*) are
  //                           not R, RW or RX; there are no pages.
  //         kOutOfRange       the pages leave the image.
  Result<void> AddPages(uint64_t offset, uint32_t permissions,
                        std::span<const Sha256::Digest> digests);

  // Adds `page_count` pages of zeros. However a run is cut into calls, it is one run. Errors: as
  // AddPages.
  Result<void> AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count);

  // Checks what AddPages and AddZeroPages would refuse, for whoever must know before the pages are
  // in place.
  Result<void> CheckPages(uint64_t offset, uint32_t permissions, uint64_t page_count) const;

  // Returns the identity of what was added so far. More may be added afterwards.
  Sha256::Digest Identity() const;

 private:
  static void AddRun(Sha256& hash, uint64_t offset, uint32_t permissions, uint64_t page_count);

  Sha256 hash_;
  uint64_t image_size_ = 0;
  uint64_t next_offset_ = 0;  // the end of what is there
  // A run of zero pages that may still grow; it is not in hash_ yet.
  uint64_t run_offset_ = 0;
  uint64_t run_page_count_ = 0;
  uint32_t run_permissions_ = 0;
};

// Returns whether `permissions` are R, RW or RX: what a page of an image may have.
constexpr bool IsImagePermissions(uint32_t permissions) {
  return permissions == NSGX_PERMISSION_READ ||
         permissions == (NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE) ||
         permissions == (NSGX_PERMISSION_READ | NSGX_PERMISSION_EXECUTE);
}

// Hashes `pages` and adds them to `measurement`: the eager way, for whoever has the contents at
// hand and one thread.
//
// Errors: kInvalidArgument  pages.size() is no multiple of the page size; otherwise as
// Measurement::AddPages.
Result<void> MeasurePages(Measurement& measurement, uint64_t offset, uint32_t permissions,
                          std::span<const std::byte> pages);

}  // namespace nsgx
