// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/certificate_table.h"

#include <cstdint>

#include "base/core/bytes.h"
#include "vmpl-switch/emulator/chip/chip.h"

namespace nsgx::firmware {
namespace {

struct TableEntry {
  uint8_t guid[16];
  uint32_t offset;
  uint32_t size;
};

// In the order of chip::CertificateChain, as the bytes lie in memory.
constexpr uint8_t kGuids[3][16] = {
    {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
     0xcd},  // VCEK
    {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
     0x82},  // ASK
    {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
     0xae},  // ARK
};
constexpr size_t kCertificates = 3;
constexpr size_t kListSize = (kCertificates + 1) * sizeof(TableEntry);

}  // namespace

size_t CertificateTableSize() {
  // Of each certificate the chain also has its size.
  return kListSize + chip::CertificateChain().size() - kCertificates * sizeof(uint32_t);
}

Result<void> WriteCertificateTable(std::span<std::byte> out) {
  ByteReader chain(chip::CertificateChain());
  ByteWriter list(out);
  uint32_t offset = kListSize;
  for (const uint8_t(&guid)[16] : kGuids) {
    TableEntry entry = {};
    __builtin_memcpy(entry.guid, guid, sizeof(guid));
    entry.offset = offset;
    entry.size = TRY(chain.Read<uint32_t>());
    TRY(list.WriteObject(entry));
    const std::span<const std::byte> certificate = TRY(chain.ReadBytes(entry.size));
    ByteWriter place(TRY(MutableSlice(out, offset, entry.size)));
    TRY(place.WriteBytes(certificate));
    offset += entry.size;
  }
  return list.WriteObject(TableEntry{});
}

}  // namespace nsgx::firmware
