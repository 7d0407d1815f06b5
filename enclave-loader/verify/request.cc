// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/request.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/core/hex.h"
#include "enclave-loader/cli/output.h"
#include "enclave-loader/cli/plain_parser.h"
#include "enclave-loader/verify/time_text.h"

namespace nsgx::verify {

namespace {

using loader::Complain;
using loader::Option;

constexpr size_t kMaxFileSize = 1 << 20;

using Setter = Result<void, Complaint> (*)(Request& request, std::string_view name,
                                           std::string_view value);
struct PolicyOption {
  Option option;
  Setter set;
};

// Setters for each type of member of Policy.

Error<Complaint> NotA(std::string_view what, std::string_view name, std::string_view value) {
  return Complain(name, ": ", value, " is no ", what, "; see nsgx-verify --help");
}

template <auto Policy::* member>
Result<void, Complaint> AddDigest(Request& request, std::string_view name, std::string_view value) {
  auto& digests = request.policy.*member;
  typename std::remove_reference_t<decltype(digests)>::value_type digest;
  if (!DecodeHex(value, digest).ok()) {
    return Complain(name, " takes ", 2 * digest.size(), " hexadecimal digits, not ", value.size(),
                    " characters; copy the whole value");
  }
  digests.push_back(digest);
  return {};
}

template <auto Policy::* member>
Result<void, Complaint> SetNumber(Request& request, std::string_view name, std::string_view value) {
  using Number = typename std::remove_reference_t<decltype(request.policy.*member)>::value_type;
  const Result<uint64_t> number = loader::ParseNumber(value, std::numeric_limits<Number>::max());
  if (!number.ok()) {
    return NotA("number in range", name, value);
  }
  request.policy.*member = static_cast<Number>(number.value());
  return {};
}

template <bool Policy::* member>
Result<void, Complaint> SetFlag(Request& request, std::string_view, std::string_view) {
  request.policy.*member = true;
  return {};
}

// Shorter than the field: zeros follow.
Result<void, Complaint> SetNonce(Request& request, std::string_view name, std::string_view value) {
  Sha512Digest data = {};
  if (value.empty() || value.size() % 2 != 0 || value.size() / 2 > data.size() ||
      !DecodeHex(value, std::span(data).first(value.size() / 2)).ok()) {
    return NotA("1 to 64 bytes in hexadecimal", name, value);
  }
  request.policy.report_data = data;
  return {};
}

Result<void, Complaint> SetReportData(Request& request, std::string_view name,
                                      std::string_view value) {
  if (value.size() != 2 * sizeof(Sha512Digest)) {
    return NotA("64 bytes in hexadecimal", name, value);
  }
  return SetNonce(request, name, value);
}

Result<void, Complaint> AddGeneration(Request& request, std::string_view name,
                                      std::string_view value) {
  for (Generation generation : {Generation::kMilan, Generation::kGenoa, Generation::kTurin}) {
    const bool is_equal = std::ranges::equal(
        value, GenerationName(generation), [](char a, char b) { return (a | 0x20) == (b | 0x20); });
    if (is_equal) {
      request.policy.generations.push_back(generation);
      return {};
    }
  }
  return NotA("generation (Milan, Genoa, Turin)", name, value);
}

Result<void, Complaint> AddCsp(Request& request, std::string_view, std::string_view value) {
  request.policy.csp_ids.emplace_back(value);
  return {};
}

// "bl=3,tee=0,snp=8,ucode=115": the names that AMD's key server uses, without "SPL".
Result<void, Complaint> SetMinimumTcb(Request& request, std::string_view name,
                                      std::string_view value) {
  struct Part {
    std::string_view name;
    std::optional<uint8_t> Tcb::* value;
  };
  constexpr Part kParts[] = {{"fmc", &Tcb::fmc},
                             {"bl", &Tcb::boot_loader},
                             {"tee", &Tcb::tee},
                             {"snp", &Tcb::snp},
                             {"ucode", &Tcb::microcode}};
  for (std::string_view rest = value; !rest.empty();) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    const size_t equals = std::min(item.find('='), item.size());
    const auto* part = std::ranges::find(kParts, item.substr(0, equals), &Part::name);
    const Result<uint64_t> number =
        loader::ParseNumber(item.substr(std::min(equals + 1, item.size())), 255);
    if (part == std::end(kParts) || !number.ok()) {
      return NotA("list like bl=3,tee=0,snp=8,ucode=115", name, value);
    }
    request.policy.minimum_tcb.*part->value = static_cast<uint8_t>(number.value());
  }
  return {};
}

Result<void, Complaint> SetTime(Request& request, std::string_view name, std::string_view value) {
  const Result<int64_t> time = ParseTime(value);
  if (!time.ok()) {
    return NotA("time like 2026-11-21 or 2026-11-21T08:15:00Z", name, value);
  }
  request.policy.time = time.value();
  return {};
}

Result<Bytes, Complaint> ReadFile(std::string_view path) {
  const std::string text = TRY(loader::ReadSmallFile(std::string(path), kMaxFileSize));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  return Bytes(bytes.begin(), bytes.end());
}

Result<void, Complaint> AddRoots(Request& request, std::string_view name, std::string_view value) {
  const Bytes file = TRY(ReadFile(value));
  const Result<std::vector<Bytes>> certificates = SplitCertificates(file);
  if (!certificates.ok()) {
    return NotA("file with certificates", name, value);
  }
  bool found = false;
  for (const Bytes& der : certificates.value()) {
    const Result<Certificate> certificate = Certificate::Parse(der);
    // Authorities below a root are not to be trusted by themselves.
    if (certificate.ok() && certificate.value().is_self_issued()) {
      request.policy.more_roots.push_back(certificate.value().PublicKeyHash());
      found = true;
    }
  }
  return found ? Result<void, Complaint>() : NotA("file with a root certificate", name, value);
}

Result<void, Complaint> AddRevocationList(Request& request, std::string_view name,
                                          std::string_view value) {
  const Bytes file = TRY(ReadFile(value));
  Result<RevocationList> list = RevocationList::Parse(file);
  if (!list.ok()) {
    return NotA("revocation list in DER", name, value);
  }
  request.policy.revocation_lists.push_back(std::move(list).value());
  return {};
}

constexpr PolicyOption kPolicyOptions[] = {
    {{"--identity", "HEX", "The enclave's identity. May be given several times: any of them."},
     AddDigest<&Policy::identities>},
    {{"--signer", "HEX", "The signer's identity: SHA-256 of its public modulus. Any of several."},
     AddDigest<&Policy::signers>},
    {{"--product", "N", "The signer's number for the product."}, SetNumber<&Policy::product_id>},
    {{"--min-svn", "N", "The lowest security version of the enclave."},
     SetNumber<&Policy::minimum_svn>},
    {{"--nonce", "HEX",
      "What the enclave was asked to put into the evidence, up to 64 bytes; zeros follow it."},
     SetNonce},
    {{"--report-data", "HEX", "The same, all 64 bytes."}, SetReportData},
    {{"--config-hash", "HEX", "SHA-256 of the launch configuration. Any of several."},
     AddDigest<&Policy::config_hashes>},
    {{"--args-hash", "HEX", "SHA-256 of arguments and environment. Any of several."},
     AddDigest<&Policy::args_hashes>},
    {{"--host-calls-hash", "HEX", "SHA-256 of the set of allowed host calls. Any of several."},
     AddDigest<&Policy::host_calls_hashes>},
    {{"--seh-measurement", "HEX",
      "Launch measurement of the SEH. Needed for evidence from hardware. Any of several."},
     AddDigest<&Policy::seh_measurements>},
    {{"--min-seh-svn", "N", "The lowest security version of the SEH."},
     SetNumber<&Policy::minimum_seh_svn>},
    {{"--generation", "NAME", "Milan, Genoa or Turin. Any of several."}, AddGeneration},
    {{"--min-tcb", "LIST",
      "The lowest security versions of the platform: bl=3,tee=0,snp=8,ucode=115."},
     SetMinimumTcb},
    {{"--min-guest-svn", "N", "The lowest security version that the guest was launched with."},
     SetNumber<&Policy::minimum_guest_svn>},
    {{"--host-data", "HEX", "What the host gave the guest at launch. Any of several."},
     AddDigest<&Policy::host_data>},
    {{"--id-key", "HEX", "Digest of the key that signed the guest's identity. Any of several."},
     AddDigest<&Policy::id_key_digests>},
    {{"--author-key", "HEX", "Digest of the key that certified that key. Any of several."},
     AddDigest<&Policy::author_key_digests>},
    {{"--csp", "NAME", "The cloud provider that a VLEK belongs to. Any of several."}, AddCsp},
    {{"--require-alias-check", "", "The firmware must have looked for memory aliases (BadRAM)."},
     SetFlag<&Policy::require_alias_check>},
    {{"--root", "FILE", "Accepts the root certificates in FILE besides AMD's."}, AddRoots},
    {{"--crl", "FILE", "A revocation list of the root, in DER."}, AddRevocationList},
    {{"--time", "TIME", "When certificates must be valid, such as 2026-11-21. Default: now."},
     SetTime},
    {{"--allow-simulated", "", "Accepts machines without hardware. They prove nothing."},
     SetFlag<&Policy::allow_simulated>},
    {{"--allow-debug", "", "Accepts enclaves and guests that a debugger can look into."},
     SetFlag<&Policy::allow_debug>},
    {{"--allow-migration", "", "Accepts guests that an agent may move to another machine."},
     SetFlag<&Policy::allow_migration>},
};

constexpr Option kOtherOptions[] = {
    {"--policy", "FILE",
     "Reads options from a TOML file: the names above without hyphens in front."},
    {"--snp-report", "FILE", "Verifies a hardware report alone, of 1184 bytes."},
    {"--vcek", "FILE", "Its chip's certificate, VCEK or VLEK; PEM or DER."},
    {"--chain", "FILE", "The authorities above it, ASK or ASVK and ARK; PEM."},
    {"--json", "", "Prints the result as JSON."},
    loader::kHelpOption,
    loader::kVersionOption,
};

constexpr auto kOptions = [] {
  std::array<Option, std::size(kPolicyOptions) + std::size(kOtherOptions)> options;
  auto out = options.begin();
  for (const PolicyOption& one : kPolicyOptions) {
    *out++ = one.option;
  }
  std::ranges::copy(kOtherOptions, out);
  return options;
}();

constexpr loader::Operand kOperands[] = {
    {"[EVIDENCE]", "What an enclave handed out; - is standard input."},
};
constexpr loader::Command kCommands[] = {{"", "", kOptions, kOperands}};
constexpr loader::Paragraph kStatus[] = {
    {"0", "Verified: no check failed."},
    {"1",
     "Refused: a check failed. All checks are printed; the last line names the first that failed."},
    {"2", "Malformed: the evidence does not follow its format."},
    {"3", "Nothing was verified: wrong options, or a file that cannot be read."},
};
constexpr loader::Paragraph kExamples[] = {
    {"", "nsgx-verify evidence.bin --identity 3f1c... --nonce 8a55... --seh-measurement 77d0..."},
    {"", "nsgx-run attestation.elf 8a55 | nsgx-verify - --nonce 8a55 --allow-simulated"},
    {"", "nsgx-verify --snp-report report.bin --vcek vcek.der --chain ask_ark.pem"},
};
constexpr loader::ManSection kSections[] = {{"Exit status", kStatus}, {"Examples", kExamples}};
constexpr loader::Tool kTool = {"nsgx-verify",
                                "decide whether evidence from an enclave is to be trusted",
                                "Checks the whole way from AMD's root key to what the enclave "
                                "said, and compares it with what you expect. What you do not "
                                "name is not checked, and is reported as skipped; name at least "
                                "the identity or the signer, and the nonce.",
                                kCommands, kSections};

Result<void, Complaint> ApplyOther(Request& request, std::string_view name,
                                   std::string_view value) {
  const auto set = [&](std::string& field) -> Result<void, Complaint> {
    if (!field.empty()) {
      return Complain(name, " was given twice; give one file");
    }
    field = value;
    return {};
  };
  if (name == "--policy") {
    const std::string text = TRY(loader::ReadSmallFile(std::string(value), kMaxFileSize));
    return ApplyPolicyText(request, text);
  }
  if (name == "--snp-report") {
    return set(request.snp_report);
  }
  if (name == "--vcek") {
    return set(request.vcek);
  }
  if (name == "--chain") {
    return set(request.chain);
  }
  request.wants_json |= name == "--json";
  request.wants_help |= name == loader::kHelpOption.name;
  request.wants_version |= name == loader::kVersionOption.name;
  return {};
}

Result<void, Complaint> CheckInputs(const Request& request) {
  if (request.wants_help || request.wants_version || request.wants_man_page) {
    return {};
  }
  const bool has_report =
      !request.snp_report.empty() || !request.vcek.empty() || !request.chain.empty();
  if (request.evidence.empty() != has_report) {
    return Complain(
        "give one file of evidence, or --snp-report with --vcek and --chain; see "
        "nsgx-verify --help");
  }
  if (has_report && (request.snp_report.empty() || request.vcek.empty() || request.chain.empty())) {
    return Complain(
        "a hardware report needs all of --snp-report, --vcek and --chain; give the "
        "missing one");
  }
  return {};
}

}  // namespace

