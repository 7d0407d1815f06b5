// SPDX-License-Identifier: Apache-2.0
// Any bytes are either refused, or an image whose pages can be loaded and measured.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/check.h"
#include "enclave-loader/image/image.h"

namespace {

using nsgx::loader::Image;
using nsgx::loader::PageRun;

void CheckImage(const Image& image) {
  uint64_t next = 0;
  uint64_t pages_with_contents = 0;
  for (const PageRun& run : image.runs()) {
    CHECK(run.offset >= next && run.offset % NSGX_PAGE_SIZE == 0 && run.page_count != 0);
    next = run.offset + run.page_count * NSGX_PAGE_SIZE;
    CHECK(run.bytes.empty() || run.bytes.size() == run.page_count * NSGX_PAGE_SIZE);
    pages_with_contents += run.bytes.size() / NSGX_PAGE_SIZE;
  }
  CHECK(next == image.size());
  CHECK(pages_with_contents <= image.file().size() / NSGX_PAGE_SIZE + 2 * Image::kMaxSegments);
  CHECK(image.entry() < image.size());
  CHECK(image.config_offset() + image.config_section().size() <= image.size());
  static_cast<void>(image.Identity());
  static_cast<void>(image.Config());
  static_cast<void>(image.HostCalls());
  static_cast<void>(image.Signature());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = Image::Parse(std::as_bytes(std::span(data, size)));
  if (parsed.ok()) {
    CheckImage(parsed.value());
  }
  return 0;
}
