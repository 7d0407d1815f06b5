// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/calls/attestation_protocol.h"

#include <algorithm>

#include "base/core/bytes.h"
#include "base/core/checked.h"
#include "base/crypto/sha512.h"

namespace nsgx::snp {
namespace {

// Manifest of all services: this GUID, total size, count; for each GUID, offset, size; the data.
constexpr std::array<uint8_t, 16> kServicesGuid = {0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46,
                                                   0xa1, 0xff, 0x58, 0xf9, 0xc9, 0x4b, 0x87, 0xbb};
struct ServicesHeader {
  uint8_t guid[16];
  uint32_t size;
  uint32_t count;
};
struct ServicesEntry {
  uint8_t guid[16];
  uint32_t offset;
  uint32_t size;
};

template <size_t kSize>
void CopyGuid(uint8_t (&to)[kSize], const std::array<uint8_t, kSize>& from) {
  std::copy(from.begin(), from.end(), to);
}

// What SERVICES reads of the structure; SINGLE_SERVICE reads all of it.
constexpr size_t kServicesPart = offsetof(svsm_attestation, service);
static_assert(sizeof(svsm_attestation) == 0x58 && kServicesPart == 0x40);

}  // namespace

uint32_t AttestationProtocol::Serve(uint32_t call, CallContext& context) {
  switch (call) {
    case SVSM_ATTEST_SERVICES:
      return Attest(false, context);
    case SVSM_ATTEST_SINGLE_SERVICE:
      return Attest(true, context);
    default:
      return SVSM_UNSUPPORTED_CALL;
  }
}

// Whether the whole buffer is the guest's own memory.
bool AttestationProtocol::CheckBuffer(const Buffer& buffer) const {
  if (!CheckedAdd(buffer.start, buffer.size).ok()) {
    return false;
  }
  for (uint64_t done = 0; done < buffer.size;) {
    const GuestPhys at = buffer.start + done;
    const uint64_t part = std::min(kPageSize - at.page_offset(), buffer.size - done);
    if (!guest_.View(at, part).ok()) {
      return false;
    }
    done += part;
  }
  return true;
}

bool AttestationProtocol::CopyOut(const Buffer& buffer, std::span<const std::byte> bytes) const {
  for (uint64_t done = 0; done < bytes.size();) {
    const uint64_t part = std::min<uint64_t>(kPageSize, bytes.size() - done);
    if (!guest_.CopyOut(buffer.start + done, bytes.subspan(done, part)).ok()) {
      return false;
    }
    done += part;
  }
  return true;
}

Result<size_t> AttestationProtocol::WriteService(std::span<std::byte> out) const {
  ServiceManifest manifest = {};
  manifest.version = kServiceManifestVersion;
  manifest.seh_svn = key_->svn();
  TRY(key_->PublicKey(std::as_writable_bytes(std::span(manifest.public_key))));
  ByteWriter writer(out);
  TRY(writer.WriteObject(manifest));
  return writer.offset();
}

Result<size_t> AttestationProtocol::WriteServices(std::span<std::byte> out) const {
  const bool has_service = key_ != nullptr;
  ServicesHeader header = {};
  header.size = sizeof(ServicesHeader);
  header.count = has_service ? 1 : 0;
  CopyGuid(header.guid, kServicesGuid);
  if (has_service) {
    header.size += static_cast<uint32_t>(sizeof(ServicesEntry) + sizeof(ServiceManifest));
  }
  ByteWriter writer(out);
  TRY(writer.WriteObject(header));
  if (has_service) {
    ServicesEntry entry = {};
    entry.offset = sizeof(ServicesHeader) + sizeof(ServicesEntry);
    entry.size = sizeof(ServiceManifest);
    CopyGuid(entry.guid, kServiceGuid);
    TRY(writer.WriteObject(entry));
    TRY(WriteService(out.subspan(writer.offset())));
  }
  return header.size;
}

uint32_t AttestationProtocol::Attest(bool is_single, CallContext& context) {
  const GuestPhys argument(context.registers.rcx);
  if (!IsAligned(argument, sizeof(uint64_t))) {
    return SVSM_INVALID_PARAMETER;
  }
  svsm_attestation request = {};
  const std::span<std::byte> bytes = MutableBytesOf(request);
  if (!guest_.CopyIn(argument, is_single ? bytes : bytes.first(kServicesPart)).ok()) {
    return SVSM_INVALID_ADDRESS;
  }
  const Buffer report = {GuestPhys(request.report), request.report_size};
  const Buffer nonce = {GuestPhys(request.nonce), request.nonce_size};
  const Buffer manifest = {GuestPhys(request.manifest), request.manifest_size};
  const Buffer certificates = {GuestPhys(request.certificates), request.certificates_size};
  if (!report.start.is_page_aligned() || !manifest.start.is_page_aligned() ||
      (certificates.size != 0 && !certificates.start.is_page_aligned()) || nonce.size == 0 ||
      nonce.size > kMaxNonce) {
    return SVSM_INVALID_PARAMETER;
  }
  if (is_single &&
      (key_ == nullptr ||
       !std::equal(kServiceGuid.begin(), kServiceGuid.end(), std::begin(request.service)) ||
       request.manifest_version > kServiceManifestVersion)) {
    return SVSM_INVALID_PARAMETER;
  }
  if (!CheckBuffer(report) || !CheckBuffer(nonce) || !CheckBuffer(manifest) ||
      !CheckBuffer(certificates)) {
    return SVSM_INVALID_ADDRESS;
  }

  std::array<std::byte, kMaxManifest> text;
  const Result<size_t> text_size = is_single ? WriteService(text) : WriteServices(text);
  if (!text_size.ok()) {
    return SVSM_INVALID_REQUEST;
  }
  const std::span<const std::byte> manifest_bytes = std::span(text).first(text_size.value());

  // Sizes first, so that the guest can come back with buffers that are large enough.
  context.registers.rcx = manifest_bytes.size();
  context.registers.r8 = SNP_REPORT_SIZE;
  context.registers.rdx = 0;
  if (manifest.size < manifest_bytes.size() || report.size < SNP_REPORT_SIZE) {
    return SVSM_INVALID_PARAMETER;
  }

  Sha512 hash;
  for (uint64_t done = 0; done < nonce.size;) {
    std::array<std::byte, 256> part;
    const GuestPhys at = nonce.start + done;
    const uint64_t size =
        std::min({kPageSize - at.page_offset(), nonce.size - done, uint64_t{part.size()}});
    if (!guest_.CopyIn(at, std::span(part).first(size)).ok()) {
      return SVSM_INVALID_ADDRESS;
    }
    hash.Update(std::span(part).first(size));
    done += size;
  }
  hash.Update(manifest_bytes);
  const Sha512::Digest report_data = hash.Finish();

  std::array<std::byte, SNP_REPORT_SIZE> report_bytes;
  uint64_t certificate_bytes = 0;
  std::span<std::byte> host_certificates;
  if (certificates.size != 0) {
    host_certificates =
        std::span(certificates_)
            .first(std::min<uint64_t>(certificates.size & ~kPageMask, certificates_.size()));
  }
  const Result<void> made = messages_.ReportWithCertificates(report_data, report_bytes,
                                                             host_certificates, &certificate_bytes);
  if (!made.ok()) {
    if (made.error() == Status::kOutOfRange) {
      context.registers.rdx = certificate_bytes;
      return SVSM_INVALID_PARAMETER;
    }
    return made.error() == Status::kBusy ? SVSM_BUSY : SVSM_INVALID_REQUEST;
  }
  if (!CopyOut(manifest, manifest_bytes) || !CopyOut(report, report_bytes) ||
      !CopyOut(certificates, host_certificates)) {
    return SVSM_INVALID_ADDRESS;
  }
  context.registers.rdx = host_certificates.size();
  return SVSM_SUCCESS;
}

}  // namespace nsgx::snp
