// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/signature.h"

#include "base/core/bytes.h"
#include "base/core/mem_raw.h"
#include "base/crypto/rsa_pss.h"

namespace nsgx {
namespace {

static_assert(sizeof(nsgx_signature::modulus) == kRsaSize &&
              sizeof(nsgx_signature::signature) == kRsaSize);

bool IsDate(uint32_t date) {
  const uint32_t year = date / 10000;
  const uint32_t month = date / 100 % 100;
  const uint32_t day = date % 100;
  return year >= 2000 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

bool IsZero(std::span<const uint8_t> bytes) {
  for (uint8_t byte : bytes) {
    if (byte != 0) {
      return false;
    }
  }
  return true;
}

std::span<const std::byte, kRsaSize> AsBytes(const uint8_t (&number)[kRsaSize]) {
  return std::as_bytes(std::span(number));
}

}  // namespace

Result<nsgx_signature> ParseSignature(std::span<const std::byte> bytes) {
  nsgx_signature signature;
  if (bytes.size() != sizeof(signature)) {
    return Error(Status::kMalformed);
  }
  CopyOnce(&signature, bytes.data(), sizeof(signature));
  if (signature.magic != NSGX_SIGNATURE_MAGIC) {
    return Error(Status::kMalformed);
  }
  if (signature.version > NSGX_SIGNATURE_VERSION) {
    return Error(Status::kUnsupported);
  }
  if (signature.version != NSGX_SIGNATURE_VERSION || !IsDate(signature.date) ||
      (signature.attributes & ~signature.attribute_mask) != 0 || !IsZero(signature.reserved)) {
    return Error(Status::kMalformed);
  }
  return signature;
}

Sha256::Digest SignerOf(const nsgx_signature& signature) {
  return Sha256::Hash(AsBytes(signature.modulus));
}

Sha256::Digest SignedDigest(const nsgx_signature& signature) {
  return Sha256::Hash(BytesOf(signature).first(kSignedSize));
}

Result<void> CheckSignature(const nsgx_signature& signature, const Sha256::Digest& identity,
                            const nsgx_config& config) {
  if (__builtin_memcmp(signature.identity, identity.data(), identity.size()) != 0) {
    return Error(Status::kBadMeasurement);
  }
  if (((signature.attributes ^ config.attributes) & signature.attribute_mask) != 0 ||
      signature.product_id != config.product_id || signature.svn != config.svn) {
    return Error(Status::kPermissionDenied);
  }
  return RsaPssVerify(AsBytes(signature.modulus), SignedDigest(signature),
                      AsBytes(signature.signature));
}

}  // namespace nsgx
