// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/procfs/content.h"

#include <array>
#include <atomic>
#include <span>

#include "base/core/addr.h"
#include "base/core/scope_exit.h"
#include "base/core/spinlock.h"
#include "libos/host/host.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/random.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

// Processor time is told in these (_SC_CLK_TCK).
constexpr uint64_t kTicksPerSecond = 100;
constexpr uint64_t kNanosecondsPerTick = kNanosecondsPerSecond / kTicksPerSecond;

void WriteKilobytes(TextWriter& out, std::string_view name, uint64_t bytes) {
  out.Append(name);
  out.AppendDecimal(bytes / 1024);
  out.Append(" kB\n");
}

void WriteNumbers(TextWriter& out, std::string_view name, std::span<const uint64_t> numbers) {
  out.Append(name);
  for (size_t i = 0; i < numbers.size(); ++i) {
    out.Append(i == 0 ? "" : "\t");
    out.AppendDecimal(numbers[i]);
  }
  out.Append("\n");
}

void WriteMount(FileSystem& file_system, std::string_view path, TextWriter& out) {
  out.Append(file_system.kind());
  out.Append(" ");
  out.Append(path);
  out.Append(" ");
  out.Append(file_system.kind());
  out.Append(file_system.is_read_only() ? " ro,relatime 0 0\n" : " rw,relatime 0 0\n");
}

}  // namespace

void WriteNameServers(TextWriter& out) {
  constexpr size_t kIpv4Bytes = 4;
  // The C library uses three.
  std::array<host::NameServer, 3> servers;
  const size_t count = host::NameServers(servers);
  for (const host::NameServer& server : std::span(servers).first(count)) {
    out.Append("nameserver ");
    const auto byte = [&](size_t index) { return static_cast<uint64_t>(server.address[index]); };
    for (size_t i = 0; !server.is_ipv6 && i < kIpv4Bytes; ++i) {
      out.Append(i == 0 ? "" : ".");
      out.AppendDecimal(byte(i));
    }
    for (size_t i = 0; server.is_ipv6 && i < server.address.size(); i += 2) {
      out.Append(i == 0 ? "" : ":");
      out.AppendHex(byte(i) << 8 | byte(i + 1));
    }
    out.Append("\n");
  }
}

void WriteCpuInfo(TextWriter& out) {
  // How many there are is what programs look for; what the processor is would be the host's claim.
  for (uint32_t i = 0; i < about::CpuCount(); ++i) {
    out.Append("processor\t: ");
    out.AppendDecimal(i);
    out.Append("\n\n");
  }
}

void WriteMemInfo(TextWriter& out) {
  WriteKilobytes(out, "MemTotal:       ", about::TotalMemory());
  WriteKilobytes(out, "MemFree:        ", about::FreeMemory());
  WriteKilobytes(out, "MemAvailable:   ", about::FreeMemory());
  WriteKilobytes(out, "SwapTotal:      ", 0);
  WriteKilobytes(out, "SwapFree:       ", 0);
}

namespace {

// Calls `write(file_system, path)` for each mount.
template <typename Write>
void ForEachMountPath(Write write) {
  char* const buffer = static_cast<char*>(KernelAllocate(kPATH_MAX));
  if (buffer == nullptr) {
    return;
  }
  ScopeExit free([&] { KernelFree(buffer); });
  auto visit = [&](FileSystem& file_system) {
    const auto path = PathOf(file_system.root(), std::span(buffer, kPATH_MAX));
    if (path.ok()) {
      write(file_system, path.value());
    }
  };
  ForEachMount([](FileSystem& file_system,
                  void* context) { (*static_cast<decltype(visit)*>(context))(file_system); },
               &visit);
}

}  // namespace

void WriteMounts(TextWriter& out) {
  ForEachMountPath([&out](FileSystem& file_system, std::string_view path) {
    WriteMount(file_system, path, out);
  });
}

void WriteMountInfo(TextWriter& out) {
  // A mount's number is that of its file system's device, as statx tells it.
  uint64_t root = 0;
  ForEachMountPath([&](FileSystem& file_system, std::string_view path) {
    const uint64_t device = file_system.device();
    const std::string_view rights = file_system.is_read_only() ? "ro" : "rw";
    root = path == "/" ? device : root;
    out.AppendDecimal(device);
    out.Append(" ");
    out.AppendDecimal(root);
    out.Append(" ");
    out.AppendDecimal(DeviceMajor(device));
    out.Append(":");
    out.AppendDecimal(DeviceMinor(device));
    out.Append(" / ");
    out.Append(path);
    out.Append(" ");
    out.Append(rights);
    out.Append(",relatime - ");
    out.Append(file_system.kind());
    out.Append(" ");
    out.Append(file_system.kind());
    out.Append(" ");
    out.Append(rights);
    out.Append("\n");
  });
}

