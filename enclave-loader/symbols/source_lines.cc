// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/symbols/source_lines.h"

#include <cstring>
#include <string_view>
#include <vector>

namespace nsgx::loader {
namespace {

// Reads within bounds; whatever lies outside reads as zero and sets `failed`.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  bool is_at_end() const { return failed_ || bytes_.empty(); }
  size_t left() const { return bytes_.size(); }

  template <typename T>
  T Take() {
    T value = {};
    const auto taken = TakeBytes(sizeof(T));
    if (!taken.empty()) {
      std::memcpy(&value, taken.data(), sizeof(T));
    }
    return value;
  }

  uint64_t TakeNumber(size_t size) {
    uint64_t value = 0;
    const auto taken = TakeBytes(size);
    if (size <= sizeof value && !taken.empty()) {
      std::memcpy(&value, taken.data(), size);
    }
    return value;
  }

  uint64_t TakeUnsigned() {
    uint64_t value = 0;
    for (uint32_t shift = 0;; shift += 7) {
      const auto byte = Take<uint8_t>();
      if (shift < 64) {
        value |= uint64_t{byte & 0x7fu} << shift;
      }
      if ((byte & 0x80) == 0) {
        return value;
      }
    }
  }

  int64_t TakeSigned() {
    uint64_t value = 0;
    for (uint32_t shift = 0;;) {
      const auto byte = Take<uint8_t>();
      if (shift < 64) {
        value |= uint64_t{byte & 0x7fu} << shift;
      }
      shift += 7;
      if ((byte & 0x80) == 0) {
        if ((byte & 0x40) != 0 && shift < 64) {
          value |= ~uint64_t{0} << shift;
        }
        return static_cast<int64_t>(value);
      }
    }
  }

