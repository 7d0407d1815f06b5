// SPDX-License-Identifier: Apache-2.0
// The firmware of AMD's secure processor, as far as a running guest can talk to it: pages that it
// fills at launch, and the messages that a guest sends it through its host.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "base/crypto/drbg.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::firmware {

// What the guest was launched with; it appears in reports and in derived keys.
struct LaunchState {
  std::array<std::byte, 48> measurement = {};
  uint64_t policy = 0;
  uint32_t guest_svn = 0;
  std::array<std::byte, 16> family_id = {};
  std::array<std::byte, 16> image_id = {};
};

// What a request to the firmware ended with, as the host hands it on to the guest (lower half of
// sw_exit_info_2).
inline constexpr uint32_t kFirmwareOk = 0;
inline constexpr uint32_t kFirmwareInvalidParameter = 0x16;

// One guest's secure processor. The chip behind it is the simulated one, so nothing here is secret
// from whoever has the sources; keys of messages are fresh for every launch all the same.
class SecureProcessor {
 public:
  // Draws the message keys. Errors: those of `random`.
  Result<void> Launch(const LaunchState& state, Drbg& random);

  // The page that the guest finds its keys in.
  void FillSecrets(snp_secrets& page) const;

  // Answers one message. `request` and `response` are copies, not the guest's own pages: a response
  // is complete or all zero. Messages under one key are numbered, and each number is accepted once.
  //
  // Returns kFirmwareOk, or what the host tells the guest.
  uint32_t Handle(std::span<const std::byte, kPageSize> request,
                  std::span<std::byte, kPageSize> response);

 private:
  struct Channel {
    std::array<std::byte, 32> key = {};
    uint64_t count = 0;  // of messages, requests and responses
  };

  uint32_t MakeReport(unsigned vmpl, std::span<const std::byte> payload,
                      snp_report_response& answer) const;
  uint32_t MakeKey(unsigned vmpl, std::span<const std::byte> payload,
                   snp_key_response& answer) const;

  LaunchState state_;
  std::array<std::byte, 32> report_id_ = {};
  std::array<Channel, SNP_VMPCK_COUNT> channels_;
};

}  // namespace nsgx::firmware