const loader::Tool& VerifyTool() { return kTool; }

Result<void, Complaint> ApplyPolicyOption(Request& request, std::string_view name,
                                          std::string_view value) {
  for (const PolicyOption& one : kPolicyOptions) {
    if (one.option.name == name) {
      return one.set(request, name, value);
    }
  }
  return Complain(name, " is no policy; see nsgx-verify --help");
}

Result<Request, Complaint> ParseCommandLine(std::span<char* const> arguments, int64_t now) {
  Request request;
  request.policy.time = now;
  // For the build of the manual, not for people: in no help.
  if (arguments.size() == 1 && std::string_view(arguments.front()) == "--man") {
    request.wants_man_page = true;
    return request;
  }
  // Options may stand before and behind the operand.
  while (!arguments.empty()) {
    loader::PlainParser parser(kTool.name, kOptions, arguments);
    for (;;) {
      const loader::PlainParser::Parsed parsed = TRY(parser.Next());
      if (parsed.option == nullptr) {
        break;
      }
      const std::string_view name = parsed.option->name;
      const bool is_policy = std::ranges::any_of(
          kPolicyOptions, [&](const PolicyOption& one) { return one.option.name == name; });
      TRY(is_policy ? ApplyPolicyOption(request, name, parsed.value)
                    : ApplyOther(request, name, parsed.value));
    }
    arguments = parser.operands();
    if (!arguments.empty()) {
      if (!request.evidence.empty()) {
        return Complain("there is more than one file of evidence; give one");
      }
      request.evidence = arguments.front();
      arguments = arguments.subspan(1);
    }
  }
  TRY(CheckInputs(request));
  return request;
}

}  // namespace nsgx::verify
