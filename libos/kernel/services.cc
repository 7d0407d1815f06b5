// SPDX-License-Identifier: Apache-2.0
// What the virtual file system asks of the kernel: libos/vfs/kernel_services.h.
#include "libos/vfs/kernel_services.h"

#include <algorithm>
#include <cstring>

#include "libos/kernel/clock.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/panic.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"
#include "libos/mm/address_space.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/text_writer.h"

namespace nsgx::libos {

void RaiseOnCurrentThread(int32_t signal) {
  SignalInfo info = {};
  info.signal = signal;
  info.code = kSiUser;
  info.sender.pid = kProcessId;
  // A standard signal that is pending already counts once; there is nothing else that can fail.
  static_cast<void>(SendToThread(CurrentThread(), info).ok());
}

void RaiseOnProcess(int32_t signal) {
  SignalInfo info = {};
  info.signal = signal;
  info.code = kSiKernel;
  static_cast<void>(SendToProcess(info).ok());
}

void ForbidRestart() { CurrentThread().cancel_interrupt = true; }

void BlockSignalsUntilReturn(uint64_t mask) { SetBlockedSignalsForCall(SignalSet(mask)); }

namespace about {

int32_t ProcessId() { return kProcessId; }
uint32_t ThreadCount() { return libos::ThreadCount(); }
uint32_t CpuCount() { return MaximumCpus(); }
uint64_t CpuTime() { return TicksToNanoseconds(ProcessCpuTicks()); }

uint64_t TotalMemory() { return Memory().size(); }
uint64_t FreeMemory() {
  return Memory().size() - Memory().committed_bytes() - GetKernelHeapStats().committed_bytes;
}
uint64_t MappedMemory() { return Memory().mapped_bytes(); }
uint64_t ResidentMemory() { return Memory().committed_bytes(); }

void WriteCommandLine(TextWriter& out) { out.Append(Program().arguments); }
void WriteEnvironment(TextWriter& out) { out.Append(Program().environment); }

void WriteMappings(TextWriter& out) {
  const auto line = [&out](uint64_t begin, uint64_t end, std::string_view rights, uint64_t offset,
                           std::string_view name) {
    out.AppendHex(begin, 12);
    out.Append("-");
    out.AppendHex(end, 12);
    out.Append(" ");
    out.Append(rights);
    out.Append(" ");
    out.AppendHex(offset, 8);
    out.Append(" 00:00 0");
    if (!name.empty()) {
      out.Append("                          ");
      out.Append(name);
    }
    out.Append("\n");
  };
  const AddressRange image = ImageRange();
  line(image.base, image.base + image.size, "r-xp", 0, "[image]");
  AddressSpace::Mapping mapping;
  for (uint64_t address = 0; Memory().NextMapping(address, &mapping); address = mapping.end) {
    const uint32_t bits = static_cast<uint32_t>(mapping.rights);
    const char rights[] = {(bits & NSGX_PERMISSION_READ) != 0 ? 'r' : '-',
                           (bits & NSGX_PERMISSION_WRITE) != 0 ? 'w' : '-',
                           (bits & NSGX_PERMISSION_EXECUTE) != 0 ? 'x' : '-',
                           mapping.is_shared ? 's' : 'p'};
    const bool is_stack = mapping.begin <= Program().stack && Program().stack < mapping.end;
    line(mapping.begin, mapping.end, std::string_view(rights, sizeof(rights)), mapping.file_offset,
         is_stack ? "[stack]" : "");
  }
}

std::string_view KernelRelease() { return kKernelRelease; }
std::string_view HostName() { return kHostName; }

void WriteAuxiliaryVector(TextWriter& out) { out.Append(Program().auxiliary); }

int32_t NextThread(int32_t after) { return NextThreadId(after); }

void WriteThreadName(TextWriter& out, int32_t thread) {
  char name[sizeof(Thread::name)] = {};
  const auto copy = [](Thread& found, void* context) -> Result<void, Errno> {
    memcpy(context, found.name, sizeof(found.name));
    return {};
  };
  if (WithThread(thread, copy, name).ok()) {
    const std::string_view text(name, strnlen(name, sizeof(name)));
    // A thread that has not been named goes by the name of the program.
    out.Append(text.empty() ? ProgramName() : text);
  }
}

uint64_t ThreadCpuTime(int32_t thread) {
  uint64_t ticks = 0;
  const auto copy = [](Thread& found, void* context) -> Result<void, Errno> {
    *static_cast<uint64_t*>(context) =
        &found == &CurrentThread() ? CurrentCpuTicks() : found.cpu_ticks.load();
    return {};
  };
  return WithThread(thread, copy, &ticks).ok() ? TicksToNanoseconds(ticks) : 0;
}

Result<void, Errno> SetThreadName(int32_t thread, std::string_view name) {
  const auto store = [](Thread& found, void* context) -> Result<void, Errno> {
    const std::string_view text = *static_cast<const std::string_view*>(context);
    const size_t size = std::min(text.size(), sizeof(found.name) - 1);
    memset(found.name, 0, sizeof(found.name));
    memcpy(found.name, text.data(), size);
    return {};
  };
  return WithThread(thread, store, &name);
}

std::string_view ProgramName() {
  std::string_view name = Program().arguments;
  name = name.substr(0, name.find('\0'));
  const size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

}  // namespace about
}  // namespace nsgx::libos
