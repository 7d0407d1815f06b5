// SPDX-License-Identifier: Apache-2.0
// From the registers of a function to those of its caller, by the tables (.eh_frame) that C++
// exceptions use too. For reports of crashes: a table or a stack that makes no sense ends the walk,
// it is never an error and never a fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace nsgx::libos {

// By the numbers that the tables use.
struct UnwindRegisters {
  static constexpr size_t kRbx = 3, kRbp = 6, kRsp = 7, kR12 = 12, kRip = 16, kCount = 17;

  uint64_t value[kCount] = {};

  uint64_t rip() const { return value[kRip]; }
  uint64_t rsp() const { return value[kRsp]; }
};

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
  class Reader;
  class Program;

  UnwindTable(std::span<const std::byte> segment, uint64_t address)
      : segment_(segment), address_(address) {}

  // The reader stands behind the length of a record, and ends where the record ends.
  std::optional<Reader> RecordAt(uint64_t offset) const;
  std::optional<uint64_t> FindFunction(uint64_t rip) const;

  std::span<const std::byte> segment_;
  uint64_t address_;
  uint64_t header_offset_ = 0;
  uint64_t index_offset_ = 0;
  uint64_t index_count_ = 0;
};

}  // namespace nsgx::libos
