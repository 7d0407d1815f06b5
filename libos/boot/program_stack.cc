// SPDX-License-Identifier: Apache-2.0
#include "libos/boot/program_stack.h"

#include <elf.h>

#include <cstring>

namespace nsgx::libos {
namespace {

constexpr auto kIgnoreRefusals = [](Refusal, std::string_view) {};

// Copies strings upwards and writes a null-terminated list of pointers to them.
class Writer {
 public:
  Writer(uint64_t* words, char* text) : words_(words), text_(text) {}

  void Word(uint64_t value) { *words_++ = value; }
  void String(std::string_view string) {
    Word(reinterpret_cast<uint64_t>(text_));
    memcpy(text_, string.data(), string.size());
    text_[string.size()] = '\0';
    text_ += string.size() + 1;
  }
  char* text() const { return text_; }

 private:
  uint64_t* words_;
  char* text_;
};

}  // namespace

std::optional<uint64_t> BuildProgramStack(std::span<std::byte> stack, const LaunchStrings& strings,
                                          std::span<const AuxiliaryEntry> auxiliary,
                                          std::span<const std::byte, 16> random) {
  size_t argument_count = 0, variable_count = 0, text_size = 0;
  strings.ForEachArgument(
      [&](std::string_view string) {
        ++argument_count;
        text_size += string.size() + 1;
      },
      kIgnoreRefusals);
  strings.ForEachVariable(
      [&](std::string_view string) {
        ++variable_count;
        text_size += string.size() + 1;
      },
      kIgnoreRefusals);

  constexpr size_t kAddedEntries = 3;
  const size_t word_count =
      1 + argument_count + 1 + variable_count + 1 + 2 * (auxiliary.size() + kAddedEntries);
  const size_t size = word_count * sizeof(uint64_t) + text_size + random.size();
  if (size + 16 > stack.size() / 2) {
    return std::nullopt;
  }
  const uint64_t end = reinterpret_cast<uint64_t>(stack.data() + stack.size());
  const uint64_t start = (end - size) & ~uint64_t{15};
  char* text = reinterpret_cast<char*>(start + word_count * sizeof(uint64_t));
  Writer writer(reinterpret_cast<uint64_t*>(start), text);

  writer.Word(argument_count);
  strings.ForEachArgument([&](std::string_view string) { writer.String(string); }, kIgnoreRefusals);
  writer.Word(0);
  strings.ForEachVariable([&](std::string_view string) { writer.String(string); }, kIgnoreRefusals);
  writer.Word(0);
  for (const AuxiliaryEntry& entry : auxiliary) {
    writer.Word(entry.type);
    writer.Word(entry.value);
  }
  char* const random_at = writer.text();
  memcpy(random_at, random.data(), random.size());
  writer.Word(AT_RANDOM);
  writer.Word(reinterpret_cast<uint64_t>(random_at));
  // The first argument's copy is the first text; without arguments the name is empty, as the byte
  // before is.
  writer.Word(AT_EXECFN);
  writer.Word(reinterpret_cast<uint64_t>(argument_count > 0 ? text : random_at - 1));
  writer.Word(AT_NULL);
  writer.Word(0);
  return start;
}

}  // namespace nsgx::libos
