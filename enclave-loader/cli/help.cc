// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "enclave-loader/cli/tool.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx::loader {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kColumn = 24;

std::string UsageOf(const Tool& tool, const Command& command) {
  std::string usage(tool.name);
  if (!command.name.empty()) {
    usage += ' ';
    usage += command.name;
  }
  usage += " [OPTION...]";
  for (const Operand& operand : command.operands) {
    usage += ' ';
    usage += operand.name;
  }
  return usage;
}

// Appends `text` in lines that begin at `indent`; the first goes on where the output stands, at
// `column`.
void AppendWrapped(std::string& out, std::string_view text, size_t indent, size_t column) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column > indent && column + 1 + word.size() > kWidth) {
      out += '\n';
      column = 0;
    }
    if (column < indent) {
      out.append(indent - column, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

void AppendRow(std::string& out, const std::string& term, std::string_view text) {
  out += "  ";
  out += term;
  size_t column = 2 + term.size();
  if (column + 2 > kColumn) {
    out += '\n';
    column = 0;
  }
  AppendWrapped(out, text, kColumn, column);
}

void AppendCommand(std::string& out, const Command& command) {
  for (const Operand& operand : command.operands) {
    AppendRow(out, std::string(operand.name), operand.help);
  }
  out += command.operands.empty() ? "Options:\n" : "\nOptions:\n";
  for (const Option& option : command.options) {
    AppendRow(out, OptionSyntax(option), option.help);
  }
}

}  // namespace

std::string OptionSyntax(const Option& option) {
  std::string syntax(option.name);
  if (option.takes_value()) {
    syntax += ' ';
  }
  syntax += option.value;
  return syntax;
}

std::string HelpText(const Tool& tool, const Command* command) {
  std::string out = "Usage: ";
  if (command == nullptr && tool.commands.size() == 1) {
    command = &tool.commands.front();
  }
  if (command != nullptr) {
    out += UsageOf(tool, *command) + "\n\n";
    AppendWrapped(out, command->name.empty() ? tool.description : command->summary, 0, 0);
    out += '\n';
    AppendCommand(out, *command);
    return out;
  }
  out += std::string(tool.name) + " COMMAND [OPTION...]\n\n";
  AppendWrapped(out, tool.description, 0, 0);
  out += "\nCommands:\n";
  for (const Command& each : tool.commands) {
    AppendRow(out, std::string(each.name), each.summary);
  }
  out += "\nOptions:\n";
  for (const Option& option : {kHelpOption, kVersionOption}) {
    AppendRow(out, OptionSyntax(option), option.help);
  }
  out += "\nSay " + std::string(tool.name) + " COMMAND --help for the options of a command.\n";
  return out;
}

std::string VersionText(const Tool& tool) {
  static_assert(NSGX_CONFIG_VERSION == 1 && NSGX_SIGNATURE_VERSION == 1 &&
                NSGX_MEASURE_VERSION == 1);
  return std::string(tool.name) + ": NSGX, image ABI 1\n";
}

}  // namespace nsgx::loader
