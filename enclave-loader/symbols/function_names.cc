// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/symbols/function_names.h"

#include <cxxabi.h>
#include <elf.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "enclave-loader/image/elf_file.h"

namespace nsgx::loader {
namespace {

std::string Readable(std::string_view name) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::string terminated(name);
  const std::unique_ptr<char, Free> text(
      abi::__cxa_demangle(terminated.c_str(), nullptr, nullptr, nullptr));
  return text != nullptr ? std::string(text.get()) : terminated;
}

}  // namespace

NamedPlace FunctionAt(const DebugFile& file, uint64_t address) {
  NamedPlace best;
  std::string_view best_name;
  // Code written by hand has labels without a size; one with a size that holds the address wins.
  uint64_t label = 0;
  std::string_view label_name;
  for (auto rest = file.symbols; rest.size() >= sizeof(Elf64_Sym);
       rest = rest.subspan(sizeof(Elf64_Sym))) {
    Elf64_Sym symbol;
    std::memcpy(&symbol, rest.data(), sizeof symbol);
    const auto type = ELF64_ST_TYPE(symbol.st_info);
    if ((type != STT_FUNC && type != STT_NOTYPE) || symbol.st_shndx == SHN_UNDEF ||
        symbol.st_value > address) {
      continue;
    }
    if (type == STT_FUNC && address - symbol.st_value < symbol.st_size) {
      best_name = StringAt(file.symbol_names, symbol.st_name);
      best.offset = address - symbol.st_value;
      if (!best_name.empty()) {
        break;
      }
    } else if (symbol.st_size == 0 && symbol.st_value >= label) {
      label = symbol.st_value;
      label_name = StringAt(file.symbol_names, symbol.st_name);
    }
  }
  constexpr uint64_t kFarFromLabel = 4096;
  if (best_name.empty() && address - label < kFarFromLabel) {
    best_name = label_name;
    best.offset = address - label;
  }
  best.function = Readable(best_name);
  return best;
}

}  // namespace nsgx::loader