  std::string_view TakeString() {
    const std::string_view text = StringAt(bytes_, 0);
    if (text.size() + 1 > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    bytes_ = bytes_.subspan(text.size() + 1);
    return text;
  }

  std::span<const std::byte> TakeBytes(uint64_t size) {
    if (size > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    const auto taken = bytes_.first(static_cast<size_t>(size));
    bytes_ = bytes_.subspan(static_cast<size_t>(size));
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
  bool failed_ = false;
};

// The forms in which names of files are written.
enum : uint64_t {
  kFormBlock = 0x09,
  kFormString = 0x08,
  kFormStrp = 0x0e,
  kFormUdata = 0x0f,
  kFormData1 = 0x0b,
  kFormData2 = 0x05,
  kFormData4 = 0x06,
  kFormData8 = 0x07,
  kFormData16 = 0x1e,
  kFormLineStrp = 0x1f,
};

struct FileName {
  std::string_view name;
  uint64_t directory = 0;
};

// What stands before a table's instructions.
struct Prologue {
  uint8_t instruction_size = 1;
  int8_t line_base = 0;
  uint8_t line_range = 1;
  uint8_t opcode_base = 1;
  uint64_t first_file = 0;  // number of files[0]
  std::span<const std::byte> argument_counts;
  std::vector<FileName> directories;
  std::vector<FileName> files;

  std::string PathOf(uint64_t number) const {
    const uint64_t index = number - first_file;
    if (number < first_file || index >= files.size()) {
      return {};
    }
    const FileName& file = files[static_cast<size_t>(index)];
    std::string path;
    // Directory 0 is where the compiler ran: the top of the tree.
    if (file.directory != 0 && !file.name.starts_with('/') && file.directory < directories.size()) {
      path.append(directories[static_cast<size_t>(file.directory)].name).append("/");
    }
    return path.append(file.name);
  }
};

// A list of DWARF 5: its columns, then its rows.
std::vector<FileName> TakeList(Reader& reader, const DebugFile& file) {
  constexpr uint64_t kPath = 1, kDirectory = 2;
  struct Column {
    uint64_t content, form;
  };
  std::vector<Column> columns(reader.Take<uint8_t>());
  for (Column& column : columns) {
    column.content = reader.TakeUnsigned();
    column.form = reader.TakeUnsigned();
  }
  const uint64_t count = reader.TakeUnsigned();
  std::vector<FileName> list;
  for (uint64_t i = 0; i < count && !reader.failed(); ++i) {
    FileName entry;
    for (const Column& column : columns) {
      std::string_view text;
      uint64_t number = 0;
      switch (column.form) {
        case kFormString:
          text = reader.TakeString();
          break;
        case kFormLineStrp:
          text = StringAt(file.line_strings, reader.Take<uint32_t>());
          break;
        case kFormStrp:
          text = StringAt(file.strings, reader.Take<uint32_t>());
          break;
        case kFormUdata:
          number = reader.TakeUnsigned();
          break;
        case kFormData1:
          number = reader.TakeNumber(1);
          break;
        case kFormData2:
          number = reader.TakeNumber(2);
          break;
        case kFormData4:
          number = reader.TakeNumber(4);
          break;
        case kFormData8:
          number = reader.TakeNumber(8);
          break;
        case kFormData16:
          reader.TakeBytes(16);
          break;
        case kFormBlock:
          reader.TakeBytes(reader.TakeUnsigned());
          break;
        default:
          reader.TakeBytes(~uint64_t{0});  // of unknown size
      }
      if (column.content == kPath) {
        entry.name = text;
      } else if (column.content == kDirectory) {
        entry.directory = number;
      }
    }
    list.push_back(entry);
  }
  return list;
}

// The lists of DWARF 4: strings, ended by an empty one.
void TakeOldLists(Reader& reader, Prologue& prologue) {
  prologue.first_file = 1;
  prologue.directories.emplace_back();
  for (std::string_view name = reader.TakeString(); !name.empty(); name = reader.TakeString()) {
    prologue.directories.push_back({name, 0});
  }
  for (std::string_view name = reader.TakeString(); !name.empty(); name = reader.TakeString()) {
    prologue.files.push_back({name, reader.TakeUnsigned()});
    reader.TakeUnsigned();  // time
    reader.TakeUnsigned();  // size
  }
}

struct Row {
  uint64_t address = 0;
  uint64_t file = 1;
  int64_t line = 1;
};

// Runs the instructions of one table. True: `found` is the row that holds `target`.
bool Run(Reader code, const Prologue& prologue, uint64_t target, Row& found) {
  enum : uint8_t {
    kExtended = 0,
    kCopy = 1,
    kAdvancePc = 2,
    kAdvanceLine = 3,
    kSetFile = 4,
    kConstAddPc = 8,
    kFixedAdvancePc = 9,
  };
  enum : uint8_t { kEndSequence = 1, kSetAddress = 2 };
  Row row;
  Row last;
  bool has_last = false;
  const auto emit = [&](bool is_end) {
    // Linkers leave tables of functions that they dropped at the addresses 0 and 1.
    const bool holds =
        has_last && last.address > 1 && last.address <= target && target < row.address;
    if (holds) {
      found = last;
    }
    last = row;
    has_last = !is_end;
    if (is_end) {
      row = Row();
    }
    return holds;
  };
  while (!code.is_at_end()) {
    const auto opcode = code.Take<uint8_t>();
    if (opcode >= prologue.opcode_base) {
      const unsigned adjusted = opcode - prologue.opcode_base;
      row.address += uint64_t{adjusted / prologue.line_range} * prologue.instruction_size;
      row.line += prologue.line_base + static_cast<int>(adjusted % prologue.line_range);
      if (emit(false)) {
        return true;
      }
      continue;
    }
    switch (opcode) {
      case kExtended: {
        Reader extended(code.TakeBytes(code.TakeUnsigned()));
        switch (extended.Take<uint8_t>()) {
          case kEndSequence:
            if (emit(true)) {
              return true;
            }
            break;
          case kSetAddress:
            row.address = extended.TakeNumber(extended.left());
            break;
          default:
            break;
        }
        break;
      }
      case kCopy:
        if (emit(false)) {
          return true;
        }
        break;
      case kAdvancePc:
        row.address += code.TakeUnsigned() * prologue.instruction_size;
        break;
      case kAdvanceLine:
        row.line += code.TakeSigned();
        break;
      case kSetFile:
        row.file = code.TakeUnsigned();
        break;
      case kConstAddPc:
        row.address += uint64_t{(255u - prologue.opcode_base) / prologue.line_range} *
                       prologue.instruction_size;
        break;
      case kFixedAdvancePc:
        row.address += code.Take<uint16_t>();
        break;
      default:
        for (auto count = std::to_integer<unsigned>(prologue.argument_counts[opcode - 1u]);
             count != 0; --count) {
          code.TakeUnsigned();
        }
    }
  }
  return false;
}

}  // namespace

SourceLine LineAt(const DebugFile& file, uint64_t address) {
  Reader tables(file.lines);
  while (!tables.is_at_end()) {
    const auto size = tables.Take<uint32_t>();
    if (size >= 0xfffffff0) {
      break;  // of 64-bit DWARF, which nobody needs
    }
    Reader table(tables.TakeBytes(size));
    const auto version = table.Take<uint16_t>();
    if (version != 4 && version != 5) {
      continue;
    }
    if (version == 5) {
      table.Take<uint16_t>();  // sizes of addresses and selectors
    }
    Reader header(table.TakeBytes(table.Take<uint32_t>()));
    Prologue prologue;
    prologue.instruction_size = header.Take<uint8_t>();
    header.Take<uint16_t>();  // instructions in a bundle; whether rows begin as statements
    prologue.line_base = header.Take<int8_t>();
    prologue.line_range = header.Take<uint8_t>();
    prologue.opcode_base = header.Take<uint8_t>();
    if (prologue.line_range == 0 || prologue.opcode_base == 0) {
      continue;
    }
    prologue.argument_counts = header.TakeBytes(prologue.opcode_base - 1u);
    Row found;
    if (header.failed() || !Run(table, prologue, address, found)) {
      continue;
    }
    if (version == 5) {
      prologue.directories = TakeList(header, file);
      prologue.files = TakeList(header, file);
    } else {
      TakeOldLists(header, prologue);
    }
    return {.file = prologue.PathOf(found.file), .line = static_cast<uint32_t>(found.line)};
  }
  return {};
}

}  // namespace nsgx::loader
