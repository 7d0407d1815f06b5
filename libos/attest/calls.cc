// SPDX-License-Identifier: Apache-2.0
#include "libos/attest/calls.h"

#include <cstring>

#include "base/core/bytes.h"
#include "base/core/scope_exit.h"
#include "base/crypto/secure_zero.h"
#include "libos/attest/include/nsgx/attest.h"
#include "libos/host/host.h"
#include "libos/kernel/gate.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {

namespace {

constexpr size_t kPageSize = 4096;
constexpr uint32_t kCertificateCount = 3;

Errno FromSeh(Status status) {
  switch (status) {
    case Status::kInvalidArgument:
      return Errno::kEINVAL;
    case Status::kPermissionDenied:
      return Errno::kEACCES;
    case Status::kUnsupported:
      return Errno::kEOPNOTSUPP;
    case Status::kBadTag:
      return Errno::kEBADMSG;
    case Status::kNoMemory:
    case Status::kEntropyFailure:
      return Errno::kEAGAIN;
    default:
      return Errno::kEIO;
  }
}

template <typename T>
Result<T, Errno> Translate(Result<T> result) {
  return std::move(result).transform_error(FromSeh);
}

// The chain comes from the host and is not believed: what it proves, the verifier finds out. It
// only has to be one, so that nobody is handed an evidence.bin that is none.
bool IsChain(std::span<const std::byte> chain) {
  ByteReader reader(chain);
  for (uint32_t i = 0; i < kCertificateCount; ++i) {
    const Result<uint32_t> size = reader.Read<uint32_t>();
    if (!size.ok() || !reader.Skip(size.value()).ok()) {
      return false;
    }
  }
  return reader.at_end();
}

// Writes an evidence.bin to `file`, returns its size.
Result<size_t, Errno> MakeEvidence(const ReportData& report_data, std::span<std::byte> file) {
  constexpr size_t kFixedSize = sizeof(nsgx_evidence_header) + sizeof(nsgx_evidence_core);
  nsgx_evidence_core core;
  TRY(Translate(gate::MakeEvidence(std::as_bytes(std::span(report_data.bytes)), &core)));
  const std::span<std::byte> rest = file.subspan(kFixedSize);
  const size_t chain_size = TRY(host::CertificateChain(rest));
  if (!IsChain(rest.first(chain_size))) {
    return Error(Errno::kEPROTO);
  }
  const size_t size = kFixedSize + chain_size;
  const nsgx_evidence_header header = {NSGX_EVIDENCE_MAGIC, NSGX_EVIDENCE_VERSION,
                                       static_cast<uint32_t>(size), kCertificateCount, 0};
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), &core, sizeof(core));
  return size;
}

// The enclave's own security version, which a report says.
Result<uint16_t, Errno> OwnSvn() {
  const nsgx_report_request request = {};
  nsgx_report report;
  TRY(Translate(gate::MakeReport(&request, &report)));
  return report.body.svn;
}

}  // namespace

SysResult SysAttestEvidence(UserIn<ReportData> report_data, UserOut<std::byte> out,
                            uint64_t capacity, UserOut<uint64_t> size) {
  const ReportData data = TRY(Read(report_data));
  constexpr size_t kPages = NSGX_EVIDENCE_MAX_SIZE / kPageSize;
  std::byte* const pages = KernelAllocatePages(kPages, PageContents::kAny);
  if (pages == nullptr) {
    return Error(Errno::kEAGAIN);
  }
  const ScopeExit free_pages([&] { KernelFreePages(pages, kPages); });
  const std::span<std::byte> file(pages, NSGX_EVIDENCE_MAX_SIZE);
  const size_t needed = TRY(MakeEvidence(data, file));
  TRY(Write(size, uint64_t{needed}));
  if (needed > capacity) {
    return Error(Errno::kERANGE);
  }
  TRY(CopyToUser(out.address(), file.first(needed)));
  return 0;
}

SysResult SysAttestReport(UserIn<Bytes32> target, UserIn<ReportData> report_data,
                          UserOut<nsgx_report> report) {
  const Bytes32 identity = TRY(Read(target));
  const ReportData data = TRY(Read(report_data));
  nsgx_report_request request;
  std::memcpy(request.target, identity.bytes, sizeof(request.target));
  std::memcpy(request.report_data, data.bytes, sizeof(request.report_data));
  nsgx_report made;
  TRY(Translate(gate::MakeReport(&request, &made)));
  TRY(Write(report, made));
  return 0;
}

SysResult SysAttestVerify(UserIn<nsgx_report> report) {
  const nsgx_report copy = TRY(Read(report));
  TRY(Translate(gate::VerifyReport(&copy)));
  return 0;
}

SysResult SysAttestKey(uint32_t policy, uint16_t svn, UserIn<Bytes32> key_id,
                       UserOut<Bytes32> key) {
  const Bytes32 id = TRY(Read(key_id));
  nsgx_key_request request = {policy, svn, 0, {}};
  if (svn == NSGX_OWN_SVN) {
    request.svn = TRY(OwnSvn());
  }
  std::memcpy(request.key_id, id.bytes, sizeof(request.key_id));
  Bytes32 derived;
  const std::span<std::byte, 32> bytes = std::as_writable_bytes(std::span(derived.bytes));
  const ScopeExit wipe([&] { SecureZero(bytes); });
  TRY(Translate(gate::DeriveKey(&request, bytes)));
  TRY(Write(key, derived));
  return 0;
}

}  // namespace nsgx::libos
