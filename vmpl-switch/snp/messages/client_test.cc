// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/messages/client.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/core/addr.h"
#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/snp/testing/fake_firmware.h"

namespace nsgx::snp {
namespace {

constexpr std::array<std::byte, 32> kKey = {std::byte{1}, std::byte{2}, std::byte{3}};

class MessageClientTest : public testing::Test {
 protected:
  MessageClientTest() : firmware_(kKey), client_(firmware_) {
    client_.Initialize(kKey, 0);
    std::fill(report_data_.begin(), report_data_.end(), std::byte{0xab});
  }

  Result<void> Report() { return client_.Report(report_data_, report_); }
  bool ReportIsGood() const {
    return std::equal(report_data_.begin(), report_data_.end(), report_.begin() + 0x50);
  }

  FakeFirmware firmware_;
  MessageClient client_;
  std::array<std::byte, 64> report_data_;
  std::array<std::byte, SNP_REPORT_SIZE> report_ = {};
};

TEST_F(MessageClientTest, FetchesReports) {
  ASSERT_TRUE(Report().ok());
  EXPECT_TRUE(ReportIsGood());
  ASSERT_TRUE(Report().ok());
  EXPECT_EQ(firmware_.sequences, (std::vector<uint64_t>{1, 3}));
}

TEST_F(MessageClientTest, ContinuesTheCount) {
  FakeFirmware firmware(kKey, 40);
  MessageClient client(firmware);
  client.Initialize(kKey, 40);
  ASSERT_TRUE(client.Report(report_data_, report_).ok());
  EXPECT_EQ(firmware.sequences, (std::vector<uint64_t>{41}));
}

TEST_F(MessageClientTest, DerivesKeys) {
  snp_key_request request = {};
  request.fields = SNP_KEY_FIELD_MEASUREMENT | SNP_KEY_FIELD_POLICY;
  std::array<std::byte, 32> key = {};
  ASSERT_TRUE(client_.DerivedKey(request, key).ok());
  EXPECT_EQ(key[31], std::byte{0x77});
  EXPECT_EQ(firmware_.key_request.fields, request.fields);
  // The secure processor refuses; the exchange itself was fine.
  firmware_.status = SNP_STATUS_INVALID_PARAMETER;
  EXPECT_EQ(client_.DerivedKey(request, key).error(), Status::kHostFault);
  EXPECT_TRUE(Report().ok());
}

TEST_F(MessageClientTest, RepeatsTheSameMessageWhileTheHostIsBusy) {
  firmware_.busy_answers = 3;
  ASSERT_TRUE(Report().ok());
  EXPECT_EQ(firmware_.exchanges, 4u);
  EXPECT_EQ(firmware_.sequences, (std::vector<uint64_t>{1}));
  firmware_.busy_answers = 1'000'000;
  EXPECT_EQ(Report().error(), Status::kBusy);
}

TEST_F(MessageClientTest, FetchesCertificates) {
  firmware_.certificate_bytes.assign(2 * kPageSize, std::byte{0x33});
  std::vector<std::byte> certificates(2 * kPageSize);
  uint64_t wanted = 0;
  ASSERT_TRUE(client_.ReportWithCertificates(report_data_, report_, certificates, &wanted).ok());
  EXPECT_EQ(certificates, firmware_.certificate_bytes);
}

TEST_F(MessageClientTest, SaysHowMuchRoomCertificatesNeed) {
  firmware_.certificate_bytes.assign(3 * kPageSize, std::byte{0x33});
  std::vector<std::byte> certificates(size_t{kPageSize});
  uint64_t wanted = 0;
  EXPECT_EQ(client_.ReportWithCertificates(report_data_, report_, certificates, &wanted).error(),
            Status::kOutOfRange);
  EXPECT_EQ(wanted, 3 * kPageSize);
  // The number was used up by the message that went out, so the next one has another.
  EXPECT_TRUE(Report().ok());
  EXPECT_EQ(firmware_.sequences, (std::vector<uint64_t>{1, 3}));
}

TEST_F(MessageClientTest, NeverUsesANonceTwice) {
  // Whatever a host does to one exchange, no other message goes out under that number, and so none
  // at all.
  const struct {
    const char* what;
    void (*attack)(FakeFirmware& firmware);
    Status status;
  } kCases[] = {
      {"changed text", [](FakeFirmware& f) { f.flips_bit = true; }, Status::kBadTag},
      {"host error", [](FakeFirmware& f) { f.host_error = uint64_t{77} << 32; },
       Status::kHostFault},
      {"firmware error", [](FakeFirmware& f) { f.host_error = SNP_STATUS_INVALID_KEY; },
       Status::kHostFault},
      {"too small, unasked",
       [](FakeFirmware& f) { f.host_error = uint64_t{GHCB_REQUEST_TOO_SMALL} << 32; },
       Status::kHostFault},
      {"old response", [](FakeFirmware& f) { f.replays = true; }, Status::kHostFault},
      {"number",
       [](FakeFirmware& f) { f.change_header = [](snp_message_header& h) { h.sequence = 2; }; },
       Status::kHostFault},
      {"type",
       [](FakeFirmware& f) {
         f.change_header = [](snp_message_header& h) { h.type = SNP_MESSAGE_KEY_RESPONSE; };
       },
       Status::kHostFault},
      {"algorithm",
       [](FakeFirmware& f) { f.change_header = [](snp_message_header& h) { h.algorithm = 2; }; },
       Status::kHostFault},
      {"header version",
       [](FakeFirmware& f) {
         f.change_header = [](snp_message_header& h) { h.header_version = 2; };
       },
       Status::kHostFault},
      {"header size",
       [](FakeFirmware& f) {
         f.change_header = [](snp_message_header& h) { h.header_size = 0x40; };
       },
       Status::kHostFault},
      {"another VMPL's key",
       [](FakeFirmware& f) { f.change_header = [](snp_message_header& h) { h.vmpck = 1; }; },
       Status::kHostFault},
      {"too long",
       [](FakeFirmware& f) {
         f.change_header = [](snp_message_header& h) { h.payload_size = 4000; };
       },
       Status::kHostFault},
  };
  for (const auto& test : kCases) {
    FakeFirmware firmware(kKey);
    MessageClient client(firmware);
    client.Initialize(kKey, 0);
    ASSERT_TRUE(client.Report(report_data_, report_).ok());
    test.attack(firmware);
    EXPECT_EQ(client.Report(report_data_, report_).error(), test.status) << test.what;
    const uint32_t exchanges = firmware.exchanges;
    EXPECT_EQ(client.Report(report_data_, report_).error(), Status::kBadState) << test.what;
    EXPECT_EQ(firmware.exchanges, exchanges) << test.what;
    EXPECT_FALSE(firmware.saw_bad_message) << test.what;
  }
}

TEST_F(MessageClientTest, WantsAKeyFirst) {
  MessageClient client(firmware_);
  EXPECT_EQ(client.Report(report_data_, report_).error(), Status::kBadState);
  EXPECT_EQ(firmware_.exchanges, 0u);
}

}  // namespace
}  // namespace nsgx::snp
