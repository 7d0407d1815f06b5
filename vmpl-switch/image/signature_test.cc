// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/signature.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/core/bytes.h"
#include "vmpl-switch/image/test_image.h"

namespace nsgx {
namespace {

Status Parse(const nsgx_signature& signature) {
  const Result<nsgx_signature> result = ParseSignature(BytesOf(signature));
  return result.ok() ? Status::kOk : result.error();
}

// Checks against the image that was signed.
Status Check(const nsgx_signature& signature) {
  const TestImage image;
  return ToStatus(CheckSignature(signature, image.Identity(), image.config));
}

TEST(Signature, IsAccepted) {
  const nsgx_signature signature = TestImage().Sign();
  Result<nsgx_signature> parsed = ParseSignature(BytesOf(signature));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(Check(parsed.value()), Status::kOk);
  EXPECT_EQ(SignerOf(signature), Sha256::Hash(std::as_bytes(std::span(signature.modulus))));
}

TEST(Signature, HasItsSize) {
  const nsgx_signature signature = TestImage().Sign();
  const std::span<const std::byte> bytes = BytesOf(signature);
  for (size_t size : {size_t{0}, size_t{1}, size_t{128}, bytes.size() - 1}) {
    EXPECT_EQ(ParseSignature(bytes.first(size)).error(), Status::kMalformed) << size;
  }
  std::vector<std::byte> longer(bytes.begin(), bytes.end());
  longer.push_back(std::byte{0});
  EXPECT_EQ(ParseSignature(longer).error(), Status::kMalformed);
}

TEST(Signature, IsRefusedForItsFormat) {
  const nsgx_signature good = TestImage().Sign();
  const auto status = [&](const std::function<void(nsgx_signature&)>& change) {
    nsgx_signature changed = good;
    change(changed);
    return Parse(changed);
  };
  EXPECT_EQ(status([](nsgx_signature& s) { s.magic = 0; }), Status::kMalformed);
  EXPECT_EQ(status([](nsgx_signature& s) { s.version = 0; }), Status::kMalformed);
  EXPECT_EQ(status([](nsgx_signature& s) { s.version = 2; }), Status::kUnsupported);
  for (uint32_t date : {0u, 20260021u, 20261321u, 20261100u, 20261132u, 19991231u, ~0u}) {
    EXPECT_EQ(status([&](nsgx_signature& s) { s.date = date; }), Status::kMalformed) << date;
  }
  EXPECT_EQ(status([](nsgx_signature& s) { s.reserved[59] = 1; }), Status::kMalformed);
  EXPECT_EQ(status([](nsgx_signature& s) {
              s.attribute_mask = 1;
              s.attributes = 2;
            }),
            Status::kMalformed);
}

TEST(Signature, IsForThisImageOnly) {
  nsgx_signature signature = TestImage().Sign();
  signature.identity[0] ^= 1;
  SignAgain(signature);
  EXPECT_EQ(Check(signature), Status::kBadMeasurement);
}

TEST(Signature, BindsProductVersionAndAttributes) {
  const nsgx_signature good = TestImage().Sign();
  const auto status = [&](const std::function<void(nsgx_signature&)>& change) {
    nsgx_signature changed = good;
    change(changed);
    SignAgain(changed);
    return Check(changed);
  };
  EXPECT_EQ(status([](nsgx_signature& s) { ++s.product_id; }), Status::kPermissionDenied);
  EXPECT_EQ(status([](nsgx_signature& s) { ++s.svn; }), Status::kPermissionDenied);
  EXPECT_EQ(status([](nsgx_signature& s) { s.attributes ^= NSGX_ATTRIBUTE_DEBUG; }),
            Status::kPermissionDenied);
  // A future attribute that the signer insists on is none that this image has.
  EXPECT_EQ(status([](nsgx_signature& s) { s.attributes ^= uint64_t{1} << 40; }),
            Status::kPermissionDenied);
  // Bits that the signer does not care about do not matter.
  EXPECT_EQ(status([](nsgx_signature& s) { s.attribute_mask = s.attributes = 0; }), Status::kOk);
}

TEST(Signature, CoversEverythingBeforeTheModulus) {
  const nsgx_signature good = TestImage().Sign();
  for (size_t byte = 0; byte < kSignedSize; ++byte) {
    nsgx_signature changed = good;
    reinterpret_cast<uint8_t*>(&changed)[byte] ^= 0x20;
    EXPECT_NE(Check(changed), Status::kOk) << byte;
  }
  // The date is checked by nothing but the signature.
  nsgx_signature changed = good;
  changed.date = 20261122;
  EXPECT_EQ(Parse(changed), Status::kOk);
  EXPECT_EQ(Check(changed), Status::kBadSignature);
}

TEST(Signature, IsRefusedWithWrongNumbers) {
  const nsgx_signature good = TestImage().Sign();
  for (size_t byte = 0; byte < sizeof(good.signature); byte += 37) {
    nsgx_signature changed = good;
    changed.signature[byte] ^= 1;
    EXPECT_EQ(Check(changed), Status::kBadSignature) << byte;
  }
  nsgx_signature changed = good;
  changed.modulus[100] ^= 1;
  EXPECT_EQ(Check(changed), Status::kBadSignature);
  std::fill(std::begin(changed.modulus), std::end(changed.modulus), uint8_t{0});
  EXPECT_EQ(Check(changed), Status::kMalformed);
}

}  // namespace
}  // namespace nsgx
