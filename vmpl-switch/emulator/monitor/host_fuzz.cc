// SPDX-License-Identifier: Apache-2.0
// Gives the host a GHCB page full of anything: it answers, refuses or ends the machine, and writes
// to no private page.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "vmpl-switch/emulator/monitor/host.h"
#include "vmpl-switch/emulator/monitor/no_hardware.h"
#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr Page kGhcb = 800;
constexpr Page kPrivate = 900;

firmware::CpuidResult NoCpuid(uint32_t, uint32_t) { return {}; }

struct World {
  TestMachine machine;
  NoHardware hardware;
  Processors processors{2, hardware};
  Contexts& contexts = processors.At(0).contexts;
  firmware::SecureProcessor firmware;
  firmware::GuestCpuid cpuid{NoCpuid, kEncryptionBitNumber};
  Host host{hardware, machine.memory, machine.rmp, processors, 0, firmware, cpuid};
};

void TryPage(const uint8_t* data, size_t size) {
  static World& world = *new World;
  Rmp& rmp = world.machine.rmp;
  // As it was before the last input.
  if (rmp.entry(kGhcb).is_assigned && !rmp.Share(kGhcb, 1).ok()) {
    std::abort();
  }
  if (!rmp.entry(kPrivate).is_validated) {
    world.machine.MakePrivate(kPrivate);
  }
  std::byte* page = world.machine.memory.At(kGhcb);
  std::memset(page, 0, kPageSize);
  std::memcpy(page, data, std::min<size_t>(size, kPageSize));
  std::byte* secret = world.machine.memory.At(kPrivate);
  std::memset(secret, 0x5e, kPageSize);

  VmplContext& context = world.contexts[0];
  context.registered_ghcb = AddressOf(kGhcb).raw();
  context.ghcb_msr = AddressOf(kGhcb).raw();
  world.host.Call(context);
  world.host.RingDoorbell(context, 1);
  const bool is_intact = std::all_of(secret, secret + kPageSize,
                                     [](std::byte byte) { return byte == std::byte{0x5e}; });
  if (rmp.entry(kPrivate).is_validated && !is_intact) {
    std::abort();
  }
}

}  // namespace
}  // namespace nsgx::emu

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  nsgx::emu::TryPage(data, size);
  return 0;
}
