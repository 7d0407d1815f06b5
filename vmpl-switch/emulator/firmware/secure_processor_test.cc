// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/secure_processor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/core/bytes.h"
#include "base/crypto/aes_gcm.h"
#include "base/crypto/entropy.h"
#include "vmpl-switch/emulator/chip/chip.h"
#include "vmpl-switch/emulator/firmware/certificate_table.h"

namespace nsgx::firmware {
namespace {

class CountingEntropy final : public EntropySource {
 public:
  Result<void> Fill(std::span<std::byte> seed) override {
    for (std::byte& byte : seed) {
      byte = static_cast<std::byte>(++count_);
    }
    return {};
  }

 private:
  uint8_t count_ = 0;
};

class SecureProcessorTest : public testing::Test {
 protected:
  SecureProcessorTest() {
    state_.policy = 0x30000;
    state_.guest_svn = 5;
    state_.measurement.fill(std::byte{0x77});
    CountingEntropy entropy;
    Drbg random;
    EXPECT_TRUE(random.Seed(entropy, BytesOf("test")).ok());
    EXPECT_TRUE(processor_.Launch(state_, random).ok());
    processor_.FillSecrets(secrets_);
  }

  template <typename T>
  void Compose(unsigned vmpck, uint64_t sequence, uint8_t type, const T& payload) {
    header_ = {};
    header_.sequence = sequence;
    header_.algorithm = SNP_MESSAGE_AES_256_GCM;
    header_.header_version = 1;
    header_.header_size = SNP_MESSAGE_HEADER_SIZE;
    header_.type = type;
    header_.version = 1;
    header_.payload_size = sizeof(payload);
    header_.vmpck = static_cast<uint8_t>(vmpck);
    SealWith(vmpck, BytesOf(payload));
  }

  void SealWith(unsigned vmpck, std::span<const std::byte> payload) {
    const AesGcm256 gcm = AesGcm256::Make(std::as_bytes(std::span(secrets_.vmpck[vmpck]))).value();
    request_.fill(std::byte{0});
    const auto tag =
        gcm.Seal(Nonce(header_.sequence), BytesOf(header_).subspan(SNP_MESSAGE_AAD_OFFSET), payload,
                 std::span(request_).subspan(SNP_MESSAGE_HEADER_SIZE, payload.size()))
            .value();
    std::memcpy(header_.tag, tag.data(), tag.size());
    std::memcpy(request_.data(), &header_, sizeof(header_));
  }

  template <typename T>
  T Answer(unsigned vmpck, uint8_t type) {
    T payload = {};
    snp_message_header reply;
    std::memcpy(&reply, response_.data(), sizeof(reply));
    EXPECT_EQ(reply.sequence, header_.sequence + 1);
    EXPECT_EQ(reply.type, type);
    EXPECT_EQ(reply.payload_size, sizeof(T));
    const AesGcm256 gcm = AesGcm256::Make(std::as_bytes(std::span(secrets_.vmpck[vmpck]))).value();
    AesGcm256::Tag tag;
    std::memcpy(tag.data(), reply.tag, tag.size());
    EXPECT_TRUE(
        gcm.Open(Nonce(reply.sequence), BytesOf(reply).subspan(SNP_MESSAGE_AAD_OFFSET),
                 std::span<const std::byte>(response_).subspan(SNP_MESSAGE_HEADER_SIZE, sizeof(T)),
                 tag, MutableBytesOf(payload))
            .ok());
    return payload;
  }

  uint32_t Handle() { return processor_.Handle(request_, response_); }
  bool ResponseIsZero() const {
    for (std::byte byte : response_) {
      if (byte != std::byte{0}) {
        return false;
      }
    }
    return true;
  }

  static std::array<std::byte, AesGcm256::kNonceSize> Nonce(uint64_t sequence) {
    std::array<std::byte, AesGcm256::kNonceSize> nonce = {};
    std::memcpy(nonce.data(), &sequence, sizeof(sequence));
    return nonce;
  }

