// SPDX-License-Identifier: Apache-2.0
#include "libos/unwind/unwind_table.h"

#include <cstring>

namespace nsgx::libos {
namespace {

// How pointers are written. lld and clang use these three.
constexpr uint8_t kPcRelative32 = 0x1b, kUnsigned32 = 0x03, kHeaderRelative32 = 0x3b;

// One row of the index.
struct IndexEntry {
  int32_t function;  // both relative to the index's header
  int32_t record;
};

// What is known of a register of the caller.
struct Rule {
  enum class Kind : uint8_t { kUnchanged, kUndefined, kAtFrame, kFrameValue, kInRegister };
  Kind kind = Kind::kUnchanged;
  int64_t operand = 0;
};

struct Row {
  uint64_t frame_register = UnwindRegisters::kRsp;
  int64_t frame_offset = 0;
  Rule rules[UnwindRegisters::kCount] = {};
};

}  // namespace

// Reads within bounds; whatever lies outside reads as zero and sets `failed`.
class UnwindTable::Reader {
 public:
  Reader(std::span<const std::byte> bytes, uint64_t address) : bytes_(bytes), address_(address) {}

  bool failed() const { return failed_; }
  bool is_at_end() const { return failed_ || offset_ == bytes_.size(); }
  uint64_t address() const { return address_ + offset_; }

  template <typename T>
  T Take() {
    T value = {};
    if (failed_ || bytes_.size() - offset_ < sizeof(T)) {
      failed_ = true;
      return value;
    }
    memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }

  uint64_t TakeUnsigned() {
    uint64_t value = 0;
    for (uint32_t shift = 0;; shift += 7) {
      const uint8_t byte = Take<uint8_t>();
      if (shift < 64) {
        value |= uint64_t{byte & 0x7fu} << shift;
      }
      if ((byte & 0x80) == 0 || failed_) {
        return value;
      }
    }
  }

  int64_t TakeSigned() {
    uint64_t value = 0;
    for (uint32_t shift = 0;;) {
      const uint8_t byte = Take<uint8_t>();
      if (shift < 64) {
        value |= uint64_t{byte & 0x7fu} << shift;
      }
      shift += 7;
      if ((byte & 0x80) == 0 || failed_) {
        if ((byte & 0x40) != 0 && shift < 64) {
          value |= ~uint64_t{0} << shift;
        }
        return static_cast<int64_t>(value);
      }
    }
  }

  // An address written relative to its own place.
  uint64_t TakeRelative32() {
    const uint64_t place = address();
    return place + static_cast<uint64_t>(int64_t{Take<int32_t>()});
  }

  void Skip(uint64_t count) {
    if (failed_ || count > bytes_.size() - offset_) {
      failed_ = true;
      return;
    }
    offset_ += static_cast<size_t>(count);
  }

  // What is left, as a reader of its own.
  Reader Rest() const {
    Reader rest(bytes_.subspan(offset_), address());
    rest.failed_ = failed_;
    return rest;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t address_;
  size_t offset_ = 0;
  bool failed_ = false;
};

// The instructions that lead from a function's first byte to the row that holds at an address in
// it.
class UnwindTable::Program {
 public:
  Program(uint64_t code_factor, int64_t data_factor)
      : code_factor_(code_factor), data_factor_(data_factor) {}

  // Those that all functions of a kind begin with.
  bool RunCommon(Reader code) {
    if (!Run(code, 0, 0)) {
      return false;
    }
    initial_ = row_;
    return true;
  }

  // Until the row for `target` is complete. False: an instruction that only code written by hand
  // needs.
  bool Run(Reader code, uint64_t location, uint64_t target);

  const Row& row() const { return row_; }

 private:
  static constexpr size_t kSavedRows = 8;

  bool Define(uint64_t which, Rule rule) {
    // Vector registers have no part in a walk.
    if (which < UnwindRegisters::kCount) {
      row_.rules[which] = rule;
    }
    return true;
  }
  bool Restore(uint64_t which) {
    return which >= UnwindRegisters::kCount || Define(which, initial_.rules[which]);
  }
  int64_t Factored(uint64_t value) const { return static_cast<int64_t>(value) * data_factor_; }

