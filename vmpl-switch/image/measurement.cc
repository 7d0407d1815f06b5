// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/measurement.h"

#include <algorithm>
#include <array>

#include "base/core/addr.h"
#include "base/core/align.h"
#include "base/core/bytes.h"

namespace nsgx {

Result<Measurement> Measurement::Begin(const ImageShape& shape) {
  if (shape.image_size == 0 || shape.image_size > NSGX_MAX_ADDRESS_RANGE ||
      shape.entry >= shape.image_size || shape.config_offset > shape.image_size ||
      shape.config_size > shape.image_size - shape.config_offset) {
    return Error(Status::kOutOfRange);
  }
  if (!IsAligned(shape.image_size | shape.config_offset | shape.config_size, kPageSize)) {
    return Error(Status::kInvalidArgument);
  }
  nsgx_measure_header header = {};
  header.magic = NSGX_MEASURE_MAGIC;
  header.version = NSGX_MEASURE_VERSION;
  header.page_size = NSGX_PAGE_SIZE;
  header.image_size = shape.image_size;
  header.entry = shape.entry;
  header.config_offset = shape.config_offset;
  header.config_size = shape.config_size;
  static_assert(sizeof(header.config_sha256) == Sha256::kDigestSize);
  __builtin_memcpy(header.config_sha256, shape.config_sha256.data(), sizeof(header.config_sha256));

  Measurement measurement;
  measurement.hash_.Update(BytesOf(header));
  measurement.image_size_ = shape.image_size;
  return measurement;
}

Result<void> Measurement::CheckPages(uint64_t offset, uint32_t permissions,
                                     uint64_t page_count) const {
  if (!IsAligned(offset, kPageSize) || offset < next_offset_ || !IsImagePermissions(permissions) ||
      page_count == 0) {
    return Error(Status::kInvalidArgument);
  }
  if (offset > image_size_ || page_count > (image_size_ - offset) / kPageSize) {
    return Error(Status::kOutOfRange);
  }
  return {};
}

Result<void> Measurement::AddPages(uint64_t offset, uint32_t permissions,
                                   std::span<const Sha256::Digest> digests) {
  TRY(CheckPages(offset, permissions, digests.size()));
  if (run_page_count_ != 0) {
    AddRun(hash_, run_offset_, run_permissions_, run_page_count_);
    run_page_count_ = 0;
  }
  nsgx_measure_record record = {};
  record.offset = offset;
  record.type = NSGX_PAGE_DATA;
  record.permissions = permissions;
  for (const Sha256::Digest& digest : digests) {
    __builtin_memcpy(record.u.sha256, digest.data(), digest.size());
    hash_.Update(std::as_bytes(std::span(&record, 1)));
    record.offset += kPageSize;
  }
  next_offset_ = record.offset;
  return {};
}

Result<void> Measurement::AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count) {
  TRY(CheckPages(offset, permissions, page_count));
  if (run_page_count_ != 0 && offset == next_offset_ && permissions == run_permissions_) {
    run_page_count_ += page_count;
  } else {
    if (run_page_count_ != 0) {
      AddRun(hash_, run_offset_, run_permissions_, run_page_count_);
    }
    run_offset_ = offset;
    run_permissions_ = permissions;
    run_page_count_ = page_count;
  }
  next_offset_ = offset + page_count * kPageSize;
  return {};
}

Sha256::Digest Measurement::Identity() const {
  Sha256 hash = hash_;
  if (run_page_count_ != 0) {
    AddRun(hash, run_offset_, run_permissions_, run_page_count_);
  }
  return hash.Finish();
}

void Measurement::AddRun(Sha256& hash, uint64_t offset, uint32_t permissions, uint64_t page_count) {
  nsgx_measure_record record = {};
  record.offset = offset;
  record.type = NSGX_PAGE_ZERO_RUN;
  record.permissions = permissions;
  record.u.run.page_count = page_count;
  hash.Update(std::as_bytes(std::span(&record, 1)));
}

Result<void> MeasurePages(Measurement& measurement, uint64_t offset, uint32_t permissions,
                          std::span<const std::byte> pages) {
  if (!IsAligned(uint64_t{pages.size()}, kPageSize)) {
    return Error(Status::kInvalidArgument);
  }
  TRY(measurement.CheckPages(offset, permissions, pages.size() / kPageSize));
  std::array<Sha256::Digest, 64> digests;
  while (!pages.empty()) {
    const size_t count = std::min(digests.size(), pages.size() / kPageSize);
    const std::span<Sha256::Digest> now = std::span(digests).first(count);
    Sha256HashPages(pages.first(count * kPageSize), now);
    TRY(measurement.AddPages(offset, permissions, now));
    pages = pages.subspan(count * kPageSize);
    offset += count * kPageSize;
  }
  return {};
}

}  // namespace nsgx
