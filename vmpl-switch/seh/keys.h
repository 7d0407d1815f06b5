// SPDX-License-Identifier: Apache-2.0
// Secrets of the SEH: sealing keys, local reports, evidence.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "base/crypto/drbg.h"
#include "base/crypto/ecdsa_p384.h"
#include "vmpl-switch/abi/report.h"
#include "vmpl-switch/seh/machine.h"

namespace nsgx::seh {

// Security version of this SEH: raised when an older one must not be trusted any more.
inline constexpr uint32_t kSehSvn = 1;

// The secrets of one SEH on one machine, from its start to its end. Everything is made at first
// use, so an enclave that asks for nothing pays nothing.
//
// An enclave is named by its report body (without report data), which the SEH has made: bodies are
// trusted, requests are not. All methods may be called from several threads at once.
class KeyStore {
 public:
  // Requires: the machine lives longer.
  constexpr explicit KeyStore(Machine& machine) : machine_(machine) {}
  KeyStore(const KeyStore&) = delete;
  KeyStore& operator=(const KeyStore&) = delete;
  // Overwrites the secrets.
  ~KeyStore();

  // Derives the sealing key that `owner` asks for. The same request gives the same key on this
  // machine for ever; a debug enclave never gets the key of one that is none.
  //
  // Errors: kInvalidArgument   unknown policy, reserved bits.
  //         kPermissionDenied  request.svn is above the owner's.
  //         kEntropyFailure, kUnsupported, ...  what the machine's root key says.
  Result<void> DeriveKey(const nsgx_report_body& owner, const nsgx_key_request& request,
                         std::span<std::byte, 32> key);

  // Makes a report about `owner` that only the enclave with identity request.target can verify.
  //
  // Errors: kEntropyFailure  the machine gives no random bytes.
  Result<void> MakeReport(const nsgx_report_body& owner, const nsgx_report_request& request,
                          nsgx_report& report);

  // Checks that `report` was made for `verifier` by this SEH since it started.
  //
  // Errors: kBadTag          it was not.
  //         kEntropyFailure  the machine gives no random bytes.
  Result<void> VerifyReport(const nsgx_report_body& verifier, const nsgx_report& report);

  // Signs a body about `owner` with the SEH's P-384 key, which the machine's hardware report binds.
  //
  // Errors: kNoMemory  no memory for the computation now (base/crypto/mbedtls_heap.h).
  //         what the machine's random source or hardware report says.
  Result<void> MakeEvidence(const nsgx_report_body& owner,
                            std::span<const std::byte, 64> report_data,
                            nsgx_evidence_core& evidence);

  // Fills in X and Y of the key that signs evidence, for whoever publishes it.
  //
  // Errors: as MakeEvidence.
  Result<void> EvidencePublicKey(std::span<std::byte, 96> out);

 private:
  // A secret of 32 bytes, made when it is first needed.
  struct Secret {
    bool is_made = false;
    std::array<std::byte, 32> bytes = {};
  };
  // The key that signs evidence and the hardware's word for it. The report says who the SEH is, and
  // that stays the same; what is fresh in evidence is the enclave's report data.
  struct EvidenceKey {
    EcdsaP384PrivateKey key;
    std::array<std::byte, 1184> hardware_report;
  };

  // Copies the secret to `out`; asks make(out) for it the first time.
  template <typename Make>
  Result<void> Get(Secret KeyStore::* secret, std::span<std::byte, 32> out, Make&& make)
      EXCLUDES(lock_);
  Result<void> ReportKey(const uint8_t (&target)[32], std::span<std::byte, 32> key);
  Result<EvidenceKey> MakeEvidenceKey(Drbg& drbg);
  Result<const EvidenceKey*> GetEvidenceKey(Drbg& drbg) EXCLUDES(lock_);

  Machine& machine_;
  SpinLock lock_;
  Secret root_ GUARDED_BY(lock_);    // of sealing keys: the machine's
  Secret report_ GUARDED_BY(lock_);  // of report keys: random, new at each start
  std::optional<EvidenceKey> evidence_ GUARDED_BY(lock_);  // constant once it is there
};

}  // namespace nsgx::seh
