// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/sim_keys.h"

#include <mbedtls/bignum.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/crypto/sha512.h"
#include "vmpl-switch/emulator/chip/der.h"

namespace nsgx::chip {

namespace {

constexpr uint32_t kPublicExponent = 65537;
constexpr int kPrimalityRounds = 40;

// A stream of bytes that follows from a seed, in the shape of mbedTLS's random functions.
struct Stream {
  Sha512::Digest seed;
  uint64_t counter = 0;

  static int Fill(void* self, unsigned char* out, size_t size) {
    Stream& stream = *static_cast<Stream*>(self);
    while (size != 0) {
      Sha512 hash;
      hash.Update(stream.seed);
      hash.Update(BytesOf(stream.counter++));
      const Sha512::Digest block = hash.Finish();
      const size_t count = std::min(size, block.size());
      std::memcpy(out, block.data(), count);
      out += count;
      size -= count;
    }
    return 0;
  }
};

class Mpi {
 public:
  Mpi() { mbedtls_mpi_init(&value_); }
  explicit Mpi(std::span<const uint8_t> big_endian) : Mpi() {
    CHECK(mbedtls_mpi_read_binary(&value_, big_endian.data(), big_endian.size()) == 0);
  }
  ~Mpi() { mbedtls_mpi_free(&value_); }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
  mbedtls_mpi* get() { return &value_; }

 private:
  mbedtls_mpi value_;
};

bool IsRsaPrime(std::span<const uint8_t> candidate) {
  Mpi prime(candidate);
  Stream stream = {Sha512::Hash(BytesOf(std::string_view("primality")))};
  if (mbedtls_mpi_is_prime_ext(prime.get(), kPrimalityRounds, Stream::Fill, &stream) != 0) {
    return false;
  }
  mbedtls_mpi_uint remainder = 0;
  CHECK(mbedtls_mpi_mod_int(&remainder, prime.get(), kPublicExponent) == 0);
  return remainder != 1;  // e is prime: gcd(x - 1, e) = 1 unless e divides x - 1
}

}  // namespace

std::array<uint8_t, 256> RsaPrimeCandidate(std::string_view label, char x, uint32_t counter) {
  std::array<uint8_t, 256> candidate;
  for (size_t block = 0; block < 4; ++block) {
    const std::string text =
        std::string(label) + " " + x + " " + std::to_string(counter) + " " + std::to_string(block);
    const Sha512::Digest hash = Sha512::Hash(BytesOf(text));
    std::memcpy(candidate.data() + hash.size() * block, hash.data(), hash.size());
  }
  candidate.front() |= 0xc0;
  candidate.back() |= 0x01;
  return candidate;
}

uint32_t SearchRsaPrime(std::string_view label, char x) {
  uint32_t counter = 0;
  while (!IsRsaPrime(RsaPrimeCandidate(label, x, counter))) {
    ++counter;
  }
  return counter;
}

RsaKey::RsaKey(const RsaRecipe& recipe) {
  mbedtls_rsa_init(&rsa_);
  Mpi p(RsaPrimeCandidate(recipe.label, 'p', recipe.p_counter));
  Mpi q(RsaPrimeCandidate(recipe.label, 'q', recipe.q_counter));
  Mpi e;
  CHECK(mbedtls_mpi_lset(e.get(), kPublicExponent) == 0);
  CHECK(mbedtls_rsa_import(&rsa_, nullptr, p.get(), q.get(), nullptr, e.get()) == 0);
  CHECK(mbedtls_rsa_complete(&rsa_) == 0);
  CHECK(mbedtls_rsa_set_padding(&rsa_, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA384) == 0);
}

std::vector<uint8_t> RsaKey::Sign(std::span<const uint8_t> message) const {
  std::vector<uint8_t>& signature = signatures_[{message.begin(), message.end()}];
  if (!signature.empty()) {
    return signature;
  }
  const Sha384::Digest hash = Sha384::Hash(std::as_bytes(message));
  Stream stream = {Sha512::Hash(std::as_bytes(message))};
  signature.resize(mbedtls_rsa_get_len(&rsa_));
  CHECK(mbedtls_rsa_rsassa_pss_sign_ext(&rsa_, Stream::Fill, &stream, MBEDTLS_MD_SHA384,
                                        static_cast<int>(hash.size()),
                                        reinterpret_cast<const unsigned char*>(hash.data()),
                                        static_cast<unsigned>(hash.size()), signature.data()) == 0);
  return signature;
}

std::vector<uint8_t> RsaKey::PublicKeyInfo() const {
  using namespace der;
  std::vector<uint8_t> modulus(mbedtls_rsa_get_len(&rsa_));
  CHECK(mbedtls_rsa_export_raw(&rsa_, modulus.data(), modulus.size(), nullptr, 0, nullptr, 0,
                               nullptr, 0, nullptr, 0) == 0);
  const Der key = Element(kSequence, {Integer(modulus), Integer(kPublicExponent)});
  return Element(kSequence,
                 {Element(kSequence, {Oid("1.2.840.113549.1.1.1"), Null()}), BitString(key)});
}

bool RsaKey::IsValid() const {
  Mpi p, q, d, e, n;
  Stream stream = {Sha512::Hash(BytesOf(std::string_view("validation")))};
  return mbedtls_rsa_export(&rsa_, n.get(), p.get(), q.get(), d.get(), e.get()) == 0 &&
         mbedtls_mpi_is_prime_ext(p.get(), kPrimalityRounds, Stream::Fill, &stream) == 0 &&
         mbedtls_mpi_is_prime_ext(q.get(), kPrimalityRounds, Stream::Fill, &stream) == 0 &&
         mbedtls_rsa_check_privkey(&rsa_) == 0;
}

}  // namespace nsgx::chip
