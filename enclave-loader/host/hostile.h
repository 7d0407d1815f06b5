// SPDX-License-Identifier: Apache-2.0
// A host that lies: nsgx-run --hostile. It stands between an enclave and the honest server, and
// spoils answers and wake-ups. What can be spoiled about a call, and how, follows from its
// description in host_calls.def, so a new call is lied about without anything being added here.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/host/server.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/device/device.h"

namespace nsgx::loader {

enum class Lie : uint8_t {
  kShort,         // less is done than was asked for
  kLong,          // more is said to be done than was asked for
  kNegative,      // a number that no error has
  kWrongErrno,    // an error that the call cannot have
  kReusedToken,   // the call is made, and the answer is that of an earlier call of its kind
  kStaleReply,    // the call is not made, and the answer is that of an earlier call of its kind
  kDoubleFetch,   // the window changes while the enclave looks at it
  kTimeBack,      // numbers that should grow shrink
  kNever,         // no answer for a second
  kGarbage,       // other bytes than were read
  kSpuriousWake,  // sleepers are woken for nothing, and told that streams are ready
  kLostWake,      // wake-ups are dropped, and ready streams are not told
  kReordering,    // answers and wake-ups come late, in another order
  kSingleStep,    // ticks come all the time, at times behind single instructions
};
inline constexpr size_t kLieCount = 14;

std::string_view LieName(Lie lie);

// A set of lies: bit n is Lie n.
using Lies = uint32_t;
inline constexpr Lies kAllLies = (1u << kLieCount) - 1;

// "short,long" or "all". Errors: kNotFound  a name is none of a lie.
Result<Lies> ParseLies(std::string_view names);
// "short,long" again.
std::string LieList(Lies lies);

struct HostileOptions {
  Lies lies = 0;  // none: the host is honest
  uint64_t seed = 1;
  uint32_t percent = 10;  // of the calls are lied about
};

// What can be lied about a call.
Lies LiesAbout(const shim::HostCallInfo& call);

// A number that the call may not give in answer to such a request; `random` chooses among them.
// Requires: `lie` is kLong, kNegative or kWrongErrno, and one of those about `call`.
int64_t IllegalReply(Lie lie, const shim::HostCallInfo& call, const shim::HostCallValues& values,
                     uint64_t random);

// One for an enclave; used by all vCPU threads at once.
class HostileHost {
 public:
  // Requires: all that is given outlives this object, which lives as long as the process.
  HostileHost(HostServer& honest, Device& device, const HostileOptions& options,
              uint32_t slot_count);

  // As those of HostServer.
  int64_t Answer(uint32_t slot, const Exit& exit);
  void Idle(uint32_t slot, uint64_t deadline);
  void Wake(uint32_t slot, uint64_t woken);

  // How often each lie was told.
  std::array<uint64_t, kLieCount> counts() const;

 private:
  // What a call was answered last.
  struct Remembered {
    bool exists = false;
    int64_t reply = 0;
    std::vector<std::byte> data;
  };
  struct alignas(64) Slot {
    uint64_t random = 0;
    std::atomic<int64_t> spoil_until = 0;  // nanoseconds
    bool is_stepped = false;
  };

  uint64_t Random(uint32_t slot);
  // One of `lies` that are wanted, or none most of the time.
  bool Choose(uint32_t slot, Lies lies, Lie* lie);
  int64_t AnswerWith(Lie lie, uint32_t slot, const Exit& exit, const shim::HostCallInfo& call);
  void Remember(uint32_t slot, const shim::HostCallInfo& call, const shim::HostCallValues& values,
                int64_t reply);
  // Puts the last answer to `call` in place of this one; false when there is none.
  bool Repeat(const shim::HostCallInfo& call, std::span<std::byte> room, int64_t* reply);
  void FillWithGarbage(uint32_t slot, std::span<std::byte> bytes);
  void SpoilWindows();
  // Before the slot's thread goes back into the enclave.
  void StartSteps(uint32_t slot);

  HostServer& honest_;
  Device& device_;
  const HostileOptions options_;
  std::vector<Slot> slots_;
  std::array<std::atomic<uint64_t>, kLieCount> counts_ = {};
  std::mutex lock_;
  std::vector<Remembered> remembered_;  // by number; under lock_
  std::atomic<uint32_t> spoiling_ = 0;  // windows that are wanted spoiled since the start
};

}  // namespace nsgx::loader
