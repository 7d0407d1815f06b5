/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation and sealing for programs in enclaves, from C and C++. docs/attestation.md explains
 * what is proved by what.
 *
 * The C functions return 0 or a negative error number:
 *   -ENODEV      this is no enclave (the native twin of one)
 *   -EINVAL      an argument has no meaning
 *   -EFAULT      a pointer does not point into the enclave
 *   -EACCES      the key of a security version above the enclave's own
 *   -ERANGE      the buffer is too small; *size says what is needed
 *   -EBADMSG     the report was not made for this enclave, by this machine, since its start
 *   -EPROTO      the host's certificates are no certificate chain (only their form was looked at)
 *   -EOPNOTSUPP  the machine cannot do it
 *   -EAGAIN      the machine has no random bytes or no memory for it now
 *   -EIO         the machine or the host failed
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vmpl-switch/abi/report.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NSGX_OWN_SVN 0xffffu

/* Writes evidence about this enclave for anybody who wants to know: an evidence.bin of at most
 * NSGX_EVIDENCE_MAX_SIZE bytes. The relying party chooses `report_data`, or a part of it: that is
 * how he sees that the evidence is no old one. Ends with -ERANGE when `capacity` is too small;
 * *size is set in both cases. Takes milliseconds. */
int nsgx_attest_evidence(const uint8_t report_data[64], void* out, size_t capacity, size_t* size);

/* Makes a report about this enclave that only the enclave with identity `target`, on this machine,
 * can verify. */
int nsgx_attest_report(const uint8_t target[32], const uint8_t report_data[64],
                       struct nsgx_report* report);

/* Returns 0 if another enclave on this machine made `report` for this one. What is in it, is then
 * for the caller to look at. */
int nsgx_attest_verify(const struct nsgx_report* report);

/* Derives a key that is the same each time on this machine: for this very image
 * (NSGX_KEY_BY_IDENTITY), or for all of the signer's images with this product id
 * (NSGX_KEY_BY_SIGNER) and a security version of at least `svn`; NSGX_OWN_SVN is the enclave's own.
 * Different `key_id`s give different keys. */
int nsgx_attest_key(uint32_t policy, uint16_t svn, const uint8_t key_id[32], uint8_t key[32]);

#ifdef __cplusplus
} /* extern "C" */

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace nsgx::attest {

using ReportData = std::array<std::byte, 64>;
using Identity = std::array<std::byte, 32>;
using KeyId = std::array<std::byte, 32>;
using Key = std::array<std::byte, 32>;

// A value, or the error number of why there is none; the numbers are those above, positive.
template <typename T>
class [[nodiscard]] Outcome {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor)
  Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  static Outcome Failure(int error) { return Outcome(Error{error}); }

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  // 0 if there is a value.
  int error() const { return has_value() ? 0 : std::get_if<1>(&state_)->number; }

  // Require: has_value().
  T& operator*() & { return *Get(); }
  const T& operator*() const& { return *const_cast<Outcome*>(this)->Get(); }
  T&& operator*() && { return std::move(*Get()); }
  T* operator->() { return Get(); }
  const T* operator->() const { return const_cast<Outcome*>(this)->Get(); }

 private:
  struct Error {
    int number;
  };
  explicit Outcome(Error error) : state_(std::in_place_index<1>, error) {}
  T* Get() {
    assert(has_value());
    return std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

namespace internal {
inline const uint8_t* Raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}
}  // namespace internal

// Report data that says `nonce`, of up to 64 bytes: zeros follow it. That is what nsgx-verify
// --nonce expects.
inline Outcome<ReportData> ReportDataOf(std::span<const std::byte> nonce) {
  ReportData data = {};
  if (nonce.size() > data.size()) {
    return Outcome<ReportData>::Failure(EINVAL);
  }
  std::ranges::copy(nonce, data.begin());
  return data;
}

// The contents of an evidence.bin; see nsgx_attest_evidence.
inline Outcome<std::vector<std::byte>> GetEvidence(const ReportData& report_data) {
  std::vector<std::byte> evidence(NSGX_EVIDENCE_MAX_SIZE);
  size_t size = 0;
  const int result =
      nsgx_attest_evidence(internal::Raw(report_data), evidence.data(), evidence.size(), &size);
  if (result != 0) {
    return Outcome<std::vector<std::byte>>::Failure(-result);
  }
  evidence.resize(size);
  return evidence;
}

// See nsgx_attest_report. For what an enclave wants to know about itself, the target does not
// matter.
inline Outcome<nsgx_report> GetReport(const Identity& target, const ReportData& report_data) {
  nsgx_report report;
  const int result = nsgx_attest_report(internal::Raw(target), internal::Raw(report_data), &report);
  return result == 0 ? Outcome<nsgx_report>(report) : Outcome<nsgx_report>::Failure(-result);
}

// Returns 0, or EBADMSG and others; see nsgx_attest_verify.
[[nodiscard]] inline int VerifyReport(const nsgx_report& report) {
  return -nsgx_attest_verify(&report);
}

enum class KeyPolicy : uint32_t { kIdentity = NSGX_KEY_BY_IDENTITY, kSigner = NSGX_KEY_BY_SIGNER };

// See nsgx_attest_key.
inline Outcome<Key> SealKey(KeyPolicy policy, const KeyId& key_id, uint16_t svn = NSGX_OWN_SVN) {
  Key key;
  const int result = nsgx_attest_key(static_cast<uint32_t>(policy), svn, internal::Raw(key_id),
                                     reinterpret_cast<uint8_t*>(key.data()));
  return result == 0 ? Outcome<Key>(key) : Outcome<Key>::Failure(-result);
}

}  // namespace nsgx::attest
#endif
