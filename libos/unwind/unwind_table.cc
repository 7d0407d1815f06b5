// SPDX-License-Identifier: Apache-2.0
#include "libos/unwind/unwind_table.h"

#include <cstring>

#include "base/core/leb128.h"

namespace nsgx::libos {
namespace {

// How pointers are written. lld and clang use these three.
constexpr uint8_t kPcRelative32 = 0x1b, kUnsigned32 = 0x03, kHeaderRelative32 = 0x3b;

// One row of the index.
struct IndexEntry {
  int32_t function;  // both relative to the index's header
  int32_t record;
};

uint64_t SignExtended(uint32_t value) {
  return static_cast<uint64_t>(int64_t{static_cast<int32_t>(value)});
}

Result<void> Expect(bool is_so) {
  if (!is_so) {
    return Error(Status::kUnsupported);
  }
  return {};
}

// The value of a register of the caller, whose frame lies at `frame`.
Result<uint64_t> ValueOf(size_t which, const UnwindRule& rule, uint64_t frame,
                         const UnwindRegisters& registers, ReadStackWord read) {
  switch (rule.kind) {
    case UnwindRule::Kind::kUnchanged:
      return registers.value[which];
    case UnwindRule::Kind::kUndefined:
      return uint64_t{0};
    case UnwindRule::Kind::kFrameValue:
      return frame + rule.operand;
    case UnwindRule::Kind::kInRegister:
      if (rule.operand >= UnwindRegisters::kCount) {
        return Error(Status::kMalformed);
      }
      return registers.value[rule.operand];
    case UnwindRule::Kind::kAtFrame:
      break;
  }
  uint64_t word;
  if (!read(frame + rule.operand, &word)) {
    return Error(Status::kOutOfRange);
  }
  return word;
}

}  // namespace

std::optional<UnwindTable> UnwindTable::Open(std::span<const std::byte> segment, uint64_t address,
                                             uint64_t header_offset) {
  UnwindTable table(segment, address);
  if (!table.ReadIndex(header_offset).ok()) {
    return {};
  }
  return table;
}

Result<void> UnwindTable::ReadIndex(uint64_t header_offset) {
  constexpr uint8_t kVersion = 1;
  ByteReader header(segment_);
  TRY(header.Seek(header_offset));
  for (const uint8_t known : {kVersion, kPcRelative32, kUnsigned32, kHeaderRelative32}) {
    TRY(Expect(TRY(header.Read<uint8_t>()) == known));
  }
  TRY(header.Skip(sizeof(uint32_t)));  // where the table begins
  index_count_ = TRY(header.Read<uint32_t>());
  index_offset_ = header.offset();
  header_offset_ = header_offset;
  return header.Skip(index_count_ * sizeof(IndexEntry));
}

Result<uint64_t> UnwindTable::ReadRelative32(ByteReader& reader) const {
  const uint64_t place = address_ + reader.offset();
  return place + SignExtended(TRY(reader.Read<uint32_t>()));
}

Result<uint64_t> UnwindTable::FindFunction(uint64_t rip) const {
  const auto entry = [&](uint64_t i) {
    IndexEntry row;
    memcpy(&row, segment_.data() + index_offset_ + i * sizeof row, sizeof row);
    return row;
  };
  const uint64_t header = address_ + header_offset_;
  uint64_t low = 0, high = index_count_;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (header + static_cast<uint64_t>(int64_t{entry(middle).function}) <= rip) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) {
    return Error(Status::kNotFound);
  }
  return header_offset_ + static_cast<uint64_t>(int64_t{entry(low - 1).record});
}

Result<ByteReader> UnwindTable::RecordAt(uint64_t offset) const {
  ByteReader whole(segment_);
  TRY(whole.Seek(offset));
  const uint32_t size = TRY(whole.Read<uint32_t>());
  const size_t begin = whole.offset();
  TRY(whole.Skip(size));
  ByteReader record(segment_.first(whole.offset()));
  TRY(record.Seek(begin));
  return record;
}

