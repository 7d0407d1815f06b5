// SPDX-License-Identifier: Apache-2.0
// The objects that the SEH links, compiled as for the SEH, at work: a program without a libc that
// computes known answers. What the unit tests of the host cannot see (this world's flags, its own
// memory functions, its configuration of mbedTLS) is what this is about.
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/format.h"
#include "base/core/hex.h"
#include "base/core/log.h"
#include "base/core/mem.h"
#include "base/crypto/aes_gcm.h"
#include "base/crypto/constant_time.h"
#include "base/crypto/drbg.h"
#include "base/crypto/ecdsa_p384.h"
#include "base/crypto/hkdf.h"
#include "base/crypto/mbedtls_heap.h"
#include "base/crypto/rsa_pss.h"
#include "base/crypto/sha256.h"
#include "base/crypto/sha512.h"
#include "base/crypto/test_key.h"

// start.S
extern "C" void WriteToStderr(const char* text, size_t size);
extern "C" [[noreturn]] void ExitNow(int status);
extern "C" int FreestandingMain();

namespace nsgx {

bool LogEnabled(LogLevel) { return true; }

void LogWrite(LogLevel, std::string_view line) {
  WriteToStderr(line.data(), line.size());
  WriteToStderr("\n", 1);
}

void CheckFailed(const char* file, int line, const char* what) {
  LOG(kError, file, ":", line, ": check failed: ", what);
  ExitNow(1);
}

namespace {

// Checks that `bytes` are those that `hex` stands for.
void Expect(std::span<const std::byte> bytes, std::string_view hex) {
  std::array<char, 1024> buffer;
  CHECK(EncodeHex(bytes, buffer).value() == hex);
}

template <size_t kSize>
std::array<std::byte, kSize> FromHex(std::string_view hex) {
  std::array<std::byte, kSize> bytes;
  DecodeHex(hex, bytes).value();
  return bytes;
}

void TryMemoryFunctions() {
  std::array<char, 100> area;
  for (size_t i = 0; i < area.size(); ++i) {
    area[i] = static_cast<char>(i);
  }
  CHECK(memmove(&area[10], &area[0], 50) == &area[10] && area[10] == 0 && area[59] == 49);
  CHECK(memmove(&area[0], &area[10], 50) == &area[0] && area[0] == 0 && area[49] == 49);
  CHECK(memcpy(&area[50], &area[0], 40) == &area[50] && area[89] == 39);
  CHECK(memcmp(&area[50], &area[0], 40) == 0 && memcmp("abd", "abc", 3) > 0);
  CHECK(memset(area.data(), 7, area.size()) == area.data() && area[99] == 7);
  CHECK(strlen("four") == 4);
}

void TryHashes() {
  for (Sha256Path path : {Sha256Path::kPortable, Sha256Path::kShaNi}) {
    if (Sha256PathSupported(path)) {
      Sha256UsePath(path);
      Expect(Sha256::Hash(BytesOf("abc")),
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
  }
  Expect(Sha384::Hash(BytesOf("abc")),
         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
         "8086072ba1e7cc2358baeca134c825a7");
  std::array<std::byte, 32> key;
  Hkdf(BytesOf("secret"), BytesOf("salt"), BytesOf("info"), key).value();
  Expect(key, "f6d2fcc47cb939deafe3853a1e641a27e6924aff7a63d09cb04ccfffbe4776ef");
}

void TryAesGcm() {
  const std::array<std::byte, AesGcm256::kKeySize> key{};
  const std::array<std::byte, AesGcm256::kNonceSize> nonce{};
  Result<AesGcm256> gcm = AesGcm256::Make(key);
  if (!gcm.ok()) {
    CHECK(gcm.error() == Status::kUnsupported);
    return;
  }
  std::array<std::byte, 16> text{};
  const AesGcm256::Tag tag = gcm.value().Seal(nonce, {}, text, text).value();
  Expect(text, "cea7403d4d606b6e074ec5d3baf39d18");
  Expect(tag, "d0d1c8a799996bf0265b98b5d48ab919");
  gcm.value().Open(nonce, {}, text, tag, text).value();
  Expect(text, "00000000000000000000000000000000");
}

void TryRsa() {
  const auto modulus = FromHex<kRsaSize>(testing_support::kTestKeyModulus);
  const auto signature = FromHex<kRsaSize>(testing_support::kTestSignature);
  RsaPssVerify(modulus, Sha256::Hash(BytesOf("message")), signature).value();
  CHECK(RsaPssVerify(modulus, Sha256::Hash({}), signature).error() == Status::kBadSignature);
}

// RFC 6979, A.2.6; the random source only blinds.
void TryEcdsa() {
  HardwareEntropy entropy;
  Drbg drbg;
  drbg.Seed(entropy, BytesOf("freestanding")).value();
  std::array<std::byte, EcdsaP384PrivateKey::kSeedSize> seed{};
  constexpr std::string_view kScalarMinusOne =
      "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
      "96d5724e4c70a825f872c9ea60d2edf4";
  DecodeHex(kScalarMinusOne, std::span(seed).last(kP384ScalarSize)).value();
  const EcdsaP384PrivateKey key = EcdsaP384PrivateKey::Derive(seed, drbg).value();
  const Sha384::Digest digest = Sha384::Hash(BytesOf("sample"));
  const EcdsaP384Signature signature = key.Sign(digest, drbg).value();
  Expect(std::span(signature).first(kP384ScalarSize),
         "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
         "81a648152e44acf96e36dd1e80fabe46");
  key.public_key().Verify(digest, signature).value();
  CHECK(MbedtlsArenaUsed() == 0 && MbedtlsArenaPeak() != 0);
}

}  // namespace
}  // namespace nsgx

int FreestandingMain() {
  nsgx::TryMemoryFunctions();
  nsgx::TryHashes();
  nsgx::TryAesGcm();
  nsgx::TryRsa();
  nsgx::TryEcdsa();
  return 0;
}
