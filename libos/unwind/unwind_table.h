// SPDX-License-Identifier: Apache-2.0
// From the registers of a function to those of its caller, by the tables (.eh_frame) that C++
// exceptions use too. For reports of crashes: a table or a stack that makes no sense ends the walk,
// it is never an error and never a fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/core/bytes.h"
#include "base/core/result.h"
#include "libos/unwind/frame_program.h"

namespace nsgx::libos {

// Reads 8 bytes of a stack; false: there are none.
using ReadStackWord = bool (*)(uint64_t address, uint64_t* word);

class UnwindTable {
 public:
  // `segment` lies at `address` and holds the table and, from `header_offset` on, the sorted index
  // of it that linkers make (.eh_frame_hdr). Nothing if there is no index in the form that lld
  // writes.
  static std::optional<UnwindTable> Open(std::span<const std::byte> segment, uint64_t address,
                                         uint64_t header_offset);

  // Changes `registers` to those of the caller. `is_call`: rip lies behind a call, so it may be the
  // first byte of another function. False: no function is known there, or the stack cannot be read.
  bool Step(UnwindRegisters& registers, bool is_call, ReadStackWord read) const;

 private:
  // What the records of functions of one kind have in common.
  struct Common {
    uint64_t code_factor;
    int64_t data_factor;
    ByteReader code;  // stands at its instructions
  };

  UnwindTable(std::span<const std::byte> segment, uint64_t address)
      : segment_(segment), address_(address) {}

  // Reads an address that is written relative to its own place.
  Result<uint64_t> ReadRelative32(ByteReader& reader) const;

  // Readers begin at the segment's first byte, so that their offset says where they stand; this one
  // stands behind the length of a record and ends where the record ends.
  Result<ByteReader> RecordAt(uint64_t offset) const;
  Result<Common> CommonAt(uint64_t offset) const;
  Result<void> ReadIndex(uint64_t header_offset);
  Result<uint64_t> FindFunction(uint64_t rip) const;
  Result<UnwindRegisters> CallerOf(const UnwindRegisters& registers, bool is_call,
                                   ReadStackWord read) const;

  std::span<const std::byte> segment_;
  uint64_t address_;
  uint64_t header_offset_ = 0;
  uint64_t index_offset_ = 0;
  uint64_t index_count_ = 0;
};

}  // namespace nsgx::libos
