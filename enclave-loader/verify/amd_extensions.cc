// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/amd_extensions.h"

#include <algorithm>
#include <array>

#include "enclave-loader/verify/der_reader.h"

namespace nsgx::verify {

namespace {

// 1.3.6.1.4.1.3704.1, without the numbers that follow.
constexpr std::array kAmdPrefix = {
    std::byte{0x2b}, std::byte{0x06}, std::byte{0x01}, std::byte{0x04},
    std::byte{0x01}, std::byte{0x9c}, std::byte{0x78}, std::byte{0x01},
};

constexpr size_t kHwidSize = 64;
constexpr size_t kTurinHwidSize = 8;

// .1.2 is the product name, .1.4 the chip, .1.5 the cloud provider, .1.3.n the security versions.
constexpr uint8_t kProductName = 2;
constexpr uint8_t kVersions = 3;
constexpr uint8_t kHwid = 4;
constexpr uint8_t kCspId = 5;

using Version = std::optional<uint8_t> AmdExtensions::*;
constexpr Version kVersionFields[] = {
    nullptr,  // .3.0 does not exist
    &AmdExtensions::boot_loader,
    &AmdExtensions::tee,
    &AmdExtensions::snp,
    &AmdExtensions::spare4,
    &AmdExtensions::spare5,
    &AmdExtensions::spare6,
    &AmdExtensions::spare7,
    &AmdExtensions::microcode,
    &AmdExtensions::fmc,
};

Result<uint8_t> ReadVersion(std::span<const std::byte> value) {
  DerReader reader(value);
  std::span<const std::byte> number = TRY(reader.Read(tag::kInteger));
  // Numbers from 0x80 on have a leading zero, or they would be negative.
  if (number.size() == 2 && number[0] == std::byte{0} && number[1] >= std::byte{0x80}) {
    number = number.subspan(1);
  } else if (number.size() == 1 && number[0] >= std::byte{0x80}) {
    return Error(Status::kMalformed);
  }
  if (number.size() != 1 || !reader.at_end()) {
    return Error(Status::kMalformed);
  }
  return std::to_integer<uint8_t>(number[0]);
}

// An id is 64 or 8 bytes, bare or in an OCTET STRING of its own; the size alone tells, for an id
// may begin with any bytes.
Result<Bytes> ReadHwid(std::span<const std::byte> value) {
  if (value.size() == kHwidSize + 2 || value.size() == kTurinHwidSize + 2) {
    DerReader reader(value);
    value = TRY(reader.Read(tag::kOctetString));
  }
  if (value.size() != kHwidSize && value.size() != kTurinHwidSize) {
    return Error(Status::kMalformed);
  }
  return Bytes(value.begin(), value.end());
}

Result<std::string> ReadText(std::span<const std::byte> value) {
  DerReader reader(value);
  const std::span<const std::byte> text = TRY(reader.Read(tag::kIa5String));
  if (text.empty() || !reader.at_end()) {
    return Error(Status::kMalformed);
  }
  return Printable({reinterpret_cast<const char*>(text.data()), text.size()});
}

Result<void> Store(std::span<const std::byte> number, std::span<const std::byte> value,
                   AmdExtensions& out) {
  const auto set_once = [](auto& field, bool is_set, auto&& parsed) -> Result<void> {
    if (is_set) {
      return Error(Status::kMalformed);
    }
    field = std::forward<decltype(parsed)>(parsed);
    return {};
  };
  const uint8_t first = std::to_integer<uint8_t>(number[0]);
  if (number.size() == 1 && first == kProductName) {
    return set_once(out.product_name, !out.product_name.empty(), TRY(ReadText(value)));
  }
  if (number.size() == 1 && first == kHwid) {
    return set_once(out.hwid, !out.hwid.empty(), TRY(ReadHwid(value)));
  }
  if (number.size() == 1 && first == kCspId) {
    return set_once(out.csp_id, !out.csp_id.empty(), TRY(ReadText(value)));
  }
  if (number.size() == 2 && first == kVersions) {
    const size_t index = std::to_integer<size_t>(number[1]);
    if (index != 0 && index < std::size(kVersionFields)) {
      std::optional<uint8_t>& field = out.*kVersionFields[index];
      return set_once(field, field.has_value(), TRY(ReadVersion(value)));
    }
  }
  return {};
}

}  // namespace

std::optional<TcbBytes> AmdExtensions::Tcb(Generation generation) const {
  const bool is_turin = generation == Generation::kTurin;
  if (!boot_loader || !tee || !snp || !microcode || (is_turin && !fmc)) {
    return std::nullopt;
  }
  if (is_turin) {
    return TcbBytes{*fmc,
                    *boot_loader,
                    *tee,
                    *snp,
                    spare4.value_or(0),
                    spare5.value_or(0),
                    spare6.value_or(0),
                    *microcode};
  }
  return TcbBytes{
      *boot_loader,       *tee, spare4.value_or(0), spare5.value_or(0), spare6.value_or(0),
      spare7.value_or(0), *snp, *microcode};
}

Result<AmdExtensions> ParseAmdExtensions(std::span<const std::byte> extensions) {
  AmdExtensions out;
  DerReader outer(extensions);
  DerReader list(TRY(outer.Read(tag::kSequence)));
  while (!list.at_end()) {
    DerReader extension(TRY(list.Read(tag::kSequence)));
    const std::span<const std::byte> oid = TRY(extension.Read(tag::kOid));
    if (extension.NextIs(tag::kBoolean)) {
      TRY(extension.Read(tag::kBoolean));
    }
    const std::span<const std::byte> value = TRY(extension.Read(tag::kOctetString));
    if (oid.size() > kAmdPrefix.size() &&
        std::equal(kAmdPrefix.begin(), kAmdPrefix.end(), oid.begin())) {
      TRY(Store(oid.subspan(kAmdPrefix.size()), value, out));
    }
  }
  return out;
}

}  // namespace nsgx::verify