  uint64_t code_factor_;
  int64_t data_factor_;
  Row row_;
  Row initial_;
  Row saved_[kSavedRows];
  size_t saved_count_ = 0;
};

bool UnwindTable::Program::Run(Reader code, uint64_t location, uint64_t target) {
  enum : uint8_t {
    kNop = 0x00,
    kAdvance1 = 0x02,
    kAdvance2 = 0x03,
    kAdvance4 = 0x04,
    kOffsetExtended = 0x05,
    kRestoreExtended = 0x06,
    kUndefined = 0x07,
    kSameValue = 0x08,
    kRegister = 0x09,
    kRememberState = 0x0a,
    kRestoreState = 0x0b,
    kDefineFrame = 0x0c,
    kDefineFrameRegister = 0x0d,
    kDefineFrameOffset = 0x0e,
    kOffsetExtendedSigned = 0x11,
    kDefineFrameSigned = 0x12,
    kDefineFrameOffsetSigned = 0x13,
    kValueOffset = 0x14,
    kArgumentsSize = 0x2e,
  };
  const bool is_common = target == 0;
  while (!code.is_at_end()) {
    const uint8_t byte = code.Take<uint8_t>();
    const uint64_t low = byte & 0x3f;
    uint64_t advance = 0;
    switch (byte >> 6) {
      case 1:
        advance = low;
        break;
      case 2:
        Define(low, {Rule::Kind::kAtFrame, Factored(code.TakeUnsigned())});
        continue;
      case 3:
        Restore(low);
        continue;
      default:
        switch (byte) {
          case kNop:
            continue;
          case kAdvance1:
            advance = code.Take<uint8_t>();
            break;
          case kAdvance2:
            advance = code.Take<uint16_t>();
            break;
          case kAdvance4:
            advance = code.Take<uint32_t>();
            break;
          case kOffsetExtended: {
            const uint64_t which = code.TakeUnsigned();
            Define(which, {Rule::Kind::kAtFrame, Factored(code.TakeUnsigned())});
            continue;
          }
          case kOffsetExtendedSigned: {
            const uint64_t which = code.TakeUnsigned();
            Define(which, {Rule::Kind::kAtFrame, code.TakeSigned() * data_factor_});
            continue;
          }
          case kValueOffset: {
            const uint64_t which = code.TakeUnsigned();
            Define(which, {Rule::Kind::kFrameValue, Factored(code.TakeUnsigned())});
            continue;
          }
          case kRestoreExtended:
            Restore(code.TakeUnsigned());
            continue;
          case kUndefined:
            Define(code.TakeUnsigned(), {Rule::Kind::kUndefined});
            continue;
          case kSameValue:
            Define(code.TakeUnsigned(), {Rule::Kind::kUnchanged});
            continue;
          case kRegister: {
            const uint64_t which = code.TakeUnsigned();
            Define(which, {Rule::Kind::kInRegister, static_cast<int64_t>(code.TakeUnsigned())});
            continue;
          }
          case kRememberState:
            if (saved_count_ == kSavedRows) {
              return false;
            }
            saved_[saved_count_++] = row_;
            continue;
          case kRestoreState:
            if (saved_count_ == 0) {
              return false;
            }
            row_ = saved_[--saved_count_];
            continue;
          case kDefineFrame:
            row_.frame_register = code.TakeUnsigned();
            row_.frame_offset = static_cast<int64_t>(code.TakeUnsigned());
            continue;
          case kDefineFrameSigned:
            row_.frame_register = code.TakeUnsigned();
            row_.frame_offset = code.TakeSigned() * data_factor_;
            continue;
          case kDefineFrameRegister:
            row_.frame_register = code.TakeUnsigned();
            continue;
          case kDefineFrameOffset:
            row_.frame_offset = static_cast<int64_t>(code.TakeUnsigned());
            continue;
          case kDefineFrameOffsetSigned:
            row_.frame_offset = code.TakeSigned() * data_factor_;
            continue;
          case kArgumentsSize:
            code.TakeUnsigned();
            continue;
          default:
            return false;
        }
    }
    if (is_common) {
      return false;
    }
    location += advance * code_factor_;
    if (location > target) {
      break;
    }
  }
  return !code.failed() && row_.frame_register < UnwindRegisters::kCount;
}

std::optional<UnwindTable> UnwindTable::Open(std::span<const std::byte> segment, uint64_t address,
                                             uint64_t header_offset) {
  if (header_offset > segment.size()) {
    return {};
  }
  UnwindTable table(segment, address);
  Reader header(segment.subspan(static_cast<size_t>(header_offset)), address + header_offset);
  constexpr uint8_t kVersion = 1;
  const bool is_known =
      header.Take<uint8_t>() == kVersion && header.Take<uint8_t>() == kPcRelative32 &&
      header.Take<uint8_t>() == kUnsigned32 && header.Take<uint8_t>() == kHeaderRelative32;
  header.TakeRelative32();  // where the table begins
  table.header_offset_ = header_offset;
  table.index_count_ = header.Take<uint32_t>();
  table.index_offset_ = header.address() - address;
  if (!is_known || header.failed() ||
      table.index_count_ > (segment.size() - table.index_offset_) / sizeof(IndexEntry)) {
    return {};
  }
  return table;
}

std::optional<uint64_t> UnwindTable::FindFunction(uint64_t rip) const {
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
    return {};
  }
  return header_offset_ + static_cast<uint64_t>(int64_t{entry(low - 1).record});
}

std::optional<UnwindTable::Reader> UnwindTable::RecordAt(uint64_t offset) const {
  if (offset > segment_.size()) {
    return {};
  }
  Reader reader(segment_.subspan(static_cast<size_t>(offset)), address_ + offset);
  const uint64_t size = reader.Take<uint32_t>();
  const uint64_t begin = reader.address() - address_;
  if (reader.failed() || size > segment_.size() - begin) {
    return {};
  }
  return Reader(segment_.subspan(static_cast<size_t>(begin), static_cast<size_t>(size)),
                address_ + begin);
}

bool UnwindTable::Step(UnwindRegisters& registers, bool is_call, ReadStackWord read) const {
  const uint64_t target = registers.rip() - (is_call ? 1 : 0);
  const auto function = FindFunction(target);
  auto record = function ? RecordAt(*function) : std::nullopt;
  if (!record) {
    return false;
  }
  // A function's record begins with how far back its common one lies.
  const uint64_t place = record->address() - address_;
  auto common = RecordAt(place - record->Take<uint32_t>());
  if (!common) {
    return false;
  }
  constexpr uint8_t kCommonVersion = 1;
  if (common->Take<uint32_t>() != 0 || common->Take<uint8_t>() != kCommonVersion) {
    return false;
  }
  bool has_augmentation = false;
  uint8_t encoding = 0;
  bool knows_all = true;
  char letters[8] = {};
  for (char& letter : letters) {
    letter = common->Take<char>();
    if (letter == 0) {
      break;
    }
  }
  const uint64_t code_factor = common->TakeUnsigned();
  const int64_t data_factor = common->TakeSigned();
  const uint64_t return_register = common->TakeUnsigned();
  if (letters[0] == 'z') {
    has_augmentation = true;
    Reader details = common->Rest();
    const uint64_t size = details.TakeUnsigned();
    const uint64_t begin = details.address();
    for (size_t i = 1; i < sizeof letters && letters[i] != 0; ++i) {
      switch (letters[i]) {
        case 'R':
          encoding = details.Take<uint8_t>();
          break;
        case 'P': {
          // The handler of exceptions, in one of the forms of 4 bytes.
          const uint8_t form = details.Take<uint8_t>();
          knows_all = knows_all && ((form & 0x0f) == 0x0b || (form & 0x0f) == 0x03);
          details.Skip(sizeof(uint32_t));
          break;
        }
        case 'L':
          details.Skip(1);
          break;
        default:  // 'S', a signal's frame, and what is not known
          knows_all = false;
      }
    }
    common->Skip(begin - common->address() + size);
  }
  if (!knows_all || encoding != kPcRelative32 || return_register != UnwindRegisters::kRip) {
    return false;
  }
  const uint64_t begin = record->TakeRelative32();
  const uint64_t size = record->Take<uint32_t>();
  if (target < begin || target - begin >= size) {
    return false;
  }
  if (has_augmentation) {
    record->Skip(record->TakeUnsigned());
  }
  Program program(code_factor, data_factor);
  if (common->failed() || record->failed() || !program.RunCommon(common->Rest()) ||
      !program.Run(record->Rest(), begin, target)) {
    return false;
  }

  const Row& row = program.row();
  const uint64_t frame =
      registers.value[row.frame_register] + static_cast<uint64_t>(row.frame_offset);
  UnwindRegisters caller = registers;
  for (size_t i = 0; i < UnwindRegisters::kCount; ++i) {
    const Rule& rule = row.rules[i];
    switch (rule.kind) {
      case Rule::Kind::kUnchanged:
        break;
      case Rule::Kind::kUndefined:
        caller.value[i] = 0;
        break;
      case Rule::Kind::kAtFrame:
        if (!read(frame + static_cast<uint64_t>(rule.operand), &caller.value[i])) {
          return false;
        }
        break;
      case Rule::Kind::kFrameValue:
        caller.value[i] = frame + static_cast<uint64_t>(rule.operand);
        break;
      case Rule::Kind::kInRegister:
        if (static_cast<uint64_t>(rule.operand) >= UnwindRegisters::kCount) {
          return false;
        }
        caller.value[i] = registers.value[rule.operand];
        break;
    }
  }
  if (row.rules[UnwindRegisters::kRsp].kind == Rule::Kind::kUnchanged) {
    caller.value[UnwindRegisters::kRsp] = frame;
  }
  // Stacks grow down, so a caller's frame lies above: a walk always ends.
  if (caller.rip() == 0 || caller.rsp() <= registers.rsp()) {
    return false;
  }
  registers = caller;
  return true;
}

}  // namespace nsgx::libos
