// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/emulator/monitor/secret_watch.h"
#include "vmpl-switch/emulator/monitor/shared_memory.h"
#include "vmpl-switch/emulator/monitor/tampering.h"

namespace nsgx::emu {

// A host that does what a test tells it to: one attack at a time, given as a line of words by the
// monitor's command line ("launch ...") or by the port. Says at the port how far the last one is.
//
//   search                    look for the secret in memory
//   ring3 ACTION, ring0 ACTION   when an enclave has been interrupted; when VMPL0 has been called
//       vc CODE               #VC with this exit code
//       exception VECTOR [ERROR]   injected as an exception; with its error code
//       interrupt VECTOR      injected as an interrupt
//       nmi
//       hv COUNT              #HV at each of the next entries
//       unvalidate rsp|rip    RMPUPDATE: the page there is as after an exchange of its memory
//       share rsp|rip         makes the page there shared
//   step ADDRESS N COUNT      #HV N instructions behind that address of VMPL0 or as soon as ring 3
//                             runs, as often as that
//   call skip|refuse COUNT    VMPL1's switch to VMPL0: says that it was done, or that it can't be
//   return skip|refuse|garbage COUNT   the same with VMPL0's switch to VMPL1
//   spurious COUNT            runs VMPL0 whenever VMPL1 exits
//   message KIND              the answer to VMPL0's next message to the secure processor
//   ghcb KIND                 the answer to VMPL0's next request by GHCB page
//   launch KIND [VALUE]       what the firmware or the loader has written
class HostileHost final : public Tampering {
 public:
  // `line` may be null.
  HostileHost(const char* line, const GuestMemory& memory, Rmp& rmp)
      : memory_(memory), rmp_(rmp), shared_(memory, rmp), watch_(memory, rmp) {
    for (; line != nullptr && *line != 0; ++line) {
      Hear(static_cast<uint8_t>(*line));
    }
    Hear('\n');
  }

  void AfterLaunch() override;
  std::optional<unsigned> BeforeEntry(VmplContext& context) override;
  bool TakesExit(VmplContext& context) override;
  bool AnswersCall(VmplContext& context) override;
  void AfterCall() override;
  void AfterSwitch(const VmplContext& from, const VmplContext& to) override;
  void Hear(uint8_t value) override;
  uint8_t Say() override { return static_cast<uint8_t>(state_); }
  void AfterEnd() override;

 private:
  enum class State : uint8_t { kIdle = '-', kArmed = 'a', kDone = 'd', kUnknown = '?' };
  static constexpr size_t kMaxLine = 80;
  static constexpr size_t kMaxWords = 5;

  std::string_view word(size_t index) const { return words_[index]; }
  uint64_t number(size_t index) const;
  bool IsArmed(std::string_view kind) const { return state_ == State::kArmed && word(0) == kind; }

  void Obey();
  void Done();
  // Counts the last number of the line down.
  void DoneOnce();

  void Act(VmplContext& context);
  void SignalOnce(VmplContext& context);
  void Step(VmplContext& context);
  void SetStepping(VmplContext& context, bool on);
  void SetBreakpoint(const VmplContext& context, bool on);
  void ChangePage(VmplContext& context);
  bool AnswerSwitch(VmplContext& context, std::string_view kind);
  bool AnswerPage(VmplContext& context);
  bool AnswerMessage(UntrustedBytes page);
  void TamperWithMessage(UntrustedBytes answer);
  void ChangeCpuid();
  void ChangeMemoryMap();

  std::array<char, kMaxLine> line_ = {};
  size_t line_size_ = 0;
  std::array<std::string_view, kMaxWords> words_ = {};
  State state_ = State::kIdle;
  uint64_t left_ = 0;
  bool has_switched_ = false;
  uint64_t steps_left_ = 0;  // from the breakpoint to the instruction that is to be hit, and one
  std::byte* covered_ = nullptr;  // where the breakpoint is, if there is one, and what was there
  std::byte covered_byte_{};

  // Of the message on its way, 0: none; and the last answer, for a replay.
  uint64_t answer_address_ = 0;
  alignas(kPageSize) std::array<std::byte, kPageSize> last_answer_ = {};

  const GuestMemory& memory_;
  Rmp& rmp_;
  SharedMemory shared_;
  SecretWatch watch_;
};

}  // namespace nsgx::emu
