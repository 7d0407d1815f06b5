// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/roots.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/core/bytes.h"
#include "enclave-loader/verify/certificate.h"
#include "enclave-loader/verify/test_files.h"
#include "vmpl-switch/emulator/chip/chip.h"

namespace nsgx::verify {
namespace {

TEST(RootsTest, PinnedHashesAreThoseOfAmdsCertificates) {
  std::set<std::string> seen;
  for (const char* file : {"roots/milan_ask_ark_asvk.pem", "roots/genoa_ask_ark_asvk.pem",
                           "roots/turin_ask_ark_asvk.pem"}) {
    const Result<std::vector<Bytes>> certificates = SplitCertificates(ReadTestFile(file));
    ASSERT_TRUE(certificates.ok()) << file;
    ASSERT_EQ(certificates.value().size(), 3u) << file;
    for (const Bytes& der : certificates.value()) {
      const Result<Certificate> certificate = Certificate::Parse(der);
      ASSERT_TRUE(certificate.ok()) << file;
      const Root* root = FindRoot(certificate.value().PublicKeyHash());
      ASSERT_EQ(root != nullptr, certificate.value().is_self_issued()) << file;
      if (root != nullptr) {
        EXPECT_EQ(root->name, certificate.value().Name());
        EXPECT_EQ(root->name, "ARK-" + std::string(GenerationName(root->generation)));
        EXPECT_FALSE(root->is_simulated);
        seen.insert(std::string(root->name));
      }
    }
  }
  EXPECT_EQ(seen.size(), 3u);
}

// Both intermediate authorities of each generation, so that VCEKs and VLEKs find their way up.
TEST(RootsTest, AmdsRootsSignTheirAuthorities) {
  for (const char* file : {"roots/milan_ask_ark_asvk.pem", "roots/genoa_ask_ark_asvk.pem",
                           "roots/turin_ask_ark_asvk.pem"}) {
    std::vector<Certificate> certificates;
    const Result<std::vector<Bytes>> ders = SplitCertificates(ReadTestFile(file));
    ASSERT_TRUE(ders.ok());
    for (const Bytes& der : ders.value()) {
      certificates.push_back(Certificate::Parse(der).value());
    }
    ASSERT_EQ(certificates.size(), 3u);
    const Certificate& root = certificates[1];
    for (const Certificate& certificate : certificates) {
      EXPECT_TRUE(certificate.NamesAsIssuer(root)) << certificate.Name();
      EXPECT_TRUE(certificate.ClaimsAmdSignature()) << certificate.Name();
      EXPECT_TRUE(certificate.IsSignedBy(root)) << certificate.Name();
      EXPECT_TRUE(certificate.MaySignCertificates()) << certificate.Name();
      EXPECT_TRUE(certificate.HasRsa4096Key()) << certificate.Name();
    }
    EXPECT_FALSE(root.IsSignedBy(certificates[0]));
    EXPECT_FALSE(certificates[2].IsSignedBy(certificates[0]));
  }
}

TEST(RootsTest, SimulatedRootIsTheChips) {
  ByteReader reader(chip::CertificateChain());
  std::span<const std::byte> last;
  while (!reader.at_end()) {
    last = reader.ReadBytes(reader.Read<uint32_t>().value()).value();
  }
  const Result<Certificate> ark = Certificate::Parse(last);
  ASSERT_TRUE(ark.ok());
  const Root* root = FindRoot(ark.value().PublicKeyHash());
  ASSERT_NE(root, nullptr);
  EXPECT_TRUE(root->is_simulated);
  EXPECT_EQ(root->name, ark.value().Name());
}

}  // namespace
}  // namespace nsgx::verify
