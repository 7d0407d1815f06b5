// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "enclave-loader/verify/bytes.h"
#include "enclave-loader/verify/generation.h"

namespace nsgx::verify {

// A root of trust, pinned by the SHA-256 of its SubjectPublicKeyInfo.
struct Root {
  std::string_view name;
  Sha256Digest key_hash;
  Generation generation;  // of the chips below it; kUnknown: any
  bool is_simulated;      // everybody has its private key
};

// AMD's three roots, and the one of machines without hardware.
std::span<const Root> KnownRoots();
// The known root with this key, or nothing.
const Root* FindRoot(const Sha256Digest& key_hash);

}  // namespace nsgx::verify
