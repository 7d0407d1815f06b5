// SPDX-License-Identifier: Apache-2.0
// The SEH's side of guest messages against the fake chip's: two implementations of one protocol
// that share no code.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/core/addr.h"
#include "base/core/bytes.h"
#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/emulator/firmware/certificate_table.h"
#include "vmpl-switch/emulator/firmware/guest_side.h"
#include "vmpl-switch/emulator/firmware/report_signature.h"
#include "vmpl-switch/emulator/firmware/secure_processor.h"
#include "vmpl-switch/snp/messages/client.h"

namespace nsgx::firmware {
namespace {

// An honest host.
class Host final : public snp::MessageTransport {
 public:
  explicit Host(SecureProcessor& processor) : processor_(processor) {}

  Result<Answer> Exchange(std::span<const std::byte, 4096> request,
                          std::span<std::byte, 4096> response,
                          std::span<std::byte> certificates) override {
    if (!certificates.empty() && !WriteCertificateTable(certificates).ok()) {
      return Answer{uint64_t{GHCB_REQUEST_TOO_SMALL} << 32, CertificateTablePages()};
    }
    return Answer{static_cast<uint32_t>(processor_.Exchange(request, response)), 0};
  }

 private:
  SecureProcessor& processor_;
};

class SehClientTest : public testing::Test {
 protected:
  SehClientTest() : secrets_(Launch(processor_)), host_(processor_), client_(host_) {
    client_.Initialize(std::as_bytes(std::span(secrets_.vmpck[0])), 0);
    report_data_.fill(std::byte{0x17});
  }

  snp_report report() const {
    snp_report result;
    std::memcpy(&result, report_.data(), sizeof(result));
    return result;
  }

  SecureProcessor processor_;
  const snp_secrets secrets_;
  Host host_;
  snp::MessageClient client_;
  std::array<std::byte, 64> report_data_;
  std::array<std::byte, SNP_REPORT_SIZE> report_ = {};
};

TEST_F(SehClientTest, FetchesReports) {
  for (int i = 0; i < 3; ++i) {
    report_.fill(std::byte{0});
    ASSERT_TRUE(client_.Report(report_data_, report_).ok());
    EXPECT_TRUE(SignatureHolds(report()));
    EXPECT_EQ(std::memcmp(report().report_data, report_data_.data(), report_data_.size()), 0);
    EXPECT_EQ(report().vmpl, 0u);
  }
}

TEST_F(SehClientTest, FetchesReportsWithTheirCertificates) {
  std::vector<std::byte> certificates(size_t{kPageSize});
  uint64_t wanted = 0;
  ASSERT_EQ(client_.ReportWithCertificates(report_data_, report_, certificates, &wanted).error(),
            Status::kOutOfRange);
  certificates.resize(wanted);
  ASSERT_TRUE(client_.ReportWithCertificates(report_data_, report_, certificates, &wanted).ok());
  ByteReader table(certificates);
  ASSERT_TRUE(table.Skip(16).ok());  // the VCEK's GUID
  const uint32_t offset = table.Read<uint32_t>().value();
  const uint32_t size = table.Read<uint32_t>().value();
  EXPECT_TRUE(SignatureHolds(report(), Slice(certificates, offset, size).value()));
}

TEST_F(SehClientTest, DerivesKeys) {
  snp_key_request request = {};
  request.fields = SNP_KEY_FIELD_MEASUREMENT | SNP_KEY_FIELD_POLICY;
  std::array<std::byte, 32> key = {};
  ASSERT_TRUE(client_.DerivedKey(request, key).ok());
  EXPECT_NE(key, (std::array<std::byte, 32>{}));
  std::array<std::byte, 32> again = {};
  ASSERT_TRUE(client_.DerivedKey(request, again).ok());
  EXPECT_EQ(key, again);
  request.root_key = 1;
  EXPECT_EQ(client_.DerivedKey(request, again).error(), Status::kHostFault);
  // Refused by the firmware, not lost on the way: the exchange goes on.
  EXPECT_TRUE(client_.Report(report_data_, report_).ok());
}

TEST_F(SehClientTest, AnotherGuestsKeyIsWorthNothing) {
  SecureProcessor other;
  const snp_secrets secrets = Launch(other, 9);
  snp::MessageClient client(host_);
  client.Initialize(std::as_bytes(std::span(secrets.vmpck[0])), 0);
  EXPECT_EQ(client.Report(report_data_, report_).error(), Status::kHostFault);
  EXPECT_TRUE(client_.Report(report_data_, report_).ok());
}

}  // namespace
}  // namespace nsgx::firmware
