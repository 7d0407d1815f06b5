// SPDX-License-Identifier: Apache-2.0
// What a user asks nsgx-verify for: the table of its options, and how a command line and a policy
// file become a Policy.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/cli/tool.h"
#include "enclave-loader/verify/policy.h"

namespace nsgx::verify {

using loader::Complaint;

struct Request {
  Policy policy;
  std::string evidence;  // path, "-" for standard input; empty if the hardware report is given
  std::string snp_report, vcek, chain;  // paths
  bool wants_json = false;
  bool wants_help = false;
  bool wants_version = false;
  bool wants_man_page = false;
};

// Everything that --help and the man page say.
const loader::Tool& VerifyTool();

// Reads a command line, argv without the program's name. `now` is the time that certificates must
// be valid at if none is given.
//
// Errors: an unknown option, a value that is none, a file that cannot be read, or inputs that do
// not go together.
Result<Request, Complaint> ParseCommandLine(std::span<char* const> arguments, int64_t now);

// Applies a policy file: TOML, each key the name of an option without its hyphens, each value a
// string, a number, a boolean, or a list of strings. Options of input and output are no policy and
// are refused.
Result<void, Complaint> ApplyPolicyText(Request& request, std::string_view toml);

// Applies one option that belongs to the policy. Errors: unknown, or a value that is none.
Result<void, Complaint> ApplyPolicyOption(Request& request, std::string_view name,
                                          std::string_view value);

}  // namespace nsgx::verify
