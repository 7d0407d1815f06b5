// SPDX-License-Identifier: Apache-2.0
// <nsgx/attest.h> as programs use it. In an enclave the functions do what they say; in the native
// twin they say ENODEV, all of them.
#include <gtest/gtest.h>
#include <nsgx/attest.h>

#include <thread>

namespace nsgx::attest {
namespace {

// An address that no program has.
template <typename T>
T* Wild() {
  return reinterpret_cast<T*>(uintptr_t{64});
}

class AttestTest : public testing::Test {
 protected:
  // False in the native twin, after having made sure that there is nothing to be had there.
  bool IsEnclave() {
    const Outcome<nsgx_report> report = GetReport({}, {});
    if (report) {
      return true;
    }
    EXPECT_EQ(report.error(), ENODEV);
    EXPECT_EQ(GetEvidence({}).error(), ENODEV);
    EXPECT_EQ(VerifyReport({}), ENODEV);
    EXPECT_EQ(SealKey(KeyPolicy::kIdentity, {}).error(), ENODEV);
    return false;
  }
  static Identity OwnIdentity() {
    const Outcome<nsgx_report> report = GetReport({}, {});
    Identity identity;
    std::memcpy(identity.data(), report->body.identity, identity.size());
    return identity;
  }
  static KeyId Id(uint8_t number) { return {std::byte{number}}; }
};

TEST_F(AttestTest, ReportForOneself) {
  if (!IsEnclave()) {
    return;
  }
  ReportData data;
  data.fill(std::byte{0x3c});
  Outcome<nsgx_report> report = GetReport(OwnIdentity(), data);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->body.magic, NSGX_REPORT_MAGIC);
  EXPECT_EQ(std::memcmp(report->body.report_data, data.data(), data.size()), 0);
  EXPECT_EQ(VerifyReport(*report), 0);
  for (uint8_t* byte :
       {&report->body.report_data[0], &report->body.identity[31], &report->mac[31]}) {
    *byte ^= 1;
    EXPECT_EQ(VerifyReport(*report), EBADMSG);
    *byte ^= 1;
  }
  EXPECT_EQ(VerifyReport(*report), 0);
}

TEST_F(AttestTest, ReportForAnother) {
  if (!IsEnclave()) {
    return;
  }
  Identity other = OwnIdentity();
  other[0] ^= std::byte{1};
  Outcome<nsgx_report> report = GetReport(other, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(VerifyReport(*report), EBADMSG);
  // Saying that it was for us does not help.
  std::memcpy(report->target, OwnIdentity().data(), sizeof(report->target));
  EXPECT_EQ(VerifyReport(*report), EBADMSG);
}

TEST_F(AttestTest, KeysStayAndDiffer) {
  if (!IsEnclave()) {
    return;
  }
  const Outcome<Key> key = SealKey(KeyPolicy::kIdentity, Id(1));
  ASSERT_TRUE(key);
  EXPECT_NE(*key, Key{});
  EXPECT_EQ(*key, *SealKey(KeyPolicy::kIdentity, Id(1)));
  EXPECT_NE(*key, *SealKey(KeyPolicy::kIdentity, Id(2)));
  EXPECT_NE(*key, *SealKey(KeyPolicy::kSigner, Id(1)));
  const uint16_t own = GetReport({}, {})->body.svn;
  EXPECT_EQ(*key, *SealKey(KeyPolicy::kIdentity, Id(1), own));
  EXPECT_EQ(SealKey(KeyPolicy::kIdentity, Id(1), static_cast<uint16_t>(own + 1)).error(), EACCES);
  EXPECT_EQ(SealKey(static_cast<KeyPolicy>(3), Id(1)).error(), EINVAL);
}

TEST_F(AttestTest, EvidenceIsWhole) {
  if (!IsEnclave()) {
    return;
  }
  const Outcome<ReportData> data = ReportDataOf(std::as_bytes(std::span("nonce", 5)));
  const Outcome<std::vector<std::byte>> evidence = GetEvidence(*data);
  ASSERT_TRUE(evidence);
  nsgx_evidence_header header;
  nsgx_evidence_core core;
  ASSERT_GT(evidence->size(), sizeof(header) + sizeof(core));
  std::memcpy(&header, evidence->data(), sizeof(header));
  std::memcpy(&core, evidence->data() + sizeof(header), sizeof(core));
  EXPECT_EQ(header.magic, NSGX_EVIDENCE_MAGIC);
  EXPECT_EQ(header.size, evidence->size());
  EXPECT_EQ(std::memcmp(core.body.report_data, "nonce\0", 6), 0);
}

TEST_F(AttestTest, EvidenceIntoSmallBuffers) {
  if (!IsEnclave()) {
    return;
  }
  const uint8_t data[64] = {};
  size_t size = 0;
  EXPECT_EQ(nsgx_attest_evidence(data, nullptr, 0, &size), -ERANGE);
  std::vector<std::byte> buffer(size);
  EXPECT_EQ(nsgx_attest_evidence(data, buffer.data(), size - 1, &size), -ERANGE);
  EXPECT_EQ(nsgx_attest_evidence(data, buffer.data(), size, &size), 0);
  EXPECT_EQ(size, buffer.size());
}

TEST_F(AttestTest, WildPointersAreErrors) {
  if (!IsEnclave()) {
    return;
  }
  const uint8_t data[64] = {};
  uint8_t buffer[NSGX_EVIDENCE_MAX_SIZE];
  size_t size = 0;
  EXPECT_EQ(nsgx_attest_evidence(Wild<uint8_t>(), buffer, sizeof(buffer), &size), -EFAULT);
  EXPECT_EQ(nsgx_attest_evidence(data, Wild<uint8_t>(), sizeof(buffer), &size), -EFAULT);
  EXPECT_EQ(nsgx_attest_evidence(data, buffer, sizeof(buffer), Wild<size_t>()), -EFAULT);
  EXPECT_EQ(nsgx_attest_report(data, data, Wild<nsgx_report>()), -EFAULT);
  EXPECT_EQ(nsgx_attest_verify(Wild<nsgx_report>()), -EFAULT);
  EXPECT_EQ(nsgx_attest_key(NSGX_KEY_BY_SIGNER, 0, Wild<uint8_t>(), buffer), -EFAULT);
}

TEST_F(AttestTest, ManyThreadsAtOnce) {
  if (!IsEnclave()) {
    return;
  }
  const Key expected = *SealKey(KeyPolicy::kIdentity, Id(7));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([expected] {
      for (int round = 0; round < 4; ++round) {
        const auto evidence = GetEvidence({});
        EXPECT_TRUE(evidence) << evidence.error();
        const auto key = SealKey(KeyPolicy::kIdentity, Id(7));
        EXPECT_TRUE(key && *key == expected);
      }
    });
  }
}

TEST(ReportDataTest, NoncesAreFollowedByZeros) {
  const std::byte nonce[65] = {std::byte{1}, std::byte{2}};
  const Outcome<ReportData> data = ReportDataOf(std::span(nonce, 2));
  ASSERT_TRUE(data);
  EXPECT_EQ(data.error(), 0);
  EXPECT_EQ((*data)[1], std::byte{2});
  EXPECT_EQ((*data)[63], std::byte{0});
  EXPECT_TRUE(ReportDataOf(std::span(nonce, 64)));
  EXPECT_EQ(ReportDataOf(nonce).error(), EINVAL);
}

}  // namespace
}  // namespace nsgx::attest
