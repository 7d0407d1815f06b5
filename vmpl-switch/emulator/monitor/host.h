// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/emulator/firmware/guest_cpuid.h"
#include "vmpl-switch/emulator/firmware/secure_processor.h"
#include "vmpl-switch/emulator/monitor/fw_cfg.h"
#include "vmpl-switch/emulator/monitor/hardware.h"
#include "vmpl-switch/emulator/monitor/processors.h"
#include "vmpl-switch/emulator/monitor/shared_memory.h"
#include "vmpl-switch/emulator/monitor/vmpl_context.h"

namespace nsgx::emu {

// Ports of the machine that are more than a device's.
inline constexpr uint16_t kLogPort = 0xe9;        // the monitor's own log
inline constexpr uint16_t kDebugExitPort = 0xf4;  // ends QEMU
inline constexpr uint16_t kKeyboardPort = 0x64;   // 0xfe resets
inline constexpr uint16_t kPortA = 0x92;          // bit 0 resets
inline constexpr uint16_t kPowerPort = 0x604;     // ACPI, PM1a control
inline constexpr uint16_t kResetPort = 0xcf9;

// The hypervisor's side of the GHCB protocol, version 2, for the guest on one processor. What
// guests say is checked; guests must not believe what it answers.
class Host {
 public:
  // What a request wants of the processor.
  struct Outcome {
    std::optional<unsigned> run_vmpl;
    bool holds = false;  // until another processor releases this one
    std::optional<End> end;
  };

  // `self`: the processor, of `processors`.
  Host(Hardware& hardware, const GuestMemory& memory, Rmp& rmp, Processors& processors,
       unsigned self, firmware::SecureProcessor& firmware, const firmware::GuestCpuid& cpuid)
      : hardware_(hardware),
        memory_(memory),
        rmp_(rmp),
        shared_(memory, rmp),
        processors_(processors),
        contexts_(processors.At(self).contexts),
        firmware_(firmware),
        cpuid_(cpuid),
        fw_cfg_(hardware, shared_),
        counters_(processors.counters()) {}

  // VMGEXIT by `context`: answers what its GHCB MSR says.
  Outcome Call(VmplContext& context);

  // Says that a processor runs with the state of `context` from now on, or no longer.
  void SetRunning(const VmplContext& context, bool is_running);

  // Says that something waits for `vmpl`. Returns true when VMPL0 is to get #HV.
  bool RingDoorbell(VmplContext& context, unsigned vmpl);

  // A port by a VMPL that has the devices, without a request: `value` is what it writes, or gets
  // what it reads.
  std::optional<End> AccessPort(unsigned vmpl, uint16_t port, unsigned size, bool is_in,
                                uint32_t& value);

  // True when a guest's access to [port, port + size) must come to us.
  static bool IsGuarded(uint16_t port);

 private:
  class GhcbPage;

  Outcome CallByMsr(VmplContext& context);
  Outcome CallByPage(VmplContext& context);

  // Each answers in the page.
  void Cpuid(GhcbPage& page);
  Outcome Port(GhcbPage& page, VmplContext& context);
  std::optional<End> WritePort(uint16_t port, unsigned size, uint32_t value, unsigned vmpl);
  uint32_t ReadPort(uint16_t port, unsigned size);
  void Msr(GhcbPage& page);
  void ChangePageStates(GhcbPage& page);
  void GuestRequest(GhcbPage& page, bool is_extended);
  void CreateProcessor(GhcbPage& page, const VmplContext& by);
  void Doorbell(GhcbPage& page, VmplContext& context);
  void ApicIds(GhcbPage& page);

  // Whether a processor takes the state of `context`.
  bool CanRun(const VmplContext& context) const;
  Result<void> ChangePageState(uint64_t page, uint64_t count, uint64_t operation);

  Hardware& hardware_;
  const GuestMemory& memory_;
  Rmp& rmp_;
  SharedMemory shared_;
  Processors& processors_;
  Contexts& contexts_;
  firmware::SecureProcessor& firmware_;
  const firmware::GuestCpuid& cpuid_;
  FwCfgGate fw_cfg_;
  Counters& counters_;
};

}  // namespace nsgx::emu
