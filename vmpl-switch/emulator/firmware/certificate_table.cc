// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/certificate_table.h"

#include <array>
#include <cstdint>
#include <iterator>

#include "base/core/addr.h"
#include "base/core/bytes.h"
#include "base/core/check.h"
#include "vmpl-switch/emulator/chip/chip.h"

namespace nsgx::firmware {
namespace {

// An entry of the table; one of zeros ends it.
struct Entry {
  std::array<uint8_t, 16> guid;
  uint32_t offset;  // from the start of the table
  uint32_t size;
};
static_assert(sizeof(Entry) == 24);

// In the order of chip::CertificateChain(), as their text form reads from left to right.
constexpr std::array<uint8_t, 16> kGuids[] = {
    // VCEK
    {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
     0xcd},
    // ASK
    {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
     0x82},
    // ARK
    {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
     0xae},
};
constexpr size_t kTableSize = (std::size(kGuids) + 1) * sizeof(Entry);

// The chain has a size in front of each certificate instead.
size_t UsedSize() {
  return kTableSize + chip::CertificateChain().size() - std::size(kGuids) * sizeof(uint32_t);
}

}  // namespace

size_t CertificateTablePages() { return (UsedSize() + kPageMask) >> kPageShift; }

Result<void> WriteCertificateTable(std::span<std::byte> out) {
  if (out.size() < UsedSize()) {
    return Error(Status::kOutOfRange);
  }
  ByteWriter table(out.first(kTableSize));
  ByteWriter certificates(out.subspan(kTableSize));
  ByteReader chain(chip::CertificateChain());
  for (const std::array<uint8_t, 16>& guid : kGuids) {
    Entry entry = {};
    entry.guid = guid;
    entry.offset = static_cast<uint32_t>(kTableSize + certificates.offset());
    entry.size = TRY(chain.Read<uint32_t>());
    TRY(table.WriteObject(entry));
    TRY(certificates.WriteBytes(TRY(chain.ReadBytes(entry.size))));
  }
  CHECK(chain.at_end());
  TRY(table.WriteObject(Entry{}));
  return certificates.WriteZeros(certificates.remaining());
}

}  // namespace nsgx::firmware
