// SPDX-License-Identifier: Apache-2.0
// What a tool offers, as data: its --help, its man page and its parser are made from one table.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace nsgx::loader {

struct Option {
  std::string_view name;   // "--vcpus"
  std::string_view value;  // "N"; empty: takes none; in brackets, "[=json]": may be left out
  std::string_view help;   // whole sentences
  bool is_list = false;    // can be repeated

  bool takes_value() const { return !value.empty() && !value_is_optional(); }
  bool value_is_optional() const { return value.starts_with('['); }
};

// What follows the options.
struct Operand {
  std::string_view name;  // "IMAGE", "[ARG...]"
  std::string_view help;
};

struct Command {
  std::string_view name;  // empty: the tool has no subcommands
  std::string_view summary;
  std::span<const Option> options;
  std::span<const Operand> operands;
};

// A section of the man page besides the usual ones: paragraphs, each with a term in front or none.
// Several lines are an example and stay as they are.
struct Paragraph {
  std::string_view term;
  std::string_view text;
};
struct ManSection {
  std::string_view title;
  std::span<const Paragraph> paragraphs;
};

struct Tool {
  std::string_view name;
  std::string_view summary;  // "run an enclave image"
  std::string_view description;
  std::span<const Command> commands;
  std::span<const ManSection> sections;
};

// The options that every tool has.
inline constexpr Option kHelpOption = {"--help", "", "Prints this help."};
inline constexpr Option kVersionOption = {"--version", "", "Prints the version."};

// "--vcpus N".
std::string OptionSyntax(const Option& option);

// What --help prints; of one command, when the tool has several and `command` is one of them.
std::string HelpText(const Tool& tool, const Command* command = nullptr);

// What --version prints: the versions of the formats that the tool reads and writes.
std::string VersionText(const Tool& tool);

// A page of the manual, section 1.
std::string ManPage(const Tool& tool);
// A page of another section, made of paragraphs alone.
std::string ManPage(std::string_view name, unsigned section, std::string_view summary,
                    std::span<const ManSection> sections);

}  // namespace nsgx::loader
