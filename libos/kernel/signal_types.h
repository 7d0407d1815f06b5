// SPDX-License-Identifier: Apache-2.0
// Signals as the Linux ABI lays them out: numbers, sets, actions, siginfo, signal stacks.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace nsgx::libos {

inline constexpr int32_t kSignalCount = 64;  // numbers 1..64
inline constexpr int32_t kFirstRealTimeSignal = 32;

inline constexpr int32_t kSigHup = 1, kSigInt = 2, kSigQuit = 3, kSigIll = 4, kSigTrap = 5,
                         kSigAbrt = 6, kSigBus = 7, kSigFpe = 8, kSigKill = 9, kSigUsr1 = 10,
                         kSigSegv = 11, kSigUsr2 = 12, kSigPipe = 13, kSigAlrm = 14, kSigTerm = 15,
                         kSigChld = 17, kSigCont = 18, kSigStop = 19, kSigTstp = 20, kSigTtin = 21,
                         kSigTtou = 22, kSigUrg = 23, kSigXcpu = 24, kSigVtalrm = 26, kSigProf = 27,
                         kSigWinch = 28, kSigSys = 31;
// The C library's own, for pthread_cancel. It sees to it that a blocked call ends; see Interrupts()
// in signal.h.
inline constexpr int32_t kSigCancel = 33;

// A set of signals, bit n - 1 for number n, as the ABI has it.
class SignalSet {
 public:
  constexpr SignalSet() = default;
  constexpr explicit SignalSet(uint64_t bits) : bits_(bits) {}
  static constexpr SignalSet Of(int32_t signal) { return SignalSet(uint64_t{1} << (signal - 1)); }
  template <typename... Signals>
  static constexpr SignalSet Of(int32_t first, Signals... rest) {
    return Of(first) | (Of(rest) | ...);
  }

  constexpr uint64_t bits() const { return bits_; }
  constexpr bool is_empty() const { return bits_ == 0; }
  constexpr bool Contains(int32_t signal) const { return (bits_ >> (signal - 1) & 1) != 0; }
  // The lowest number, or 0.
  constexpr int32_t First() const { return bits_ == 0 ? 0 : std::countr_zero(bits_) + 1; }

  constexpr void Add(int32_t signal) { bits_ |= Of(signal).bits_; }
  constexpr void Remove(int32_t signal) { bits_ &= ~Of(signal).bits_; }

  friend constexpr SignalSet operator|(SignalSet a, SignalSet b) {
    return SignalSet(a.bits_ | b.bits_);
  }
  friend constexpr SignalSet operator&(SignalSet a, SignalSet b) {
    return SignalSet(a.bits_ & b.bits_);
  }
  friend constexpr SignalSet operator~(SignalSet a) { return SignalSet(~a.bits_); }
  friend constexpr bool operator==(SignalSet, SignalSet) = default;

 private:
  uint64_t bits_ = 0;
};

// Never blocked, never handled.
inline constexpr SignalSet kUnblockable = SignalSet::Of(kSigKill, kSigStop);
// Made by the instruction that the thread is at; delivered first.
inline constexpr SignalSet kSynchronous =
    SignalSet::Of(kSigSegv, kSigBus, kSigIll, kSigTrap, kSigFpe, kSigSys);

// struct sigaction as rt_sigaction passes it.
struct SignalAction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};
inline constexpr uint64_t kSigDfl = 0, kSigIgn = 1;
inline constexpr uint64_t kSaNoCldStop = 1, kSaNoCldWait = 2, kSaSigInfo = 4,
                          kSaRestorer = 0x04000000, kSaOnStack = 0x08000000,
                          kSaRestart = 0x10000000, kSaNoDefer = 0x40000000,
                          kSaResetHand = 0x80000000;

// siginfo_t: 128 bytes, the fields that our sources of signals use.
struct SignalInfo {
  int32_t signal;
  int32_t error;
  int32_t code;
  int32_t padding;
  union {
    struct {
      int32_t pid;
      uint32_t uid;
      uint64_t value;
    } sender;
    struct {
      int32_t timer_id;
      int32_t overrun;
      uint64_t value;
    } timer;
    struct {
      uint64_t address;
      int16_t address_lsb;
    } fault;
    struct {
      uint64_t call_address;
      int32_t call_number;
      uint32_t architecture;
    } syscall;
    uint8_t bytes[112];
  };
};
static_assert(sizeof(SignalInfo) == 128);
static_assert(offsetof(SignalInfo, sender) == 16);

inline constexpr int32_t kSiUser = 0, kSiKernel = 0x80, kSiQueue = -1, kSiTimer = -2, kSiMesgq = -3,
                         kSiTkill = -6;
inline constexpr int32_t kSegvMapErr = 1, kSegvAccErr = 2, kIllIllOpn = 2, kFpeIntDiv = 1,
                         kFpeIntOvf = 2, kFpeFltDiv = 3, kFpeFltOvf = 4, kFpeFltUnd = 5,
                         kFpeFltRes = 6, kFpeFltInv = 7, kBusAdrAln = 1, kBusAdrErr = 2,
                         kTrapBrkpt = 1, kTrapTrace = 2;

// stack_t.
struct SignalStack {
  uint64_t base;
  int32_t flags;
  int32_t padding;
  uint64_t size;

  bool Holds(uint64_t address) const { return address - base < size; }
};
inline constexpr int32_t kSsOnStack = 1, kSsDisable = 2;
inline constexpr int32_t kSsAutoDisarm = static_cast<int32_t>(0x80000000u);
inline constexpr uint64_t kMinSignalStack = 2048;

}  // namespace nsgx::libos
