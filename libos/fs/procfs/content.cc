// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/procfs/content.h"

#include <span>

#include "base/core/addr.h"
#include "base/core/scope_exit.h"
#include "libos/kernel/clock.h"
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

void WriteMounts(TextWriter& out) {
  // Mounts stay, so they can be gathered first and told without the lock.
  constexpr size_t kMost = 16;
  struct Mounts {
    FileSystem* list[kMost];
    size_t count;
  } mounts = {};
  ForEachMount(
      [](FileSystem& file_system, void* context) {
        Mounts& all = *static_cast<Mounts*>(context);
        if (all.count < kMost) {
          all.list[all.count++] = &file_system;
        }
      },
      &mounts);
  char* const buffer = static_cast<char*>(KernelAllocate(kPATH_MAX));
  ScopeExit free([&] { KernelFree(buffer); });
  for (size_t i = 0; buffer != nullptr && i < mounts.count; ++i) {
    auto path = PathOf(mounts.list[i]->root(), std::span(buffer, kPATH_MAX));
    if (path.ok()) {
      WriteMount(*mounts.list[i], path.value(), out);
    }
  }
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

void WriteProcessName(TextWriter& out) {
  out.Append(about::ProgramName());
  out.Append("\n");
}

void WriteProcessStat(TextWriter& out) {
  // Fields 1 to 52 of proc_pid_stat(5). 0 stands for what is not known.
  const uint64_t pid = static_cast<uint64_t>(about::ProcessId());
  out.AppendDecimal(pid);
  out.Append(" (");
  out.Append(about::ProgramName());
  out.Append(") R");
  constexpr size_t kFirst = 4;
  constexpr size_t kLast = 52;
  uint64_t fields[kLast + 1] = {};
  fields[5] = fields[6] = pid;  // group and session
  fields[14] = about::CpuTime() / kNanosecondsPerTick;
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

void WriteProcessMemory(TextWriter& out) {
  out.AppendDecimal(about::MappedMemory() / kPageSize);
  out.Append(" ");
  out.AppendDecimal(about::ResidentMemory() / kPageSize);
  out.Append(" 0 0 0 0 0\n");
}

void WriteProcessStatus(TextWriter& out) {
  const Credentials& real = process_credentials.real;
  const Credentials& effective = process_credentials.effective;
  const uint64_t pid = static_cast<uint64_t>(about::ProcessId());
  out.Append("Name:\t");
  WriteProcessName(out);
  out.Append("Umask:\t");
  out.AppendOctal(process_files.umask(), 4);
  out.Append("\nState:\tR (running)\n");
  const uint64_t pids[] = {pid};
  WriteNumbers(out, "Tgid:\t", pids);
  WriteNumbers(out, "Pid:\t", pids);
  const uint64_t none[] = {0};
  WriteNumbers(out, "PPid:\t", none);
  WriteNumbers(out, "TracerPid:\t", none);
  const uint64_t users[] = {real.user, effective.user, effective.user, effective.user};
  WriteNumbers(out, "Uid:\t", users);
  const uint64_t groups[] = {real.group, effective.group, effective.group, effective.group};
  WriteNumbers(out, "Gid:\t", groups);
  const uint64_t table[] = {process_files.descriptors.limit()};
  WriteNumbers(out, "FDSize:\t", table);
  WriteKilobytes(out, "VmSize:\t", about::MappedMemory());
  WriteKilobytes(out, "VmRSS:\t", about::ResidentMemory());
  const uint64_t threads[] = {about::ThreadCount()};
  WriteNumbers(out, "Threads:\t", threads);
}

}  // namespace nsgx::libos
