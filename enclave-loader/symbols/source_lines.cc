// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/symbols/source_lines.h"

#include <optional>
#include <string_view>
#include <vector>

#include "base/core/bytes.h"
#include "base/core/leb128.h"
#include "enclave-loader/image/elf_file.h"

namespace nsgx::loader {
namespace {

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

// A text up to its NUL.
Result<std::string_view> ReadText(ByteReader& reader) {
  ByteReader rest = reader;
  const std::string_view text = StringAt(TRY(rest.ReadBytes(rest.remaining())), 0);
  TRY(reader.Skip(text.size()));
  if (TRY(reader.Read<uint8_t>()) != 0) {
    return Error(Status::kMalformed);
  }
  return text;
}

// A cell of a list of DWARF 5; which of the two it is depends on the form.
struct Cell {
  std::string_view text;
  uint64_t number = 0;
};

Result<Cell> ReadCell(ByteReader& reader, uint64_t form, const DebugFile& file) {
  enum : uint64_t {
    kData2 = 0x05,
    kData4 = 0x06,
    kData8 = 0x07,
    kString = 0x08,
    kBlock = 0x09,
    kData1 = 0x0b,
    kStrp = 0x0e,
    kUdata = 0x0f,
    kData16 = 0x1e,
    kLineStrp = 0x1f,
  };
  Cell cell;
  switch (form) {
    case kString:
      cell.text = TRY(ReadText(reader));
      break;
    case kLineStrp:
      cell.text = StringAt(file.line_strings, TRY(reader.Read<uint32_t>()));
      break;
    case kStrp:
      cell.text = StringAt(file.strings, TRY(reader.Read<uint32_t>()));
      break;
    case kUdata:
      cell.number = TRY(ReadUleb128(reader));
      break;
    case kData1:
      cell.number = TRY(reader.Read<uint8_t>());
      break;
    case kData2:
      cell.number = TRY(reader.Read<uint16_t>());
      break;
    case kData4:
      cell.number = TRY(reader.Read<uint32_t>());
      break;
    case kData8:
      cell.number = TRY(reader.Read<uint64_t>());
      break;
    case kData16:
      TRY(reader.Skip(16));
      break;
    case kBlock:
      TRY(reader.Skip(TRY(ReadUleb128(reader))));
      break;
    default:  // of unknown size
      return Error(Status::kUnsupported);
  }
  return cell;
}

// A list of DWARF 5: its columns, then its rows.
Result<std::vector<FileName>> ReadList(ByteReader& reader, const DebugFile& file) {
  constexpr uint64_t kPath = 1, kDirectory = 2;
  struct Column {
    uint64_t content, form;
  };
  std::vector<Column> columns(TRY(reader.Read<uint8_t>()));
  for (Column& column : columns) {
    column.content = TRY(ReadUleb128(reader));
    column.form = TRY(ReadUleb128(reader));
  }
  std::vector<FileName> list;
  // A row without columns takes no bytes, so there could be any number of them.
  for (uint64_t left = columns.empty() ? 0 : TRY(ReadUleb128(reader)); left != 0; --left) {
    FileName entry;
    for (const Column& column : columns) {
      const Cell cell = TRY(ReadCell(reader, column.form, file));
      if (column.content == kPath) {
        entry.name = cell.text;
      } else if (column.content == kDirectory) {
        entry.directory = cell.number;
      }
    }
    list.push_back(entry);
  }
  return list;
}

// The lists of DWARF 4: strings, ended by an empty one.
Result<void> ReadOldLists(ByteReader& reader, Prologue& prologue) {
  prologue.first_file = 1;
  prologue.directories.emplace_back();
  for (;;) {
    const std::string_view name = TRY(ReadText(reader));
    if (name.empty()) {
      break;
    }
    prologue.directories.push_back({name, 0});
  }
  for (;;) {
    const std::string_view name = TRY(ReadText(reader));
    if (name.empty()) {
      return {};
    }
    prologue.files.push_back({name, TRY(ReadUleb128(reader))});
    TRY(ReadUleb128(reader));  // time
    TRY(ReadUleb128(reader));  // size
  }
}

Result<Prologue> ReadPrologue(ByteReader& header) {
  Prologue prologue;
  prologue.instruction_size = TRY(header.Read<uint8_t>());
  TRY(header.Skip(2));  // instructions in a bundle; whether rows begin as statements
  prologue.line_base = static_cast<int8_t>(TRY(header.Read<uint8_t>()));
  prologue.line_range = TRY(header.Read<uint8_t>());
  prologue.opcode_base = TRY(header.Read<uint8_t>());
  if (prologue.line_range == 0 || prologue.opcode_base == 0) {
    return Error(Status::kMalformed);
  }
  prologue.argument_counts = TRY(header.ReadBytes(prologue.opcode_base - 1u));
  return prologue;
}

struct Row {
  uint64_t address = 0;
  uint64_t file = 1;
  uint64_t line = 1;
};

// Runs the instructions of one table until the row that holds an address is complete.
class LineProgram {
 public:
  LineProgram(const Prologue& prologue, uint64_t target) : prologue_(prologue), target_(target) {}

