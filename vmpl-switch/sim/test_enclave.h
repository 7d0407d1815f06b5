// SPDX-License-Identifier: Apache-2.0
// An enclave for tests of the switch: no image, no SEH core, only slots, the code of blob.S and a
// stand-in for the SEH's calls.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/sim/blob.h"
#include "vmpl-switch/sim/process.h"
#include "vmpl-switch/sim/vcpu.h"

extern "C" {
extern const char nsgx_sim_blob_begin[], nsgx_sim_blob_end[];
extern const char nsgx_sim_blob_first[], nsgx_sim_blob_leave[], nsgx_sim_blob_hammer[],
    nsgx_sim_blob_registers[], nsgx_sim_blob_step[], nsgx_sim_blob_fault[],
    nsgx_sim_blob_exception[], nsgx_sim_blob_raw[], nsgx_sim_blob_measure_host_call[],
    nsgx_sim_blob_measure_seh_call[], nsgx_sim_blob_measure_syscall[],
    nsgx_sim_blob_measure_exception[];
}

namespace nsgx::sim {

// Number of the SEH call that FakeSeh answers with its first argument plus one.
inline constexpr uint64_t kFakeSehCall = 64;

class FakeSeh final : public SehCalls {
 public:
  int64_t GateCall(uint32_t slot, uint64_t call, const std::array<uint64_t, 5>& arguments) override;
  FaultAnswer HandleFault(uint64_t address, seh::Permissions needed) override;
  uint64_t exception_entry() const override;
  uint64_t syscall_entry() const override { return syscall_entry_; }

  uint64_t exception_entry_ = 0;
  uint64_t syscall_entry_ = 0;
  // What HandleFault answers for this address, after calling the function.
  uint64_t special_address_ = 0;
  FaultAnswer special_answer_ = FaultAnswer::kDeliver;
  std::function<void()> on_special_fault_;
  // Calls in which the host's thread-local variables were not the host's.
  mutable uint64_t bad_thread_pointers_ = 0;

 private:
  void CheckThreadPointer() const;
};

// Call from a thread that has `t_thread_local_probe` set to its own address.
void SetThreadLocalProbe();

class TestEnclave {
 public:
  // `routine` is one of nsgx_sim_blob_*. Takes the handlers of blob.S unless told not to.
  explicit TestEnclave(const char* routine, uint32_t slots = 1, bool with_handlers = true,
                       const std::array<uint64_t, 2>& host_calls = {uint64_t{1} << BLOB_HOST_CALL,
                                                                    0});
  ~TestEnclave();

  // Runs slot `slot` on the calling thread until it is done or ended; answers BLOB_HOST_CALL.
  // `enter` replaces Vcpu::Enter.
  using Enter = std::function<const std::array<uint64_t, 6>&(Vcpu&, ThreadBlock&, uint64_t)>;
  std::array<uint64_t, 6> Run(uint32_t slot = 0, const Enter& enter = nullptr);

  // The enclave's memory; the caller has SehAccess.
  uint64_t& Data(uint32_t offset, uint32_t slot = 0);
  std::byte* DataBytes(uint32_t offset, uint32_t slot = 0);
  nsgx_slot* slot(uint32_t index = 0);
  // A copy of Data(), made with access.
  uint64_t Read(uint32_t offset, uint32_t slot = 0);
  void Write(uint32_t offset, uint64_t value, uint32_t slot = 0);
  // General register number `index` as blob.S stored it last.
  uint64_t General(uint32_t offset, uint32_t slot = 0);

  std::byte* base() const { return base_; }
  uint64_t address(uint64_t offset) const { return reinterpret_cast<uint64_t>(base_) + offset; }
  uint64_t address_of(const char* label) const {
    return address(static_cast<uint64_t>(label - nsgx_sim_blob_begin));
  }
  Vcpu& vcpu(uint32_t index = 0) { return vcpus_[index]; }
  FakeSeh& seh() { return seh_; }

  // Fills WANTED and WANTED_XSAVE of a slot from `seed`.
  void FillWanted(uint32_t slot, uint64_t seed);

 private:
  FakeSeh seh_;
  std::byte* base_;
  std::vector<Vcpu> vcpus_;
};

}  // namespace nsgx::sim
