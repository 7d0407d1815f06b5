// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/start_services.h"

#include <algorithm>

#include "base/core/log.h"
#include "vmpl-switch/snp/calls/attestation_protocol.h"
#include "vmpl-switch/snp/calls/core_protocol.h"
#include "vmpl-switch/snp/cpu/cpuid_state.h"
#include "vmpl-switch/snp/image/clock.h"
#include "vmpl-switch/snp/image/forever.h"
#include "vmpl-switch/snp/image/layout.h"
#include "vmpl-switch/snp/image/message_transport.h"
#include "vmpl-switch/snp/image/random.h"
#include "vmpl-switch/snp/image/seh.h"

namespace nsgx::snp {
namespace {

constinit GhcbTransport g_transport;
constinit MessageClient g_messages(g_transport);
constinit Forever<ProcessorRandom> g_random;
constinit ProcessorClock g_clock;
constinit ProtocolTable g_protocols;

constinit AttestationProtocol g_attestation(g_seh.guest, g_messages);

constinit Services g_services = {.memory = g_seh.memory,
                                 .allocator = g_seh.allocator,
                                 .pages = g_seh.pages,
                                 .guest = g_seh.guest,
                                 .rmp = g_seh.rmp,
                                 .kernel_space = g_seh.space,
                                 .encryption_bit = 0,
                                 .cpuid = g_cpuid,
                                 .messages = g_messages,
                                 .random = *g_random,
                                 .clock = g_clock,
                                 .protocols = g_protocols,
                                 .attestation = g_attestation,
                                 .calls = g_seh.calls};

void StartMessages() {
  const snp_secrets* secrets = g_seh.memory.ObjectAt<snp_secrets>(GuestPhys(SEH_SECRETS_PAGE));
  const std::span<const uint8_t, 32> key(secrets->vmpck[0]);
  if (std::all_of(key.begin(), key.end(), [](uint8_t byte) { return byte == 0; })) {
    Terminate(Termination::kFirmwareSecrets);
  }
  const SharedPages buffer = MakeSharedPages(GhcbTransport::kPages, false);
  g_transport.Initialize(buffer.data, buffer.address);
  g_messages.Initialize(std::as_bytes(key), secrets->message_count[0]);
}

}  // namespace

Services& StartServices(GuestCpus& cpus) {
  g_services.encryption_bit = g_seh.encryption_bit;
  OrTerminate(g_random->Start(), Termination::kNoEntropy);
  g_clock.Start(g_seh.first.ghcb, g_cpuid);
  StartMessages();
  static CoreProtocol g_core({.memory = g_seh.memory,
                              .pages = g_seh.pages,
                              .guest = g_seh.guest,
                              .rmp = g_seh.rmp,
                              .cpus = cpus,
                              .protocols = g_protocols,
                              .event_pending = &EventPending});
  g_protocols.Register(g_core);
  g_protocols.Register(g_attestation);
  LOG(kInfo, "TSC ", g_clock.khz(), " kHz");
  return g_services;
}

}  // namespace nsgx::snp
