// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/guest_side.h"

#include <algorithm>
#include <cstring>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/crypto/aes_gcm.h"

namespace nsgx::firmware {
namespace {

std::array<std::byte, AesGcm256::kNonceSize> NonceOf(uint64_t sequence) {
  std::array<std::byte, AesGcm256::kNonceSize> nonce = {};
  std::memcpy(nonce.data(), &sequence, sizeof(sequence));
  return nonce;
}

}  // namespace

snp_message_header RequestHeader(uint8_t type, uint64_t sequence, uint8_t vmpck,
                                 size_t payload_size) {
  snp_message_header header = {};
  header.sequence = sequence;
  header.algorithm = SNP_MESSAGE_AES_256_GCM;
  header.header_version = 1;
  header.header_size = SNP_MESSAGE_HEADER_SIZE;
  header.type = type;
  header.version = 1;
  header.payload_size = static_cast<uint16_t>(payload_size);
  header.vmpck = vmpck;
  return header;
}

Page SealMessage(std::span<const std::byte, 32> key, snp_message_header header,
                 std::span<const std::byte> payload) {
  CHECK(payload.size() <= kPageSize - sizeof(header));
  Page page = {};
  const AesGcm256 gcm = AesGcm256::Make(key).value();
  const AesGcm256::Tag tag =
      gcm.Seal(NonceOf(header.sequence), BytesOf(header).subspan(SNP_MESSAGE_AAD_OFFSET), payload,
               std::span(page).subspan(sizeof(header), payload.size()))
          .value();
  std::memcpy(header.tag, tag.data(), tag.size());
  std::memcpy(page.data(), &header, sizeof(header));
  return page;
}

OpenedMessage OpenMessage(std::span<const std::byte, 32> key, const Page& page) {
  OpenedMessage message;
  std::memcpy(&message.header, page.data(), sizeof(message.header));
  const size_t size = message.header.payload_size;
  CHECK(size <= kPageSize - sizeof(message.header));
  message.payload.resize(size);
  AesGcm256::Tag tag;
  std::memcpy(tag.data(), message.header.tag, tag.size());
  const AesGcm256 gcm = AesGcm256::Make(key).value();
  if (!gcm.Open(NonceOf(message.header.sequence),
                BytesOf(message.header).subspan(SNP_MESSAGE_AAD_OFFSET),
                std::span(page).subspan(sizeof(message.header), size), tag, message.payload)
           .ok()) {
    message.payload.clear();
  }
  return message;
}

snp_secrets Launch(SecureProcessor& processor, uint8_t entropy, uint64_t policy, uint8_t digest) {
  std::array<std::byte, SecureProcessor::kEntropySize> seed;
  seed.fill(std::byte{entropy});
  CHECK(processor.StartLaunch(policy, seed) == FirmwareStatus::kSuccess);
  snp_secrets secrets;
  std::memset(&secrets, 0xff, sizeof(secrets));
  CHECK(processor.WriteSecrets(MutableBytesOf(secrets).first<kPageSize>()) ==
        FirmwareStatus::kSuccess);
  std::array<std::byte, SecureProcessor::kDigestSize> measurement;
  measurement.fill(std::byte{digest});
  CHECK(processor.FinishLaunch(measurement) == FirmwareStatus::kSuccess);
  return secrets;
}

std::vector<std::byte> Ask(SecureProcessor& processor, const snp_secrets& secrets,
                           const snp_message_header& header, std::span<const std::byte> payload) {
  const auto key = std::as_bytes(std::span(secrets.vmpck[header.vmpck]));
  Page response = {};
  CHECK(processor.Exchange(SealMessage(key, header, payload), response) ==
        FirmwareStatus::kSuccess);
  OpenedMessage message = OpenMessage(key, response);
  CHECK(!message.payload.empty());
  CHECK(message.header.sequence == header.sequence + 1 && message.header.type == header.type + 1 &&
        message.header.vmpck == header.vmpck);
  return std::move(message.payload);
}

}  // namespace nsgx::firmware
