// SPDX-License-Identifier: Apache-2.0
// The keys of the authorities above the simulated chip. None of them is secret: each follows from a
// label by the rules here, so that everybody who builds NSGX has the same ones and no private key
// lies in the repository.
//
// For build-time programs and tests; CHECK reports what cannot happen to a correct recipe.
#pragma once

#include <mbedtls/rsa.h>

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

namespace nsgx::chip {

// How an RSA-4096 key (e = 65537) follows from a label. Candidate number n for the prime x ("p" or
// "q") is the 2048-bit number
//
//   SHA-512("<label> <x> <n> 0") || ... || SHA-512("<label> <x> <n> 3")
//
// with its two highest bits and its lowest bit set. The counters say which candidates are the first
// primes with gcd(x - 1, e) = 1; make_chip --search finds them (seconds), a test checks that they
// are.
struct RsaRecipe {
  std::string_view label;
  uint32_t p_counter;
  uint32_t q_counter;
};

// Returns candidate `counter` for prime `x` of `label`, big-endian.
std::array<uint8_t, 256> RsaPrimeCandidate(std::string_view label, char x, uint32_t counter);
// Returns the counter of the first candidate that will do.
uint32_t SearchRsaPrime(std::string_view label, char x);

// An RSA key pair made by a recipe.
class RsaKey {
 public:
  explicit RsaKey(const RsaRecipe& recipe);
  ~RsaKey() { mbedtls_rsa_free(&rsa_); }
  RsaKey(const RsaKey&) = delete;
  RsaKey& operator=(const RsaKey&) = delete;

  // RSASSA-PSS with SHA-384 and 48 bytes of salt, over `message`. The salt follows from the
  // message, so equal input gives equal signatures; they are remembered, because tests sign the
  // same things again and again.
  std::vector<uint8_t> Sign(std::span<const uint8_t> message) const;
  // SubjectPublicKeyInfo in DER.
  std::vector<uint8_t> PublicKeyInfo() const;

  // Both primes are prime, and the parts of the key fit together. Takes seconds.
  bool IsValid() const;

 private:
  mutable mbedtls_rsa_context rsa_;  // signing updates its blinding values
  mutable std::map<std::vector<uint8_t>, std::vector<uint8_t>> signatures_;  // by message
};

}  // namespace nsgx::chip
