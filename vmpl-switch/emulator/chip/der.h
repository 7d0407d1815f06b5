// SPDX-License-Identifier: Apache-2.0
// Writes DER, as much of it as X.509 certificates and revocation lists need. For build-time
// programs and tests.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nsgx::chip::der {

// One or several encoded elements.
using Der = std::vector<uint8_t>;

inline constexpr uint8_t kBoolean = 0x01;
inline constexpr uint8_t kInteger = 0x02;
inline constexpr uint8_t kBitString = 0x03;
inline constexpr uint8_t kOctetString = 0x04;
inline constexpr uint8_t kNull = 0x05;
inline constexpr uint8_t kOid = 0x06;
inline constexpr uint8_t kUtf8String = 0x0c;
inline constexpr uint8_t kIa5String = 0x16;
inline constexpr uint8_t kUtcTime = 0x17;
inline constexpr uint8_t kGeneralizedTime = 0x18;
inline constexpr uint8_t kSequence = 0x30;
inline constexpr uint8_t kSet = 0x31;
// Context tag [number] around other elements.
constexpr uint8_t Explicit(uint8_t number) { return static_cast<uint8_t>(0xa0 | number); }

// An element whose contents are `parts`, one after the other.
Der Element(uint8_t tag, std::initializer_list<Der> parts);
Der Element(uint8_t tag, std::span<const uint8_t> contents);
Der Text(uint8_t tag, std::string_view text);

Der Null();
Der Integer(uint64_t value);
// A positive integer of any length, big-endian.
Der Integer(std::span<const uint8_t> big_endian);
// Requires: `dotted` is a well-formed object identifier, such as "1.2.840.10045.2.1".
Der Oid(std::string_view dotted);
// A bit string of whole bytes.
Der BitString(std::span<const uint8_t> bytes);
// "20260101000000Z", in the form that RFC 5280 wants for the year.
Der Time(std::string_view generalized);

// The certificate `der` in PEM.
std::string CertificatePem(const Der& der);

}  // namespace nsgx::chip::der
