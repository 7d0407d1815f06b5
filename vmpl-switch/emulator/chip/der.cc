// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/der.h"

#include <algorithm>

namespace nsgx::chip::der {

namespace {

void Append(Der& out, std::span<const uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// Base 128, most significant group first, the top bit set on all groups but the last.
void AppendArc(Der& out, uint64_t arc) {
  int groups = 1;
  while (groups < 9 && (arc >> (7 * groups)) != 0) {
    ++groups;
  }
  for (int i = groups - 1; i >= 0; --i) {
    const uint8_t more = i == 0 ? 0 : 0x80;
    out.push_back(static_cast<uint8_t>(((arc >> (7 * i)) & 0x7f) | more));
  }
}

}  // namespace

Der Element(uint8_t tag, std::span<const uint8_t> contents) {
  Der out = {tag};
  const size_t size = contents.size();
  if (size < 0x80) {
    out.push_back(static_cast<uint8_t>(size));
  } else if (size < 0x100) {
    Append(out, std::initializer_list<uint8_t>{0x81, static_cast<uint8_t>(size)});
  } else {
    Append(out, std::initializer_list<uint8_t>{0x82, static_cast<uint8_t>(size >> 8),
                                               static_cast<uint8_t>(size)});
  }
  Append(out, contents);
  return out;
}

Der Element(uint8_t tag, std::initializer_list<Der> parts) {
  Der contents;
  for (const Der& part : parts) {
    Append(contents, part);
  }
  return Element(tag, std::span<const uint8_t>(contents));
}

Der Text(uint8_t tag, std::string_view text) {
  return Element(tag, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

Der Null() { return Element(kNull, std::span<const uint8_t>()); }

Der Integer(std::span<const uint8_t> big_endian) {
  const auto first =
      std::find_if(big_endian.begin(), big_endian.end(), [](uint8_t b) { return b != 0; });
  Der contents(first, big_endian.end());
  // A set top bit would make the number negative.
  if (contents.empty() || (contents.front() & 0x80) != 0) {
    contents.insert(contents.begin(), 0);
  }
  return Element(kInteger, std::span<const uint8_t>(contents));
}

Der Integer(uint64_t value) {
  uint8_t big_endian[8];
  for (int i = 0; i < 8; ++i) {
    big_endian[i] = static_cast<uint8_t>(value >> (56 - 8 * i));
  }
  return Integer(std::span<const uint8_t>(big_endian));
}

Der Oid(std::string_view dotted) {
  std::vector<uint64_t> arcs = {0};
  for (char character : dotted) {
    if (character == '.') {
      arcs.push_back(0);
    } else {
      arcs.back() = arcs.back() * 10 + static_cast<uint64_t>(character - '0');
    }
  }
  Der contents;
  AppendArc(contents, arcs[0] * 40 + arcs[1]);
  for (size_t i = 2; i < arcs.size(); ++i) {
    AppendArc(contents, arcs[i]);
  }
  return Element(kOid, std::span<const uint8_t>(contents));
}

Der BitString(std::span<const uint8_t> bytes) {
  Der contents = {0};  // unused bits in the last byte
  Append(contents, bytes);
  return Element(kBitString, std::span<const uint8_t>(contents));
}

Der Time(std::string_view generalized) {
  const std::string_view year = generalized.substr(0, 4);
  if (year >= "1950" && year < "2050") {
    return Text(kUtcTime, generalized.substr(2));
  }
  return Text(kGeneralizedTime, generalized);
}

std::string CertificatePem(const Der& der) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr size_t kBytesPerLine = 48;
  std::string out = "-----BEGIN CERTIFICATE-----\n";
  for (size_t i = 0; i < der.size(); i += 3) {
    const size_t count = std::min<size_t>(3, der.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? der[i + j] : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += j <= count ? kDigits[(group >> (18 - 6 * j)) & 0x3f] : '=';
    }
    const bool is_line_full = (i + 3) % kBytesPerLine == 0;
    out += is_line_full && i + 3 < der.size() ? "\n" : "";
  }
  return out + "\n-----END CERTIFICATE-----\n";
}

}  // namespace nsgx::chip::der
