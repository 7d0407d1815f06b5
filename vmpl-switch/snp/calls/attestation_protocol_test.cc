// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/calls/attestation_protocol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/core/bytes.h"
#include "base/crypto/sha512.h"
#include "vmpl-switch/snp/testing/fake_firmware.h"
#include "vmpl-switch/snp/testing/fake_rmp.h"

namespace nsgx::snp {
namespace {

constexpr std::array<std::byte, 32> kKey = {std::byte{9}};

constexpr GuestPhys kArgument{0x201000};
constexpr GuestPhys kNonce{0x202f00};  // crosses a page
constexpr GuestPhys kReport{0x210000};
constexpr GuestPhys kManifest{0x220000};
constexpr GuestPhys kCertificates{0x230000};
constexpr GuestPhys kOwnPage{0x800000};
constexpr uint16_t kNonceSize = 600;

class FakeSigningKey final : public SigningKey {
 public:
  Result<void> PublicKey(std::span<std::byte, 96> out) override {
    if (fails) {
      return Error(Status::kEntropyFailure);
    }
    std::fill(out.begin(), out.end(), std::byte{0x4b});
    return {};
  }
  uint32_t svn() const override { return 3; }

  bool fails = false;
};

class AttestationProtocolTest : public testing::Test {
 protected:
  AttestationProtocolTest()
      : firmware_(kKey), client_(firmware_), protocol_(machine_.guest, client_) {
    client_.Initialize(kKey, 0);
    machine_.GiveToGuest(GuestPhys(0x200000), 256);
    machine_.pages.SetInitial(PageRange<GuestPhysTag>::OfPages(kOwnPage, 1).value(),
                              PageState::kOwn);
    for (uint16_t i = 0; i < kNonceSize; ++i) {
      *machine_.At<uint8_t>(kNonce + i) = static_cast<uint8_t>(i);
    }
    request_.report = kReport.raw();
    request_.report_size = kPageSize;
    request_.nonce = kNonce.raw();
    request_.nonce_size = kNonceSize;
    request_.manifest = kManifest.raw();
    request_.manifest_size = kPageSize;
    std::copy(kServiceGuid.begin(), kServiceGuid.end(), request_.service);
  }

  uint32_t Call(uint32_t call = SVSM_ATTEST_SERVICES) {
    *machine_.At<svsm_attestation>(kArgument) = request_;
    return CallAt(call, kArgument.raw());
  }
  uint32_t CallAt(uint32_t call, uint64_t rcx) {
    context_.registers = {rcx, ~uint64_t{0}, ~uint64_t{0}, 0};
    return protocol_.Serve(call, context_);
  }

  std::span<const std::byte> Bytes(GuestPhys at, size_t size) {
    return {machine_.memory.At(at), size};
  }
  Sha512::Digest ExpectedReportData() {
    Sha512 hash;
    hash.Update(Bytes(kNonce, kNonceSize));
    hash.Update(Bytes(kManifest, context_.registers.rcx));
    return hash.Finish();
  }

