// SPDX-License-Identifier: Apache-2.0
// The numbers of DWARF: seven bits a byte, the lowest first, and a bit that says that more follow.
#pragma once

#include <cstdint>

#include "base/core/bytes.h"
#include "base/core/result.h"

namespace nsgx {

// Bits beyond the 64th are dropped.
//
// Errors: kMalformed  the bytes end within the number.
inline Result<uint64_t> ReadUleb128(ByteReader& reader) {
  uint64_t value = 0;
  for (uint32_t shift = 0;; shift += 7) {
    const uint8_t byte = TRY(reader.Read<uint8_t>());
    if (shift < 64) {
      value |= uint64_t{byte & 0x7fu} << shift;
    }
    if ((byte & 0x80) == 0) {
      return value;
    }
  }
}

// The same with a sign, which is the highest bit of the last byte.
inline Result<int64_t> ReadSleb128(ByteReader& reader) {
  uint64_t value = 0;
  for (uint32_t shift = 0;;) {
    const uint8_t byte = TRY(reader.Read<uint8_t>());
    if (shift < 64) {
      value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
    }
    if ((byte & 0x80) == 0) {
      if ((byte & 0x40) != 0 && shift < 64) {
        value |= ~uint64_t{0} << shift;
      }
      return static_cast<int64_t>(value);
    }
  }
}

}  // namespace nsgx