void WriteFileSystems(TextWriter& out) {
  for (const std::string_view kind :
       {"tmpfs", "proc", "devtmpfs", "pipefs", "sockfs", "anon_inodefs"}) {
    out.Append("nodev\t");
    out.Append(kind);
    out.Append("\n");
  }
}

void WriteLoadAverage(TextWriter& out) {
  // Nobody measures the load; how many threads there are is known.
  out.Append("0.00 0.00 0.00 1/");
  out.AppendDecimal(about::ThreadCount());
  out.Append(" ");
  out.AppendDecimal(static_cast<uint64_t>(about::ProcessId()));
  out.Append("\n");
}

void WriteSystemStat(TextWriter& out) {
  const uint64_t cpus = about::CpuCount();
  const uint64_t now = MonotonicNow();
  const uint64_t used = about::CpuTime() / kNanosecondsPerTick;
  const uint64_t all = now / kNanosecondsPerTick * cpus;
  const auto line = [&](uint64_t busy, uint64_t idle) {
    out.Append(" ");
    out.AppendDecimal(busy);
    out.Append(" 0 0 ");
    out.AppendDecimal(idle);
    out.Append(" 0 0 0 0 0 0\n");
  };
  const uint64_t idle = all > used ? all - used : 0;
  out.Append("cpu ");
  line(used, idle);
  for (uint64_t i = 0; i < cpus; ++i) {
    // Who ran where is not counted apart.
    out.Append("cpu");
    out.AppendDecimal(i);
    line(used / cpus, idle / cpus);
  }
  out.Append("btime ");
  out.AppendDecimal((WallClockNow() - now) / kNanosecondsPerSecond);
  out.Append("\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n");
}

// ---- /proc/sys

namespace {

// A random UUID of version 4.
void AppendUuid(TextWriter& out, std::span<std::byte, 16> bytes) {
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      out.Append("-");
    }
    out.AppendHex(static_cast<uint64_t>(bytes[i]), 2);
  }
  out.Append("\n");
}

struct BootId {
  SpinLock lock;
  bool is_made GUARDED_BY(lock) = false;
  std::array<std::byte, 16> bytes GUARDED_BY(lock) = {};
};
constinit BootId boot_id;

}  // namespace

void WriteRandomId(TextWriter& out) {
  std::array<std::byte, 16> bytes;
  FillRandom(bytes);
  AppendUuid(out, bytes);
}

void WriteBootId(TextWriter& out) {
  std::array<std::byte, 16> bytes;
  {
    SpinLockGuard guard(boot_id.lock);
    if (!boot_id.is_made) {
      FillRandom(boot_id.bytes);
      boot_id.is_made = true;
    }
    bytes = boot_id.bytes;
  }
  AppendUuid(out, bytes);
}

void WriteFilesOpen(TextWriter& out) {
  out.AppendDecimal(process_files.descriptors.count());
  out.Append("\t0\t");
  out.AppendDecimal(DescriptorTable::kMaxDescriptors);
  out.Append("\n");
}

void WriteHostName(TextWriter& out) {
  out.Append(about::HostName());
  out.Append("\n");
}

void WriteKernelRelease(TextWriter& out) {
  out.Append(about::KernelRelease());
  out.Append("\n");
}

// ---- the process

void WriteControlGroup(TextWriter& out) { out.Append("0::/\n"); }

namespace {

constinit std::atomic<int32_t> oom_score_adjustment{0};

}  // namespace

void WriteOomScoreAdjustment(TextWriter& out) {
  const int32_t value = oom_score_adjustment.load(std::memory_order_relaxed);
  out.Append(value < 0 ? "-" : "");
  out.AppendDecimal(static_cast<uint64_t>(value < 0 ? -value : value));
  out.Append("\n");
}

Result<void, Errno> StoreOomScoreAdjustment(std::string_view text) {
  constexpr int32_t kMost = 1000;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  int32_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9' || value > kMost) {
      return Error(Errno::kEINVAL);
    }
    value = value * 10 + (digit - '0');
  }
  if (text.empty() || value > kMost) {
    return Error(Errno::kEINVAL);
  }
  oom_score_adjustment.store(is_negative ? -value : value, std::memory_order_relaxed);
  return {};
}

void WriteUptime(TextWriter& out) {
  const uint64_t hundredths = MonotonicNow() / (kNanosecondsPerSecond / 100);
  out.AppendDecimal(hundredths / 100);
  out.Append(".");
  out.AppendDecimal(hundredths % 100, 2);
  out.Append(" 0.00\n");
}

void WriteVersion(TextWriter& out) {
  out.Append("Linux version ");
  out.Append(about::KernelRelease());
  out.Append(" (NSGX library OS)\n");
}

void WriteProcessName(TextWriter& out) { WriteThreadCommand(out, about::ProcessId()); }

