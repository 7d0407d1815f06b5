// SPDX-License-Identifier: Apache-2.0
// The switch between host, enclave and SEH, and asynchronous exits from it.
//
// NSGX_SIM_WITHOUT=keys,dispatch,seccomp,avx512,avx takes away what the processor or the kernel
// offers, so that the fallbacks run too; NSGX_SIM_TICKS=1000000 asks for long runs.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "base/core/check.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/sim/test_enclave.h"
#include "vmpl-switch/sim/thread.h"

namespace nsgx::sim {
namespace {

using ::testing::ExitedWithCode;

struct alignas(64) Probe {
  uint64_t flags = 0x202;
  uint32_t mxcsr = 0x1f80;
  uint16_t fcw = 0x37f;
  uint64_t xcr0 = CurrentProcess().cpu.xcr0;
  alignas(64) std::array<uint64_t, 16> general = {};
  alignas(64) uint64_t reserved[8] = {};
  alignas(64) std::array<std::byte, BLOB_XSAVE_SIZE> xsave = {};
};
static_assert(offsetof(Probe, mxcsr) == PROBE_MXCSR);
static_assert(offsetof(Probe, fcw) == PROBE_FCW);
static_assert(offsetof(Probe, xcr0) == PROBE_XCR0);
static_assert(offsetof(Probe, general) == PROBE_GENERAL);
static_assert(offsetof(Probe, xsave) == PROBE_XSAVE);

using EnterFunction = void (*)(ThreadBlock*, uint64_t);
extern "C" void nsgx_sim_probe(EnterFunction enter, ThreadBlock* block, uint64_t answer,
                               Probe* probe);
extern "C" void nsgx_sim_step_enter(EnterFunction enter, ThreadBlock* block, uint64_t answer);

constexpr uint64_t kAlignmentCheck = 0x40000;
constexpr uint64_t kNestedTask = 0x4000;
constexpr uint64_t kDirection = 0x400;
constexpr uint64_t kHostileFlags = 0x202 | kAlignmentCheck | kNestedTask | kDirection;

// Asynchronous exits in each test that makes many.
uint64_t WantedTicks() {
  const char* wanted = getenv("NSGX_SIM_TICKS");
  return wanted == nullptr ? 10'000 : strtoull(wanted, nullptr, 10);
}

constexpr uint32_t kTickMicroseconds = 20;

// A thread of its own for each test, so that attaching and detaching are exercised too.
template <typename F>
void OnThread(F function) {
  std::thread(function).join();
}

// Runs a slot with ticks.
std::array<uint64_t, 6> RunWithTicks(TestEnclave& enclave, uint32_t slot = 0) {
  ThreadBlock* block = AttachThread().value();
  CHECK(SetThreadTick(*block, kTickMicroseconds).ok());
  const std::array<uint64_t, 6> exit = enclave.Run(slot);
  CHECK(SetThreadTick(*block, 0).ok());
  return exit;
}

uint64_t FrameWord(TestEnclave& enclave, uint32_t offset) {
  return enclave.Read(BLOB_FRAME + offset);
}
constexpr uint32_t kFrameCause = 0x90;
constexpr uint32_t kFrameError = 0x98;
constexpr uint32_t kFrameAddress = 0xa0;
constexpr uint32_t kFrameFs = 0xa8;

// ---- calls ----

TEST(Switch, FirstEntryFindsNothingButTheSlot) {
  TestEnclave enclave(nsgx_sim_blob_first);
  OnThread([&] { EXPECT_EQ(enclave.Run()[0], NSGX_GATE_DONE); });
  const uint64_t slot = enclave.address(BLOB_SLOTS);
  for (uint32_t offset = 0; offset < BLOB_GENERAL_FLAGS; offset += 8) {
    EXPECT_EQ(enclave.General(offset), offset == 0x28 ? slot : 0) << "register " << offset / 8;
  }
  EXPECT_EQ(enclave.General(BLOB_GENERAL_RSP),
            slot + NSGX_SLOT_STACK_OFFSET + NSGX_SLOT_STACK_SIZE);
  EXPECT_EQ(enclave.General(BLOB_GENERAL_GS), slot);
  EXPECT_EQ(enclave.Read(BLOB_RESULT), 0u) << "FS base";
}

TEST(Switch, HostCallsAndSehCallsReturnTheirAnswers) {
  TestEnclave enclave(nsgx_sim_blob_hammer);
  enclave.Write(BLOB_ARGUMENT, 1000);
  enclave.Write(BLOB_ARGUMENT2, 1);
  OnThread([&] { EXPECT_EQ(enclave.Run()[0], NSGX_GATE_DONE); });
  EXPECT_EQ(enclave.Read(BLOB_BAD), 0u);
  EXPECT_EQ(enclave.Read(BLOB_ROUNDS), 1000u);
  EXPECT_EQ(enclave.seh().bad_thread_pointers_, 0u);
}

TEST(Switch, RefusesHostCallsThatAreNotOnTheList) {
  for (const std::array<uint64_t, 2>& list :
       {std::array<uint64_t, 2>{~(uint64_t{1} << BLOB_HOST_CALL), ~uint64_t{0}},
        std::array<uint64_t, 2>{0, 0}}) {
    TestEnclave enclave(nsgx_sim_blob_hammer, 1, true, list);
    enclave.Write(BLOB_ARGUMENT, 1);
    OnThread([&] {
      const std::array<uint64_t, 6> exit = enclave.Run();
      EXPECT_EQ(exit[0], uint64_t{SIM_EXIT_REFUSED});
      EXPECT_EQ(exit[1], uint64_t{BLOB_HOST_CALL});
    });
  }
}

// ---- what crosses, and what must not ----

struct Crossing {
  Probe probe;
  uint64_t enclave_flags;
  std::array<std::byte, BLOB_XSAVE_SIZE> enclave_xsave;
};

// One host call in the middle of hostile state on both sides.
void Cross(Crossing& crossing, TestEnclave& enclave) {
  enclave.FillWanted(0, 17);
  enclave.Write(BLOB_ARGUMENT, kHostileFlags);
  crossing.probe.flags = kHostileFlags;
  crossing.probe.mxcsr = 0x7f80;
  crossing.probe.fcw = 0x0c7f;
  OnThread([&] {
    int entries = 0;
    enclave.Run(
        0, [&](Vcpu& vcpu, ThreadBlock& block, uint64_t answer) -> const std::array<uint64_t, 6>& {
          if (entries++ == 0) {
            // Binds the vCPU to this thread.
            vcpu.Enter(block, answer);
            return block.exit;
          }
          Probe inner = crossing.probe;
          nsgx_sim_probe(CurrentProcess().code.enter, &block, answer, &inner);
          crossing.probe = inner;
          return block.exit;
        });
  });
  crossing.enclave_flags = enclave.General(BLOB_GENERAL_FLAGS);
  const SehAccess access;
  memcpy(crossing.enclave_xsave.data(), enclave.DataBytes(BLOB_XSAVE), BLOB_XSAVE_SIZE);
}

template <typename T>
T At(const std::array<std::byte, BLOB_XSAVE_SIZE>& xsave, size_t offset) {
  T value;
  memcpy(&value, &xsave[offset], sizeof(value));
  return value;
}

TEST(Switch, HostSeesNoRegisterOfTheEnclave) {
  TestEnclave enclave(nsgx_sim_blob_leave);
  Crossing crossing = {};
  Cross(crossing, enclave);
  const Probe& probe = crossing.probe;
  for (size_t i = 0; i < 15; ++i) {
    constexpr std::array<uint64_t, 15> kWanted = {0, 0x1001, 0, 0,      0,      0,      0x1002, 0,
                                                  0, 0,      0, 0x1003, 0x1004, 0x1005, 0x1006};
    EXPECT_EQ(probe.general[i], kWanted[i]) << "register " << i;
  }
  for (size_t offset = 32; offset < CurrentProcess().cpu.xsave_size; offset += 8) {
    if (offset < 416 || offset >= 576) {
      EXPECT_EQ(At<uint64_t>(probe.xsave, offset), 0u) << "vector state at " << offset;
    }
  }
}

TEST(Switch, ControlWordsAndFlagsDoNotCross) {
  TestEnclave enclave(nsgx_sim_blob_leave);
  Crossing crossing = {};
  Cross(crossing, enclave);
  // The host's own came back, hostile as they were; of the flags, those that change what code does
  // are clean.
  EXPECT_EQ(At<uint32_t>(crossing.probe.xsave, 24), 0x7f80u) << "MXCSR of the host";
  EXPECT_EQ(At<uint16_t>(crossing.probe.xsave, 0), 0x0c7fu) << "x87 control word of the host";
  EXPECT_EQ(crossing.probe.general[15] & kHostileFlags, 0x202u) << "flags of the host";
  EXPECT_EQ(At<uint32_t>(crossing.enclave_xsave, 24), 0x5f80u) << "MXCSR of the enclave";
  EXPECT_EQ(At<uint16_t>(crossing.enclave_xsave, 0), 0x0b7fu) << "x87 control word of the enclave";
  EXPECT_EQ(At<uint8_t>(crossing.enclave_xsave, 4), 0u) << "x87 tags of the enclave";
  EXPECT_EQ(crossing.enclave_flags & kHostileFlags, 0x202u) << "flags of the enclave";
}

// ---- exceptions ----

struct FaultCase {
  const char* name;
  uint64_t routine;
  uint64_t argument;  // an offset in the range if below BLOB_SIZE, else an address
  uint64_t cause;
  uint64_t error_code;
};

class Fault : public testing::TestWithParam<FaultCase> {};

// An address that belongs to nobody, and one that cannot be.
constexpr uint64_t kNowhere = 0x10'0000'0000;
constexpr uint64_t kNonCanonical = uint64_t{1} << 63;
constexpr uint64_t kNull = ~uint64_t{0};

TEST_P(Fault, IsDeliveredAndCanBeResumed) {
  const FaultCase& fault = GetParam();
  TestEnclave enclave(nsgx_sim_blob_fault);
  uint64_t argument = fault.argument;
  if (argument == kNull) {
    argument = 0;
  } else if (argument < BLOB_SIZE) {
    argument = enclave.address(argument);
  }
  enclave.Write(BLOB_ARGUMENT, fault.routine);
  enclave.Write(BLOB_ARGUMENT2, argument);
  enclave.Write(BLOB_ACTION, BLOB_ACTION_DIRTY | BLOB_ACTION_CALL);
  OnThread([&] { EXPECT_EQ(enclave.Run()[0], NSGX_GATE_DONE); });
  EXPECT_EQ(enclave.Read(BLOB_EXCEPTIONS), 1u);
  EXPECT_EQ(FrameWord(enclave, kFrameCause), fault.cause);
  EXPECT_EQ(FrameWord(enclave, kFrameError), fault.error_code);
  EXPECT_EQ(FrameWord(enclave, kFrameFs), enclave.address(BLOB_DATA));
  if (fault.cause == NSGX_CAUSE_PAGE_FAULT && fault.routine <= BLOB_FAULT_JUMP) {
    EXPECT_EQ(FrameWord(enclave, kFrameAddress), argument);
  }
  if (fault.routine == BLOB_FAULT_JUMP && fault.cause == NSGX_CAUSE_PAGE_FAULT) {
    EXPECT_EQ(FrameWord(enclave, NSGX_FRAME_RIP), argument);
  }
  if (fault.routine == BLOB_FAULT_STACK) {
    const uint64_t guard = enclave.address(BLOB_SLOTS) + NSGX_SLOT_STACK_OFFSET - 4096;
    EXPECT_EQ(FrameWord(enclave, kFrameAddress), guard + 4096 - 8);
  }
  EXPECT_EQ(enclave.vcpu().counters().exceptions, 1u);
  EXPECT_EQ(enclave.seh().bad_thread_pointers_, 0u);

  // What an XRSTOR inside may be given: no component that is the machine's own.
  const SehAccess access;
  const nsgx_frame* frame = reinterpret_cast<const nsgx_frame*>(enclave.slot()->frame);
  EXPECT_EQ(frame->xsave_size, CurrentProcess().cpu.xsave_size);
  uint64_t header[8];
  memcpy(header, &frame->xsave[512], sizeof(header));
  EXPECT_EQ(header[0] & ~CurrentProcess().cpu.xcr0, 0u);
  for (size_t i = 1; i < 8; ++i) {
    EXPECT_EQ(header[i], 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Fault,
    testing::Values(
        FaultCase{"ReadNull", BLOB_FAULT_READ, kNull, NSGX_CAUSE_PAGE_FAULT, 0},
        FaultCase{"ReadNowhere", BLOB_FAULT_READ, kNowhere, NSGX_CAUSE_PAGE_FAULT, 0},
        FaultCase{"ReadUncommitted", BLOB_FAULT_READ, BLOB_READ_ONLY + 4096, NSGX_CAUSE_PAGE_FAULT,
                  0},
        FaultCase{"WriteUncommitted", BLOB_FAULT_WRITE, BLOB_READ_ONLY + 4096,
                  NSGX_CAUSE_PAGE_FAULT, 2},
        FaultCase{"WriteCode", BLOB_FAULT_WRITE, 0, NSGX_CAUSE_PAGE_FAULT, 3},
        FaultCase{"ReadNonCanonical", BLOB_FAULT_READ, kNonCanonical, NSGX_CAUSE_GENERAL_PROTECTION,
                  0},
        FaultCase{"JumpNull", BLOB_FAULT_JUMP, kNull, NSGX_CAUSE_PAGE_FAULT, 0x10},
        FaultCase{"JumpData", BLOB_FAULT_JUMP, BLOB_DATA, NSGX_CAUSE_PAGE_FAULT, 0x11},
        FaultCase{"JumpNonCanonical", BLOB_FAULT_JUMP, kNonCanonical, NSGX_CAUSE_GENERAL_PROTECTION,
                  0},
        FaultCase{"Undefined", BLOB_FAULT_UNDEFINED, 0, NSGX_CAUSE_UNDEFINED, 0},
        FaultCase{"Divide", BLOB_FAULT_DIVIDE, 0, NSGX_CAUSE_DIVIDE, 0},
        FaultCase{"Privileged", BLOB_FAULT_PRIVILEGED, 0, NSGX_CAUSE_GENERAL_PROTECTION, 0},
        FaultCase{"Breakpoint", BLOB_FAULT_BREAKPOINT, 0, NSGX_CAUSE_BREAKPOINT, 0},
        FaultCase{"Alignment", BLOB_FAULT_ALIGNMENT, 0, NSGX_CAUSE_ALIGNMENT, 0},
        FaultCase{"X87", BLOB_FAULT_X87, 0, NSGX_CAUSE_X87, 0},
        FaultCase{"Simd", BLOB_FAULT_SIMD, 0, NSGX_CAUSE_SIMD, 0},
        FaultCase{"StackOverflow", BLOB_FAULT_STACK, 0, NSGX_CAUSE_PAGE_FAULT, 2},
        // A stack that ends while the gate saves registers: still the enclave's own affair.
        FaultCase{"StackInGate", BLOB_FAULT_GATE_STACK, 0x1000, NSGX_CAUSE_PAGE_FAULT, 3},
        FaultCase{"StackNowhereInGate", BLOB_FAULT_GATE_STACK, kNowhere, NSGX_CAUSE_PAGE_FAULT, 2},
        FaultCase{"StackInSehGate", BLOB_FAULT_SEH_STACK, kNowhere, NSGX_CAUSE_PAGE_FAULT, 2}),
    [](const auto& info) { return info.param.name; });

// Runs blob_fault and returns how it left.
std::array<uint64_t, 6> RunFault(TestEnclave& enclave, uint64_t routine, uint64_t argument = 0) {
  enclave.Write(BLOB_ARGUMENT, routine);
  enclave.Write(BLOB_ARGUMENT2, argument);
  std::array<uint64_t, 6> exit;
  OnThread([&] { exit = enclave.Run(); });
  return exit;
}

TEST(Switch, SehSeesPageFaultsFirst) {
  TestEnclave enclave(nsgx_sim_blob_fault);
  FakeSeh& seh = enclave.seh();
  seh.special_address_ = enclave.address(BLOB_READ_ONLY + 4096);
  seh.special_answer_ = FaultAnswer::kRetry;
  seh.on_special_fault_ = [&] {
    CHECK(kernel::Protect(enclave.base() + BLOB_READ_ONLY + 4096, 4096, PROT_READ,
                          CurrentProcess().enclave_key)
              .ok());
  };
  EXPECT_EQ(RunFault(enclave, BLOB_FAULT_READ, seh.special_address_)[0], NSGX_GATE_DONE);
  EXPECT_EQ(enclave.Read(BLOB_EXCEPTIONS), 0u);

  TestEnclave bad(nsgx_sim_blob_fault);
  bad.seh().special_address_ = bad.address(BLOB_READ_ONLY + 4096);
  bad.seh().special_answer_ = FaultAnswer::kEnd;
  EXPECT_EQ(RunFault(bad, BLOB_FAULT_READ, bad.seh().special_address_)[0],
            uint64_t{SIM_EXIT_EXCEPTION});
}

TEST(Switch, ExceptionInTheHandlerEndsTheEnclave) {
  TestEnclave enclave(nsgx_sim_blob_fault);
  enclave.Write(BLOB_ACTION, BLOB_ACTION_FAULT);
  const std::array<uint64_t, 6> exit = RunFault(enclave, BLOB_FAULT_DIVIDE);
  EXPECT_EQ(exit[0], uint64_t{SIM_EXIT_EXCEPTION});
  const VcpuCrash crash = enclave.vcpu().crash();
  EXPECT_EQ(crash.cause, uint64_t{NSGX_CAUSE_UNDEFINED});
  EXPECT_GE(crash.rip, enclave.address_of(nsgx_sim_blob_exception));
  EXPECT_LT(crash.rip, enclave.address_of(nsgx_sim_blob_end));
  EXPECT_EQ(crash.registers[16], crash.rip);
}

TEST(Switch, ExceptionWithoutHandlerEndsTheEnclave) {
  TestEnclave enclave(nsgx_sim_blob_fault, 1, false);
  EXPECT_EQ(RunFault(enclave, BLOB_FAULT_READ, kNowhere)[0], uint64_t{SIM_EXIT_EXCEPTION});
  EXPECT_EQ(enclave.vcpu().crash().cause, uint64_t{NSGX_CAUSE_PAGE_FAULT});
  EXPECT_EQ(enclave.vcpu().crash().address, kNowhere);
}

TEST(Switch, ForgedSlotEndsTheEnclave) {
  for (const int routine : {BLOB_FAULT_GATE_GS, BLOB_FAULT_GATE_INDEX}) {
    for (const uint64_t index : {uint64_t{kMaxVcpus}, uint64_t{0xffffffff}}) {
      TestEnclave enclave(nsgx_sim_blob_fault);
      EXPECT_EQ(RunFault(enclave, static_cast<uint64_t>(routine), index)[0],
                uint64_t{SIM_EXIT_EXCEPTION});
      EXPECT_EQ(enclave.vcpu().crash().cause, uint64_t{NSGX_CAUSE_UNDEFINED});
    }
  }
}

TEST(Switch, SlotOfAnotherEnclaveCannotBeUsed) {
  TestEnclave other(nsgx_sim_blob_hammer);
  TestEnclave enclave(nsgx_sim_blob_fault);
  uint64_t other_index;
  {
    const SehAccess access;
    uint32_t index;
    memcpy(&index, reinterpret_cast<std::byte*>(other.slot()) + SIM_SLOT_VCPU, sizeof(index));
    other_index = index;
  }
  EXPECT_EQ(RunFault(enclave, BLOB_FAULT_GATE_INDEX, other_index)[0], uint64_t{SIM_EXIT_EXCEPTION});
}

// How a process dies of a signal; AddressSanitizer has a handler, which must still see it.
struct DiesOf {
  bool operator()(int status) const {
#if __has_feature(address_sanitizer)
    return WIFEXITED(status) && WEXITSTATUS(status) != 0;
#else
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
#endif
  }
  int signal;
};

TEST(SwitchDeathTest, FaultOfTheHostIsTheHostsOwn) {
  EXPECT_EXIT(OnThread([] {
                CHECK(AttachThread().ok());
                *reinterpret_cast<volatile char*>(kNowhere) = 1;
              }),
              DiesOf{SIGSEGV}, "");
  EXPECT_EXIT(*reinterpret_cast<volatile char*>(kNowhere) = 1, DiesOf{SIGSEGV}, "");
  EXPECT_EXIT(raise(SIGILL), testing::KilledBySignal(SIGILL), "");
}

// ---- system calls ----

TEST(Switch, RawSystemCallIsReflected) {
  TestEnclave enclave(nsgx_sim_blob_fault);
  EXPECT_EQ(RunFault(enclave, BLOB_FAULT_SYSCALL)[0], NSGX_GATE_DONE);
  EXPECT_EQ(enclave.Read(BLOB_RESULT), 0x5eaf00du) << "Linux has answered it";
  constexpr uint64_t kGetppid = 110;
  EXPECT_EQ(enclave.Read(BLOB_RAW), kGetppid);
  const uint64_t next = enclave.Read(BLOB_RAW + 0x08);
  EXPECT_GT(next, enclave.address_of(nsgx_sim_blob_fault));
  EXPECT_LT(next, enclave.address_of(nsgx_sim_blob_end));
  EXPECT_EQ(enclave.Read(BLOB_RAW + 0x10) & 0x202, 0x202u) << "flags";
  EXPECT_EQ(enclave.Read(BLOB_RAW + 0x18), 0x11u);
  EXPECT_EQ(enclave.Read(BLOB_RAW + 0x20), 0x22u);
  EXPECT_EQ(enclave.Read(BLOB_RAW + 0x28), 0x33u);
  EXPECT_EQ(enclave.Read(BLOB_RAW + 0x30), 0x44u);
  EXPECT_EQ(enclave.Read(BLOB_RAW + 0x38),
            enclave.address(BLOB_SLOTS) + NSGX_SLOT_STACK_OFFSET + NSGX_SLOT_STACK_SIZE);
  EXPECT_EQ(enclave.vcpu().counters().syscalls_reflected, 1u);
}

TEST(Switch, RawSystemCallWithoutHandlerEndsTheEnclave) {
  TestEnclave enclave(nsgx_sim_blob_fault, 1, false);
  EXPECT_EQ(RunFault(enclave, BLOB_FAULT_SYSCALL)[0], uint64_t{SIM_EXIT_EXCEPTION});
  EXPECT_EQ(enclave.vcpu().crash().cause, uint64_t{NSGX_CAUSE_SYSCALL});
}

// In a child, because Linux would end the process if it got the call. Exit status 3: it never
// reached Linux.
[[noreturn]] void RunOldSystemCall(uint64_t routine, uint64_t argument) {
  TestEnclave enclave(nsgx_sim_blob_fault);
  const std::array<uint64_t, 6> exit = RunFault(enclave, routine, argument);
  const bool is_ended =
      exit[0] == SIM_EXIT_EXCEPTION && enclave.vcpu().crash().cause == NSGX_CAUSE_SYSCALL;
  const uint64_t cause = FrameWord(enclave, kFrameCause);
  // Processors and kernels without these instructions make exceptions of them.
  const bool is_delivered = exit[0] == NSGX_GATE_DONE && enclave.Read(BLOB_EXCEPTIONS) == 1 &&
                            (cause == NSGX_CAUSE_SYSCALL || cause == NSGX_CAUSE_UNDEFINED ||
                             cause == NSGX_CAUSE_GENERAL_PROTECTION);
  _exit(is_ended || is_delivered ? 3 : 4);
}

TEST(SwitchDeathTest, OldSystemCallInstructionsNeverReachLinux) {
  EXPECT_EXIT(RunOldSystemCall(BLOB_FAULT_INT80, 0), ExitedWithCode(3), "");
  void* low =
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  ASSERT_NE(low, MAP_FAILED);
  EXPECT_EXIT(RunOldSystemCall(BLOB_FAULT_SYSENTER, reinterpret_cast<uint64_t>(low) + 4096),
              ExitedWithCode(3), "");
  munmap(low, 8192);
}

// The kernel answers the three calls of the vsyscall page itself, by reading a clock; only the
// seccomp form can catch them.
TEST(Switch, VsyscallPageGivesTheTimeAtMost) {
  TestEnclave enclave(nsgx_sim_blob_fault);
  EXPECT_EQ(RunFault(enclave, BLOB_FAULT_VSYSCALL)[0], NSGX_GATE_DONE);
  if (CurrentProcess().trap == SyscallTrap::kSeccomp) {
    EXPECT_EQ(enclave.Read(BLOB_RESULT), 0x5eaf00du);
  } else {
    const bool is_fault = enclave.Read(BLOB_EXCEPTIONS) == 1 &&
                          FrameWord(enclave, kFrameCause) == NSGX_CAUSE_PAGE_FAULT;
    const uint64_t now = static_cast<uint64_t>(time(nullptr));
    EXPECT_TRUE(is_fault || now - enclave.Read(BLOB_RESULT) < 5);
  }
}

// The vDSO falls back to system calls whose instruction is not in the program's text.
TEST(Switch, VdsoStillWorksOnAnAttachedThread) {
  OnThread([] {
    ASSERT_TRUE(AttachThread().ok());
    timespec now = {};
    EXPECT_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    EXPECT_NE(now.tv_nsec, 0);
    EXPECT_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
  });
}

// ---- ticks ----

void ExpectGood(TestEnclave& enclave, uint32_t slot, uint64_t ticks) {
  EXPECT_EQ(enclave.Read(BLOB_BAD, slot), 0u);
  EXPECT_GE(enclave.Read(BLOB_TICKS, slot) + enclave.Read(BLOB_PENDING, slot), ticks);
  EXPECT_EQ(enclave.Read(BLOB_EXCEPTIONS, slot), 0u);
  EXPECT_EQ(enclave.seh().bad_thread_pointers_, 0u);
}

TEST(Tick, RegistersSurviveDeliveredTicks) {
  TestEnclave enclave(nsgx_sim_blob_registers);
  enclave.FillWanted(0, 1);
  enclave.Write(BLOB_ARGUMENT, WantedTicks());
  enclave.Write(BLOB_ARGUMENT2, 2000);
  enclave.Write(BLOB_ACTION, BLOB_ACTION_DIRTY);
  OnThread([&] { EXPECT_EQ(RunWithTicks(enclave)[0], NSGX_GATE_DONE); });
  ExpectGood(enclave, 0, WantedTicks());
  EXPECT_GT(enclave.Read(BLOB_TICKS), 0u);
}

TEST(Tick, RegistersSurviveTicksWhoseHandlerLeaves) {
  TestEnclave enclave(nsgx_sim_blob_registers);
  enclave.FillWanted(0, 2);
  enclave.Write(BLOB_ARGUMENT, WantedTicks() / 4);
  enclave.Write(BLOB_ARGUMENT2, 2000);
  enclave.Write(BLOB_ACTION, BLOB_ACTION_DIRTY | BLOB_ACTION_CALL);
  OnThread([&] { EXPECT_EQ(RunWithTicks(enclave)[0], NSGX_GATE_DONE); });
  ExpectGood(enclave, 0, WantedTicks() / 4);
}

TEST(Tick, RegistersSurvivePostponedTicks) {
  TestEnclave enclave(nsgx_sim_blob_registers);
  enclave.FillWanted(0, 3);
  enclave.Write(BLOB_ARGUMENT, WantedTicks() / 4);
  enclave.Write(BLOB_ARGUMENT2, 2000);
  {
    const SehAccess access;
    enclave.slot()->irq_off = 1;
  }
  OnThread([&] { EXPECT_EQ(RunWithTicks(enclave)[0], NSGX_GATE_DONE); });
  ExpectGood(enclave, 0, WantedTicks() / 4);
  EXPECT_EQ(enclave.Read(BLOB_TICKS), 0u);
}

TEST(Tick, CallsSurviveTicks) {
  TestEnclave enclave(nsgx_sim_blob_hammer);
  enclave.Write(BLOB_RESULT, WantedTicks());
  enclave.Write(BLOB_ARGUMENT, ~uint64_t{0});
  enclave.Write(BLOB_ARGUMENT2, 1);
  // A handler that leaves overwrites whatever the switch keeps in slot and block.
  enclave.Write(BLOB_ACTION, BLOB_ACTION_DIRTY | BLOB_ACTION_CALL);
  OnThread([&] { EXPECT_EQ(RunWithTicks(enclave)[0], NSGX_GATE_DONE); });
  ExpectGood(enclave, 0, WantedTicks());
  // Most of the time goes by in switch code and in the host: both kinds must have happened.
  EXPECT_GT(enclave.Read(BLOB_TICKS), 0u);
  EXPECT_GT(enclave.Read(BLOB_PENDING), 0u);
}

TEST(Tick, TwoSlotsRunSideBySide) {
  TestEnclave enclave(nsgx_sim_blob_registers, 2);
  for (const uint32_t slot : {0u, 1u}) {
    enclave.FillWanted(slot, 40 + slot);
    enclave.Write(BLOB_ARGUMENT, WantedTicks() / 2, slot);
    enclave.Write(BLOB_ARGUMENT2, 2000, slot);
    enclave.Write(BLOB_ACTION, BLOB_ACTION_DIRTY | BLOB_ACTION_CALL, slot);
  }
  std::thread other([&] { EXPECT_EQ(RunWithTicks(enclave, 1)[0], NSGX_GATE_DONE); });
  OnThread([&] { EXPECT_EQ(RunWithTicks(enclave, 0)[0], NSGX_GATE_DONE); });
  other.join();
  ExpectGood(enclave, 0, WantedTicks() / 2);
  ExpectGood(enclave, 1, WantedTicks() / 2);
}

// ---- single steps ----

TEST(Step, EveryInstructionOfTheSwitchCanBeInterrupted) {
  constexpr uint64_t kCalls = 50;
  TestEnclave enclave(nsgx_sim_blob_step);
  enclave.Write(BLOB_ARGUMENT, kCalls);
  enclave.Write(BLOB_ARGUMENT2, 1);
  enclave.Write(BLOB_ACTION, BLOB_ACTION_DIRTY);
  OnThread([&] {
    const std::array<uint64_t, 6> exit = enclave.Run(
        0, [&](Vcpu& vcpu, ThreadBlock& block, uint64_t answer) -> const std::array<uint64_t, 6>& {
          if (block.vcpu == nullptr) {
            return vcpu.Enter(block, answer);
          }
          nsgx_sim_step_enter(CurrentProcess().code.enter, &block, answer);
          return block.exit;
        });
    EXPECT_EQ(exit[0], NSGX_GATE_DONE);
  });
  EXPECT_EQ(enclave.Read(BLOB_BAD), 0u);
  EXPECT_EQ(enclave.Read(BLOB_EXCEPTIONS), 0u);
  EXPECT_GT(enclave.Read(BLOB_STEPS), 10 * kCalls);
  EXPECT_EQ(enclave.Read(BLOB_PENDING), kCalls);
  EXPECT_EQ(enclave.seh().bad_thread_pointers_, 0u);
}

// ---- keys ----

#define NSGX_SKIP_WITHOUT_KEYS()                           \
  if (!CurrentProcess().has_keys()) {                      \
    GTEST_SKIP() << "this machine has no protection keys"; \
  }

TEST(KeysDeathTest, HostCannotTouchEnclaveMemory) {
  NSGX_SKIP_WITHOUT_KEYS();
  TestEnclave enclave(nsgx_sim_blob_hammer);
  volatile char* secret = reinterpret_cast<volatile char*>(enclave.address(BLOB_DATA));
  EXPECT_EXIT(static_cast<void>(*secret), DiesOf{SIGSEGV}, "");
  EXPECT_EXIT(*secret = 1, DiesOf{SIGSEGV}, "");
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  EXPECT_EQ(write(pipe_ends[1], const_cast<const char*>(secret), 1), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(write(pipe_ends[1], "x", 1), 1);
  EXPECT_EQ(read(pipe_ends[0], const_cast<char*>(secret), 1), -1);
  EXPECT_EQ(errno, EFAULT);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(KeysDeathTest, HostCannotTouchEnclaveMemoryAfterItRan) {
  NSGX_SKIP_WITHOUT_KEYS();
  TestEnclave enclave(nsgx_sim_blob_hammer);
  enclave.Write(BLOB_ARGUMENT, 10);
  enclave.Write(BLOB_ARGUMENT2, 1);
  volatile char* secret = reinterpret_cast<volatile char*>(enclave.address(BLOB_DATA));
  EXPECT_EXIT(
      {
        OnThread([&] {
          enclave.Run();
          static_cast<void>(*secret);
        });
      },
      DiesOf{SIGSEGV}, "");
}

TEST(KeysDeathTest, HostCannotTouchEnclaveMemoryAfterItCrashed) {
  NSGX_SKIP_WITHOUT_KEYS();
  TestEnclave enclave(nsgx_sim_blob_fault, 1, false);
  enclave.Write(BLOB_ARGUMENT, BLOB_FAULT_UNDEFINED);
  volatile char* secret = reinterpret_cast<volatile char*>(enclave.address(BLOB_DATA));
  EXPECT_EXIT(
      {
        OnThread([&] {
          CHECK(enclave.Run()[0] == SIM_EXIT_EXCEPTION);
          static_cast<void>(*secret);
        });
      },
      DiesOf{SIGSEGV}, "");
}

TEST(KeysDeathTest, HostCannotTouchSehMemory) {
  NSGX_SKIP_WITHOUT_KEYS();
  TestEnclave enclave(nsgx_sim_blob_hammer);
  volatile std::byte* page = CurrentProcess().vcpu_strides + SIM_VCPU_PAGE_OFFSET;
  EXPECT_EXIT(static_cast<void>(*page), DiesOf{SIGSEGV}, "");
  EXPECT_EXIT(*page = std::byte{1}, DiesOf{SIGSEGV}, "");
}

TEST(Keys, EnclaveReadsSehMemoryButCannotWriteIt) {
  NSGX_SKIP_WITHOUT_KEYS();
  const uint64_t page =
      reinterpret_cast<uint64_t>(CurrentProcess().vcpu_strides) + SIM_VCPU_PAGE_OFFSET;
  TestEnclave reader(nsgx_sim_blob_fault);
  EXPECT_EQ(RunFault(reader, BLOB_FAULT_READ, page)[0], NSGX_GATE_DONE);
  EXPECT_EQ(reader.Read(BLOB_EXCEPTIONS), 0u);
  TestEnclave writer(nsgx_sim_blob_fault);
  const uint64_t writer_page = page + SIM_VCPU_STRIDE;
  EXPECT_EQ(RunFault(writer, BLOB_FAULT_WRITE, writer_page)[0], NSGX_GATE_DONE);
  EXPECT_EQ(writer.Read(BLOB_EXCEPTIONS), 1u);
  EXPECT_EQ(FrameWord(writer, kFrameCause), uint64_t{NSGX_CAUSE_PAGE_FAULT});
  EXPECT_EQ(FrameWord(writer, kFrameError), 3u);
}

// ---- the machine of this run ----

class Machine : public testing::Environment {
  void SetUp() override {
    const char* text = getenv("NSGX_SIM_WITHOUT");
    const std::string without = "," + std::string(text == nullptr ? "" : text) + ",";
    const auto is_without = [&](const std::string& what) {
      return without.find("," + what + ",") != std::string::npos;
    };
    Options options;
    options.use_keys = !is_without("keys");
    options.use_dispatch = !is_without("dispatch");
    options.use_seccomp = !is_without("seccomp");
    if (is_without("avx512")) {
      options.most_vectors = is_without("avx") ? VectorLevel::kSse : VectorLevel::kAvx;
    }
    CHECK(OpenProcess(options).ok());
    printf("keys: %d, system-call trap: %d, vectors: %d\n", CurrentProcess().has_keys(),
           static_cast<int>(CurrentProcess().trap), static_cast<int>(CurrentProcess().cpu.vectors));
  }
};

[[maybe_unused]] testing::Environment* const g_machine =
    testing::AddGlobalTestEnvironment(new Machine);

}  // namespace
}  // namespace nsgx::sim
