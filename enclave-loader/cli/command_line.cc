// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/cli/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/cli/output.h"

namespace nsgx::loader {
namespace {

// What CLI11 finds for one command.
struct Found {
  CLI::App* app = nullptr;
  bool help = false;
  std::map<std::string_view, std::string> values;
  std::map<std::string_view, std::vector<std::string>> lists;
  std::vector<std::string> operands;
};

// Every tool answers these two by itself, whether its table shows them or not.
bool IsCommonOption(const Option& option) {
  return option.name == kHelpOption.name || option.name == kVersionOption.name;
}

void Declare(Found& found, const Command& command) {
  found.app->set_help_flag();
  found.app->add_flag("--help", found.help);
  for (const Option& option : command.options) {
    const std::string name(option.name);
    if (IsCommonOption(option)) {
      continue;
    }
    if (option.value.empty()) {
      found.app->add_flag(name);
    } else if (option.is_list) {
      found.app->add_option(name, found.lists[option.name])->allow_extra_args(false);
    } else {
      found.app->add_option(name, found.values[option.name]);
    }
  }
  if (!command.operands.empty()) {
    found.app->add_option("operands", found.operands);
  }
}

[[noreturn]] void PrintAndExit(std::string_view text) {
  std::exit(WriteAll(STDOUT_FILENO, text) ? 0 : 1);
}

}  // namespace

CommandLine ParseOrExit(const Tool& tool, int argc, char** argv, int failure_status) {
  const auto fail = [&](const std::string& what) {
    PrintComplaint(tool.name, Complaint::Of(what, "; see ", tool.name, " --help"));
    std::exit(failure_status);
  };
  CLI::App app;
  app.set_help_flag();
  bool help = false, version = false, man = false;
  app.add_flag("--version", version);
  app.add_flag("--man", man);
  const bool has_subcommands = tool.commands.size() > 1;
  if (has_subcommands) {
    app.add_flag("--help", help);
    app.require_subcommand(0, 1);
  }
  std::vector<Found> all(tool.commands.size());
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].app = has_subcommands ? app.add_subcommand(std::string(tool.commands[i].name)) : &app;
    Declare(all[i], tool.commands[i]);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    fail(error.what());
  }
  if (help) {
    PrintAndExit(HelpText(tool));
  }
  if (version) {
    PrintAndExit(VersionText(tool));
  }
  if (man) {
    PrintAndExit(ManPage(tool));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    const Found& found = all[i];
    if (has_subcommands && !found.app->parsed()) {
      continue;
    }
    const Command& command = tool.commands[i];
    if (found.help) {
      PrintAndExit(HelpText(tool, &command));
    }
    CommandLine line;
    line.command = &command;
    line.lists = found.lists;
    line.operands = found.operands;
    if (line.operands.size() > command.operands.size()) {
      fail("there is nothing to do with " + line.operands[command.operands.size()]);
    }
    for (const Option& option : command.options) {
      if (!IsCommonOption(option) && found.app->count(std::string(option.name)) != 0) {
        const auto value = found.values.find(option.name);
        line.options[option.name] = value == found.values.end() ? "" : value->second;
      }
    }
    return line;
  }
  fail("a command is missing");
  std::abort();  // not reached: fail() has ended the program
}

}  // namespace nsgx::loader
