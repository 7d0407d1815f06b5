// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/test_image.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/core/addr.h"
#include "base/core/bytes.h"
#include "base/crypto/drbg.h"
#include "base/crypto/rsa_key.h"
#include "base/crypto/test_key.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

std::vector<std::byte> Contents(size_t page_count, unsigned seed) {
  return testing_support::Pattern(page_count * kPageSize, seed);
}

}  // namespace

TestImage::TestImage(const ConfigBuilder& builder)
    : config_section(builder.Build()), config(builder.config) {
  std::vector<std::byte> read_only = Contents(1, 1);
  config_offset = read_only.size();
  read_only.insert(read_only.end(), config_section.begin(), config_section.end());
  const uint64_t code = read_only.size() + kPageSize;
  runs.push_back({0, NSGX_PERMISSION_READ, std::move(read_only), 0});
  runs.push_back({code, NSGX_PERMISSION_READ | NSGX_PERMISSION_EXECUTE, Contents(3, 2), 0});
  const uint64_t data = code + 4 * kPageSize;
  runs.push_back({data, NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE, Contents(2, 3), 0});
  runs.push_back({data + 2 * kPageSize, NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE, {}, 4});
  entry = code + 16;
  image_size = data + 6 * kPageSize;
}

ImageShape TestImage::Shape() const {
  ImageShape shape;
  shape.image_size = image_size;
  shape.entry = entry;
  shape.config_offset = config_offset;
  shape.config_size = config_section.size();
  shape.config_sha256 = Sha256::Hash(config_section);
  return shape;
}

Sha256::Digest TestImage::Identity() const {
  Measurement measurement = Measurement::Begin(Shape()).value();
  for (const TestRun& run : runs) {
    if (run.bytes.empty()) {
      measurement.AddZeroPages(run.offset, run.permissions, run.zero_page_count).value();
    } else {
      MeasurePages(measurement, run.offset, run.permissions, run.bytes).value();
    }
  }
  return measurement.Identity();
}

nsgx_signature TestImage::Sign() const {
  nsgx_signature signature = {};
  signature.magic = NSGX_SIGNATURE_MAGIC;
  signature.version = NSGX_SIGNATURE_VERSION;
  signature.date = 20261121;
  const Sha256::Digest identity = Identity();
  std::memcpy(signature.identity, identity.data(), identity.size());
  signature.attributes = config.attributes;
  signature.attribute_mask = ~uint64_t{0};
  signature.product_id = config.product_id;
  signature.svn = config.svn;
  SignAgain(signature);
  return signature;
}

void SignAgain(nsgx_signature& signature) {
  static auto* const kKey =
      new RsaPrivateKey(RsaPrivateKey::FromPem(testing_support::kTestKeyPem).value());
  static auto* const kSigned = new std::map<Sha256::Digest, RsaSignature>;
  std::memcpy(signature.modulus, kKey->modulus().data(), sizeof(signature.modulus));
  const Sha256::Digest digest = SignedDigest(signature);
  auto known = kSigned->find(digest);
  if (known == kSigned->end()) {
    testing_support::PatternEntropy entropy;
    Drbg drbg;
    drbg.Seed(entropy, {}).value();
    known = kSigned->emplace(digest, kKey->Sign(digest, drbg).value()).first;
  }
  std::memcpy(signature.signature, known->second.data(), sizeof(signature.signature));
}

}  // namespace nsgx
