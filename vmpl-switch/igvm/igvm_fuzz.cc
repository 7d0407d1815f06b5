// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes are, File::Open refuses them or returns a file whose every directive can be
// read and measured.
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/core/align.h"
#include "base/core/bytes.h"
#include "base/core/check.h"
#include "vmpl-switch/igvm/crc32.h"
#include "vmpl-switch/igvm/launch_digest.h"
#include "vmpl-switch/igvm/reader.h"

namespace {

using namespace nsgx;

void Try(std::span<const std::byte> bytes) {
  const Result<igvm::File> file = igvm::File::Open(bytes);
  if (!file.ok()) {
    CHECK(file.error() == Status::kMalformed || file.error() == Status::kUnsupported);
    return;
  }
  igvm::LaunchDigest digest;
  unsigned contexts = 0;
  for (const igvm::Directive& directive : file.value().directives()) {
    // Of an area, its contents fill it; of a page, its data.
    CHECK(directive.data.empty() || directive.kind == igvm::DirectiveKind::kIdBlock ||
          directive.data.size() == directive.size);
    digest.Add(directive);
    contexts += directive.kind == igvm::DirectiveKind::kVpContext ? 1 : 0;
  }
  CHECK(contexts == 1);
  CHECK(digest.value() == igvm::MeasureFile(file.value()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> input = std::as_bytes(std::span(data, size));
  Try(input);
  // With the fixed header made right, so that changes reach beyond the first check.
  igvm_fixed_header header;
  if (size <= sizeof(header)) {
    return 0;
  }
  std::vector<std::byte> file(input.begin(), input.end());
  std::memcpy(&header, file.data(), sizeof(header));
  header.magic = IGVM_MAGIC;
  header.version = IGVM_VERSION;
  header.variable_offset = sizeof(header);
  header.total_size = static_cast<uint32_t>(size);
  if (header.variable_size >= size - sizeof(header)) {
    header.variable_size = static_cast<uint32_t>(AlignDown(size - sizeof(header) - 1, size_t{8}));
  }
  header.checksum = 0;
  igvm::Crc32 crc;
  crc.Update(BytesOf(header));
  crc.Update(std::span(file).subspan(sizeof(header), header.variable_size));
  header.checksum = crc.Finish();
  std::memcpy(file.data(), &header, sizeof(header));
  Try(file);
  return 0;
}