Result<void, Errno> StoreProcessName(std::string_view text) {
  return about::SetThreadName(about::ProcessId(), text);
}

namespace {

// Fields 1 to 52 of proc_pid_stat(5). 0 stands for what is not known.
void WriteStat(TextWriter& out, int32_t thread, uint64_t cpu_time) {
  const uint64_t pid = static_cast<uint64_t>(about::ProcessId());
  out.AppendDecimal(static_cast<uint64_t>(thread));
  out.Append(" (");
  about::WriteThreadName(out, thread);
  out.Append(") R");
  constexpr size_t kFirst = 4;
  constexpr size_t kLast = 52;
  uint64_t fields[kLast + 1] = {};
  fields[5] = fields[6] = pid;  // group and session
  fields[14] = cpu_time / kNanosecondsPerTick;
  fields[18] = 20;  // priority
  fields[20] = about::ThreadCount();
  fields[23] = about::MappedMemory();
  fields[24] = about::ResidentMemory() / kPageSize;
  for (size_t i = kFirst; i <= kLast; ++i) {
    out.Append(" ");
    if (i == 8) {
      out.Append("-1");  // no terminal's process group
    } else {
      out.AppendDecimal(fields[i]);
    }
  }
  out.Append("\n");
}

}  // namespace

void WriteProcessStat(TextWriter& out) { WriteStat(out, about::ProcessId(), about::CpuTime()); }

void WriteThreadStat(TextWriter& out, int32_t thread) {
  WriteStat(out, thread, about::ThreadCpuTime(thread));
}

void WriteThreadCommand(TextWriter& out, int32_t thread) {
  about::WriteThreadName(out, thread);
  out.Append("\n");
}

Result<void, Errno> StoreThreadCommand(std::string_view text, int32_t thread) {
  return about::SetThreadName(thread, text);
}

void WriteDescriptorInfo(TextWriter& out, int32_t fd) {
  const Ref<File> file = process_files.descriptors.Get(fd);
  if (!file) {
    return;
  }
  auto position = file->object().Seek(*file, 0, kSEEK_CUR);
  auto close_on_exec = process_files.descriptors.GetCloseOnExec(fd);
  out.Append("pos:\t");
  out.AppendDecimal(position.ok() ? static_cast<uint64_t>(position.value()) : 0);
  out.Append("\nflags:\t0");
  out.AppendOctal(file->flags() | (close_on_exec.ok() && close_on_exec.value() ? kO_CLOEXEC : 0));
  out.Append("\nmnt_id:\t");
  out.AppendDecimal(file->inode().file_system().device());
  out.Append("\nino:\t");
  out.AppendDecimal(file->inode().number());
  out.Append("\n");
}

void WriteProcessMemory(TextWriter& out) {
  out.AppendDecimal(about::MappedMemory() / kPageSize);
  out.Append(" ");
  out.AppendDecimal(about::ResidentMemory() / kPageSize);
  out.Append(" 0 0 0 0 0\n");
}

void WriteProcessStatus(TextWriter& out) { WriteThreadStatus(out, about::ProcessId()); }

void WriteThreadStatus(TextWriter& out, int32_t thread) {
  const Credentials& real = process_credentials.real;
  const Credentials& effective = process_credentials.effective;
  out.Append("Name:\t");
  WriteThreadCommand(out, thread);
  out.Append("Umask:\t");
  out.AppendOctal(process_files.umask(), 4);
  out.Append("\nState:\tR (running)\n");
  const uint64_t process[] = {static_cast<uint64_t>(about::ProcessId())};
  WriteNumbers(out, "Tgid:\t", process);
  const uint64_t own[] = {static_cast<uint64_t>(thread)};
  WriteNumbers(out, "Pid:\t", own);
  const uint64_t none[] = {0};
  WriteNumbers(out, "PPid:\t", none);
  WriteNumbers(out, "TracerPid:\t", none);
  const uint64_t users[] = {real.user, effective.user, effective.user, effective.user};
  WriteNumbers(out, "Uid:\t", users);
  const uint64_t groups[] = {real.group, effective.group, effective.group, effective.group};
  WriteNumbers(out, "Gid:\t", groups);
  const uint64_t table[] = {process_files.descriptors.limit()};
  WriteNumbers(out, "FDSize:\t", table);
  out.Append("Groups:\t");
  for (uint32_t i = 0; i < effective.group_count; ++i) {
    out.AppendDecimal(effective.groups[i]);
    out.Append(" ");
  }
  out.Append("\n");
  WriteKilobytes(out, "VmSize:\t", about::MappedMemory());
  WriteKilobytes(out, "VmRSS:\t", about::ResidentMemory());
  const uint64_t threads[] = {about::ThreadCount()};
  WriteNumbers(out, "Threads:\t", threads);
}

}  // namespace nsgx::libos
