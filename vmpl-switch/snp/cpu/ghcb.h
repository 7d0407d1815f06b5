// SPDX-License-Identifier: Apache-2.0
// Asking the host, through a page that it shares with us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "base/core/untrusted.h"
#include "vmpl-switch/abi/ghcb.h"

namespace nsgx::snp {

// Registers that go to the host with an exit, and come back.
struct GhcbExit {
  uint64_t code;
  uint64_t info1 = 0;
  uint64_t info2 = 0;
  bool sends_rax = false;
  bool sends_rbx = false;
  uint64_t rax = 0;
  uint64_t rbx = 0;
};

// How this processor leaves for its host: a register, and an instruction. Tests have a host of
// plain C++.
class HostGate {
 public:
  // Puts `request` into the GHCB MSR, leaves, and returns what the MSR then holds.
  virtual uint64_t Leave(uint64_t request) = 0;

  // Puts `request` into the GHCB MSR, and does not leave.
  virtual void Prepare(uint64_t request) = 0;

 protected:
  ~HostGate() = default;
};

// One processor's GHCB page. Not locked: its processor's alone, and never used by what may
// interrupt its use.
//
// Trust: nothing that comes back. Everything is copied out of the page once.
class Ghcb {
 public:
  // Requires: the gate lives longer.
  constexpr explicit Ghcb(HostGate& gate) : gate_(gate) {}

  // Takes over a shared page, mapped at `page`, and registers it with the host.
  // Errors: kHostFault  the host does not take it.
  Result<void> Initialize(volatile std::byte* page, GuestPhys address);

  bool is_ready() const { return page_ != nullptr; }

  // Makes the exit. Returns what the host put into rax, rbx and info 2.
  //
  // Errors: kHostFault  the host says that the exit was malformed, asks for an exception, or has
  //                     left out what it has to answer.
  Result<GhcbExit> Exit(const GhcbExit& exit);

  // The same with `buffer` in the page's buffer, on the way there and, if `reads_back`, on the way
  // back. Requires: at most GHCB_BUFFER_SIZE bytes.
  Result<GhcbExit> ExitWithBuffer(const GhcbExit& exit, std::span<std::byte> buffer,
                                  bool reads_back);

  // Port accesses, for what has no other way: serial log, fw_cfg. Errors: as Exit.
  Result<void> WritePort8(uint16_t port, uint8_t value);
  Result<void> WritePort32(uint16_t port, uint32_t value);
  Result<uint8_t> ReadPort8(uint16_t port);
  // Writes bytes to one port, by one exit for each bufferful.
  Result<void> WritePortText(uint16_t port, std::span<const std::byte> text);

  // Asks the host to make pages private or shared (GHCB_PAGE_*). `size` is 4 KiB or 2 MiB each.
  //
  // Requires: at most kMaxPageStates pages.
  // Errors:   kHostFault  the host has not done all of it.
  static constexpr size_t kMaxPageStates = GHCB_PAGE_STATE_MAX_ENTRIES;
  Result<void> ChangePageStates(GuestPhys first, size_t count, bool is_large, uint64_t state);

  // VMGEXIT is for every ring. Makes it harmless in ring 3: the host gets a page that asks for
  // nothing, and whatever it answers nobody reads. To be called before ring 3 runs.
  void Disarm();

 private:
  void Begin();
  template <typename T>
  void Put(size_t offset, T value);
  void PutField(size_t offset, uint64_t value);
  bool FieldIsValid(size_t offset) const;
  template <typename T>
  T Get(size_t offset) const;
  Result<GhcbExit> Perform(const GhcbExit& exit, bool has_scratch);

  HostGate& gate_;
  volatile std::byte* page_ = nullptr;
  GuestPhys address_;
};

// The MSR protocol: for what comes before there is a page. Errors: kHostFault.
Result<void> ChangePageStateByMsr(HostGate& gate, GuestPhys page, uint64_t state);
Result<void> RunVmpl(HostGate& gate, uint8_t vmpl);

}  // namespace nsgx::snp
