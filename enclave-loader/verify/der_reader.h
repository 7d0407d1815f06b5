// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"

namespace nsgx::verify {

// Walks over the elements of DER, as a bounded view. Knows nothing of what they mean; mbedTLS
// parses certificates, this reads the few places that it keeps to itself.
class DerReader {
 public:
  explicit DerReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool at_end() const { return bytes_.empty(); }
  // Returns whether the next element has this tag.
  bool NextIs(uint8_t tag) const {
    return !bytes_.empty() && std::to_integer<uint8_t>(bytes_[0]) == tag;
  }

  // Passes over the next element, which must have this tag, and returns its contents.
  //
  // Errors: kMalformed  another tag, no minimal length, or the element ends behind the end of the
  // bytes.
  Result<std::span<const std::byte>> Read(uint8_t tag);
  // The same, but returns the whole element, tag and length included.
  Result<std::span<const std::byte>> ReadWhole(uint8_t tag);

 private:
  struct Element {
    std::span<const std::byte> whole;
    std::span<const std::byte> contents;
  };
  Result<Element> Next(uint8_t tag);

  std::span<const std::byte> bytes_;
};

namespace tag {
inline constexpr uint8_t kBoolean = 0x01;
inline constexpr uint8_t kInteger = 0x02;
inline constexpr uint8_t kBitString = 0x03;
inline constexpr uint8_t kOctetString = 0x04;
inline constexpr uint8_t kOid = 0x06;
inline constexpr uint8_t kIa5String = 0x16;
inline constexpr uint8_t kSequence = 0x30;
}  // namespace tag

}  // namespace nsgx::verify
