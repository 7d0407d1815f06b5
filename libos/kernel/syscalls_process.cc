// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "base/core/spinlock.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/process.h"
#include "libos/kernel/random.h"
#include "libos/kernel/syscalls.h"
#include "libos/mm/address_space.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/text_writer.h"

namespace nsgx::libos {

// ---- ids: one process, in a group and a session of its own
// ------------------------------------------------------

SysResult SysGetpid() { return kProcessId; }
SysResult SysGetppid() { return 0; }
SysResult SysGetpgrp() { return kProcessId; }

SysResult SysGetpgid(int32_t pid) {
  if (pid != 0 && pid != kProcessId) {
    return Error(Errno::kESRCH);
  }
  return kProcessId;
}
SysResult SysSetpgid(int32_t pid, int32_t group) {
  if (pid != 0 && pid != kProcessId) {
    return Error(Errno::kESRCH);
  }
  return group == 0 || group == kProcessId ? SysResult(0) : Error(Errno::kEPERM);
}
SysResult SysGetsid(int32_t pid) { return SysGetpgid(pid); }
SysResult SysSetsid() { return Error(Errno::kEPERM); }  // it leads its session already

// ---- users and groups
// -------------------------------------------------------------------------------------------

namespace {

constexpr uint32_t kUnchanged = ~uint32_t{0};

// The saved ones matter to these calls alone; the file system has the others.
constinit SpinLock id_lock;
constinit uint32_t saved_user GUARDED_BY(id_lock) = 0;
constinit uint32_t saved_group GUARDED_BY(id_lock) = 0;

struct Ids {
  uint32_t& real;
  uint32_t& effective;
  uint32_t& saved;

  bool Has(uint32_t id) const {
    return id == kUnchanged || id == real || id == effective || id == saved;
  }
};
Ids Users() REQUIRES(id_lock) {
  return {process_credentials.real.user, process_credentials.effective.user, saved_user};
}
Ids Groups() REQUIRES(id_lock) {
  return {process_credentials.real.group, process_credentials.effective.group, saved_group};
}
bool IsRoot() { return process_credentials.effective.is_root(); }

// setuid: root changes all three, others the effective one.
SysResult SetOne(Ids ids, uint32_t id) {
  if (IsRoot()) {
    ids.real = ids.effective = ids.saved = id;
  } else if (id == ids.real || id == ids.saved) {
    ids.effective = id;
  } else {
    return Error(Errno::kEPERM);
  }
  return 0;
}

SysResult SetThree(Ids ids, uint32_t real, uint32_t effective, uint32_t saved) {
  if (!IsRoot() && (!ids.Has(real) || !ids.Has(effective) || !ids.Has(saved))) {
    return Error(Errno::kEPERM);
  }
  ids.real = real == kUnchanged ? ids.real : real;
  ids.effective = effective == kUnchanged ? ids.effective : effective;
  ids.saved = saved == kUnchanged ? ids.saved : saved;
  return 0;
}

SysResult SetTwo(Ids ids, uint32_t real, uint32_t effective) {
  const uint32_t old_real = ids.real;
  const uint32_t saved = real != kUnchanged || (effective != kUnchanged && effective != old_real)
                             ? (effective != kUnchanged ? effective : ids.effective)
                             : kUnchanged;
  if (!IsRoot() && (!ids.Has(real) || !ids.Has(effective))) {
    return Error(Errno::kEPERM);
  }
  ids.real = real == kUnchanged ? ids.real : real;
  ids.effective = effective == kUnchanged ? ids.effective : effective;
  ids.saved = saved == kUnchanged ? ids.saved : saved;
  return 0;
}

SysResult GetThree(Ids ids, UserOut<uint32_t> real, UserOut<uint32_t> effective,
                   UserOut<uint32_t> saved) {
  TRY(Write(real, ids.real));
  TRY(Write(effective, ids.effective));
  TRY(Write(saved, ids.saved));
  return 0;
}

}  // namespace

SysResult SysGetuid() { return process_credentials.real.user; }
SysResult SysGeteuid() { return process_credentials.effective.user; }
SysResult SysGetgid() { return process_credentials.real.group; }
SysResult SysGetegid() { return process_credentials.effective.group; }

SysResult SysGetresuid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                       UserOut<uint32_t> saved) {
  SpinLockGuard guard(id_lock);
  return GetThree(Users(), real, effective, saved);
}
SysResult SysGetresgid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                       UserOut<uint32_t> saved) {
  SpinLockGuard guard(id_lock);
  return GetThree(Groups(), real, effective, saved);
}
SysResult SysSetuid(uint32_t id) {
  SpinLockGuard guard(id_lock);
  return SetOne(Users(), id);
}
SysResult SysSetgid(uint32_t id) {
  SpinLockGuard guard(id_lock);
  return SetOne(Groups(), id);
}
SysResult SysSetreuid(uint32_t real, uint32_t effective) {
  SpinLockGuard guard(id_lock);
  return SetTwo(Users(), real, effective);
}
SysResult SysSetregid(uint32_t real, uint32_t effective) {
  SpinLockGuard guard(id_lock);
  return SetTwo(Groups(), real, effective);
}
SysResult SysSetresuid(uint32_t real, uint32_t effective, uint32_t saved) {
  SpinLockGuard guard(id_lock);
  return SetThree(Users(), real, effective, saved);
}
SysResult SysSetresgid(uint32_t real, uint32_t effective, uint32_t saved) {
  SpinLockGuard guard(id_lock);
  return SetThree(Groups(), real, effective, saved);
}
// The ids for files alone follow the effective ones here; the call's result is what they were.
SysResult SysSetfsuid(uint32_t) { return process_credentials.effective.user; }
SysResult SysSetfsgid(uint32_t) { return process_credentials.effective.group; }

