// SPDX-License-Identifier: Apache-2.0
// The signature of an image (abi/image.h), read and checked in one place for SEH, loader and
// signer.
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "base/crypto/sha256.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx {

// The first bytes of struct nsgx_signature, up to the modulus: what is signed.
inline constexpr size_t kSignedSize = offsetof(nsgx_signature, modulus);
static_assert(kSignedSize == 128);

// Copies the section out of `bytes`, reading each byte once, and checks all of its format.
//
// Errors: kUnsupported  the version is newer than this build.
//         kMalformed    wrong size or magic, reserved bytes, a date that is none, attributes
//         outside of the mask.
// Trust:  the bytes are anybody's and may change meanwhile.
Result<nsgx_signature> ParseSignature(std::span<const std::byte> bytes);

// Returns who signed: SHA-256 of the modulus. Says nothing about whether he did.
Sha256::Digest SignerOf(const nsgx_signature& signature);

// Returns what RSA-PSS is computed over: SHA-256 of the signed part.
Sha256::Digest SignedDigest(const nsgx_signature& signature);

// Checks that the owner of signature.modulus has signed the image with this identity and
// configuration. Whether he is to be trusted is for whoever reads the report.
//
// Requires: `signature` is one that ParseSignature returned; `config` passed ParseConfig.
// Errors:   kBadMeasurement    it is for another image.
//           kPermissionDenied  attributes, product or version are not those that were signed.
//           kBadSignature      it was not made with that key.
//           kMalformed         the key is none of 3072 bits.
Result<void> CheckSignature(const nsgx_signature& signature, const Sha256::Digest& identity,
                            const nsgx_config& config);

}  // namespace nsgx
