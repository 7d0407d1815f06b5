// SPDX-License-Identifier: Apache-2.0
// Plays the SEV firmware of AMD's secure processor for one guest: its launch, and the messages that
// it sends while it runs.
//
// How a host uses it, in this order:
//
//   constinit SecureProcessor processor;      // about 9 KiB
//   processor.StartLaunch(policy, entropy);   // policy from the IGVM file
//   processor.WriteSecrets(page);             // for each page of kind SECRETS
//   processor.FinishLaunch(digest);           // igvm::LaunchDigest::value()
//   ...
//   // GHCB_EXIT_GUEST_REQUEST, once both pages are known to be shared and in RAM:
//   const FirmwareStatus status = processor.Exchange(request_page, response_page);
//   info_2 = uint64_t{static_cast<uint32_t>(status)};
//
// In world seh each call leaves xmm0 to xmm15 zero and needs CR4.OSFXSR: whoever keeps a guest's
// vector registers in the processor saves them first. A report takes milliseconds and memory of
// base/crypto/mbedtls_heap.h. Not safe to be called by two processors at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/emulator/firmware/firmware_status.h"

namespace nsgx::firmware {

class SecureProcessor {
 public:
  static constexpr size_t kEntropySize = 32;
  static constexpr size_t kDigestSize = 48;

  constexpr SecureProcessor() = default;
  SecureProcessor(const SecureProcessor&) = delete;
  SecureProcessor& operator=(const SecureProcessor&) = delete;

  // Begins the launch of a guest under `policy` (SNP_POLICY_*). Its message keys and the id in its
  // reports follow from `entropy`, which must be new for each guest: the keys' nonces start at 1.
  //
  // Returns kPolicyFailure for a policy that does not have bit 17, asks for a newer firmware, or
  // for a migration agent, which there is none of; kInvalidGuestState when there was a launch
  // before.
  FirmwareStatus StartLaunch(uint64_t policy, std::span<const std::byte, kEntropySize> entropy);

  // Writes the secrets page: the message keys, and zeros where others write.
  //
  // Returns kInvalidGuestState unless a launch has started and not finished.
  FirmwareStatus WriteSecrets(std::span<std::byte, kPageSize> page) const;

  // Ends the launch. Messages are answered from now on.
  //
  // Returns kInvalidGuestState as WriteSecrets.
  FirmwareStatus FinishLaunch(std::span<const std::byte, kDigestSize> digest);

  // Answers one message: opens `request`, does what it asks for, and seals the response. `response`
  // changes with kSuccess only.
  //
  // Whether the wish itself was granted is said inside the response (SNP_STATUS_*), for the guest
  // alone. Each answered message uses two numbers of its key, one that fails here uses none:
  //   kInvalidGuestState  the guest has not been launched.
  //   kInvalidParameter   the header is none, the number is not the next one, or a type, version
  //                       or size that the firmware does not know.
  //   kBadMeasurement     the tag is wrong: changed, or sealed with another key.
  //   kAeadOverflow       the key has no number left.
  //   kHardwarePlatform   no memory for a signature, or no AES in this processor.
  //
  // Trust: the guest may change `request` while this runs; it is copied in once.
  FirmwareStatus Exchange(std::span<const std::byte, kPageSize> request,
                          std::span<std::byte, kPageSize> response);

 private:
  enum class State : uint8_t { kNew, kLaunching, kRunning };
  using Key = std::array<std::byte, 32>;
  struct Payload;

  FirmwareStatus Answer(const snp_message_header& header, std::span<const std::byte> request,
                        Payload& payload) const;
  FirmwareStatus AnswerReport(const snp_report_request& request, uint32_t vmpl,
                              snp_report_response& response) const;
  FirmwareStatus AnswerKey(const snp_key_request& request, uint32_t vmpl,
                           snp_key_response& response) const;

  State state_ = State::kNew;
  uint64_t policy_ = 0;
  std::array<std::byte, kDigestSize> digest_ = {};
  std::array<std::byte, 32> report_id_ = {};
  std::array<Key, SNP_VMPCK_COUNT> keys_ = {};            // one a VMPL
  std::array<uint64_t, SNP_VMPCK_COUNT> sequences_ = {};  // last number used under each
  std::array<std::byte, kPageSize> request_ = {};
  std::array<std::byte, kPageSize> response_ = {};
};

}  // namespace nsgx::firmware
