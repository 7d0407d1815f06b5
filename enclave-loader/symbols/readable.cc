// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/symbols/readable.h"

#include <charconv>

#include "enclave-loader/symbols/function_names.h"
#include "enclave-loader/symbols/source_lines.h"

namespace nsgx::loader {
namespace {

std::string NameOf(uint64_t address, const DebugFile& file) {
  const NamedPlace place = FunctionAt(file, address);
  if (place.function.empty()) {
    return {};
  }
  std::string text = " " + place.function + "+" + std::to_string(place.offset);
  const SourceLine line = LineAt(file, address);
  if (!line.file.empty() && line.line != 0) {
    text.append(" (").append(line.file).append(":").append(std::to_string(line.line)).append(")");
  }
  return text;
}

}  // namespace

std::string WithNames(std::string_view line, const DebugFile& file) {
  constexpr std::string_view kPlace = "image+0x";
  std::string text;
  for (size_t begin = line.find(kPlace); begin != line.npos; begin = line.find(kPlace)) {
    const std::string_view digits = line.substr(begin + kPlace.size());
    uint64_t address = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), address, 16).ptr;
    const size_t consumed = static_cast<size_t>(end - line.data());
    text.append(line.substr(0, consumed));
    if (end != digits.data()) {
      text.append(NameOf(address, file));
    }
    line.remove_prefix(consumed);
  }
  return text.append(line);
}

}  // namespace nsgx::loader
