// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/cpu/ghcb.h"
#include "vmpl-switch/snp/messages/client.h"

namespace nsgx::snp {

// Guest messages through pages that the host sees.
class GhcbTransport final : public MessageTransport {
 public:
  static constexpr uint64_t kCertificatePages = 8;
  static constexpr uint64_t kPages = 2 + kCertificatePages;

  constexpr GhcbTransport() = default;

  // Requires: `buffer` maps kPages shared pages at `address`.
  void Initialize(volatile std::byte* buffer, GuestPhys address);

  Result<Answer> Exchange(std::span<const std::byte, 4096> request,
                          std::span<std::byte, 4096> response,
                          std::span<std::byte> certificates) override;

 private:
  volatile std::byte* buffer_ = nullptr;
  GuestPhys address_;
};

}  // namespace nsgx::snp
