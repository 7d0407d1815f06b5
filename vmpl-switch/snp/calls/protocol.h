// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "vmpl-switch/abi/svsm.h"

namespace nsgx::snp {

// The registers of a call besides rax, as the guest has set them; what a protocol writes here goes
// back to the guest, whatever the result. Nothing in here is trusted.
struct CallRegisters {
  uint64_t rcx = 0;
  uint64_t rdx = 0;
  uint64_t r8 = 0;
  uint64_t r9 = 0;
};

struct CallContext {
  CallRegisters registers;
  GuestPhys calling_area;  // of the calling processor; a page in state kCallingArea
  GuestPhys vmsa;          // names the calling processor
};

// One protocol of calls from VMPL1 (vmpl-switch/abi/svsm.h).
class Protocol {
 public:
  constexpr Protocol(uint32_t number, uint32_t lowest_version, uint32_t highest_version)
      : number_(number), lowest_version_(lowest_version), highest_version_(highest_version) {}

  uint32_t number() const { return number_; }
  uint32_t lowest_version() const { return lowest_version_; }
  uint32_t highest_version() const { return highest_version_; }

  // Serves one call and returns what the guest finds in rax: SVSM_*.
  //
  // Trust: nothing: call and registers are the guest's.
  virtual uint32_t Serve(uint32_t call, CallContext& context) = 0;

 protected:
  ~Protocol() = default;

 private:
  const uint32_t number_;
  const uint32_t lowest_version_;
  const uint32_t highest_version_;
};

// All protocols that the SEH speaks.
class ProtocolTable {
 public:
  static constexpr size_t kMaxProtocols = 4;

  constexpr ProtocolTable() = default;

  // Requires: room is left, the number is not taken, the protocol lives longer. At start only.
  void Register(Protocol& protocol);

  // Serves the call that `rax` names and returns the result for rax.
  uint64_t Serve(uint64_t rax, CallContext& context);

  // Answers QUERY_PROTOCOL: highest << 32 | lowest version, or 0 when protocol or version is not
  // spoken.
  uint64_t Query(uint32_t number, uint32_t version) const;

 private:
  Protocol* Find(uint32_t number) const;

  std::array<Protocol*, kMaxProtocols> protocols_ = {};
  size_t count_ = 0;
};

// Returns the number that the guest gets for `status`, in the words that every protocol shares.
// Errors of a protocol's own are SVSM_PROTOCOL_RESULT + something and not made here.
uint32_t SvsmResultOf(Status status);

}  // namespace nsgx::snp
