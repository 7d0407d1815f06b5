// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/certificates.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/core/bytes.h"

namespace nsgx::snp {
namespace {

struct Entry {
  std::array<uint8_t, 16> guid;
  uint32_t offset;
  uint32_t size;
};

using Guid = std::array<uint8_t, 16>;

// As they are written in text. Hosts store them like that, or with the first three fields turned
// round.
constexpr Guid kVcek = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                        0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
constexpr Guid kVlek = {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e,
                        0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1};
constexpr Guid kAsk = {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4,
                       0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82};
constexpr Guid kArk = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52,
                       0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae};

bool Is(const Guid& found, const Guid& wanted) {
  Guid turned = wanted;
  std::reverse(turned.begin(), turned.begin() + 4);
  std::reverse(turned.begin() + 4, turned.begin() + 6);
  std::reverse(turned.begin() + 6, turned.begin() + 8);
  return found == wanted || found == turned;
}

Result<std::span<const std::byte>> Find(std::span<const std::byte> table, const Guid& guid) {
  ByteReader reader(table);
  for (;;) {
    const Entry entry = TRY(reader.ReadObject<Entry>());
    if (entry.guid == Guid{}) {
      return Error(Status::kNotFound);
    }
    if (Is(entry.guid, guid)) {
      const Result<std::span<const std::byte>> found = Slice(table, entry.offset, entry.size);
      if (!found.ok() || found.value().empty()) {
        return Error(Status::kMalformed);
      }
      return found.value();
    }
  }
}

}  // namespace

Result<size_t> ArrangeCertificates(std::span<const std::byte> table, std::span<std::byte> out) {
  ByteWriter writer(out);
  const auto add = [&](std::span<const std::byte> certificate) -> Result<void> {
    TRY(writer.Write(static_cast<uint32_t>(certificate.size())));
    return writer.WriteBytes(certificate);
  };
  const Result<std::span<const std::byte>> vcek = Find(table, kVcek);
  TRY(add(vcek.ok() ? vcek.value() : TRY(Find(table, kVlek))));
  TRY(add(TRY(Find(table, kAsk))));
  TRY(add(TRY(Find(table, kArk))));
  return writer.offset();
}

}  // namespace nsgx::snp
