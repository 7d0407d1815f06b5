// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/der_reader.h"

#include "base/core/bytes.h"

namespace nsgx::verify {

Result<DerReader::Element> DerReader::Next(uint8_t tag) {
  ByteReader reader(bytes_);
  if (TRY(reader.Read<uint8_t>()) != tag) {
    return Error(Status::kMalformed);
  }
  uint64_t size = TRY(reader.Read<uint8_t>());
  if (size >= 0x80) {
    // The long form: this many bytes, big-endian. Four are more than any certificate has.
    const uint64_t count = size & 0x7f;
    if (count == 0 || count > 4) {
      return Error(Status::kMalformed);
    }
    size = 0;
    for (uint64_t i = 0; i < count; ++i) {
      size = size << 8 | TRY(reader.Read<uint8_t>());
    }
    const uint64_t smallest = count == 1 ? 0x80 : uint64_t{1} << (8 * (count - 1));
    if (size < smallest) {
      return Error(Status::kMalformed);
    }
  }
  const std::span<const std::byte> contents = TRY(reader.ReadBytes(size));
  const Element element = {bytes_.first(reader.offset()), contents};
  bytes_ = bytes_.subspan(reader.offset());
  return element;
}

Result<std::span<const std::byte>> DerReader::Read(uint8_t tag) {
  const Element element = TRY(Next(tag));
  return element.contents;
}

Result<std::span<const std::byte>> DerReader::ReadWhole(uint8_t tag) {
  const Element element = TRY(Next(tag));
  return element.whole;
}

}  // namespace nsgx::verify
