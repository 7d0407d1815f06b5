// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/secure_processor.h"

#include "base/core/bytes.h"
#include "base/core/mem_raw.h"
#include "base/crypto/aes_gcm.h"
#include "base/crypto/hkdf.h"
#include "base/crypto/secure_zero.h"
#include "vmpl-switch/emulator/chip/chip.h"
#include "vmpl-switch/emulator/chip/sim_chip.h"

namespace nsgx::firmware {
namespace {

static_assert(sizeof(snp_message_header) == SNP_MESSAGE_HEADER_SIZE);
static_assert(chip::kReportSize == SNP_REPORT_SIZE);

constexpr uint8_t kHeaderVersion = 1;
constexpr uint8_t kMessageVersion = 1;
constexpr uint32_t kSecretsVersion = 3;
constexpr size_t kMaxPayload = kPageSize - SNP_MESSAGE_HEADER_SIZE;
constexpr uint32_t kLowestVmpl = 3;
// key_select of a report request: 0 and 1 the chip's own key. There is no VLEK here.
constexpr uint32_t kKeySelectMask = 3;
constexpr uint32_t kKeySelectVcek = 1;
constexpr uint64_t kKnownKeyFields = SNP_KEY_FIELD_POLICY | SNP_KEY_FIELD_IMAGE_ID |
                                     SNP_KEY_FIELD_FAMILY_ID | SNP_KEY_FIELD_MEASUREMENT |
                                     SNP_KEY_FIELD_GUEST_SVN | SNP_KEY_FIELD_TCB;

using Nonce = std::array<std::byte, AesGcm256::kNonceSize>;

Nonce NonceOf(uint64_t sequence) {
  Nonce nonce = {};
  __builtin_memcpy(nonce.data(), &sequence, sizeof(sequence));
  return nonce;
}

std::span<const std::byte> AuthenticatedPart(const snp_message_header& header) {
  return BytesOf(header).subspan(SNP_MESSAGE_AAD_OFFSET);
}

// What a derived key follows from, besides the chip. Fields that were not asked for are zero.
struct KeyContext {
  uint64_t fields;
  uint64_t policy;
  uint64_t tcb;
  uint32_t root_key;
  uint32_t vmpl;
  uint32_t guest_svn;
  uint32_t reserved;
  std::byte measurement[48];
  std::byte family_id[16];
  std::byte image_id[16];
};

}  // namespace

Result<void> SecureProcessor::Launch(const LaunchState& state, Drbg& random) {
  state_ = state;
  TRY(random.Generate(report_id_));
  for (Channel& channel : channels_) {
    channel.count = 0;
    TRY(random.Generate(channel.key));
  }
  return {};
}

void SecureProcessor::FillSecrets(snp_secrets& page) const {
  page = {};
  page.version = kSecretsVersion;
  for (unsigned vmpl = 0; vmpl < channels_.size(); ++vmpl) {
    __builtin_memcpy(page.vmpck[vmpl], channels_[vmpl].key.data(), channels_[vmpl].key.size());
  }
}

uint32_t SecureProcessor::MakeReport(unsigned vmpl, std::span<const std::byte> payload,
                                     snp_report_response& answer) const {
  const auto request = ByteReader(payload).ReadObject<snp_report_request>();
  if (!request.ok() || payload.size() != sizeof(snp_report_request) ||
      request.value().vmpl < vmpl || request.value().vmpl > kLowestVmpl) {
    return SNP_STATUS_INVALID_PARAMETER;
  }
  if ((request.value().key_select & kKeySelectMask) > kKeySelectVcek) {
    return SNP_STATUS_INVALID_KEY;
  }
  chip::ReportFields fields;
  fields.measurement = state_.measurement;
  fields.vmpl = request.value().vmpl;
  fields.guest_svn = state_.guest_svn;
  fields.policy = state_.policy;
  fields.family_id = state_.family_id;
  fields.image_id = state_.image_id;
  fields.report_id = report_id_;
  const snp_report_request& values = request.value();
  if (!chip::MakeReport(fields, std::as_bytes(std::span(values.report_data)),
                        std::as_writable_bytes(std::span(answer.report)))
           .ok()) {
    return SNP_STATUS_INVALID_PARAMETER;
  }
  answer.report_size = SNP_REPORT_SIZE;
  return SNP_STATUS_MESSAGE_OK;
}

uint32_t SecureProcessor::MakeKey(unsigned vmpl, std::span<const std::byte> payload,
                                  snp_key_response& answer) const {
  const auto result = ByteReader(payload).ReadObject<snp_key_request>();
  // Newer guests send eight bytes more, for a field that this firmware does not know.
  if (!result.ok() || payload.size() > sizeof(snp_key_request) + sizeof(uint64_t)) {
    return SNP_STATUS_INVALID_PARAMETER;
  }
  const snp_key_request& request = result.value();
  uint64_t own_tcb;
  __builtin_memcpy(&own_tcb, chip::kSimTcb, sizeof(own_tcb));
  if (request.root_key > 1 || (request.fields & ~kKnownKeyFields) != 0 || request.vmpl < vmpl ||
      request.vmpl > kLowestVmpl || request.guest_svn > state_.guest_svn) {
    return SNP_STATUS_INVALID_PARAMETER;
  }
  for (unsigned byte = 0; byte < sizeof(own_tcb); ++byte) {
    if ((request.tcb >> (8 * byte) & 0xff) > (own_tcb >> (8 * byte) & 0xff)) {
      return SNP_STATUS_INVALID_PARAMETER;
    }
  }
  KeyContext context = {};
  context.fields = request.fields;
  context.root_key = request.root_key;
  context.vmpl = request.vmpl;
  if ((request.fields & SNP_KEY_FIELD_POLICY) != 0) {
    context.policy = state_.policy;
  }
  if ((request.fields & SNP_KEY_FIELD_IMAGE_ID) != 0) {
    __builtin_memcpy(context.image_id, state_.image_id.data(), sizeof(context.image_id));
  }
  if ((request.fields & SNP_KEY_FIELD_FAMILY_ID) != 0) {
    __builtin_memcpy(context.family_id, state_.family_id.data(), sizeof(context.family_id));
  }
  if ((request.fields & SNP_KEY_FIELD_MEASUREMENT) != 0) {
    __builtin_memcpy(context.measurement, state_.measurement.data(), sizeof(context.measurement));
  }
  if ((request.fields & SNP_KEY_FIELD_GUEST_SVN) != 0) {
    context.guest_svn = request.guest_svn;
  }
  if ((request.fields & SNP_KEY_FIELD_TCB) != 0) {
    context.tcb = request.tcb;
  }
  // The same on every machine that runs this emulator: there is no chip that could keep a secret.
  if (!Hkdf(BytesOf(chip::kSimChipId), BytesOf("NSGX simulated derived key"), BytesOf(context),
            std::as_writable_bytes(std::span(answer.key)))
           .ok()) {
    return SNP_STATUS_INVALID_PARAMETER;
  }
  return SNP_STATUS_MESSAGE_OK;
}

uint32_t SecureProcessor::Handle(std::span<const std::byte, kPageSize> request,
                                 std::span<std::byte, kPageSize> response) {
  FillOnce(response.data(), std::byte{0}, response.size());
  const auto header = ByteReader(request).ReadObject<snp_message_header>().value();
  if (header.algorithm != SNP_MESSAGE_AES_256_GCM || header.header_version != kHeaderVersion ||
      header.header_size != SNP_MESSAGE_HEADER_SIZE || header.version != kMessageVersion ||
      header.payload_size == 0 || header.payload_size > kMaxPayload ||
      header.vmpck >= channels_.size()) {
    return kFirmwareInvalidParameter;
  }
  const unsigned vmpl = header.vmpck;
  Channel& channel = channels_[vmpl];
  if (header.sequence != channel.count + 1 || header.sequence > UINT64_MAX - 2) {
    return kFirmwareInvalidParameter;
  }
  const Result<AesGcm256> gcm = AesGcm256::Make(channel.key);
  std::array<std::byte, AesGcm256::kTagSize> tag;
  __builtin_memcpy(tag.data(), header.tag, tag.size());
  std::array<std::byte, kMaxPayload> payload;
  const std::span<std::byte> text = std::span(payload).first(header.payload_size);
  if (!gcm.ok() ||
      !gcm.value()
           .Open(NonceOf(header.sequence), AuthenticatedPart(header),
                 request.subspan(SNP_MESSAGE_HEADER_SIZE, header.payload_size), tag, text)
           .ok()) {
    return kFirmwareInvalidParameter;
  }

  snp_report_response report = {};
  snp_key_response key = {};
  std::span<const std::byte> answer;
  snp_message_header reply = {};
  switch (header.type) {
    case SNP_MESSAGE_REPORT_REQUEST:
      report.status = MakeReport(vmpl, text, report);
      reply.type = SNP_MESSAGE_REPORT_RESPONSE;
      answer = BytesOf(report);
      break;
    case SNP_MESSAGE_KEY_REQUEST:
      key.status = MakeKey(vmpl, text, key);
      reply.type = SNP_MESSAGE_KEY_RESPONSE;
      answer = BytesOf(key);
      break;
    default:
      return kFirmwareInvalidParameter;
  }

  reply.sequence = header.sequence + 1;
  reply.algorithm = SNP_MESSAGE_AES_256_GCM;
  reply.header_version = kHeaderVersion;
  reply.header_size = SNP_MESSAGE_HEADER_SIZE;
  reply.version = kMessageVersion;
  reply.payload_size = static_cast<uint16_t>(answer.size());
  reply.vmpck = header.vmpck;
  const Result<AesGcm256::Tag> reply_tag =
      gcm.value().Seal(NonceOf(reply.sequence), AuthenticatedPart(reply), answer,
                       response.subspan(SNP_MESSAGE_HEADER_SIZE, answer.size()));
  SecureZero(MutableBytesOf(key));
  if (!reply_tag.ok()) {
    return kFirmwareInvalidParameter;
  }
  __builtin_memcpy(reply.tag, reply_tag.value().data(), reply_tag.value().size());
  __builtin_memcpy(response.data(), &reply, sizeof(reply));
  channel.count = reply.sequence;
  return kFirmwareOk;
}

}  // namespace nsgx::firmware
