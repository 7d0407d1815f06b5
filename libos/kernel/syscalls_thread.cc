// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "libos/kernel/cpu.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/user_access.h"

namespace nsgx::libos {

SysResult SysExit(int32_t status) { ExitCurrentThread(status); }
SysResult SysExitGroup(int32_t status) { ExitProcess(status); }
SysResult SysGettid() { return CurrentThread().tid; }

SysResult SysSetTidAddress(uint64_t address) {
  CurrentThread().clear_child_tid = address;
  return CurrentThread().tid;
}

namespace {
constexpr size_t kRobustHeadSize = 24;
}  // namespace

SysResult SysSetRobustList(uint64_t head, size_t size) {
  if (size != kRobustHeadSize) {
    return Error(Errno::kEINVAL);
  }
  CurrentThread().robust_list = head;
  return 0;
}

SysResult SysGetRobustList(int32_t tid, UserOut<uint64_t> head, UserOut<uint64_t> size) {
  uint64_t found = CurrentThread().robust_list;
  if (tid != 0) {
    TRY(WithThread(
        tid,
        [](Thread& thread, void* context) -> Result<void, Errno> {
          *static_cast<uint64_t*>(context) = thread.robust_list;
          return {};
        },
        &found));
  }
  TRY(Write(head, found));
  TRY(Write(size, uint64_t{kRobustHeadSize}));
  return 0;
}

// ---- odds and ends of a thread
// --------------------------------------------------------------------------------

SysResult SysArchPrctl(int32_t operation, uint64_t address) {
  enum : int32_t { kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004 };
  switch (operation) {
    case kSetFs:
      WriteFsBase(address);
      return 0;
    case kGetFs:
      TRY(Write(UserOut<uint64_t>(address), ReadFsBase()));
      return 0;
    case kSetGs:
    case kGetGs:
      return Error(Errno::kEPERM);  // the GS base is the enclave's own
    default:
      return Error(Errno::kEINVAL);
  }
}

namespace {

// PR_CAP_AMBIENT, of a process without capabilities.
SysResult AmbientCapabilities(uint64_t operation, uint64_t capability, uint64_t a4, uint64_t a5) {
  enum : uint64_t { kIsSet = 1, kRaise = 2, kLower = 3, kClearAll = 4 };
  constexpr uint64_t kLastCapability = 40;
  const bool names_one = operation != kClearAll;
  if (operation < kIsSet || operation > kClearAll || a4 != 0 || a5 != 0 ||
      capability > (names_one ? kLastCapability : 0)) {
    return Error(Errno::kEINVAL);
  }
  return operation == kRaise ? SysResult(Error(Errno::kEPERM)) : 0;
}

}  // namespace

SysResult SysPrctl(int32_t operation, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  enum : int32_t {
    kSetPdeathsig = 1,
    kGetPdeathsig = 2,
    kGetDumpable = 3,
    kSetDumpable = 4,
    kGetKeepCaps = 7,
    kSetName = 15,
    kGetName = 16,
    kGetSeccomp = 21,
    kCapBsetRead = 23,
    kSetTimerSlack = 29,
    kGetTimerSlack = 30,
    kSetNoNewPrivs = 38,
    kGetNoNewPrivs = 39,
    kSetThpDisable = 41,
    kGetThpDisable = 42,
    kCapAmbient = 47,
    kSetVma = 0x53564d41,
  };
  Thread& self = CurrentThread();
  switch (operation) {
    case kSetName: {
      char name[sizeof(self.name)];
      auto length = CopyStringFromUser(name, a2);
      if (!length.ok() && length.error() == Errno::kEFAULT) {
        return Error(Errno::kEFAULT);
      }
      // A longer name is cut.
      const size_t kept = length.ok() ? length.value() : sizeof(name) - 1;
      memset(self.name, 0, sizeof(self.name));
      memcpy(self.name, name, kept);
      return 0;
    }
    case kGetName:
      TRY(CopyToUser(a2, std::as_bytes(std::span(self.name))));
      return 0;
    case kGetDumpable:
    case kGetPdeathsig:
    case kGetKeepCaps:
    case kGetSeccomp:
    case kCapBsetRead:
    case kGetThpDisable:
      if (operation == kGetPdeathsig) {
        TRY(Write(UserOut<int32_t>(a2), 0));
      }
      return 0;
    case kSetPdeathsig:
    case kSetDumpable:
    case kSetTimerSlack:
    case kSetThpDisable:
    case kSetVma:
      return 0;
    case kGetTimerSlack:
      return 50'000;
    case kSetNoNewPrivs:
      return a2 == 1 && a3 == 0 && a4 == 0 && a5 == 0 ? SysResult(0) : Error(Errno::kEINVAL);
    case kCapAmbient:
      return AmbientCapabilities(a2, a3, a4, a5);
    case kGetNoNewPrivs:
      return 1;  // nothing in an enclave can gain privileges
    default:
      return Error(Errno::kEINVAL);
  }
}

}  // namespace nsgx::libos
