// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/secure_processor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "base/core/bytes.h"
#include "vmpl-switch/abi/snp_report.h"
#include "vmpl-switch/emulator/chip/sim_chip.h"
#include "vmpl-switch/emulator/firmware/guest_side.h"
#include "vmpl-switch/emulator/firmware/report_signature.h"

namespace nsgx::firmware {
namespace {

snp_report_request ReportRequest(uint32_t vmpl = 0) {
  snp_report_request request = {};
  std::memset(request.report_data, 0xab, sizeof(request.report_data));
  request.vmpl = vmpl;
  return request;
}

class SecureProcessorTest : public testing::Test {
 protected:
  SecureProcessorTest() : secrets_(Launch(processor_)) {}

  std::span<const std::byte, 32> Key(size_t vmpl) const {
    return std::as_bytes(std::span(secrets_.vmpck[vmpl]));
  }

  // Sends a request for a report and returns the response; counts the numbers itself.
  snp_report_response Report(const snp_report_request& request, uint8_t vmpck = 0) {
    const auto header =
        RequestHeader(SNP_MESSAGE_REPORT_REQUEST, next_[vmpck], vmpck, sizeof(request));
    next_[vmpck] += 2;
    const auto payload = Ask(processor_, secrets_, header, BytesOf(request));
    return ByteReader(payload).ReadObject<snp_report_response>().value();
  }
  snp_key_response DerivedKey(const snp_key_request& request, uint8_t vmpck = 0) {
    const auto header =
        RequestHeader(SNP_MESSAGE_KEY_REQUEST, next_[vmpck], vmpck, sizeof(request));
    next_[vmpck] += 2;
    const auto payload = Ask(processor_, secrets_, header, BytesOf(request));
    return ByteReader(payload).ReadObject<snp_key_response>().value();
  }

  FirmwareStatus Send(const Page& request) {
    Page response;
    response.fill(std::byte{0x5a});
    const FirmwareStatus status = processor_.Exchange(request, response);
    if (status != FirmwareStatus::kSuccess) {
      EXPECT_TRUE(std::all_of(response.begin(), response.end(),
                              [](std::byte byte) { return byte == std::byte{0x5a}; }));
    }
    return status;
  }

