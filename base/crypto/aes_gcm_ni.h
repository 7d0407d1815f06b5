// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/crypto/aes_gcm.h"

// The parts of AES-GCM that need AES-NI and PCLMULQDQ; for aes_gcm.cc only. None of them leaves
// anything in vector registers.
namespace nsgx::internal {

// The hash of what was taken in so far, in the byte order of aes_gcm_ni.cc.
struct alignas(16) GhashState {
  std::byte bytes[16];
};

// Makes `keys` from the 32 bytes of `key`.
void AesGcmExpandKey(AesGcmKeys& keys, const std::byte* key);

// Adds the key stream of `nonce` (12 bytes), from block `counter` on, to `size` bytes of `in`.
void AesGcmCrypt(const AesGcmKeys& keys, const std::byte* nonce, uint32_t counter,
                 const std::byte* in, std::byte* out, size_t size);

// Takes `size` bytes into the hash, with zeros behind them up to a whole block.
void AesGcmHash(const AesGcmKeys& keys, GhashState& state, const std::byte* data, size_t size);

// Takes the two sizes into the hash and gives the tag (16 bytes) under `nonce`; `state`
// is zero then.
void AesGcmFinish(const AesGcmKeys& keys, GhashState& state, const std::byte* nonce,
                  uint64_t additional_size, uint64_t text_size, std::byte* tag);

}  // namespace nsgx::internal