  FakeMachine machine_;
  FakeFirmware firmware_;
  MessageClient client_;
  AttestationProtocol protocol_;
  FakeSigningKey key_;
  svsm_attestation request_ = {};
  CallContext context_;
};

TEST_F(AttestationProtocolTest, TheReportBindsNonceAndManifest) {
  protocol_.Publish(key_);
  ASSERT_EQ(Call(), SVSM_SUCCESS);
  EXPECT_EQ(context_.registers.rcx, 24u + 24 + sizeof(ServiceManifest));
  EXPECT_EQ(context_.registers.rdx, 0u);
  EXPECT_EQ(context_.registers.r8, SNP_REPORT_SIZE);
  EXPECT_TRUE(std::ranges::equal(firmware_.report_data, ExpectedReportData()));
  EXPECT_TRUE(std::ranges::equal(Bytes(kReport + 0x50, 64), ExpectedReportData()));
}

TEST_F(AttestationProtocolTest, TheManifestNamesTheKey) {
  protocol_.Publish(key_);
  ASSERT_EQ(Call(), SVSM_SUCCESS);
  ByteReader reader(Bytes(kManifest, context_.registers.rcx));
  constexpr uint8_t kServices[16] = {0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46,
                                     0xa1, 0xff, 0x58, 0xf9, 0xc9, 0x4b, 0x87, 0xbb};
  EXPECT_EQ(std::memcmp(reader.ReadBytes(16).value().data(), kServices, 16), 0);
  EXPECT_EQ(reader.Read<uint32_t>().value(), context_.registers.rcx);
  EXPECT_EQ(reader.Read<uint32_t>().value(), 1u);
  EXPECT_EQ(std::memcmp(reader.ReadBytes(16).value().data(), kServiceGuid.data(), 16), 0);
  const uint32_t offset = reader.Read<uint32_t>().value();
  EXPECT_EQ(reader.Read<uint32_t>().value(), sizeof(ServiceManifest));
  ASSERT_TRUE(reader.Seek(offset).ok());
  const ServiceManifest manifest = reader.ReadObject<ServiceManifest>().value();
  EXPECT_EQ(manifest.version, kServiceManifestVersion);
  EXPECT_EQ(manifest.seh_svn, 3u);
  EXPECT_EQ(manifest.public_key[95], 0x4b);
  EXPECT_TRUE(reader.at_end());
}

TEST_F(AttestationProtocolTest, OneServiceAlone) {
  EXPECT_EQ(Call(SVSM_ATTEST_SINGLE_SERVICE), SVSM_INVALID_PARAMETER);  // not published
  protocol_.Publish(key_);
  ASSERT_EQ(Call(SVSM_ATTEST_SINGLE_SERVICE), SVSM_SUCCESS);
  EXPECT_EQ(context_.registers.rcx, sizeof(ServiceManifest));
  EXPECT_TRUE(std::ranges::equal(firmware_.report_data, ExpectedReportData()));
  request_.service[3] ^= 1;
  EXPECT_EQ(Call(SVSM_ATTEST_SINGLE_SERVICE), SVSM_INVALID_PARAMETER);
  request_.service[3] ^= 1;
  request_.manifest_version = kServiceManifestVersion + 1;
  EXPECT_EQ(Call(SVSM_ATTEST_SINGLE_SERVICE), SVSM_INVALID_PARAMETER);
}

TEST_F(AttestationProtocolTest, NoServicesIsAManifestToo) {
  ASSERT_EQ(Call(), SVSM_SUCCESS);
  EXPECT_EQ(context_.registers.rcx, 24u);
}

TEST_F(AttestationProtocolTest, SaysHowLargeBuffersMustBe) {
  protocol_.Publish(key_);
  request_.manifest_size = 10;
  EXPECT_EQ(Call(), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(context_.registers.rcx, 24u + 24 + sizeof(ServiceManifest));
  EXPECT_EQ(context_.registers.r8, SNP_REPORT_SIZE);
  request_.manifest_size = kPageSize;
  request_.report_size = SNP_REPORT_SIZE - 1;
  EXPECT_EQ(Call(), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(firmware_.exchanges, 0u);
  // Certificates larger than their buffer.
  request_.report_size = kPageSize;
  request_.certificates = kCertificates.raw();
  request_.certificates_size = kPageSize;
  firmware_.certificate_bytes.assign(2 * kPageSize, std::byte{0x33});
  EXPECT_EQ(Call(), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(context_.registers.rdx, 2 * kPageSize);
  request_.certificates_size = 2 * kPageSize;
  EXPECT_EQ(Call(), SVSM_SUCCESS);
  EXPECT_EQ(context_.registers.rdx, 2 * kPageSize);
  EXPECT_EQ(*machine_.At<uint8_t>(kCertificates + 2 * kPageSize - 1), 0x33);
}

TEST_F(AttestationProtocolTest, HostileRequests) {
  const struct {
    const char* what;
    void (*change)(svsm_attestation& request);
    uint32_t result;
  } kCases[] = {
      {"report not aligned", [](svsm_attestation& r) { r.report += 8; }, SVSM_INVALID_PARAMETER},
      {"manifest not aligned", [](svsm_attestation& r) { r.manifest += 8; },
       SVSM_INVALID_PARAMETER},
      {"certificates not aligned",
       [](svsm_attestation& r) {
         r.certificates = kCertificates.raw() + 8;
         r.certificates_size = 4096;
       },
       SVSM_INVALID_PARAMETER},
      {"no nonce", [](svsm_attestation& r) { r.nonce_size = 0; }, SVSM_INVALID_PARAMETER},
      {"nonce too large", [](svsm_attestation& r) { r.nonce_size = 4097; }, SVSM_INVALID_PARAMETER},
      {"report into the SEH", [](svsm_attestation& r) { r.report = kOwnPage.raw(); },
       SVSM_INVALID_ADDRESS},
      {"nonce from the SEH", [](svsm_attestation& r) { r.nonce = kOwnPage.raw(); },
       SVSM_INVALID_ADDRESS},
      {"nonce runs into the SEH", [](svsm_attestation& r) { r.nonce = kOwnPage.raw() - 8; },
       SVSM_INVALID_ADDRESS},
      {"manifest into the SEH", [](svsm_attestation& r) { r.manifest = kOwnPage.raw(); },
       SVSM_INVALID_ADDRESS},
      {"certificates into the SEH",
       [](svsm_attestation& r) {
         r.certificates = kOwnPage.raw();
         r.certificates_size = 4096;
       },
       SVSM_INVALID_ADDRESS},
      {"report runs out of the guest",
       [](svsm_attestation& r) {
         r.report = 0x2ff000;
         r.report_size = 8192;
       },
       SVSM_INVALID_ADDRESS},
      {"manifest wraps",
       [](svsm_attestation& r) {
         r.manifest = ~uint64_t{0xfff};
         r.manifest_size = 0xffffffff;
       },
       SVSM_INVALID_ADDRESS},
      {"nonce beyond everything", [](svsm_attestation& r) { r.nonce = uint64_t{1} << 47; },
       SVSM_INVALID_ADDRESS},
  };
  protocol_.Publish(key_);
  const svsm_attestation good = request_;
  for (const auto& test : kCases) {
    request_ = good;
    test.change(request_);
    EXPECT_EQ(Call(), test.result) << test.what;
    EXPECT_EQ(Call(SVSM_ATTEST_SINGLE_SERVICE), test.result) << test.what;
  }
  for (const uint64_t argument : {kOwnPage.raw(), uint64_t{1} << 47, ~uint64_t{7},
                                  kArgument.raw() + 0xfc8 /* leaves its page */}) {
    EXPECT_NE(CallAt(SVSM_ATTEST_SERVICES, argument), SVSM_SUCCESS) << argument;
  }
  EXPECT_EQ(CallAt(SVSM_ATTEST_SERVICES, kArgument.raw() + 4), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(CallAt(2, kArgument.raw()), SVSM_UNSUPPORTED_CALL);
  EXPECT_EQ(firmware_.exchanges, 0u);
}

TEST_F(AttestationProtocolTest, PassesFailuresOn) {
  protocol_.Publish(key_);
  key_.fails = true;
  EXPECT_EQ(Call(), SVSM_INVALID_REQUEST);
  key_.fails = false;
  firmware_.status = SNP_STATUS_INVALID_PARAMETER;
  EXPECT_EQ(Call(), SVSM_INVALID_REQUEST);
  firmware_.flips_bit = true;
  EXPECT_EQ(Call(), SVSM_INVALID_REQUEST);
  EXPECT_EQ(*machine_.At<uint64_t>(kReport), 0u);
}

}  // namespace
}  // namespace nsgx::snp