  // Errors: kNotFound   no row holds it.
  //         kMalformed  the instructions end early.
  Result<Row> Run(ByteReader code) {
    while (!code.at_end()) {
      TRY(RunOne(code));
      if (found_) {
        return *found_;
      }
    }
    return Error(Status::kNotFound);
  }

 private:
  Result<void> RunOne(ByteReader& code);
  Result<void> RunExtended(ByteReader code);

  void Advance(uint64_t instructions) { row_.address += instructions * prologue_.instruction_size; }

  void Emit() {
    // Linkers leave tables of functions that they dropped at the addresses 0 and 1.
    if (has_last_ && last_.address > 1 && last_.address <= target_ && target_ < row_.address) {
      found_ = last_;
    }
    last_ = row_;
    has_last_ = true;
  }

  const Prologue& prologue_;
  const uint64_t target_;
  Row row_;
  Row last_;
  bool has_last_ = false;
  std::optional<Row> found_;
};

Result<void> LineProgram::RunExtended(ByteReader code) {
  enum : uint8_t { kEndSequence = 1, kSetAddress = 2 };
  switch (TRY(code.Read<uint8_t>())) {
    case kEndSequence:
      Emit();
      has_last_ = false;
      row_ = Row();
      break;
    case kSetAddress:
      row_.address = TRY(code.Read<uint64_t>());
      break;
    default:
      break;
  }
  return {};
}

Result<void> LineProgram::RunOne(ByteReader& code) {
  enum : uint8_t {
    kExtended = 0,
    kCopy = 1,
    kAdvancePc = 2,
    kAdvanceLine = 3,
    kSetFile = 4,
    kConstAddPc = 8,
    kFixedAdvancePc = 9,
  };
  const uint8_t opcode = TRY(code.Read<uint8_t>());
  if (opcode >= prologue_.opcode_base) {
    const unsigned adjusted = opcode - prologue_.opcode_base;
    Advance(adjusted / prologue_.line_range);
    row_.line += static_cast<uint64_t>(
        int64_t{prologue_.line_base + static_cast<int>(adjusted % prologue_.line_range)});
    Emit();
    return {};
  }
  switch (opcode) {
    case kExtended: {
      const uint64_t size = TRY(ReadUleb128(code));
      return RunExtended(ByteReader(TRY(code.ReadBytes(size))));
    }
    case kCopy:
      Emit();
      break;
    case kAdvancePc:
      Advance(TRY(ReadUleb128(code)));
      break;
    case kAdvanceLine:
      row_.line += static_cast<uint64_t>(TRY(ReadSleb128(code)));
      break;
    case kSetFile:
      row_.file = TRY(ReadUleb128(code));
      break;
    case kConstAddPc:
      Advance((255u - prologue_.opcode_base) / prologue_.line_range);
      break;
    case kFixedAdvancePc:
      row_.address += TRY(code.Read<uint16_t>());
      break;
    default:
      for (auto count = std::to_integer<unsigned>(prologue_.argument_counts[opcode - 1u]);
           count != 0; --count) {
        TRY(ReadUleb128(code));
      }
  }
  return {};
}

// Errors: whatever is wrong with the table, or that it does not hold the address.
Result<SourceLine> LineIn(ByteReader table, const DebugFile& file, uint64_t address) {
  const uint16_t version = TRY(table.Read<uint16_t>());
  if (version != 4 && version != 5) {
    return Error(Status::kUnsupported);
  }
  if (version == 5) {
    TRY(table.Skip(2));  // sizes of addresses and selectors
  }
  const uint32_t size = TRY(table.Read<uint32_t>());
  ByteReader header(TRY(table.ReadBytes(size)));
  Prologue prologue = TRY(ReadPrologue(header));
  const Row row = TRY(LineProgram(prologue, address).Run(table));
  if (version == 5) {
    prologue.directories = TRY(ReadList(header, file));
    prologue.files = TRY(ReadList(header, file));
  } else {
    TRY(ReadOldLists(header, prologue));
  }
  return SourceLine{.file = prologue.PathOf(row.file), .line = static_cast<uint32_t>(row.line)};
}

}  // namespace

SourceLine LineAt(const DebugFile& file, uint64_t address) {
  ByteReader tables(file.lines);
  for (;;) {
    // Sizes from 0xfffffff0 on are of 64-bit DWARF, which nobody needs, and beyond the end.
    const Result<uint32_t> size = tables.Read<uint32_t>();
    const auto table = tables.ReadBytes(size.ok() ? uint64_t{size.value()} : ~uint64_t{0});
    if (!table.ok()) {
      return {};
    }
    Result<SourceLine> line = LineIn(ByteReader(table.value()), file, address);
    if (line.ok()) {
      return std::move(line).value();
    }
  }
}

}  // namespace nsgx::loader
