// SPDX-License-Identifier: Apache-2.0
// Calls on processes and their kin, of which there is one: what a program asks about itself.
#include <algorithm>
#include <atomic>
#include <climits>
#include <functional>
#include <utility>

#include "base/core/addr.h"
#include "base/core/scope_exit.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/process.h"
#include "libos/kernel/process_file.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/syscalls.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/transfer.h"

namespace nsgx::libos {
namespace {

// Any thread's number stands for the process.
Result<void, Errno> CheckIsOurs(int32_t tid) {
  return WithThread(tid, [](Thread&, void*) -> Result<void, Errno> { return {}; }, nullptr);
}

// Copies from one list of the program's memory to another; a fault ends it.
Result<size_t, Errno> CopyWithin(std::span<const LinuxIovec> from, std::span<const LinuxIovec> to) {
  IoBuffer source = IoBuffer::ForUserSegments(from);
  IoBuffer sink = IoBuffer::ForUserSegments(to);
  std::byte* const page = KernelAllocatePages(1, PageContents::kAny);
  if (page == nullptr) {
    return Error(Errno::kENOMEM);
  }
  ScopeExit free([&] { KernelFreePages(page, 1); });
  size_t done = 0;
  while (source.remaining() != 0 && sink.remaining() != 0) {
    const size_t wanted = std::min({source.remaining(), sink.remaining(), kPageSize});
    const size_t taken = source.Take(std::span(page, wanted));
    const size_t put = sink.Put(std::span(page, taken));
    done += put;
    if (put < wanted) {
      return done != 0 ? Result<size_t, Errno>(done) : Error(Errno::kEFAULT);
    }
  }
  return done;
}

SysResult MoveMemory(int32_t pid, UserIn<LinuxIovec> local, size_t local_count,
                     UserIn<LinuxIovec> remote, size_t remote_count, uint64_t flags,
                     bool to_local) {
  constexpr size_t kMost = static_cast<size_t>(kIOV_MAX);
  if (flags != 0 || local_count > kMost || remote_count > kMost) {
    return Error(Errno::kEINVAL);
  }
  SegmentList here;
  SegmentList there;
  TRY(here.Load(local, static_cast<int32_t>(local_count)));
  if (IoBuffer::ForUserSegments(here.segments()).remaining() == 0) {
    return 0;
  }
  TRY(there.Load(remote, static_cast<int32_t>(remote_count)));
  TRY(CheckIsOurs(pid));
  return static_cast<int64_t>(TRY(to_local ? CopyWithin(there.segments(), here.segments())
                                           : CopyWithin(here.segments(), there.segments())));
}

// 0: the same, 1: less, 2: greater, as kcmp has it.
int64_t Compare(const void* a, const void* b) { return a == b ? 0 : std::less<>()(a, b) ? 1 : 2; }

constexpr uint32_t kNotPersonality = 0xffffffff;  // only asks
constexpr uint32_t kReadImpliesExec = 0x0400000;
constinit std::atomic<uint32_t> personality{0};

// Of capget: the versions of its structure, and how many words of each set there are.
constexpr uint32_t kCapabilities1 = 0x19980330, kCapabilities2 = 0x20071026,
                   kCapabilities3 = 0x20080522;
struct CapabilityHeader {
  uint32_t version;
  int32_t pid;
};
struct CapabilityWords {
  uint32_t effective, permitted, inheritable;
};

// What root has here: all that concerns files, identities, signals and priorities. The rest needs
// a kernel that the program could reach.
constexpr uint64_t kRootCapabilities =
    0xff /* CHOWN .. SETUID */ | uint64_t{1} << 10 /* BIND */ | uint64_t{1} << 15 /* IPC_OWNER */ |
    uint64_t{1} << 18 /* CHROOT */ | uint64_t{1} << 23 /* NICE */ |
    uint64_t{1} << 24 /* RESOURCE */ | uint64_t{1} << 27 /* MKNOD */;

// EINVAL: a version that is not known; the header says then which one is.
Result<uint32_t, Errno> CapabilityWordCount(UserOut<std::byte> header) {
  const UserOut<uint32_t> version(header.address());
  switch (TRY(Read(UserIn<uint32_t>(version.address())))) {
    case kCapabilities1:
      return 1u;
    case kCapabilities2:
    case kCapabilities3:
      return 2u;
    default:
      TRY(Write(version, kCapabilities3));
      return Error(Errno::kEINVAL);
  }
}

uint64_t OwnCapabilities() {
  return process_credentials.effective.is_root() ? kRootCapabilities : 0;
}

}  // namespace

SysResult SysWait4(int32_t pid, UserOut<int32_t>, uint32_t options, UserOut<std::byte>) {
  constexpr uint32_t kKnown = 1 | 2 | 8 | 0xe0000000;  // NOHANG, UNTRACED, CONTINUED, __W*
  if ((options & ~kKnown) != 0) {
    return Error(Errno::kEINVAL);
  }
  return Error(pid == INT_MIN ? Errno::kESRCH : Errno::kECHILD);
}

SysResult SysWaitid(int32_t type, int32_t id, UserOut<std::byte>, uint32_t options,
                    UserOut<std::byte>) {
  enum : int32_t { kAll, kPid, kGroup, kPidFile };
  constexpr uint32_t kEvents = 2 | 4 | 8;  // STOPPED, EXITED, CONTINUED
  constexpr uint32_t kKnown = kEvents | 1 | 0x01000000 | 0xe0000000;
  if ((options & ~kKnown) != 0 || (options & kEvents) == 0 || type < kAll || type > kPidFile ||
      (type == kPid && id <= 0) || (type == kGroup && id < 0) || (type == kPidFile && id < 0)) {
    return Error(Errno::kEINVAL);
  }
  if (type == kPidFile) {
    TRY(CheckIsProcessFile(id));
  }
  return Error(Errno::kECHILD);
}

SysResult SysProcessVmReadv(int32_t pid, UserIn<LinuxIovec> local, size_t local_count,
                            UserIn<LinuxIovec> remote, size_t remote_count, uint64_t flags) {
  return MoveMemory(pid, local, local_count, remote, remote_count, flags, true);
}

SysResult SysProcessVmWritev(int32_t pid, UserIn<LinuxIovec> local, size_t local_count,
                             UserIn<LinuxIovec> remote, size_t remote_count, uint64_t flags) {
  return MoveMemory(pid, local, local_count, remote, remote_count, flags, false);
}

SysResult SysKcmp(int32_t first, int32_t second, int32_t type, uint64_t first_index,
                  uint64_t second_index) {
  enum : int32_t { kFile = 0, kLastShared = 6 };
  TRY(CheckIsOurs(first));
  TRY(CheckIsOurs(second));
  if (type == kFile) {
    const Ref<File> a = TRY(GetFileOrPath(static_cast<int32_t>(first_index)));
    const Ref<File> b = TRY(GetFileOrPath(static_cast<int32_t>(second_index)));
    return Compare(a.get(), b.get());
  }
  // Memory, descriptors, handlers and the like are every thread's.
  return type > kFile && type <= kLastShared ? SysResult(0) : Error(Errno::kEINVAL);
}

SysResult SysPersonality(uint32_t wanted) {
  if (wanted == kNotPersonality) {
    return int64_t{personality.load()};
  }
  // Nothing is executed for having been readable.
  if ((wanted & kReadImpliesExec) != 0) {
    return Error(Errno::kEINVAL);
  }
  return int64_t{personality.exchange(wanted)};
}

SysResult SysCapget(UserOut<std::byte> header, UserOut<std::byte> data) {
  const auto words = CapabilityWordCount(header);
  if (!words.ok()) {
    return data.is_null() && words.error() == Errno::kEINVAL ? SysResult(0) : Error(words.error());
  }
  if (data.is_null()) {
    return 0;
  }
  const int32_t pid = TRY(Read(UserIn<CapabilityHeader>(header.address()))).pid;
  if (pid < 0) {
    return Error(Errno::kEINVAL);
  }
  if (pid != 0) {
    TRY(CheckIsOurs(pid));
  }
  for (uint32_t word = 0; word < words.value(); ++word) {
    const uint32_t bits = static_cast<uint32_t>(OwnCapabilities() >> word * 32);
    TRY(Write(UserOut<CapabilityWords>(data.address()),
              {.effective = bits, .permitted = bits, .inheritable = 0}, word));
  }
  return 0;
}

SysResult SysCapset(UserOut<std::byte> header, UserIn<std::byte> data) {
  const uint32_t words = TRY(CapabilityWordCount(header));
  const int32_t pid = TRY(Read(UserIn<CapabilityHeader>(header.address()))).pid;
  if (pid != 0 && pid != CurrentThread().tid) {
    return Error(Errno::kEPERM);
  }
  for (uint32_t word = 0; word < words; ++word) {
    const uint32_t bits = static_cast<uint32_t>(OwnCapabilities() >> word * 32);
    const CapabilityWords wanted = TRY(Read(UserIn<CapabilityWords>(data.address()), word));
    if (wanted.effective != bits || wanted.permitted != bits || wanted.inheritable != 0) {
      return Error(Errno::kEPERM);
    }
  }
  return 0;
}

// ---- the process as an open file

SysResult SysPidfdOpen(int32_t pid, uint32_t flags) {
  constexpr uint32_t kThread = kO_EXCL;
  if ((flags & ~(kO_NONBLOCK | kThread)) != 0 || pid <= 0) {
    return Error(Errno::kEINVAL);
  }
  TRY(CheckIsOurs(pid));
  // A thread alone is nothing that could be waited for here.
  if (pid != kProcessId || (flags & kThread) != 0) {
    return Error(Errno::kEINVAL);
  }
  return int64_t{
      TRY(process_files.descriptors.Add(TRY(MakeProcessFile(flags & kO_NONBLOCK)), 0, true))};
}

SysResult SysPidfdSendSignal(int32_t fd, int32_t signal, UserIn<SignalInfo> info, uint32_t flags) {
  if (flags != 0) {
    return Error(Errno::kEINVAL);
  }
  TRY(CheckIsProcessFile(fd));
  if (!info.is_null()) {
    if (TRY(Read(info)).signal != signal) {
      return Error(Errno::kEINVAL);
    }
    return SysRtSigqueueinfo(kProcessId, signal, info);
  }
  return SysKill(kProcessId, signal);
}

SysResult SysPidfdGetfd(int32_t fd, int32_t target, uint32_t flags) {
  if (flags != 0) {
    return Error(Errno::kEINVAL);
  }
  TRY(CheckIsProcessFile(fd));
  return int64_t{TRY(process_files.descriptors.Add(TRY(GetFileOrPath(target)), 0, true))};
}

SysResult SysProcessMadvise(int32_t fd, UserIn<LinuxIovec> segments, size_t count, int32_t advice,
                            uint32_t flags) {
  enum : int32_t { kWillNeed = 3, kCold = 20, kPageOut = 21, kCollapse = 25 };
  if (flags != 0 || count > static_cast<size_t>(kIOV_MAX)) {
    return Error(Errno::kEINVAL);
  }
  SegmentList list;
  TRY(list.Load(segments, static_cast<int32_t>(count)));
  TRY(CheckIsProcessFile(fd));
  if (advice != kWillNeed && advice != kCold && advice != kPageOut && advice != kCollapse) {
    return Error(Errno::kEINVAL);
  }
  int64_t done = 0;
  for (const LinuxIovec& segment : list.segments()) {
    auto advised = SysMadvise(segment.iov_base, segment.iov_len, advice);
    if (!advised.ok()) {
      return done != 0 ? SysResult(done) : Error(advised.error());
    }
    done += static_cast<int64_t>(segment.iov_len);
  }
  return done;
}

}  // namespace nsgx::libos
