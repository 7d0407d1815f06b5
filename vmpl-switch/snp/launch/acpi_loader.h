// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "base/core/static_vector.h"
#include "vmpl-switch/snp/launch/fw_cfg.h"
#include "vmpl-switch/snp/launch/memory_map.h"

namespace nsgx::snp {

// Puts the machine's ACPI tables into the guest's memory, where a firmware would do so: the device
// has the tables and a list of steps (place a file, add its address to a field, add up a checksum).
//
// Tables and steps are the host's and are for the guest. Nothing outside the area is ever written.
class AcpiLoader {
 public:
  // Requires: `memory` is what the guest sees at `area`; device and memory live longer.
  AcpiLoader(FwCfg& fw_cfg, const GuestPageRange& area, std::span<std::byte> memory);

  // Returns the address of the RSDP.
  //
  // Errors: kNotFound    the machine has no tables.
  //         kMalformed   a step is none, or leads out of its file.
  //         kOutOfRange  the tables do not fit.
  //         kHostFault   the device.
  Result<GuestPhys> Load();

 private:
  static constexpr size_t kMaxFiles = 8;
  static constexpr size_t kNameSize = 56;
  using Name = std::array<char, kNameSize>;

  struct Step;
  struct File {
    Name name;
    uint64_t offset;  // in the area
    uint32_t size;
  };

  Result<void> Allocate(const Step& step);
  Result<void> AddPointer(const Step& step);
  Result<void> AddChecksum(const Step& step);
  Result<void> WritePointer(const Step& step);
  Result<const File*> Find(const Name& name) const;
  Result<std::span<std::byte>> Field(const File& file, uint64_t offset, uint64_t size) const;

  FwCfg& fw_cfg_;
  const GuestPageRange area_;
  const std::span<std::byte> memory_;
  uint64_t used_ = 0;
  uint64_t limit_ = 0;
  StaticVector<File, kMaxFiles> files_;
};

}  // namespace nsgx::snp