SysResult SysGetgroups(int32_t size, UserOut<uint32_t> groups) {
  SpinLockGuard guard(id_lock);
  const Credentials& credentials = process_credentials.effective;
  const int32_t count = static_cast<int32_t>(credentials.group_count);
  if (size == 0) {
    return count;
  }
  if (size < count) {
    return Error(Errno::kEINVAL);
  }
  for (int32_t i = 0; i < count; ++i) {
    TRY(Write(groups, credentials.groups[i], static_cast<size_t>(i)));
  }
  return count;
}

SysResult SysSetgroups(int32_t size, UserIn<uint32_t> groups) {
  if (!IsRoot()) {
    return Error(Errno::kEPERM);
  }
  if (size < 0 || static_cast<size_t>(size) > kMaxGroups) {
    return Error(Errno::kEINVAL);
  }
  uint32_t given[kMaxGroups];
  for (int32_t i = 0; i < size; ++i) {
    given[i] = TRY(Read(groups, static_cast<size_t>(i)));
  }
  SpinLockGuard guard(id_lock);
  for (Credentials* credentials : {&process_credentials.real, &process_credentials.effective}) {
    memcpy(credentials->groups, given, static_cast<size_t>(size) * sizeof(uint32_t));
    credentials->group_count = static_cast<uint32_t>(size);
  }
  return 0;
}

// ---- limits
// -----------------------------------------------------------------------------------------------------

namespace {

enum : uint32_t {
  kLimitCpu = 0,
  kLimitFileSize = 1,
  kLimitStack = 3,
  kLimitCore = 4,
  kLimitDescriptors = 7,
  kLimitCount = 16
};
constexpr uint64_t kUnlimited = ~uint64_t{0};

struct Limit {
  uint64_t soft;
  uint64_t hard;
};

constinit SpinLock limit_lock;
constinit Limit limits[kLimitCount] GUARDED_BY(limit_lock) = {
    {kUnlimited, kUnlimited},                                            // CPU
    {kUnlimited, kUnlimited},                                            // FSIZE
    {kUnlimited, kUnlimited},                                            // DATA
    {uint64_t{8} << 20, kUnlimited},                                     // STACK
    {0, 0},                                                              // CORE
    {kUnlimited, kUnlimited},                                            // RSS
    {kUnlimited, kUnlimited},                                            // NPROC
    {DescriptorTable::kDefaultLimit, DescriptorTable::kMaxDescriptors},  // NOFILE
    {kUnlimited, kUnlimited},                                            // MEMLOCK
    {kUnlimited, kUnlimited},                                            // AS
    {kUnlimited, kUnlimited},                                            // LOCKS
    {1024, 1024},                                                        // SIGPENDING
    {819200, 819200},                                                    // MSGQUEUE
    {0, 0},                                                              // NICE
    {0, 0},                                                              // RTPRIO
    {kUnlimited, kUnlimited},                                            // RTTIME
};

}  // namespace

SysResult SysPrlimit64(int32_t pid, uint32_t resource, UserIn<uint64_t> limit,
                       UserOut<uint64_t> old) {
  if (pid != 0 && pid != kProcessId) {
    return Error(Errno::kESRCH);
  }
  if (resource >= kLimitCount) {
    return Error(Errno::kEINVAL);
  }
  Limit wanted = {};
  if (!limit.is_null()) {
    wanted = {.soft = TRY(Read(limit, 0)), .hard = TRY(Read(limit, 1))};
    if (wanted.soft > wanted.hard) {
      return Error(Errno::kEINVAL);
    }
  }
  Limit before;
  {
    SpinLockGuard guard(limit_lock);
    before = limits[resource];
    if (!limit.is_null()) {
      if ((wanted.hard > before.hard && !IsRoot()) ||
          (resource == kLimitDescriptors && wanted.hard > DescriptorTable::kMaxDescriptors)) {
        return Error(Errno::kEPERM);
      }
      limits[resource] = wanted;
    }
  }
  if (!limit.is_null() && resource == kLimitDescriptors) {
    process_files.descriptors.SetLimit(static_cast<uint32_t>(wanted.soft));
  } else if (!limit.is_null() && resource == kLimitFileSize) {
    process_files.SetSizeLimit(wanted.soft);
  } else if (!limit.is_null() && resource == kLimitCpu) {
    SetCpuLimit(wanted.soft, wanted.hard);
  }
  if (!old.is_null()) {
    TRY(Write(old, before.soft, 0));
    TRY(Write(old, before.hard, 1));
  }
  return 0;
}

