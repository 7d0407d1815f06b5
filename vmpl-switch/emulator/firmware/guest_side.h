// SPDX-License-Identifier: Apache-2.0
// A guest that talks to the secure processor by hand, for tests: it can also send what none should.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/core/addr.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/emulator/firmware/secure_processor.h"

namespace nsgx::firmware {

using Page = std::array<std::byte, kPageSize>;

// Returns the header of a well-formed request; everything in it may be changed before it is sealed.
snp_message_header RequestHeader(uint8_t type, uint64_t sequence, uint8_t vmpck,
                                 size_t payload_size);

// Seals `payload` under `key`. The tag fits whatever the header says.
Page SealMessage(std::span<const std::byte, 32> key, snp_message_header header,
                 std::span<const std::byte> payload);

// Opens a response: its header, and its payload if the tag is right; else that is empty.
struct OpenedMessage {
  snp_message_header header;
  std::vector<std::byte> payload;
};
OpenedMessage OpenMessage(std::span<const std::byte, 32> key, const Page& page);

// Starts and finishes a launch of `processor`, and returns what it wrote into the secrets page.
snp_secrets Launch(SecureProcessor& processor, uint8_t entropy = 1, uint64_t policy = 0x30000,
                   uint8_t digest = 0x4d);

// Sends the message `header` and `payload` under `secrets.vmpck[header.vmpck]` and returns what is
// in the response. Fails the test if there is none.
std::vector<std::byte> Ask(SecureProcessor& processor, const snp_secrets& secrets,
                           const snp_message_header& header, std::span<const std::byte> payload);

}  // namespace nsgx::firmware
