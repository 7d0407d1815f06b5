// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/untrusted.h"
#include "vmpl-switch/abi/ghcb.h"

namespace nsgx::emu {

// The GHCB of one request: shared memory that its guest may change at any time. Each field is read
// at most once where that matters.
class GhcbRequest {
 public:
  explicit GhcbRequest(UntrustedBytes bytes) : bytes_(bytes) {}

  bool IsValid(size_t offset) const {
    const uint8_t bits =
        bytes_.CopyInObject<uint8_t>(offsetof(ghcb_page, valid_bitmap) + offset / 64).value();
    return (bits & 1u << (offset / 8 % 8)) != 0;
  }
  uint64_t Get(size_t offset) const { return bytes_.CopyInObject<uint64_t>(offset).value(); }
  void Put(size_t offset, uint64_t value) {
    bytes_.CopyOutObject(offset, value).value();
    const size_t at = offsetof(ghcb_page, valid_bitmap) + offset / 64;
    const uint8_t bits = bytes_.CopyInObject<uint8_t>(at).value();
    bytes_.CopyOutObject(at, static_cast<uint8_t>(bits | 1u << (offset / 8 % 8))).value();
  }

  uint64_t code() const { return Get(offsetof(ghcb_page, sw_exit_code)); }
  uint64_t info1() const { return Get(offsetof(ghcb_page, sw_exit_info_1)); }
  uint64_t info2() const { return Get(offsetof(ghcb_page, sw_exit_info_2)); }
  uint64_t scratch() const { return Get(offsetof(ghcb_page, sw_scratch)); }
  uint32_t usage() const {
    return bytes_.CopyInObject<uint32_t>(offsetof(ghcb_page, usage)).value();
  }
  uint16_t version() const {
    return bytes_.CopyInObject<uint16_t>(offsetof(ghcb_page, protocol_version)).value();
  }

  void Answer(uint64_t info1, uint64_t info2) {
    Put(offsetof(ghcb_page, sw_exit_info_1), info1);
    Put(offsetof(ghcb_page, sw_exit_info_2), info2);
  }
  void Done(uint64_t info2 = 0) { Answer(GHCB_ANSWER_OK, info2); }
  void Malformed(uint64_t reason) { Answer(GHCB_ANSWER_MALFORMED, reason); }

  // True when all of these were sent; else answers so.
  template <typename... Offsets>
  bool Has(Offsets... offsets) {
    if ((IsValid(offsets) && ...)) {
      return true;
    }
    Malformed(GHCB_MALFORMED_MISSING_INPUT);
    return false;
  }

 private:
  UntrustedBytes bytes_;
};

}  // namespace nsgx::emu
