// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/enclave/hardware.h"
#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// The processor itself. Runs the SEH's side of a turn on the stack of its caller; what comes from
// ring 3 arrives on the stack of RSP0 and goes back to the caller from there.
class Ring3 final : public EnclaveHardware {
 public:
  // Requires: the services live longer.
  constexpr explicit Ring3(const Services& services) : services_(services) {}

  // Sets the first processor up for ring 3.
  //
  // Errors: kUnsupported  it lacks FSGSBASE, which enclaves need.
  Result<void> Start();
  // Sets another one up. Requires: there is no enclave yet.
  void StartOther();

  void Activate(const AddressSpace* space) override;
  void FlushPages(EnclaveVirt start, uint64_t count) override;
  std::span<std::byte> Alias(const AddressSpace& space, EnclaveVirt start, uint64_t size) override;
  Ring3Event Run(Ring3State& state) override;
  bool EventPending() override;
  const ExtendedState& extended_state() const override { return extended_; }

 private:
  void StartProcessor() const;
  void Load(const std::byte* area) const;
  void Save(std::byte* area) const;
  void Scrub() const;

  const Services& services_;
  ExtendedState extended_;
  bool has_others_ = false;
  alignas(64) std::byte initial_[kMaxExtendedSize] = {};
};

}  // namespace nsgx::snp
