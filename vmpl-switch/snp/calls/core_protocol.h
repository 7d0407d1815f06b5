// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/abi/svsm.h"
#include "vmpl-switch/snp/calls/guest_cpus.h"
#include "vmpl-switch/snp/calls/protocol.h"
#include "vmpl-switch/snp/memory/direct_map.h"
#include "vmpl-switch/snp/memory/guest_access.h"
#include "vmpl-switch/snp/memory/guest_pages.h"
#include "vmpl-switch/snp/memory/rmp.h"

namespace nsgx::snp {

// Version 1 of the protocol that every SVSM speaks: calling areas, page states, processors. The
// calls about memory of the SVSM (DEPOSIT, WITHDRAW) are not supported: it has all it needs.
class CoreProtocol final : public Protocol {
 public:
  struct Parts {
    const DirectMap& memory;
    GuestPages& pages;
    const GuestAccess& guest;
    Rmp& rmp;
    GuestCpus& cpus;
    const ProtocolTable& protocols;
    // Returns whether the guest has to run: long calls then stop with SVSM_INCOMPLETE.
    bool (*event_pending)();
  };

  // Requires: the parts live longer.
  constexpr explicit CoreProtocol(const Parts& parts)
      : Protocol(SVSM_PROTOCOL_CORE, 1, 1), parts_(parts) {}

  uint32_t Serve(uint32_t call, CallContext& context) override;

 private:
  uint32_t RemapCallingArea(CallContext& context);
  uint32_t PvalidateList(CallContext& context);
  uint32_t PvalidateEntry(uint64_t entry);
  uint32_t ValidatePage(GuestPhys page, SnpPageSize size, bool ignores_unchanged);
  uint32_t RescindPage(GuestPhys page, SnpPageSize size, bool ignores_unchanged);
  uint32_t BeginRun(GuestPhys page, SnpPageSize size, PageState from, PageState already,
                    bool ignores_unchanged);
  void FinishRun(GuestPhys page, SnpPageSize size, PageState to);
  void AbandonRun(GuestPhys page, uint64_t count);
  // The guest has it back, unless another of its processors makes calls by it.
  void ReleaseCallingArea(GuestPhys area);
  uint32_t CreateVcpu(const CallContext& context);
  uint32_t DeleteVcpu(const CallContext& context);

  const Parts parts_;
};

}  // namespace nsgx::snp
