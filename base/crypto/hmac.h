// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/crypto/sha256.h"

namespace nsgx {

// HMAC-SHA-256 (RFC 2104). No heap.
//
// An object may be used for many messages under one key; the two blocks that depend on the key
// only are hashed once. Its memory is overwritten in the end.
class HmacSha256 {
 public:
  static constexpr size_t kSize = Sha256::kDigestSize;
  using Mac = Sha256::Digest;

  // Keys of any size; the copy of the key does not outlive the call.
  explicit HmacSha256(std::span<const std::byte> key);

  // Appends `data` to the message.
  void Update(std::span<const std::byte> data);

  // Returns the MAC of everything appended. The object is then ready for the next message.
  Mac Finish();

  // Returns the MAC of `data` under `key`. MACs are compared with EqualInConstantTime.
  static Mac Compute(std::span<const std::byte> key, std::span<const std::byte> data);

 private:
  Sha256 inner_start_;
  Sha256 outer_start_;
  Sha256 inner_;
};

}  // namespace nsgx
