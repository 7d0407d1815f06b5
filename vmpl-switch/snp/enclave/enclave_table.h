// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/seh/keys.h"
#include "vmpl-switch/snp/enclave/enclave_context.h"
#include "vmpl-switch/snp/enclave/hardware.h"
#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// All enclaves, by numbers that are not given out again soon: place in the table, and how often it
// was used.
class EnclaveTable {
 public:
  static constexpr uint32_t kMaxEnclaves = 16;

  // Requires: all live longer.
  constexpr EnclaveTable(const Services& services, EnclaveHardware& hardware, seh::KeyStore& keys,
                         GuestPhys gate)
      : services_(services), hardware_(hardware), keys_(keys), gate_(gate) {}
  EnclaveTable(const EnclaveTable&) = delete;
  EnclaveTable& operator=(const EnclaveTable&) = delete;

  // Begins an enclave and returns its number, never 0.
  //
  // Errors: as EnclaveContext::Begin; kNoMemory  there are too many.
  Result<uint32_t> Begin(const EnclaveWish& wish, std::span<const std::byte> config)
      EXCLUDES(lock_);

  // Returns the enclave with this number, which may end any time unless its control() is held:
  // then ask again whether it is still the same.
  //
  // Errors: kNotFound  there is none.
  // Trust:  the number may be anybody's.
  Result<EnclaveContext*> Find(uint32_t number) EXCLUDES(lock_);

  // The enclave, which has ended, gives its number up. Errors: as EnclaveContext::End.
  Result<void> End(uint32_t number, EnclaveContext& context) EXCLUDES(lock_)
      REQUIRES(context.control());

  uint32_t count() EXCLUDES(lock_);
  uint64_t pages() EXCLUDES(lock_);

 private:
  struct Place {
    EnclaveContext* context = nullptr;  // made at first use, then there for ever
    uint32_t number = 0;                // 0: unused
    uint32_t uses = 0;
  };

  Result<EnclaveContext*> MakeContext();

  const Services& services_;
  EnclaveHardware& hardware_;
  seh::KeyStore& keys_;
  const GuestPhys gate_;
  SpinLock lock_;
  std::array<Place, kMaxEnclaves> places_ GUARDED_BY(lock_) = {};
};

}  // namespace nsgx::snp
