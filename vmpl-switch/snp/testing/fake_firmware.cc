// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/testing/fake_firmware.h"

#include <algorithm>
#include <utility>

#include "base/core/addr.h"
#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/crypto/aes_gcm.h"
#include "vmpl-switch/abi/ghcb.h"

namespace nsgx::snp {
namespace {

std::array<std::byte, AesGcm256::kNonceSize> NonceOf(uint64_t sequence) {
  std::array<std::byte, AesGcm256::kNonceSize> nonce = {};
  std::copy_n(reinterpret_cast<const std::byte*>(&sequence), sizeof(sequence), nonce.begin());
  return nonce;
}

}  // namespace

FakeFirmware::FakeFirmware(std::span<const std::byte, 32> key, uint64_t count) : count_(count) {
  std::copy(key.begin(), key.end(), key_.begin());
}

Result<MessageTransport::Answer> FakeFirmware::Exchange(std::span<const std::byte, 4096> request,
                                                        std::span<std::byte, 4096> response,
                                                        std::span<std::byte> certificates) {
  ++exchanges;
  if (busy_answers != 0) {
    --busy_answers;
    return Answer{uint64_t{GHCB_REQUEST_BUSY} << 32, 0};
  }
  if (host_error != 0) {
    return Answer{std::exchange(host_error, 0), 0};
  }
  if (!certificates.empty()) {
    if (certificates.size() < certificate_bytes.size()) {
      return Answer{uint64_t{GHCB_REQUEST_TOO_SMALL} << 32, certificate_bytes.size() / kPageSize};
    }
    std::copy(certificate_bytes.begin(), certificate_bytes.end(), certificates.begin());
  }
  if (std::exchange(replays, false)) {
    std::copy(last_response_.begin(), last_response_.end(), response.begin());
    return Answer{};
  }

  ByteReader reader(request);
  snp_message_header header = reader.ReadObject<snp_message_header>().value();
  sequences.push_back(header.sequence);
  const AesGcm256 gcm = AesGcm256::Make(key_).value();
  std::vector<std::byte> payload(header.payload_size);
  std::array<std::byte, AesGcm256::kTagSize> tag;
  std::copy_n(reinterpret_cast<const std::byte*>(header.tag), tag.size(), tag.begin());
  if (header.sequence != count_ + 1 ||
      !gcm.Open(NonceOf(header.sequence), BytesOf(header).subspan(SNP_MESSAGE_AAD_OFFSET),
                request.subspan(SNP_MESSAGE_HEADER_SIZE, header.payload_size), tag, payload)
           .ok()) {
    saw_bad_message = true;
    return Answer{SNP_STATUS_INVALID_KEY, 0};
  }
  count_ += 2;

  std::vector<std::byte> answer;
  if (header.type == SNP_MESSAGE_REPORT_REQUEST) {
    const snp_report_request report = ByteReader(payload).ReadObject<snp_report_request>().value();
    std::copy_n(reinterpret_cast<const std::byte*>(report.report_data), 64, report_data.begin());
    snp_report_response reply = {};
    reply.status = status;
    reply.report_size = SNP_REPORT_SIZE;
    std::copy(std::begin(report.report_data), std::end(report.report_data), reply.report + 0x50);
    const auto bytes = BytesOf(reply);
    answer.assign(bytes.begin(), bytes.end());
  } else {
    CHECK(header.type == SNP_MESSAGE_KEY_REQUEST);
    key_request = ByteReader(payload).ReadObject<snp_key_request>().value();
    snp_key_response reply = {};
    reply.status = status;
    std::fill(std::begin(reply.key), std::end(reply.key), uint8_t{0x77});
    const auto bytes = BytesOf(reply);
    answer.assign(bytes.begin(), bytes.end());
  }
  status = SNP_STATUS_MESSAGE_OK;

  header.type = static_cast<uint8_t>(header.type + 1);
  header.sequence = count_;
  header.payload_size = static_cast<uint16_t>(answer.size());
  if (change_header != nullptr) {
    change_header(header);
  }
  const AesGcm256::Tag reply_tag =
      gcm.Seal(NonceOf(header.sequence), BytesOf(header).subspan(SNP_MESSAGE_AAD_OFFSET), answer,
               answer)
          .value();
  std::copy(reply_tag.begin(), reply_tag.end(), reinterpret_cast<std::byte*>(header.tag));
  std::fill(response.begin(), response.end(), std::byte{0});
  const auto header_bytes = BytesOf(header);
  std::copy(header_bytes.begin(), header_bytes.end(), response.begin());
  std::copy(answer.begin(), answer.end(), response.begin() + SNP_MESSAGE_HEADER_SIZE);
  if (std::exchange(flips_bit, false)) {
    response[SNP_MESSAGE_HEADER_SIZE + 40] ^= std::byte{1};
  }
  std::copy(response.begin(), response.end(), last_response_.begin());
  return Answer{};
}

}  // namespace nsgx::snp
