// SPDX-License-Identifier: Apache-2.0
// The secure processor and the host between it and the SEH, for tests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/snp/messages/client.h"

namespace nsgx::snp {

// Answers requests under one VMPCK as the firmware does. What a hostile host or firmware may do
// instead is switched on by its fields, each for the next exchange alone unless it says otherwise.
class FakeFirmware final : public MessageTransport {
 public:
  explicit FakeFirmware(std::span<const std::byte, 32> key, uint64_t count = 0);

  Result<Answer> Exchange(std::span<const std::byte, 4096> request,
                          std::span<std::byte, 4096> response,
                          std::span<std::byte> certificates) override;

  // What arrived.
  std::vector<uint64_t> sequences;
  std::array<std::byte, 64> report_data = {};
  snp_key_request key_request = {};
  uint32_t exchanges = 0;
  bool saw_bad_message = false;

  // What to do.
  std::vector<std::byte> certificate_bytes;  // whole pages; handed out when there is room
  uint32_t busy_answers = 0;                 // how often to be busy before
  uint32_t status = SNP_STATUS_MESSAGE_OK;   // in the response
  uint64_t host_error = 0;                   // info 2
  bool flips_bit = false;                    // of the ciphertext
  bool replays = false;                      // the response before
  void (*change_header)(snp_message_header& header) = nullptr;

 private:
  std::array<std::byte, 32> key_;
  uint64_t count_;
  std::array<std::byte, 4096> last_response_ = {};
};

}  // namespace nsgx::snp
