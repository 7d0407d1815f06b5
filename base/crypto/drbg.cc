// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/drbg.h"

#include "base/core/scope_exit.h"
#include "base/crypto/hmac.h"
#include "base/crypto/secure_zero.h"

namespace nsgx {

Drbg::~Drbg() {
  SecureZeroObject(key_);
  SecureZeroObject(value_);
}

Result<void> Drbg::Seed(EntropySource& source, std::span<const std::byte> personalization) {
  source_ = nullptr;
  key_.fill(std::byte{0});
  value_.fill(std::byte{1});
  std::array<std::byte, kSeedSize> seed;
  TRY(source.Fill(seed));
  Update(seed, personalization);
  SecureZeroObject(seed);
  source_ = &source;
  requests_since_seed_ = 0;
  return {};
}

Result<void> Drbg::Reseed(std::span<const std::byte> additional) {
  if (source_ == nullptr) {
    return Error(Status::kBadState);
  }
  std::array<std::byte, kReseedSize> seed;
  TRY(source_->Fill(seed));
  Update(seed, additional);
  SecureZeroObject(seed);
  requests_since_seed_ = 0;
  return {};
}

Result<void> Drbg::Generate(std::span<std::byte> out) {
  if (source_ == nullptr) {
    return Error(Status::kBadState);
  }
  ScopeExit wipe([out] { SecureZero(out); });
  std::span<std::byte> rest = out;
  while (!rest.empty()) {
    if (requests_since_seed_ == kReseedInterval) {
      TRY(Reseed({}));
    }
    ++requests_since_seed_;
    std::span<std::byte> request =
        rest.first(rest.size() < kMaxRequestSize ? rest.size() : kMaxRequestSize);
    rest = rest.subspan(request.size());
    HmacSha256 hmac(key_);
    while (!request.empty()) {
      hmac.Update(value_);
      value_ = hmac.Finish();
      const size_t size = request.size() < value_.size() ? request.size() : value_.size();
      __builtin_memcpy(request.data(), value_.data(), size);
      request = request.subspan(size);
    }
    Update({}, {});
  }
  wipe.Cancel();
  return {};
}

// HMAC_DRBG_Update of the standard; the provided data is the two, one behind the other.
void Drbg::Update(std::span<const std::byte> first, std::span<const std::byte> second) {
  for (std::byte round : {std::byte{0}, std::byte{1}}) {
    HmacSha256 for_key(key_);
    for_key.Update(value_);
    for_key.Update(std::span(&round, 1));
    for_key.Update(first);
    for_key.Update(second);
    key_ = for_key.Finish();
    value_ = HmacSha256::Compute(key_, value_);
    if (first.empty() && second.empty()) {
      return;
    }
  }
}

}  // namespace nsgx
