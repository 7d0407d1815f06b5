// SPDX-License-Identifier: Apache-2.0
// The SEH from its first line of C++ to the loop that serves the guest.
#include "base/core/log.h"
#include "vmpl-switch/snp/calls/guest_cpus.h"
#include "vmpl-switch/snp/enclave/start_enclaves.h"
#include "vmpl-switch/snp/image/checks.h"
#include "vmpl-switch/snp/image/console.h"
#include "vmpl-switch/snp/image/guest_loop.h"
#include "vmpl-switch/snp/image/launch_linux.h"
#include "vmpl-switch/snp/image/others.h"
#include "vmpl-switch/snp/image/seh.h"
#include "vmpl-switch/snp/image/start_services.h"

namespace nsgx::snp {
namespace {

constinit GuestCpus g_guest_cpus;

}  // namespace

// entry.S
extern "C" [[noreturn]] void SehMain(uint64_t encryption_bit);
void SehMain(uint64_t encryption_bit) {
  CheckFeatures();
  CheckVmpl();
  CheckHost();
  StartMemory(encryption_bit);
  StartFirstProcessor();
  StartAddressSpace();
  StartGhcb(g_seh.first, MakeSharedPages(1, true));
  StartConsole();
  LOG(kInfo, "VMPL0, ", g_seh.ram.end(), " end of RAM, ", g_seh.allocator.free_pages(),
      " pages of its own free");
  StartDoorbell(g_seh.first, MakeSharedPages(1, false));
  GiveMemoryToGuest();
  Services& services = StartServices(g_guest_cpus);
  const Result<void> enclaves = StartEnclaves(services);
  if (!enclaves.ok()) {
    LOG(kError, "this machine cannot run enclaves: ", StatusName(enclaves.error()));
  }
  StartOthers({.cpus = g_guest_cpus, .protocols = services.protocols});
  LaunchLinux(g_guest_cpus);
  ServeGuest(g_guest_cpus, services.protocols);
}

}  // namespace nsgx::snp