  SecureProcessor processor_;
  const snp_secrets secrets_;
  uint64_t next_[SNP_VMPCK_COUNT] = {1, 1, 1, 1};
};

snp_report ReportIn(const snp_report_response& response) {
  snp_report report;
  static_assert(sizeof(report) == sizeof(response.report));
  std::memcpy(&report, response.report, sizeof(report));
  return report;
}

TEST_F(SecureProcessorTest, WritesSecrets) {
  EXPECT_EQ(secrets_.version, 3u);
  std::set<std::string> keys;
  for (const auto& key : secrets_.vmpck) {
    keys.insert(std::string(std::begin(key), std::end(key)));
  }
  EXPECT_EQ(keys.size(), SNP_VMPCK_COUNT);
  const auto rest = BytesOf(secrets_).subspan(offsetof(snp_secrets, message_count));
  EXPECT_TRUE(
      std::all_of(rest.begin(), rest.end(), [](std::byte byte) { return byte == std::byte{0}; }));
}

TEST_F(SecureProcessorTest, EveryGuestHasItsOwnKeys) {
  SecureProcessor other;
  EXPECT_NE(std::memcmp(Launch(other, 2).vmpck, secrets_.vmpck, sizeof(secrets_.vmpck)), 0);
}

TEST_F(SecureProcessorTest, ReportsAreSignedAndSayWhoAsked) {
  const snp_report_response response = Report(ReportRequest());
  EXPECT_EQ(response.status, SNP_STATUS_MESSAGE_OK);
  EXPECT_EQ(response.report_size, SNP_REPORT_SIZE);
  snp_report report = ReportIn(response);
  EXPECT_TRUE(SignatureHolds(report));
  EXPECT_EQ(report.vmpl, 0u);
  EXPECT_EQ(report.policy, 0x30000u);
  EXPECT_EQ(report.guest_svn, 0u);
  const auto all = [](const auto& bytes, uint8_t value) {
    return std::all_of(std::begin(bytes), std::end(bytes),
                       [value](uint8_t byte) { return byte == value; });
  };
  EXPECT_TRUE(all(report.report_data, 0xab));
  EXPECT_TRUE(all(report.measurement, 0x4d));
  EXPECT_FALSE(all(report.report_id, 0));
  report.vmpl = 1;
  EXPECT_FALSE(SignatureHolds(report));
}

TEST_F(SecureProcessorTest, VmplOfAReportIsNeverBelowTheKeys) {
  for (uint8_t vmpck = 0; vmpck < SNP_VMPCK_COUNT; ++vmpck) {
    for (uint32_t vmpl = 0; vmpl < SNP_VMPCK_COUNT + 1; ++vmpl) {
      const snp_report_response response = Report(ReportRequest(vmpl), vmpck);
      if (vmpl >= vmpck && vmpl < SNP_VMPCK_COUNT) {
        EXPECT_EQ(response.status, SNP_STATUS_MESSAGE_OK);
        EXPECT_EQ(ReportIn(response).vmpl, vmpl);
      } else {
        EXPECT_EQ(response.status, SNP_STATUS_INVALID_PARAMETER);
        EXPECT_EQ(response.report_size, 0u);
        EXPECT_TRUE(std::all_of(std::begin(response.report), std::end(response.report),
                                [](uint8_t byte) { return byte == 0; }));
      }
    }
  }
}

TEST_F(SecureProcessorTest, RefusesReportsInsideTheResponse) {
  snp_report_request request = ReportRequest();
  request.key_select = 1;
  EXPECT_EQ(Report(request).status, SNP_STATUS_MESSAGE_OK);
  request.key_select = 2;
  EXPECT_EQ(Report(request).status, SNP_STATUS_INVALID_KEY);
  request.key_select = 3;
  EXPECT_EQ(Report(request).status, SNP_STATUS_INVALID_PARAMETER);
  request = ReportRequest();
  request.reserved[23] = 1;
  EXPECT_EQ(Report(request).status, SNP_STATUS_INVALID_PARAMETER);
  EXPECT_EQ(Report(ReportRequest()).status, SNP_STATUS_MESSAGE_OK);
}

TEST_F(SecureProcessorTest, KeysDependOnWhatWasChosen) {
  const auto key_of = [](SecureProcessor& processor, const snp_secrets& secrets, uint64_t sequence,
                         const snp_key_request& request) {
    const auto payload =
        Ask(processor, secrets,
            RequestHeader(SNP_MESSAGE_KEY_REQUEST, sequence, 0, sizeof(request)), BytesOf(request));
    const auto response = ByteReader(payload).ReadObject<snp_key_response>().value();
    EXPECT_EQ(response.status, SNP_STATUS_MESSAGE_OK);
    return std::string(std::begin(response.key), std::end(response.key));
  };
  SecureProcessor again;
  SecureProcessor other_image;
  SecureProcessor other_policy;
  const snp_secrets again_secrets = Launch(again, 2);
  const snp_secrets image_secrets = Launch(other_image, 3, 0x30000, 0x4e);
  const snp_secrets policy_secrets = Launch(other_policy, 4, 0x20000);

  std::set<std::string> keys;
  uint64_t sequence = 1;
  for (uint64_t fields = 0; fields < 64; ++fields, sequence += 2) {
    snp_key_request request = {};
    request.fields = fields;
    const std::string key = key_of(processor_, secrets_, sequence, request);
    keys.insert(key);
    EXPECT_EQ(key_of(again, again_secrets, sequence, request), key);
    EXPECT_EQ(key_of(other_image, image_secrets, sequence, request) == key,
              (fields & SNP_KEY_FIELD_MEASUREMENT) == 0);
    EXPECT_EQ(key_of(other_policy, policy_secrets, sequence, request) == key,
              (fields & SNP_KEY_FIELD_POLICY) == 0);
  }
  EXPECT_EQ(keys.size(), 64u);

  snp_key_request request = {};
  request.vmpl = 1;
  EXPECT_TRUE(keys.insert(key_of(processor_, secrets_, sequence, request)).second);
  request = {};
  request.fields = SNP_KEY_FIELD_TCB;
  request.tcb = 1;
  EXPECT_TRUE(keys.insert(key_of(processor_, secrets_, sequence + 2, request)).second);
  // Not chosen, so without effect.
  request.fields = 0;
  EXPECT_FALSE(keys.insert(key_of(processor_, secrets_, sequence + 4, request)).second);
}

TEST_F(SecureProcessorTest, RefusesKeysInsideTheResponse) {
  const struct {
    const char* what;
    void (*change)(snp_key_request& request);
  } kCases[] = {
      {"root of a migration agent", [](snp_key_request& r) { r.root_key = 1; }},
      {"reserved", [](snp_key_request& r) { r.reserved = 1; }},
      {"unknown field", [](snp_key_request& r) { r.fields = 1 << 6; }},
      {"no such VMPL", [](snp_key_request& r) { r.vmpl = 4; }},
      {"newer guest", [](snp_key_request& r) { r.guest_svn = 1; }},
      {"newer boot loader", [](snp_key_request& r) { r.tcb = uint64_t{chip::kSimTcb[0]} + 1; }},
      {"newer microcode",
       [](snp_key_request& r) { r.tcb = (uint64_t{chip::kSimTcb[7]} + 1) << 56; }},
  };
  for (const auto& test : kCases) {
    snp_key_request request = {};
    test.change(request);
    const snp_key_response response = DerivedKey(request);
    EXPECT_EQ(response.status, SNP_STATUS_INVALID_PARAMETER) << test.what;
    EXPECT_TRUE(std::all_of(std::begin(response.key), std::end(response.key), [](uint8_t byte) {
      return byte == 0;
    })) << test.what;
  }
  EXPECT_EQ(DerivedKey({}, 1).status, SNP_STATUS_INVALID_PARAMETER);  // for VMPL0
  snp_key_request request = {};
  std::memcpy(&request.tcb, chip::kSimTcb, sizeof(request.tcb));
  EXPECT_EQ(DerivedKey(request).status, SNP_STATUS_MESSAGE_OK);
}

TEST_F(SecureProcessorTest, RefusesWhatIsNoMessage) {
  using Change = void (*)(snp_message_header& header);
  const struct {
    const char* what;
    Change change;
  } kCases[] = {
      {"number of before", [](snp_message_header& h) { h.sequence = 0; }},
      {"number of later", [](snp_message_header& h) { h.sequence = 2; }},
      {"number of the next", [](snp_message_header& h) { h.sequence = 3; }},
      {"algorithm", [](snp_message_header& h) { h.algorithm = 0; }},
      {"header version", [](snp_message_header& h) { h.header_version = 2; }},
      {"header size", [](snp_message_header& h) { h.header_size = 0x40; }},
      {"message version", [](snp_message_header& h) { h.version = 2; }},
      {"key", [](snp_message_header& h) { h.vmpck = 4; }},
      {"more than a page", [](snp_message_header& h) { h.payload_size = 0xfa1; }},
      {"reserved", [](snp_message_header& h) { h.reserved0 = 1; }},
      {"reserved", [](snp_message_header& h) { h.reserved1 = 1; }},
      {"reserved", [](snp_message_header& h) { h.reserved2[34] = 1; }},
      {"response", [](snp_message_header& h) { h.type = SNP_MESSAGE_REPORT_RESPONSE; }},
      {"CPUID", [](snp_message_header& h) { h.type = SNP_MESSAGE_CPUID_REQUEST; }},
      {"no type", [](snp_message_header& h) { h.type = 0; }},
      {"unknown type", [](snp_message_header& h) { h.type = 0xff; }},
      {"payload of another type", [](snp_message_header& h) { h.type = SNP_MESSAGE_KEY_REQUEST; }},
  };
  const snp_report_request request = ReportRequest();
  for (const auto& test : kCases) {
    snp_message_header header =
        RequestHeader(SNP_MESSAGE_REPORT_REQUEST, next_[0], 0, sizeof(request));
    test.change(header);
    EXPECT_EQ(Send(SealMessage(Key(0), header, BytesOf(request))),
              FirmwareStatus::kInvalidParameter)
        << test.what;
  }
  // Properly sealed, but too short and too long.
  std::byte longer[sizeof(request) + 1] = {};
  for (size_t size : {size_t{0}, sizeof(request) - 1, sizeof(request) + 1}) {
    EXPECT_EQ(Send(SealMessage(Key(0), RequestHeader(SNP_MESSAGE_REPORT_REQUEST, 1, 0, size),
                               std::span(longer).first(size))),
              FirmwareStatus::kInvalidParameter)
        << size;
  }
  // None of them has used a number.
  EXPECT_EQ(Report(request).status, SNP_STATUS_MESSAGE_OK);
}

TEST_F(SecureProcessorTest, RefusesWhatWasNotSealedWithTheKey) {
  const snp_report_request request = ReportRequest(3);
  const snp_message_header header =
      RequestHeader(SNP_MESSAGE_REPORT_REQUEST, 1, 0, sizeof(request));
  const Page good = SealMessage(Key(0), header, BytesOf(request));
  EXPECT_EQ(Send(SealMessage(Key(1), header, BytesOf(request))), FirmwareStatus::kBadMeasurement);
  // A bit of the tag, of the text, of its end.
  for (size_t offset : {size_t{0}, size_t{15}, size_t{0x60}, size_t{0x60} + sizeof(request) - 1}) {
    Page changed = good;
    changed[offset] ^= std::byte{0x80};
    EXPECT_EQ(Send(changed), FirmwareStatus::kBadMeasurement) << offset;
  }
  // What VMPL0 has sealed is nothing under the name of another.
  Page renamed = good;
  renamed[offsetof(snp_message_header, vmpck)] = std::byte{1};
  EXPECT_EQ(Send(renamed), FirmwareStatus::kBadMeasurement);
  Page shorter = good;
  shorter[offsetof(snp_message_header, payload_size)] = std::byte{sizeof(request) - 1};
  EXPECT_EQ(Send(shorter), FirmwareStatus::kBadMeasurement);

  EXPECT_EQ(Send(good), FirmwareStatus::kSuccess);
  EXPECT_EQ(Send(good), FirmwareStatus::kInvalidParameter);  // a second time
}

TEST_F(SecureProcessorTest, EachKeyHasItsOwnNumbers) {
  EXPECT_EQ(Report(ReportRequest(), 0).status, SNP_STATUS_MESSAGE_OK);
  EXPECT_EQ(Report(ReportRequest(), 0).status, SNP_STATUS_MESSAGE_OK);
  EXPECT_EQ(Report(ReportRequest(3), 2).status, SNP_STATUS_MESSAGE_OK);
  EXPECT_EQ(Report(ReportRequest(), 0).status, SNP_STATUS_MESSAGE_OK);
}

TEST_F(SecureProcessorTest, ResponseMayReplaceTheRequest) {
  const snp_report_request request = ReportRequest();
  Page page = SealMessage(Key(0), RequestHeader(SNP_MESSAGE_REPORT_REQUEST, 1, 0, sizeof(request)),
                          BytesOf(request));
  ASSERT_EQ(processor_.Exchange(page, page), FirmwareStatus::kSuccess);
  EXPECT_EQ(OpenMessage(Key(0), page).payload.size(), sizeof(snp_report_response));
}

TEST(SecureProcessorLaunchTest, GoesInOneOrder) {
  SecureProcessor processor;
  Page page = {};
  std::array<std::byte, 32> entropy = {};
  std::array<std::byte, 48> digest = {};
  const FirmwareStatus wrong = FirmwareStatus::kInvalidGuestState;
  EXPECT_EQ(processor.WriteSecrets(page), wrong);
  EXPECT_EQ(processor.FinishLaunch(digest), wrong);
  EXPECT_EQ(processor.Exchange(page, page), wrong);
  EXPECT_EQ(processor.StartLaunch(0x30000, entropy), FirmwareStatus::kSuccess);
  EXPECT_EQ(processor.StartLaunch(0x30000, entropy), wrong);
  EXPECT_EQ(processor.Exchange(page, page), wrong);
  EXPECT_EQ(processor.FinishLaunch(digest), FirmwareStatus::kSuccess);
  EXPECT_EQ(processor.StartLaunch(0x30000, entropy), wrong);
  EXPECT_EQ(processor.WriteSecrets(page), wrong);
  EXPECT_EQ(processor.FinishLaunch(digest), wrong);
  EXPECT_EQ(page, Page{});
}

TEST(SecureProcessorLaunchTest, ChecksThePolicy) {
  const std::array<std::byte, 32> entropy = {};
  const struct {
    uint64_t policy;
    FirmwareStatus expected;
  } kCases[] = {
      {SNP_POLICY_MUST_BE_ONE, FirmwareStatus::kSuccess},
      {SNP_POLICY_MUST_BE_ONE | SNP_POLICY_DEBUG, FirmwareStatus::kSuccess},
      {SNP_POLICY_MUST_BE_ONE | 0x137, FirmwareStatus::kSuccess},  // 1.55
      {0, FirmwareStatus::kPolicyFailure},
      {SNP_POLICY_SMT, FirmwareStatus::kPolicyFailure},
      {SNP_POLICY_MUST_BE_ONE | SNP_POLICY_MIGRATION, FirmwareStatus::kPolicyFailure},
      {SNP_POLICY_MUST_BE_ONE | 0x138, FirmwareStatus::kPolicyFailure},
      {SNP_POLICY_MUST_BE_ONE | 0x200, FirmwareStatus::kPolicyFailure},
  };
  for (const auto& test : kCases) {
    SecureProcessor processor;
    EXPECT_EQ(processor.StartLaunch(test.policy, entropy), test.expected) << test.policy;
  }
}

}  // namespace
}  // namespace nsgx::firmware
