// SPDX-License-Identifier: Apache-2.0
// Prints docs/host-calls.md.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "syscall-shim/hostcall/host_calls.h"

namespace nsgx::shim {
namespace {

constexpr const char* kSummaries[] = {
#define HOST_CALL(number, name, Name, summary, ...) summary,
#include "syscall-shim/hostcall/host_calls.def"
#undef HOST_CALL
};

constexpr char kHead[] = R"(<!-- SPDX-License-Identifier: Apache-2.0 -->
# Host calls

Everything that an enclave can ask of the untrusted host. This page is printed from
[`host_calls.def`](../syscall-shim/hostcall/host_calls.def), and so are the enclave's stubs, the checks of both sides and the server in `nsgx-run`.

An enclave can make those calls only whose stubs were linked into it; `nsgx-inspect` lists them, and the SEH ends an enclave that makes another.
Data goes through the slot's shared window and is copied once. A reply outside the last two columns is not used: the caller gets `EIO`, and the
enclave logs a warning.

| number | call | arguments | reply | errors |
|---|---|---|---|---|
)";

std::string Describe(const HostCallArgument& argument) {
  std::string name = "`" + std::string(argument.name) + "`";
  const std::string limit = std::to_string(argument.limit);
  const std::string unit =
      argument.unit == 1 ? "bytes" : "records of " + std::to_string(argument.unit) + " bytes";
  switch (argument.kind) {
    case HostCallArgument::Kind::kNone:
      break;
    case HostCallArgument::Kind::kValue:
      return name + " 0.." + limit;
    case HostCallArgument::Kind::kAny:
      return name;
    case HostCallArgument::Kind::kDataOut:
      return name + ": up to " + limit + " " + unit + " for the host";
    case HostCallArgument::Kind::kDataIn:
      return name + ": room for up to " + limit + " " + unit + " from the host";
  }
  return "";
}

std::string Describe(const HostCallInfo& call) {
  const std::string bound = "`" + std::string(call.arguments[call.reply.index].name) + "`";
  switch (call.reply.kind) {
    case HostCallReply::Kind::kZero:
      return "0";
    case HostCallReply::Kind::kCount:
      return "0.." + bound;
    case HostCallReply::Kind::kBits: {
      char mask[32];
      std::snprintf(mask, sizeof mask, "bits of %#" PRIx64, call.reply.mask);
      return mask;
    }
    case HostCallReply::Kind::kNumber:
      return "not negative";
  }
  return "";
}

void PrintRow(const HostCallInfo& call) {
  std::string arguments, errnos;
  for (const HostCallArgument& argument : call.arguments) {
    const std::string text = Describe(argument);
    arguments += (arguments.empty() || text.empty() ? "" : "; ") + text;
  }
  std::vector<std::string> names;
  for (int64_t number = 1; number < HostCallErrnos::kLimit; ++number) {
    if (call.errnos.Has(number)) {
      names.emplace_back(ErrnoName(number));
    }
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    errnos += (errnos.empty() ? "" : " ") + name;
  }
  std::printf("| %u | `%.*s`: %s | %s | %s | %s |\n", call.number,
              static_cast<int>(call.name.size()), call.name.data(), kSummaries[call.number],
              arguments.c_str(), Describe(call).c_str(), errnos.c_str());
}

}  // namespace
}  // namespace nsgx::shim

int main() {
  std::fputs(nsgx::shim::kHead, stdout);
  for (const nsgx::shim::HostCallInfo& call : nsgx::shim::kHostCalls) {
    nsgx::shim::PrintRow(call);
  }
  return 0;
}
