// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/certificate_maker.h"

#include <string_view>

#include "base/core/check.h"
#include "vmpl-switch/emulator/chip/label_key.h"

namespace nsgx::chip {

namespace {

using namespace der;

constexpr std::string_view kAmdArc = "1.3.6.1.4.1.3704.1.";

// RSASSA-PSS with SHA-384, MGF1 with SHA-384, 48 bytes of salt; the default trailer is spelt out as
// AMD does.
Der PssAlgorithm() {
  const Der sha384 = Element(kSequence, {Oid("2.16.840.1.101.3.4.2.2"), Null()});
  return Element(
      kSequence,
      {Oid("1.2.840.113549.1.1.10"),
       Element(kSequence,
               {Element(Explicit(0), {sha384}),
                Element(Explicit(1), {Element(kSequence, {Oid("1.2.840.113549.1.1.8"), sha384})}),
                Element(Explicit(2), {Integer(48)}), Element(Explicit(3), {Integer(1)})})});
}

Der Name(std::string_view common_name) {
  const auto part = [](std::string_view oid, std::string_view value) {
    return Element(kSet, {Element(kSequence, {Oid(oid), Text(kUtf8String, value)})});
  };
  return Element(kSequence, {part("2.5.4.11", "Simulation (not AMD)"), part("2.5.4.10", "NSGX"),
                             part("2.5.4.3", common_name)});
}

Der Extension(std::string_view oid, bool is_critical, const Der& value) {
  const uint8_t yes[] = {0xff};
  const Der critical = is_critical ? Element(kBoolean, std::span<const uint8_t>(yes)) : Der();
  return Element(kSequence, {Oid(oid), critical, Element(kOctetString, {value})});
}

Der AmdExtension(std::string_view number, const Der& value) {
  return Extension(std::string(kAmdArc) + std::string(number), /*is_critical=*/false, value);
}

Der AuthorityExtensions(int path_length, bool may_sign_revocations) {
  const uint8_t yes[] = {0xff};
  const Der limit = path_length < 0 ? Der() : Integer(static_cast<uint64_t>(path_length));
  const Der constraints =
      Element(kSequence, {Element(kBoolean, std::span<const uint8_t>(yes)), limit});
  // One byte of flags: keyCertSign is bit 5, cRLSign bit 6, counted from the top; first the number
  // of unused bits.
  const uint8_t certificates_only[] = {2, 0x04};
  const uint8_t certificates_and_revocations[] = {1, 0x06};
  const Der usage = Element(
      kBitString, std::span<const uint8_t>(may_sign_revocations ? certificates_and_revocations
                                                                : certificates_only));
  Der out = Extension("2.5.29.19", /*is_critical=*/true, constraints);
  const Der second = Extension("2.5.29.15", /*is_critical=*/true, usage);
  out.insert(out.end(), second.begin(), second.end());
  return out;
}

Der AmdExtensionList(const AmdExtensions& amd) {
  // The extension that holds each byte of a TCB version; those without a meaning are "spare".
  constexpr std::string_view kMilanParts[8] = {"3.1", "3.2", "3.4", "3.5",
                                               "3.6", "3.7", "3.3", "3.8"};
  constexpr std::string_view kTurinParts[8] = {"3.9", "3.1", "3.2", "3.3",
                                               "3.4", "3.5", "3.6", "3.8"};
  Der out;
  const auto append = [&out](const Der& extension) {
    out.insert(out.end(), extension.begin(), extension.end());
  };
  append(AmdExtension("1", Integer(0)));
  append(AmdExtension("2", Text(kIa5String, amd.product_name)));
  for (size_t i = 0; i < 8; ++i) {
    append(
        AmdExtension(amd.is_turin_layout ? kTurinParts[i] : kMilanParts[i], Integer(amd.tcb[i])));
  }
  if (!amd.hwid.empty()) {
    const std::span<const uint8_t> hwid(amd.hwid);
    append(AmdExtension("4", amd.wraps_hwid ? Element(kOctetString, hwid) : amd.hwid));
  }
  if (!amd.csp_id.empty()) {
    append(AmdExtension("5", Text(kIa5String, amd.csp_id)));
  }
  return out;
}

Der Signed(const Der& contents, const RsaKey& key) {
  return Element(kSequence, {contents, PssAlgorithm(), BitString(key.Sign(contents))});
}

}  // namespace

Der EcPublicKeyInfo(std::string_view label) {
  const Result<EcdsaP384PublicKey> key = LabelPublicKey(label);
  CHECK(key.ok());
  const EcdsaP384PublicKey::Der info = key.value().ToDer();
  const auto* bytes = reinterpret_cast<const uint8_t*>(info.data());
  return {bytes, bytes + info.size()};
}

Der MakeCertificate(const CertificateSpec& spec, const RsaKey& issuer_key) {
  Der extensions;
  if (spec.ca_path_length.has_value()) {
    extensions = AuthorityExtensions(*spec.ca_path_length, spec.may_sign_revocations);
  }
  if (spec.amd.has_value()) {
    const Der amd = AmdExtensionList(*spec.amd);
    extensions.insert(extensions.end(), amd.begin(), amd.end());
  }
  const Der version3 = Element(Explicit(0), {Integer(2)});
  const Der validity = Element(kSequence, {Time(spec.not_before), Time(spec.not_after)});
  const Der contents =
      Element(kSequence, {version3, Integer(spec.serial), PssAlgorithm(), Name(spec.issuer),
                          validity, Name(spec.subject), spec.public_key_info,
                          Element(Explicit(3), {Element(kSequence, {extensions})})});
  return Signed(contents, issuer_key);
}

Der MakeRevocationList(const std::string& issuer, const std::string& this_update,
                       const std::string& next_update, const std::vector<uint64_t>& revoked_serials,
                       const RsaKey& issuer_key) {
  Der entries;
  for (uint64_t serial : revoked_serials) {
    const Der entry = Element(kSequence, {Integer(serial), Time(this_update)});
    entries.insert(entries.end(), entry.begin(), entry.end());
  }
  // An empty list is left out, as RFC 5280 demands.
  const Der revoked = entries.empty() ? Der() : Element(kSequence, {entries});
  const Der contents = Element(kSequence, {Integer(1), PssAlgorithm(), Name(issuer),
                                           Time(this_update), Time(next_update), revoked});
  return Signed(contents, issuer_key);
}

}  // namespace nsgx::chip
