// SPDX-License-Identifier: Apache-2.0
#include <cctype>

#include "enclave-loader/cli/tool.h"

namespace nsgx::loader {
namespace {

// Text as troff wants it: backslashes, hyphens that are to stay hyphens, and no accidental request
// at the start of a line.
std::string Escape(std::string_view text) {
  std::string out;
  for (const char character : text) {
    if (character == '\\') {
      out += "\\e";
    } else if (character == '-') {
      out += "\\-";
    } else if (character == '"') {
      out += "\\(dq";  // it would part the arguments of a request
    } else if ((character == '.' || character == '\'') && (out.empty() || out.back() == '\n')) {
      out += "\\&";
      out += character;
    } else {
      out += character;
    }
  }
  return out;
}

std::string Upper(std::string_view text) {
  std::string out(text);
  for (char& character : out) {
    character = static_cast<char>(std::toupper(static_cast<unsigned char>(character)));
  }
  return out;
}

std::string Head(std::string_view name, unsigned section, std::string_view summary) {
  return ".\\\" SPDX-License-Identifier: Apache-2.0\n.TH " + Upper(name) + " " +
         std::to_string(section) + " \"\" NSGX\n.SH NAME\n" + Escape(name) + " \\- " +
         Escape(summary) + "\n";
}

void AppendParagraph(std::string& out, std::string_view term, std::string_view text) {
  if (text.find('\n') != std::string_view::npos) {
    out += ".PP\n.EX\n" + Escape(text) + "\n.EE\n";
    return;
  }
  out += term.empty() ? ".PP\n" : ".TP\n.B " + Escape(term) + "\n";
  out += Escape(text) + "\n";
}

void AppendSections(std::string& out, std::span<const ManSection> sections) {
  for (const ManSection& section : sections) {
    out += ".SH \"" + Upper(section.title) + "\"\n";
    for (const Paragraph& paragraph : section.paragraphs) {
      AppendParagraph(out, paragraph.term, paragraph.text);
    }
  }
}

void AppendSynopsis(std::string& out, const Tool& tool) {
  out += ".SH SYNOPSIS\n";
  for (const Command& command : tool.commands) {
    out += ".B " + Escape(tool.name);
    if (!command.name.empty()) {
      out += " " + Escape(command.name);
    }
    out += "\n[OPTION...]";
    for (const Operand& operand : command.operands) {
      out += " " + Escape(operand.name);
    }
    out += "\n.br\n";
  }
}

void AppendOptions(std::string& out, const Tool& tool) {
  for (const Command& command : tool.commands) {
    out += command.name.empty()
               ? ".SH OPTIONS\n"
               : ".SH \"" + Upper(command.name) + "\"\n" + Escape(command.summary) + "\n";
    for (const Operand& operand : command.operands) {
      AppendParagraph(out, operand.name, operand.help);
    }
    for (const Option& option : command.options) {
      AppendParagraph(out, OptionSyntax(option), option.help);
    }
  }
}

}  // namespace

std::string ManPage(const Tool& tool) {
  std::string out = Head(tool.name, 1, tool.summary);
  AppendSynopsis(out, tool);
  out += ".SH DESCRIPTION\n" + Escape(tool.description) + "\n";
  AppendOptions(out, tool);
  AppendSections(out, tool.sections);
  return out;
}

std::string ManPage(std::string_view name, unsigned section, std::string_view summary,
                    std::span<const ManSection> sections) {
  std::string out = Head(name, section, summary);
  AppendSections(out, sections);
  return out;
}

}  // namespace nsgx::loader