Result<UnwindTable::Common> UnwindTable::CommonAt(uint64_t offset) const {
  constexpr uint8_t kVersion = 1;
  ByteReader record = TRY(RecordAt(offset));
  TRY(Expect(TRY(record.Read<uint32_t>()) == 0));  // not a function's
  TRY(Expect(TRY(record.Read<uint8_t>()) == kVersion));
  char letters[8] = {};
  for (char& letter : letters) {
    letter = static_cast<char>(TRY(record.Read<uint8_t>()));
    if (letter == 0) {
      break;
    }
  }
  const uint64_t code_factor = TRY(ReadUleb128(record));
  const int64_t data_factor = TRY(ReadSleb128(record));
  TRY(Expect(TRY(ReadUleb128(record)) == UnwindRegisters::kRip));
  // Only here the letters say how the functions' addresses are written.
  TRY(Expect(letters[0] == 'z'));
  const uint64_t size = TRY(ReadUleb128(record));
  ByteReader details = record;
  TRY(record.Skip(size));
  uint8_t encoding = 0;
  for (size_t i = 1; i < sizeof letters && letters[i] != 0; ++i) {
    switch (letters[i]) {
      case 'R':
        encoding = TRY(details.Read<uint8_t>());
        break;
      case 'P': {
        // The handler of exceptions, in one of the forms of 4 bytes.
        const uint8_t form = TRY(details.Read<uint8_t>()) & 0x0f;
        TRY(Expect(form == 0x0b || form == 0x03));
        TRY(details.Skip(sizeof(uint32_t)));
        break;
      }
      case 'L':
        TRY(details.Skip(1));
        break;
      default:  // 'S', a signal's frame, and what is not known
        return Error(Status::kUnsupported);
    }
  }
  TRY(Expect(encoding == kPcRelative32));
  return Common{.code_factor = code_factor, .data_factor = data_factor, .code = record};
}

Result<UnwindRegisters> UnwindTable::CallerOf(const UnwindRegisters& registers, bool is_call,
                                              ReadStackWord read) const {
  const uint64_t target = registers.rip() - (is_call ? 1 : 0);
  ByteReader function = TRY(RecordAt(TRY(FindFunction(target))));
  // A function's record begins with how far back its common one lies.
  const uint64_t place = function.offset();
  const Common common = TRY(CommonAt(place - TRY(function.Read<uint32_t>())));
  const uint64_t begin = TRY(ReadRelative32(function));
  const uint32_t size = TRY(function.Read<uint32_t>());
  if (target < begin || target - begin >= size) {
    return Error(Status::kNotFound);
  }
  TRY(function.Skip(TRY(ReadUleb128(function))));  // what the letters promise
  FrameProgram program(common.code_factor, common.data_factor);
  TRY(program.RunCommon(common.code));
  TRY(program.Run(function, begin, target));

  const UnwindRow& row = program.row();
  const uint64_t frame = registers.value[row.frame_register] + row.frame_offset;
  UnwindRegisters caller;
  for (size_t i = 0; i < UnwindRegisters::kCount; ++i) {
    caller.value[i] = TRY(ValueOf(i, row.rules[i], frame, registers, read));
  }
  if (row.rules[UnwindRegisters::kRsp].kind == UnwindRule::Kind::kUnchanged) {
    caller.value[UnwindRegisters::kRsp] = frame;
  }
  // Stacks grow down, so a caller's frame lies above: a walk always ends.
  if (caller.rip() == 0 || caller.rsp() <= registers.rsp()) {
    return Error(Status::kNotFound);
  }
  return caller;
}

bool UnwindTable::Step(UnwindRegisters& registers, bool is_call, ReadStackWord read) const {
  const Result<UnwindRegisters> caller = CallerOf(registers, is_call, read);
  if (caller.ok()) {
    registers = caller.value();
  }
  return caller.ok();
}

}  // namespace nsgx::libos
