// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/snp/calls/protocol.h"
#include "vmpl-switch/snp/enclave/enclave_table.h"
#include "vmpl-switch/snp/enclave/hardware.h"
#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// The calls about enclaves (vmpl-switch/abi/seh_calls.h).
//
// Trust: nothing that a call brings. Numbers, slots and offsets are checked where they are used;
// lists and structures are copied once; of every page in a list it is GuestPages that says what may
// become of it, each time.
class SehProtocol final : public Protocol {
 public:
  // Room for what INIT and CERTIFICATES need in one piece.
  static constexpr uint64_t kScratchPages = NSGX_ARGS_MAX_SIZE / kPageSize + 1;

  // `scratch`: kScratchPages of the SEH's. Requires: all live longer.
  constexpr SehProtocol(const Services& services, EnclaveHardware& hardware, EnclaveTable& enclaves,
                        std::span<std::byte> scratch)
      : Protocol(NSGX_SEH_PROTOCOL, NSGX_SEH_VERSION, NSGX_SEH_VERSION),
        services_(services),
        hardware_(hardware),
        enclaves_(enclaves),
        scratch_(scratch) {}

  uint32_t Serve(uint32_t call, CallContext& context) override;

 private:
  // A list of pages, copied.
  struct List {
    uint32_t count = 0;
    uint64_t pages[NSGX_SEH_LIST_PAGES];
  };

  Result<void> ReadList(uint64_t address, List& list) const;
  Result<void> CopyPages(const List& list, std::span<std::byte> to) const;

  template <typename Body>
  uint32_t WithEnclave(CallContext& context, Body&& body);
  template <typename Body>
  uint32_t ForEachPage(CallContext& context, uint64_t list_address, Body&& body);

  uint32_t Query(CallContext& context);
  uint32_t Create(CallContext& context);
  uint32_t Donate(CallContext& context);
  uint32_t Reclaim(CallContext& context);
  uint32_t AddPages(CallContext& context);
  uint32_t AddZeroPages(CallContext& context);
  uint32_t AddWindow(CallContext& context);
  uint32_t Init(CallContext& context);
  uint32_t Enter(CallContext& context);
  uint32_t Destroy(CallContext& context);
  uint32_t Info(CallContext& context);
  uint32_t Certificates(CallContext& context);
  uint32_t Debug(CallContext& context, bool is_write);

  const Services& services_;
  EnclaveHardware& hardware_;
  EnclaveTable& enclaves_;
  SpinLock scratch_lock_;
  const std::span<std::byte> scratch_;  // under scratch_lock_
};

}  // namespace nsgx::snp