void about::WriteLimits(TextWriter& out) {
  struct Description {
    std::string_view name;
    std::string_view unit;
  };
  static constexpr Description kDescriptions[kLimitCount] = {
      {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
      {"Max data size", "bytes"},      {"Max stack size", "bytes"},
      {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
      {"Max processes", "processes"},  {"Max open files", "files"},
      {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
      {"Max file locks", "locks"},     {"Max pending signals", "signals"},
      {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
      {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
  };
  // In columns of fixed width, which programs count on.
  const auto append = [&out](size_t width, std::string_view text) {
    out.Append(text);
    for (size_t i = text.size(); i < width; ++i) {
      out.Append(" ");
    }
  };
  const auto append_value = [&](uint64_t value) {
    TextWriter text;
    if (value == kUnlimited) {
      text.Append("unlimited");
    } else {
      text.AppendDecimal(value);
    }
    append(21, text.text());
  };
  append(26, "Limit");
  append(21, "Soft Limit");
  append(21, "Hard Limit");
  append(10, "Units");
  out.Append("\n");
  for (uint32_t i = 0; i < kLimitCount; ++i) {
    Limit limit;
    {
      SpinLockGuard guard(limit_lock);
      limit = limits[i];
    }
    append(26, kDescriptions[i].name);
    append_value(limit.soft);
    append_value(limit.hard);
    append(10, kDescriptions[i].unit);
    out.Append("\n");
  }
}

SysResult SysGetrlimit(uint32_t resource, UserOut<uint64_t> limit) {
  return SysPrlimit64(0, resource, UserIn<uint64_t>(0), limit);
}
SysResult SysSetrlimit(uint32_t resource, UserIn<uint64_t> limit) {
  return SysPrlimit64(0, resource, limit, UserOut<uint64_t>(0));
}

// ---- the system
// -------------------------------------------------------------------------------------------------

SysResult SysUname(UserOut<std::byte> names) {
  // struct utsname.
  constexpr size_t kField = 65;
  struct Names {
    char system[kField] = "Linux";
    char node[kField] = {};
    char release[kField] = {};
    char version[kField] = "#1 NSGX";
    char machine[kField] = "x86_64";
    char domain[kField] = "(none)";
  };
  Names answer;
  memcpy(answer.node, kHostName.data(), kHostName.size());
  memcpy(answer.release, kKernelRelease.data(), kKernelRelease.size());
  TRY(CopyToUser(names.address(), std::as_bytes(std::span(&answer, 1))));
  return 0;
}

SysResult SysSysinfo(UserOut<std::byte> info) {
  struct Sysinfo {
    int64_t uptime;
    uint64_t loads[3];
    uint64_t total, free, shared, buffer, total_swap, free_swap;
    uint16_t processes;
    uint16_t padding;
    uint32_t more_padding;
    uint64_t total_high, free_high;
    uint32_t unit;
    uint8_t reserved[4];
  };
  static_assert(sizeof(Sysinfo) == 112);
  const uint64_t used = Memory().committed_bytes() + GetKernelHeapStats().committed_bytes;
  Sysinfo answer = {};
  answer.uptime = static_cast<int64_t>(MonotonicNow() / kNanosecondsPerSecond);
  answer.total = Memory().size();
  answer.free = answer.total - used;
  answer.processes = static_cast<uint16_t>(ThreadCount());
  answer.unit = 1;
  TRY(CopyToUser(info.address(), std::as_bytes(std::span(&answer, 1))));
  return 0;
}

SysResult SysGetrandom(UserOut<std::byte> buffer, size_t size, uint32_t flags) {
  constexpr uint32_t kKnown = 7;  // GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE: all the same here
  if ((flags & ~kKnown) != 0) {
    return Error(Errno::kEINVAL);
  }
  constexpr size_t kMax = (size_t{32} << 20) - 1;
  size = size < kMax ? size : kMax;
  std::byte part[256];
  for (size_t done = 0; done < size;) {
    const size_t now = size - done < sizeof(part) ? size - done : sizeof(part);
    FillRandom(std::span(part, now));
    TRY(CopyToUser(buffer.address() + done, std::span(part, now)));
    done += now;
  }
  memset(part, 0, sizeof(part));
  return static_cast<int64_t>(size);
}

}  // namespace nsgx::libos
