// SPDX-License-Identifier: Apache-2.0
// nsgx-verify: decides whether evidence is to be trusted. Exit status: 0 verified, 1 refused, 2
// malformed, 3 nothing verified.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "enclave-loader/cli/output.h"
#include "enclave-loader/cli/tool.h"
#include "enclave-loader/verify/print.h"
#include "enclave-loader/verify/request.h"
#include "enclave-loader/verify/verify.h"

namespace nsgx::verify {
namespace {

constexpr int kVerified = 0;
constexpr int kRefused = 1;
constexpr int kMalformed = 2;
constexpr int kNothingDone = 3;

// More than any file that makes sense here.
constexpr size_t kMaxFileSize = 1 << 20;

Result<std::string, Complaint> ReadInput(const std::string& path) {
  if (path != "-") {
    return loader::ReadSmallFile(path, kMaxFileSize);
  }
  std::string text;
  char buffer[4096];
  ssize_t count;
  while ((count = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0 && text.size() <= kMaxFileSize) {
    text.append(buffer, static_cast<size_t>(count));
  }
  if (count != 0) {
    return loader::Complain("standard input: cannot be read to its end; give a file");
  }
  return text;
}

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Files that cannot be read are the outer error, files that make no sense the inner one.
Result<Result<Evidence, Malformed>, Complaint> ReadEvidence(const Request& request) {
  if (!request.evidence.empty()) {
    const std::string file = TRY(ReadInput(request.evidence));
    return ParseEvidence(AsBytes(file));
  }
  const std::string report = TRY(ReadInput(request.snp_report));
  const std::string chip = TRY(ReadInput(request.vcek));
  const std::string authorities = TRY(ReadInput(request.chain));
  return FromHardwareReport(AsBytes(report), AsBytes(chip), AsBytes(authorities));
}

int Finish(int status, const std::string& text) {
  return loader::WriteAll(STDOUT_FILENO, text) ? status : kNothingDone;
}

Result<int, Complaint> Run(std::span<char* const> arguments) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const Request request = TRY(ParseCommandLine(arguments, now.time_since_epoch().count()));
  if (request.wants_help) {
    return Finish(0, loader::HelpText(VerifyTool()));
  }
  if (request.wants_version) {
    return Finish(0, loader::VersionText(VerifyTool()));
  }
  if (request.wants_man_page) {
    return Finish(0, loader::ManPage(VerifyTool()));
  }
  const Result<Evidence, Malformed> evidence = TRY(ReadEvidence(request));
  if (!evidence.ok()) {
    const std::string_view what = evidence.error().what;
    return Finish(kMalformed, request.wants_json ? MalformedJson(what)
                                                 : "malformed: " + std::string(what) + "\n");
  }
  const Verdict verdict = Verify(evidence.value(), request.policy);
  return Finish(verdict.verified() ? kVerified : kRefused,
                request.wants_json ? VerdictJson(verdict) : VerdictText(verdict));
}

}  // namespace
}  // namespace nsgx::verify

int main(int argc, char** argv) {
  const std::span<char* const> arguments(argv + 1, argv + argc);
  const auto status = nsgx::verify::Run(arguments);
  if (!status.ok()) {
    nsgx::loader::PrintComplaint("nsgx-verify", status.error());
    return nsgx::verify::kNothingDone;
  }
  return status.value();
}
