// SPDX-License-Identifier: Apache-2.0
// The SEH from its first line of C++ to the loop that serves the guest.
#include "base/core/log.h"
#include "vmpl-switch/snp/calls/core_protocol.h"
#include "vmpl-switch/snp/calls/guest_cpus.h"
#include "vmpl-switch/snp/calls/protocol.h"
#include "vmpl-switch/snp/image/checks.h"
#include "vmpl-switch/snp/image/console.h"
#include "vmpl-switch/snp/image/guest_loop.h"
#include "vmpl-switch/snp/image/launch_linux.h"
#include "vmpl-switch/snp/image/seh.h"

namespace nsgx::snp {
namespace {

constinit GuestCpus g_guest_cpus;
constinit ProtocolTable g_protocols;
constinit CoreProtocol g_core_protocol({.memory = g_seh.memory,
                                        .pages = g_seh.pages,
                                        .guest = g_seh.guest,
                                        .rmp = g_seh.rmp,
                                        .cpus = g_guest_cpus,
                                        .protocols = g_protocols,
                                        .event_pending = &EventPending});

}  // namespace

// entry.S
extern "C" [[noreturn]] void SehMain(uint64_t encryption_bit);
void SehMain(uint64_t encryption_bit) {
  CheckFeatures();
  CheckVmpl();
  CheckHost();
  StartMemory(encryption_bit);
  StartProcessor();
  StartAddressSpace();
  StartGhcb();
  StartConsole(g_seh.ghcb);
  LOG(kInfo, "VMPL0, ", g_seh.ram.end(), " end of RAM, ", g_seh.allocator.free_pages(),
      " pages of its own free");
  StartDoorbell();
  GiveMemoryToGuest();
  LaunchLinux(g_guest_cpus);
  g_protocols.Register(g_core_protocol);
  ServeGuest(g_guest_cpus, g_protocols);
}

}  // namespace nsgx::snp