  LaunchState state_;
  SecureProcessor processor_;
  snp_secrets secrets_;
  snp_message_header header_;
  std::array<std::byte, kPageSize> request_;
  std::array<std::byte, kPageSize> response_;
};

TEST_F(SecureProcessorTest, ReportsSayWhatWasLaunched) {
  snp_report_request request = {};
  std::memset(request.report_data, 0x42, sizeof(request.report_data));
  Compose(0, 1, SNP_MESSAGE_REPORT_REQUEST, request);
  ASSERT_EQ(Handle(), kFirmwareOk);
  const auto answer = Answer<snp_report_response>(0, SNP_MESSAGE_REPORT_RESPONSE);
  EXPECT_EQ(answer.status, SNP_STATUS_MESSAGE_OK);
  ASSERT_EQ(answer.report_size, SNP_REPORT_SIZE);
  snp_report report;
  std::memcpy(&report, answer.report, sizeof(report));
  EXPECT_EQ(report.vmpl, 0u);
  EXPECT_EQ(report.guest_svn, 5u);
  EXPECT_EQ(report.measurement[0], 0x77);
  EXPECT_EQ(report.report_data[63], 0x42);
}

TEST_F(SecureProcessorTest, ALowerVmplCannotSpeakForAHigherOne) {
  snp_report_request request = {};
  Compose(1, 1, SNP_MESSAGE_REPORT_REQUEST, request);
  ASSERT_EQ(Handle(), kFirmwareOk);
  EXPECT_EQ(Answer<snp_report_response>(1, SNP_MESSAGE_REPORT_RESPONSE).status,
            SNP_STATUS_INVALID_PARAMETER);
  request.vmpl = 3;
  Compose(1, 3, SNP_MESSAGE_REPORT_REQUEST, request);
  ASSERT_EQ(Handle(), kFirmwareOk);
  EXPECT_EQ(Answer<snp_report_response>(1, SNP_MESSAGE_REPORT_RESPONSE).status,
            SNP_STATUS_MESSAGE_OK);
  request.vmpl = 4;
  Compose(1, 5, SNP_MESSAGE_REPORT_REQUEST, request);
  ASSERT_EQ(Handle(), kFirmwareOk);
  EXPECT_EQ(Answer<snp_report_response>(1, SNP_MESSAGE_REPORT_RESPONSE).status,
            SNP_STATUS_INVALID_PARAMETER);
  request.vmpl = 1;
  request.key_select = 2;
  Compose(1, 7, SNP_MESSAGE_REPORT_REQUEST, request);
  ASSERT_EQ(Handle(), kFirmwareOk);
  EXPECT_EQ(Answer<snp_report_response>(1, SNP_MESSAGE_REPORT_RESPONSE).status,
            SNP_STATUS_INVALID_KEY);
}

TEST_F(SecureProcessorTest, EachNumberIsAcceptedOnceAndInTurn) {
  const snp_report_request request = {};
  Compose(0, 1, SNP_MESSAGE_REPORT_REQUEST, request);
  ASSERT_EQ(Handle(), kFirmwareOk);
  EXPECT_EQ(Handle(), kFirmwareInvalidParameter);
  EXPECT_TRUE(ResponseIsZero());
  for (uint64_t sequence : {uint64_t{0}, uint64_t{2}, uint64_t{5}, UINT64_MAX}) {
    Compose(0, sequence, SNP_MESSAGE_REPORT_REQUEST, request);
    EXPECT_EQ(Handle(), kFirmwareInvalidParameter);
  }
  Compose(0, 3, SNP_MESSAGE_REPORT_REQUEST, request);
  EXPECT_EQ(Handle(), kFirmwareOk);
  // Each key has numbers of its own.
  snp_report_request other = {};
  other.vmpl = 2;
  Compose(2, 1, SNP_MESSAGE_REPORT_REQUEST, other);
  EXPECT_EQ(Handle(), kFirmwareOk);
}

TEST_F(SecureProcessorTest, RefusesWhatWasChanged) {
  const snp_report_request request = {};
  for (size_t offset :
       {size_t{0x00}, size_t{0x30}, size_t{0x31}, size_t{0x32}, size_t{0x34}, size_t{0x35},
        size_t{0x36}, size_t{0x3c}, size_t{0x40}, size_t{0x60}, size_t{0xbf}}) {
    Compose(0, 1, SNP_MESSAGE_REPORT_REQUEST, request);
    request_[offset] ^= std::byte{4};
    EXPECT_EQ(Handle(), kFirmwareInvalidParameter) << offset;
    EXPECT_TRUE(ResponseIsZero());
  }
  // Sealed with another key than it names.
  Compose(0, 1, SNP_MESSAGE_REPORT_REQUEST, request);
  SealWith(1, BytesOf(request));
  EXPECT_EQ(Handle(), kFirmwareInvalidParameter);
  // Nothing of this has used up a number.
  Compose(0, 1, SNP_MESSAGE_REPORT_REQUEST, request);
  EXPECT_EQ(Handle(), kFirmwareOk);
}

TEST_F(SecureProcessorTest, RefusesUnknownMessages) {
  Compose(0, 1, SNP_MESSAGE_CPUID_REQUEST, snp_report_request{});
  EXPECT_EQ(Handle(), kFirmwareInvalidParameter);
  Compose(0, 1, SNP_MESSAGE_REPORT_REQUEST, snp_key_request{});
  ASSERT_EQ(Handle(), kFirmwareOk);
  EXPECT_EQ(Answer<snp_report_response>(0, SNP_MESSAGE_REPORT_RESPONSE).status,
            SNP_STATUS_INVALID_PARAMETER);
}

TEST_F(SecureProcessorTest, DerivedKeysFollowFromWhatWasAskedFor) {
  uint64_t sequence = 1;
  const auto key = [&](unsigned vmpck, uint64_t fields, uint32_t vmpl, uint32_t svn) {
    snp_key_request request = {};
    request.fields = fields;
    request.vmpl = vmpl;
    request.guest_svn = svn;
    Compose(vmpck, sequence, SNP_MESSAGE_KEY_REQUEST, request);
    sequence += 2;
    EXPECT_EQ(Handle(), kFirmwareOk);
    const auto answer = Answer<snp_key_response>(vmpck, SNP_MESSAGE_KEY_RESPONSE);
    EXPECT_EQ(answer.status, SNP_STATUS_MESSAGE_OK);
    return std::vector<uint8_t>(answer.key, answer.key + sizeof(answer.key));
  };
  const auto first = key(0, SNP_KEY_FIELD_MEASUREMENT, 0, 0);
  EXPECT_EQ(key(0, SNP_KEY_FIELD_MEASUREMENT, 0, 0), first);
  EXPECT_NE(key(0, SNP_KEY_FIELD_POLICY, 0, 0), first);
  EXPECT_NE(key(0, SNP_KEY_FIELD_MEASUREMENT, 1, 0), first);
  EXPECT_EQ(key(0, SNP_KEY_FIELD_MEASUREMENT, 0, 4), first);  // was not asked to depend on it
  EXPECT_NE(key(0, SNP_KEY_FIELD_MEASUREMENT | SNP_KEY_FIELD_GUEST_SVN, 0, 4), first);

  snp_key_request bad[5] = {};
  bad[0].root_key = 2;
  bad[1].fields = 1 << 6;
  bad[2].vmpl = 4;
  bad[3].guest_svn = 6;
  bad[4].tcb = 0xff;
  for (const snp_key_request& request : bad) {
    Compose(0, sequence, SNP_MESSAGE_KEY_REQUEST, request);
    sequence += 2;
    ASSERT_EQ(Handle(), kFirmwareOk);
    EXPECT_EQ(Answer<snp_key_response>(0, SNP_MESSAGE_KEY_RESPONSE).status,
              SNP_STATUS_INVALID_PARAMETER);
  }
}

TEST(CertificateTable, HoldsTheChain) {
  std::vector<std::byte> table(CertificateTableSize());
  ASSERT_TRUE(WriteCertificateTable(table).ok());
  EXPECT_EQ(table[0], std::byte{0x8d});
  uint32_t offset;
  uint32_t size;
  std::memcpy(&offset, &table[16], sizeof(offset));
  std::memcpy(&size, &table[20], sizeof(size));
  const std::span<const std::byte> chain = chip::CertificateChain();
  ASSERT_LE(offset + size, table.size());
  EXPECT_EQ(std::memcmp(&table[offset], &chain[4], size), 0);
  table.pop_back();
  EXPECT_FALSE(WriteCertificateTable(table).ok());
}

}  // namespace
}  // namespace nsgx::firmware
