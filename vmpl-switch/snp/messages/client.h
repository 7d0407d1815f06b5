// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::snp {

// Carries a page to the secure processor and one back, through the host: GHCB exits 0x80000011 and
// 0x80000012.
class MessageTransport {
 public:
  struct Answer {
    uint64_t info2 = 0;              // host's error << 32 | firmware's; 0: all is well
    uint64_t certificate_pages = 0;  // wanted, when the host's error is GHCB_REQUEST_TOO_SMALL
  };

  // Sends `request` and fills `response`, both one page. With `certificates` not empty (whole
  // pages) the host fills that too.
  //
  // Errors: kHostFault   the host gave an answer that the protocol does not know.
  //         kOutOfRange  more certificate pages than can be shared.
  // Trust:  nothing that comes back.
  virtual Result<Answer> Exchange(std::span<const std::byte, 4096> request,
                                  std::span<std::byte, 4096> response,
                                  std::span<std::byte> certificates) = 0;

 protected:
  ~MessageTransport() = default;
};

// Talks to the secure processor with the key of VMPL0 (VMPCK0). One exchange at a time.
//
// An exchange that fails after the request was sent may not be followed by another request under
// the same number; the client then is broken for good (kBadState) rather than use a nonce twice.
class MessageClient {
 public:
  constexpr explicit MessageClient(MessageTransport& transport) : transport_(transport) {}
  MessageClient(const MessageClient&) = delete;
  MessageClient& operator=(const MessageClient&) = delete;

  // Takes the key. `count`: messages sent under it so far, requests and responses.
  void Initialize(std::span<const std::byte, 32> vmpck0, uint64_t count) EXCLUDES(lock_);

  // Fetches a report made at VMPL0 over `report_data`.
  //
  // Errors: kBadState     not initialized, or broken.
  //         kHostFault    host or firmware refuse, or the answer is not one.
  //         kBadTag       the answer was not made by the secure processor.
  //         kBusy         the host was busy all the time.
  //         kUnsupported  the processor has no AES.
  Result<void> Report(std::span<const std::byte, 64> report_data,
                      std::span<std::byte, SNP_REPORT_SIZE> report) EXCLUDES(lock_);

  // The same, and the certificates that the host keeps, as AMD's table of GUIDs. Returns the size
  // of what was put into `certificates` (whole pages).
  //
  // Errors: as Report; kOutOfRange  `certificates` is too small: `*wanted` says how many bytes.
  Result<void> ReportWithCertificates(std::span<const std::byte, 64> report_data,
                                      std::span<std::byte, SNP_REPORT_SIZE> report,
                                      std::span<std::byte> certificates, uint64_t* wanted)
      EXCLUDES(lock_);

  // Derives a key that only this VMPL0 image on this chip gets (SNP_KEY_FIELD_*).
  // Errors: as Report.
  Result<void> DerivedKey(const snp_key_request& request, std::span<std::byte, 32> key)
      EXCLUDES(lock_);

 private:
  Result<void> Exchange(uint8_t type, std::span<const std::byte> request, uint8_t response_type,
                        std::span<std::byte> response, std::span<std::byte> certificates,
                        uint64_t* wanted) REQUIRES(lock_);

  MessageTransport& transport_;
  SpinLock lock_;
  bool usable_ GUARDED_BY(lock_) = false;
  uint64_t count_ GUARDED_BY(lock_) = 0;
  std::array<std::byte, 32> key_ GUARDED_BY(lock_) = {};
  std::array<std::byte, 4096> request_ GUARDED_BY(lock_) = {};
  std::array<std::byte, 4096> response_ GUARDED_BY(lock_) = {};
};

}  // namespace nsgx::snp
