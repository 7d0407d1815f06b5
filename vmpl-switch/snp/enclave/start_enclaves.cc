// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/start_enclaves.h"

#include <new>

#include "base/core/mem_raw.h"
#include "vmpl-switch/snp/calls/attestation_protocol.h"
#include "vmpl-switch/snp/enclave/enclave_table.h"
#include "vmpl-switch/snp/enclave/layout.h"
#include "vmpl-switch/snp/enclave/ring3.h"
#include "vmpl-switch/snp/enclave/seh_protocol.h"

namespace nsgx::snp {
namespace {

// The key of evidence, for the services manifest.
class EvidenceSigningKey final : public SigningKey {
 public:
  explicit EvidenceSigningKey(seh::KeyStore& keys) : keys_(keys) {}

  Result<void> PublicKey(std::span<std::byte, 96> out) override {
    return keys_.EvidencePublicKey(out);
  }
  uint32_t svn() const override { return seh::kSehSvn; }

 private:
  seh::KeyStore& keys_;
};

// Everything about enclaves that is there once.
struct Enclaves {
  Enclaves(const Services& services, GuestPhys gate, std::span<std::byte> scratch)
      : ring3(services),
        no_pages(services.memory),
        secrets(services, ring3, no_pages, gate),
        keys(secrets),
        signing_key(keys),
        table(services, ring3, keys, gate),
        protocol(services, ring3, table, scratch) {}

  Ring3 ring3;
  // A machine without memory, from which the keys of all enclaves get their secrets.
  PagePool no_pages;
  SnpMachine secrets;
  seh::KeyStore keys;
  EvidenceSigningKey signing_key;
  EnclaveTable table;
  SehProtocol protocol;
};

constinit Ring3* g_ring3 = nullptr;

}  // namespace

Result<void> StartEnclaves(const Services& services) {
  const GuestPhys gate = TRY(services.allocator.AllocateForEver(1));
  CopyOnce(services.memory.At(gate), kGateCode, sizeof(kGateCode));
  const GuestPhys scratch = TRY(services.allocator.AllocateForEver(SehProtocol::kScratchPages));
  constexpr uint64_t kPages = (sizeof(Enclaves) + kPageSize - 1) / kPageSize;
  Enclaves& enclaves =
      *new (services.memory.At(TRY(services.allocator.AllocateForEver(kPages)))) Enclaves(
          services, gate, {services.memory.At(scratch), SehProtocol::kScratchPages * kPageSize});
  TRY(enclaves.ring3.Start());
  services.protocols.Register(enclaves.protocol);
  services.attestation.Publish(enclaves.signing_key);
  g_ring3 = &enclaves.ring3;
  return {};
}

void StartEnclavesOnOther() {
  if (g_ring3 != nullptr) {
    g_ring3->StartOther();
  }
}

}  // namespace nsgx::snp
