// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/core/result.h"
#include "base/crypto/rsa_key.h"

namespace nsgx::loader {

// Signs with a salt that is made from key and digest, so that the same image gives the same bytes
// each time.
//
// Errors: kNoMemory.
Result<RsaSignature> SignDeterministically(const RsaPrivateKey& key, const Sha256::Digest& digest);

}  // namespace nsgx::loader
