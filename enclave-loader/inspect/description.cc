// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/inspect/description.h"

#include <array>
#include <utility>

#include "base/core/hex.h"
#include "enclave-loader/sign/development_key.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/image/signature.h"

namespace nsgx::loader {
namespace {

constexpr std::pair<uint64_t, std::string_view> kAttributes[] = {
    {NSGX_ATTRIBUTE_DEBUG, "debug"},
    {NSGX_ATTRIBUTE_ANY_ARGS, "any_args"},
    {NSGX_ATTRIBUTE_ANY_ENV, "any_env"},
    {NSGX_ATTRIBUTE_HOST_SIGTERM, "host_sigterm"},
};

std::string CauseText(const Refusal& refusal) {
  std::array<char, 256> buffer;
  TextBuffer out(buffer);
  AppendCause(out, refusal);
  return std::string(out.text());
}

bool IsDevelopmentSigner(const Sha256::Digest& signer) {
  std::array<char, 2 * Sha256::kDigestSize> text;
  return EncodeHex(signer, text).value() == kDevelopmentSigner;
}

std::string_view FaultOf(Status status) {
  switch (status) {
    case Status::kBadMeasurement:
      return "the image was changed after it was signed";
    case Status::kPermissionDenied:
      return "attributes, product or version are not those that were signed";
    case Status::kMalformed:
      return "its key is none of RSA with 3072 bits";
    default:
      return "it was not made with the key that it names";
  }
}

void DescribeSignature(const Image& image, Description& out) {
  const Result<nsgx_signature, Refusal> signature = image.Signature();
  if (!signature.ok()) {
    const bool is_absent = signature.error().cause == Cause::kUnsigned;
    out.signature_state = is_absent ? SignatureState::kNone : SignatureState::kBad;
    out.signature_fault = CauseText(signature.error());
    return;
  }
  out.signature = signature.value();
  out.signer = SignerOf(signature.value());
  out.is_development_signer = IsDevelopmentSigner(*out.signer);
  if (!out.config.has_value()) {
    out.signature_state = SignatureState::kBad;
    out.signature_fault = out.config_fault;
    return;
  }
  const Result<void> checked =
      CheckSignature(signature.value(), out.identity, out.config->config());
  out.signature_state = checked.ok() ? SignatureState::kGood : SignatureState::kBad;
  if (!checked.ok()) {
    out.signature_fault = FaultOf(checked.error());
  }
}

}  // namespace

Description Describe(const Image& image) {
  Description out;
  out.identity = image.Identity();
  out.config_hash = Sha256::Hash(image.config_section());
  const Result<ConfigView, Refusal> config = image.Config();
  if (config.ok()) {
    out.config = config.value();
    for (const std::string_view text : config.value().files()) {
      const EmbeddedFile file = ParseEmbeddedFile(text).value();
      out.files.push_back({file, Sha256::Hash(image.FileContents(file).value())});
    }
  } else {
    out.config_fault = CauseText(config.error());
  }
  DescribeSignature(image, out);
  out.image_size = image.size();
  out.entry = image.entry();
  for (const PageRun& run : image.runs()) {
    (run.bytes.empty() ? out.zero_pages : out.data_pages) += run.page_count;
  }
  out.segments.assign(image.segments().begin(), image.segments().end());
  return out;
}

std::vector<std::string> AttributeNames(uint64_t attributes) {
  std::vector<std::string> names;
  for (const auto& [bit, name] : kAttributes) {
    if ((attributes & bit) != 0) {
      names.emplace_back(name);
    }
  }
  return names;
}

std::vector<std::string> HostCallNames(const nsgx_config& config) {
  std::vector<std::string> names;
  for (uint32_t number = 0; number < NSGX_HOST_CALL_LIMIT; ++number) {
    if (HostCallAllowed(config, number)) {
      const shim::HostCallInfo* const call = shim::FindHostCall(number);
      names.push_back(call != nullptr ? std::string(call->name) : std::to_string(number));
    }
  }
  return names;
}

std::string PermissionText(uint32_t permissions) {
  return {(permissions & NSGX_PERMISSION_READ) != 0 ? 'r' : '-',
          (permissions & NSGX_PERMISSION_WRITE) != 0 ? 'w' : '-',
          (permissions & NSGX_PERMISSION_EXECUTE) != 0 ? 'x' : '-'};
}

}  // namespace nsgx::loader
