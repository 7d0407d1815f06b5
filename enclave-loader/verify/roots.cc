// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/roots.h"

#include "base/core/hex.h"

namespace nsgx::verify {

namespace {

// The compiler reads the digits.
consteval Sha256Digest FromHex(std::string_view text) {
  Sha256Digest digest = {};
  if (!DecodeHex(text, digest).ok()) {
    __builtin_trap();
  }
  return digest;
}

// The same AMD root stands above the chain of VCEKs and that of VLEKs. roots_test.cc computes the
// hashes again from AMD's certificates in tests/vectors/snp/roots and from the simulated chip's.
constexpr Root kRoots[] = {
    {"ARK-Milan", FromHex("9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"),
     Generation::kMilan,
     /*is_simulated=*/false},
    {"ARK-Genoa", FromHex("429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831"),
     Generation::kGenoa,
     /*is_simulated=*/false},
    {"ARK-Turin", FromHex("4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08"),
     Generation::kTurin,
     /*is_simulated=*/false},
    {"ARK-SIMULATED (NSGX, no hardware)",
     FromHex("99dfa567284229c20bc284323900850394eab05611917bff73dbb7b8ee1903ed"),
     Generation::kUnknown,
     /*is_simulated=*/true},
};

}  // namespace

std::span<const Root> KnownRoots() { return kRoots; }

const Root* FindRoot(const Sha256Digest& key_hash) {
  for (const Root& root : kRoots) {
    if (root.key_hash == key_hash) {
      return &root;
    }
  }
  return nullptr;
}

}  // namespace nsgx::verify
