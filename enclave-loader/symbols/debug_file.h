// SPDX-License-Identifier: Apache-2.0
// The sections of an image that are not loaded: names of functions, and which line an instruction
// was made from. Only the operator's side reads them, to make reports readable; nothing depends on
// what they say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx::loader {

// The sections by name; empty when there are none. Views of the file.
struct DebugFile {
  // `file`: an ELF file that passed Image::Parse.
  static DebugFile Of(std::span<const std::byte> file);

  std::span<const std::byte> symbols;       // .symtab
  std::span<const std::byte> symbol_names;  // .strtab
  std::span<const std::byte> lines;         // .debug_line
  std::span<const std::byte> line_strings;  // .debug_line_str
  std::span<const std::byte> strings;       // .debug_str
};

}  // namespace nsgx::loader
