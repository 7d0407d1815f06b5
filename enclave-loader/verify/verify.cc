// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/verify.h"

#include "enclave-loader/verify/checks.h"
#include "enclave-loader/verify/roots.h"

namespace nsgx::verify {

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kSkipped:
      break;
  }
  return "skipped";
}

const Row* Verdict::FirstFailure() const {
  for (const Row& row : rows) {
    if (row.outcome == Outcome::kFailed) {
      return &row;
    }
  }
  return nullptr;
}

Verdict Verify(const Evidence& evidence, const Policy& policy) {
  Verdict verdict;
  for (std::span<const Check> group : {ChainChecks(), ReportChecks(), StatementChecks()}) {
    for (const Check& check : group) {
      Finding finding = check.run(evidence, policy);
      verdict.rows.push_back({check.name, check.meaning, finding.outcome,
                              std::move(finding.expected), std::move(finding.got),
                              std::move(finding.note)});
    }
  }
  const Root* root = FindRoot(evidence.root.PublicKeyHash());
  verdict.is_simulated = root != nullptr && root->is_simulated;
  return verdict;
}

}  // namespace nsgx::verify
