// SPDX-License-Identifier: Apache-2.0
// The public half of a signer's key as a file: PEM, as openssl(1) writes it.
#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/crypto/rsa_pss.h"
#include "base/crypto/sha256.h"
#include "enclave-loader/cli/complaint.h"

namespace nsgx::loader {

std::string PublicKeyPem(const RsaModulus& modulus);

// Reads who a public key stands for: the SHA-256 of its modulus, as in signatures and reports.
//
// Errors: no PEM, no public key, or none of RSA with 3072 bits and exponent 65537.
Result<Sha256::Digest, Complaint> SignerOfPublicKey(std::string_view pem);

}  // namespace nsgx::loader
