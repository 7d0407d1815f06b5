// SPDX-License-Identifier: Apache-2.0
// nsgx-inspect: says what an enclave image is.
#include <unistd.h>

#include "enclave-loader/cli/command_line.h"
#include "enclave-loader/cli/output.h"
#include "enclave-loader/image/mapped_file.h"
#include "enclave-loader/inspect/description.h"

namespace nsgx::loader {
namespace {

constexpr int kFailure = 1;

constexpr Option kOptions[] = {
    {"--json", "", "Prints one JSON object."},
    kHelpOption,
    kVersionOption,
};
constexpr Operand kOperands[] = {{"IMAGE", "An enclave image, signed or not."}};
constexpr Command kCommands[] = {{"", "", kOptions, kOperands}};

constexpr Paragraph kOutput[] = {
    {"identity",
     "The measurement of the image, computed from its pages: what reports show and policies ask "
     "for."},
    {"signer",
     "The SHA-256 of the signer's modulus. The development key is named as such: anybody can sign "
     "with it."},
    {"mounts",
     "Which folders of the host the operator may show to the program; see mounts in "
     "nsgx.toml(5)."},
    {"files", "What is part of the image as a file, and so measured; with size and SHA-256."},
    {"host calls",
     "What the image can ask of the untrusted host; found by the linker, enforced by the SEH."},
};
constexpr Paragraph kExitStatus[] = {
    {"0", "The image is whole and its signature is good."},
    {"1",
     "It is no image, not signed, or its signature is bad. What can be said about it is printed "
     "all the same."},
};
constexpr Paragraph kSeeAlso[] = {{"", "nsgx-run(1), nsgx-sign(1), nsgx.toml(5)"}};
constexpr ManSection kSections[] = {
    {"Output", kOutput}, {"Exit status", kExitStatus}, {"See also", kSeeAlso}};

constexpr Tool kTool = {
    .name = "nsgx-inspect",
    .summary = "describe an enclave image",
    .description =
        "Measures an enclave image, checks its signature, and prints what it is, what it may use "
        "and what it takes from "
        "outside. Nothing of it is run.",
    .commands = kCommands,
    .sections = kSections,
};

Result<bool, Complaint> Inspect(const CommandLine& line) {
  if (line.operands.empty()) {
    return Complain("there is no image to look at; see nsgx-inspect --help");
  }
  const std::string& path = line.operands.front();
  const auto to_complaint = [&](const Refusal& refusal) {
    return Complaint::Of(path, ": ", refusal);
  };
  const MappedFile file = TRY(MappedFile::Open(path.c_str()).transform_error(to_complaint));
  const Image image = TRY(Image::Parse(file.bytes()).transform_error(to_complaint));
  const Description description = Describe(image);
  const std::string text =
      line.Has("--json") ? DescriptionJson(path, description) : DescriptionText(path, description);
  if (!WriteAll(STDOUT_FILENO, text)) {
    return Complain("standard output cannot be written to; redirect it elsewhere");
  }
  return description.signature_state == SignatureState::kGood;
}

int Main(int argc, char** argv) {
  const auto inspected = Inspect(ParseOrExit(kTool, argc, argv, kFailure));
  if (!inspected.ok()) {
    PrintComplaint(kTool.name, inspected.error());
    return kFailure;
  }
  return inspected.value() ? 0 : kFailure;
}

}  // namespace
}  // namespace nsgx::loader

int main(int argc, char** argv) { return nsgx::loader::Main(argc, argv); }
