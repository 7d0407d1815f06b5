// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/messages/client.h"

#include "base/core/addr.h"
#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/mem_raw.h"
#include "base/crypto/aes_gcm.h"
#include "base/crypto/secure_zero.h"
#include "vmpl-switch/abi/ghcb.h"

namespace nsgx::snp {
namespace {

constexpr uint8_t kHeaderVersion = 1;
constexpr uint8_t kMessageVersion = 1;
constexpr size_t kMaxPayload = kPageSize - SNP_MESSAGE_HEADER_SIZE;
// How often the host may say that it is busy.
constexpr int kMaxTries = 1000;

static_assert(sizeof(snp_message_header) == SNP_MESSAGE_HEADER_SIZE);

using Nonce = std::array<std::byte, AesGcm256::kNonceSize>;

Nonce NonceOf(uint64_t sequence) {
  Nonce nonce = {};
  __builtin_memcpy(nonce.data(), &sequence, sizeof(sequence));
  return nonce;
}

std::span<const std::byte> AdditionalOf(const snp_message_header& header) {
  return BytesOf(header).subspan(SNP_MESSAGE_AAD_OFFSET);
}

}  // namespace

void MessageClient::Initialize(std::span<const std::byte, 32> vmpck0, uint64_t count) {
  SpinLockGuard guard(lock_);
  CopyOnce(key_.data(), vmpck0.data(), vmpck0.size());
  count_ = count;
  usable_ = true;
}

Result<void> MessageClient::Exchange(uint8_t type, std::span<const std::byte> request,
                                     uint8_t response_type, std::span<std::byte> response,
                                     std::span<std::byte> certificates, uint64_t* wanted) {
  if (!usable_) {
    return Error(Status::kBadState);
  }
  CHECK(request.size() <= kMaxPayload && response.size() <= kMaxPayload);
  const AesGcm256 gcm = TRY(AesGcm256::Make(key_));

  // From here on the number is used; until an answer to it has been accepted no other may follow.
  usable_ = false;
  const uint64_t sequence = count_ + 1;
  snp_message_header header = {};
  header.sequence = sequence;
  header.algorithm = SNP_MESSAGE_AES_256_GCM;
  header.header_version = kHeaderVersion;
  header.header_size = SNP_MESSAGE_HEADER_SIZE;
  header.type = type;
  header.version = kMessageVersion;
  header.payload_size = static_cast<uint16_t>(request.size());
  FillOnce(request_.data(), std::byte{0}, request_.size());
  const AesGcm256::Tag tag =
      TRY(gcm.Seal(NonceOf(sequence), AdditionalOf(header), request,
                   std::span(request_).subspan(SNP_MESSAGE_HEADER_SIZE, request.size())));
  __builtin_memcpy(header.tag, tag.data(), tag.size());
  __builtin_memcpy(request_.data(), &header, sizeof(header));

  MessageTransport::Answer answer;
  bool is_too_small = false;
  uint64_t wanted_pages = 0;
  for (int i = 0;; ++i) {
    answer = TRY(transport_.Exchange(request_, response_, certificates));
    const uint64_t host_error = answer.info2 >> 32;
    if (host_error == GHCB_REQUEST_TOO_SMALL && !certificates.empty() && !is_too_small) {
      // The message was not sent. The same one goes out once more without asking for certificates,
      // so that its number is done with.
      is_too_small = true;
      wanted_pages = answer.certificate_pages;
      certificates = {};
      continue;
    }
    if (host_error != GHCB_REQUEST_BUSY) {
      break;
    }
    if (i == kMaxTries) {
      return Error(Status::kBusy);
    }
  }
  if (answer.info2 != 0) {
    return Error(Status::kHostFault);
  }

  snp_message_header reply;
  __builtin_memcpy(&reply, response_.data(), sizeof(reply));
  if (reply.sequence != sequence + 1 || reply.algorithm != SNP_MESSAGE_AES_256_GCM ||
      reply.header_version != kHeaderVersion || reply.header_size != SNP_MESSAGE_HEADER_SIZE ||
      reply.type != response_type || reply.vmpck != 0 || reply.payload_size > response.size()) {
    return Error(Status::kHostFault);
  }
  std::array<std::byte, AesGcm256::kTagSize> reply_tag;
  __builtin_memcpy(reply_tag.data(), reply.tag, reply_tag.size());
  FillOnce(response.data(), std::byte{0}, response.size());
  TRY(gcm.Open(
      NonceOf(sequence + 1), AdditionalOf(reply),
      std::span<const std::byte>(response_).subspan(SNP_MESSAGE_HEADER_SIZE, reply.payload_size),
      reply_tag, response.first(reply.payload_size)));
  count_ = sequence + 1;
  usable_ = true;
  if (wanted != nullptr) {
    *wanted = wanted_pages << kPageShift;
  }
  if (is_too_small) {
    return Error(Status::kOutOfRange);
  }
  return {};
}

Result<void> MessageClient::Report(std::span<const std::byte, 64> report_data,
                                   std::span<std::byte, SNP_REPORT_SIZE> report) {
  return ReportWithCertificates(report_data, report, {}, nullptr);
}

Result<void> MessageClient::ReportWithCertificates(std::span<const std::byte, 64> report_data,
                                                   std::span<std::byte, SNP_REPORT_SIZE> report,
                                                   std::span<std::byte> certificates,
                                                   uint64_t* wanted) {
  snp_report_request request = {};
  __builtin_memcpy(request.report_data, report_data.data(), report_data.size());
  snp_report_response response;
  SpinLockGuard guard(lock_);
  TRY(Exchange(SNP_MESSAGE_REPORT_REQUEST, BytesOf(request), SNP_MESSAGE_REPORT_RESPONSE,
               MutableBytesOf(response), certificates, wanted));
  if (response.status != SNP_STATUS_MESSAGE_OK || response.report_size != SNP_REPORT_SIZE) {
    return Error(Status::kHostFault);
  }
  __builtin_memcpy(report.data(), response.report, report.size());
  return {};
}

Result<void> MessageClient::DerivedKey(const snp_key_request& request,
                                       std::span<std::byte, 32> key) {
  snp_key_response response;
  SpinLockGuard guard(lock_);
  TRY(Exchange(SNP_MESSAGE_KEY_REQUEST, BytesOf(request), SNP_MESSAGE_KEY_RESPONSE,
               MutableBytesOf(response), {}, nullptr));
  const bool is_good = response.status == SNP_STATUS_MESSAGE_OK;
  if (is_good) {
    __builtin_memcpy(key.data(), response.key, key.size());
  }
  SecureZero(MutableBytesOf(response));
  if (!is_good) {
    return Error(Status::kHostFault);
  }
  return {};
}

}  // namespace nsgx::snp
