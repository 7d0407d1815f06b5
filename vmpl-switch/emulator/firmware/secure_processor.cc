// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/secure_processor.h"

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/mem_raw.h"
#include "base/crypto/aes_gcm.h"
#include "base/crypto/hkdf.h"
#include "base/crypto/secure_zero.h"
#include "vmpl-switch/abi/snp_report.h"
#include "vmpl-switch/emulator/chip/chip.h"
#include "vmpl-switch/emulator/chip/sim_chip.h"
#include "vmpl-switch/emulator/firmware/derived_key.h"

namespace nsgx::firmware {
namespace {

constexpr uint8_t kHeaderVersion = 1;
constexpr uint8_t kMessageVersion = 1;
constexpr size_t kMaxPayload = kPageSize - SNP_MESSAGE_HEADER_SIZE;
// Of the version numbers in a policy. The ABI is older than the firmware that implements it.
constexpr uint32_t kAbiMajor = chip::kSimFirmwareVersion[2];
constexpr uint32_t kAbiMinor = chip::kSimFirmwareVersion[1];

constexpr uint32_t kSecretsVersion = 3;
constexpr uint32_t kKeySelectVlek = 2;  // which the chip does not have: 0 and 1 are both its VCEK

static_assert(sizeof(snp_message_header) == SNP_MESSAGE_HEADER_SIZE);
static_assert(sizeof(snp_report_request) == 96 && sizeof(snp_report_response) == 0x4c0);
static_assert(sizeof(snp_key_request) == 32 && sizeof(snp_key_response) == 64);
static_assert(sizeof(snp_secrets) == kPageSize);

using Nonce = std::array<std::byte, AesGcm256::kNonceSize>;

Nonce NonceOf(uint64_t sequence) {
  Nonce nonce = {};
  __builtin_memcpy(nonce.data(), &sequence, sizeof(sequence));
  return nonce;
}

std::span<const std::byte> AdditionalOf(const snp_message_header& header) {
  return BytesOf(header).subspan(SNP_MESSAGE_AAD_OFFSET);
}

template <size_t size>
bool IsZero(const uint8_t (&bytes)[size]) {
  uint8_t sum = 0;
  for (uint8_t byte : bytes) {
    sum |= byte;
  }
  return sum == 0;
}

bool HeaderMakesSense(const snp_message_header& header) {
  return header.algorithm == SNP_MESSAGE_AES_256_GCM && header.header_version == kHeaderVersion &&
         header.header_size == SNP_MESSAGE_HEADER_SIZE && header.version == kMessageVersion &&
         header.payload_size <= kMaxPayload && header.vmpck < SNP_VMPCK_COUNT &&
         header.reserved0 == 0 && header.reserved1 == 0 && IsZero(header.reserved2);
}

}  // namespace

// What a response says.
struct SecureProcessor::Payload {
  uint8_t type = 0;
  uint16_t size = 0;
  union {
    snp_report_response report;
    snp_key_response key;
  };
};

FirmwareStatus SecureProcessor::StartLaunch(uint64_t policy,
                                            std::span<const std::byte, kEntropySize> entropy) {
  if (state_ != State::kNew) {
    return FirmwareStatus::kInvalidGuestState;
  }
  const uint32_t major = SNP_POLICY_ABI_MAJOR(policy);
  const bool is_too_new =
      major > kAbiMajor || (major == kAbiMajor && SNP_POLICY_ABI_MINOR(policy) > kAbiMinor);
  if ((policy & SNP_POLICY_MUST_BE_ONE) == 0 || (policy & SNP_POLICY_MIGRATION) != 0 ||
      is_too_new) {
    return FirmwareStatus::kPolicyFailure;
  }
  policy_ = policy;
  // All sizes are far below what HKDF can give.
  Hkdf(entropy, {}, BytesOf("VMPCK"), std::as_writable_bytes(std::span(keys_))).value();
  Hkdf(entropy, {}, BytesOf("report id"), report_id_).value();
  state_ = State::kLaunching;
  return FirmwareStatus::kSuccess;
}

FirmwareStatus SecureProcessor::WriteSecrets(std::span<std::byte, kPageSize> page) const {
  if (state_ != State::kLaunching) {
    return FirmwareStatus::kInvalidGuestState;
  }
  FillOnce(page.data(), std::byte{0}, page.size());
  auto& secrets = *reinterpret_cast<snp_secrets*>(page.data());
  secrets.version = kSecretsVersion;
  secrets.family_model_stepping = uint32_t{chip::kSimCpuidFamily} << 16 |
                                  uint32_t{chip::kSimCpuidModel} << 8 | chip::kSimCpuidStepping;
  static_assert(sizeof(secrets.vmpck) == sizeof(keys_));
  __builtin_memcpy(secrets.vmpck, keys_.data(), sizeof(keys_));
  return FirmwareStatus::kSuccess;
}

FirmwareStatus SecureProcessor::FinishLaunch(std::span<const std::byte, kDigestSize> digest) {
  if (state_ != State::kLaunching) {
    return FirmwareStatus::kInvalidGuestState;
  }
  __builtin_memcpy(digest_.data(), digest.data(), digest.size());
  state_ = State::kRunning;
  return FirmwareStatus::kSuccess;
}

FirmwareStatus SecureProcessor::Exchange(std::span<const std::byte, kPageSize> request,
                                         std::span<std::byte, kPageSize> response) {
  if (state_ != State::kRunning) {
    return FirmwareStatus::kInvalidGuestState;
  }
  CopyOnce(request_.data(), request.data(), request.size());
  snp_message_header header;
  __builtin_memcpy(&header, request_.data(), sizeof(header));
  if (!HeaderMakesSense(header)) {
    return FirmwareStatus::kInvalidParameter;
  }
  uint64_t& last = sequences_[header.vmpck];
  if (last > ~uint64_t{0} - 2) {
    return FirmwareStatus::kAeadOverflow;
  }
  if (header.sequence != last + 1) {
    return FirmwareStatus::kInvalidParameter;
  }
  const Result<AesGcm256> gcm = AesGcm256::Make(keys_[header.vmpck]);
  if (!gcm.ok()) {
    return FirmwareStatus::kHardwarePlatform;
  }
  std::array<std::byte, AesGcm256::kTagSize> tag;
  __builtin_memcpy(tag.data(), header.tag, tag.size());
  const std::span<std::byte> text =
      std::span(request_).subspan(SNP_MESSAGE_HEADER_SIZE, header.payload_size);
  if (!gcm.value().Open(NonceOf(header.sequence), AdditionalOf(header), text, tag, text).ok()) {
    return FirmwareStatus::kBadMeasurement;
  }

  Payload payload;
  const FirmwareStatus status = Answer(header, text, payload);
  if (status != FirmwareStatus::kSuccess) {
    return status;
  }
  // Everything but type, size and number is as in the request.
  header.sequence = last + 2;
  header.type = payload.type;
  header.payload_size = payload.size;
  const std::span<const std::byte> plaintext =
      std::as_bytes(std::span(&payload.report, 1)).first(payload.size);
  FillOnce(response_.data(), std::byte{0}, response_.size());
  const AesGcm256::Tag response_tag =
      gcm.value()
          .Seal(NonceOf(header.sequence), AdditionalOf(header), plaintext,
                std::span(response_).subspan(SNP_MESSAGE_HEADER_SIZE, payload.size))
          .value();
  SecureZero(MutableBytesOf(payload.report));
  __builtin_memset(header.tag, 0, sizeof(header.tag));
  __builtin_memcpy(header.tag, response_tag.data(), response_tag.size());
  __builtin_memcpy(response_.data(), &header, sizeof(header));
  last += 2;
  CopyOnce(response.data(), response_.data(), response_.size());
  return FirmwareStatus::kSuccess;
}

FirmwareStatus SecureProcessor::Answer(const snp_message_header& header,
                                       std::span<const std::byte> request, Payload& payload) const {
  ByteReader reader(request);
  __builtin_memset(&payload.report, 0, sizeof(payload.report));
  switch (header.type) {
    case SNP_MESSAGE_REPORT_REQUEST: {
      if (request.size() != sizeof(snp_report_request)) {
        return FirmwareStatus::kInvalidParameter;
      }
      payload.type = SNP_MESSAGE_REPORT_RESPONSE;
      payload.size = sizeof(payload.report);
      return AnswerReport(reader.ReadObject<snp_report_request>().value(), header.vmpck,
                          payload.report);
    }
    case SNP_MESSAGE_KEY_REQUEST: {
      if (request.size() != sizeof(snp_key_request)) {
        return FirmwareStatus::kInvalidParameter;
      }
      payload.type = SNP_MESSAGE_KEY_RESPONSE;
      payload.size = sizeof(payload.key);
      return AnswerKey(reader.ReadObject<snp_key_request>().value(), header.vmpck, payload.key);
    }
    default:
      return FirmwareStatus::kInvalidParameter;
  }
}

FirmwareStatus SecureProcessor::AnswerReport(const snp_report_request& request, uint32_t vmpl,
                                             snp_report_response& response) const {
  if (request.vmpl < vmpl || request.vmpl >= SNP_VMPCK_COUNT ||
      request.key_select > kKeySelectVlek || !IsZero(request.reserved)) {
    response.status = SNP_STATUS_INVALID_PARAMETER;
    return FirmwareStatus::kSuccess;
  }
  if (request.key_select == kKeySelectVlek) {
    response.status = SNP_STATUS_INVALID_KEY;
    return FirmwareStatus::kSuccess;
  }
  chip::ReportFields fields;
  fields.measurement = digest_;
  fields.vmpl = request.vmpl;
  fields.policy = policy_;
  fields.report_id = report_id_;
  const Result<void> made = chip::MakeReport(fields, std::as_bytes(std::span(request.report_data)),
                                             std::as_writable_bytes(std::span(response.report)));
  if (!made.ok()) {
    return FirmwareStatus::kHardwarePlatform;
  }
  response.report_size = sizeof(response.report);
  return FirmwareStatus::kSuccess;
}

FirmwareStatus SecureProcessor::AnswerKey(const snp_key_request& request, uint32_t vmpl,
                                          snp_key_response& response) const {
  const bool is_legal = request.vmpl >= vmpl && request.vmpl < SNP_VMPCK_COUNT;
  if (!is_legal || !DeriveKey(request, {.policy = policy_, .measurement = digest_},
                              std::as_writable_bytes(std::span(response.key)))
                        .ok()) {
    response.status = SNP_STATUS_INVALID_PARAMETER;
  }
  return FirmwareStatus::kSuccess;
}

}  // namespace nsgx::firmware
