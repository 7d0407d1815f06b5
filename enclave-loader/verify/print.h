// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "enclave-loader/verify/verify.h"

namespace nsgx::verify {

// All rows, then one line with the result: "verified: ..." or "refused: FIRST FAILED CHECK: ...".
std::string VerdictText(const Verdict& verdict);

// The same for programs:
//   {"result": "verified" | "refused", "simulated": bool, "first_failure": NAME | null,
//    "checks": [{"name", "meaning", "result": "ok" | "failed" | "skipped", "expected", "got",
//    "note"}]}
std::string VerdictJson(const Verdict& verdict);
//   {"result": "malformed", "reason": WHAT}
std::string MalformedJson(std::string_view what);

}  // namespace nsgx::verify
