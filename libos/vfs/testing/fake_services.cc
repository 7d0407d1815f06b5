// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <random>
#include <span>
#include <string>

#include "libos/kernel/clock.h"
#include "libos/kernel/random.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/text_writer.h"

namespace nsgx::libos {
namespace {

thread_local testing::RaisedSignals raised = {};
thread_local testing::SignalMask signal_mask = {};

}  // namespace

uint64_t WallClockNow() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

Deadline DeadlineAfter(uint64_t nanoseconds) {
  Deadline deadline;
  return __builtin_add_overflow(MonotonicNow(), nanoseconds, &deadline) ? kForever : deadline;
}

void FillRandom(std::span<std::byte> out) {
  static thread_local std::mt19937_64 generator(1);
  for (std::byte& byte : out) {
    byte = static_cast<std::byte>(generator());
  }
}

void RaiseOnCurrentThread(int32_t signal) {
  ++raised.count;
  raised.last = signal;
}

void RaiseOnProcess(int32_t signal) { RaiseOnCurrentThread(signal); }

// Nobody makes calls again here.
void ForbidRestart() {}

void BlockSignalsUntilReturn(uint64_t mask) { signal_mask = {.was_set = true, .mask = mask}; }

namespace about {

constexpr uint64_t kMemory = uint64_t{256} << 20;
std::string thread_name = "worker";  // of thread 7

int32_t ProcessId() { return 1; }
uint32_t ThreadCount() { return 3; }
uint32_t CpuCount() { return 2; }
uint64_t CpuTime() { return 1'500'000'000; }
uint64_t TotalMemory() { return kMemory; }
uint64_t FreeMemory() { return kMemory - GetKernelHeapStats().used_bytes; }
uint64_t MappedMemory() { return uint64_t{64} << 20; }
uint64_t ResidentMemory() { return uint64_t{8} << 20; }
void WriteCommandLine(TextWriter& out) { out.Append(std::string_view("prog\0one\0", 9)); }
void WriteEnvironment(TextWriter& out) { out.Append(std::string_view("A=b\0", 4)); }
void WriteMappings(TextWriter& out) { out.Append("10000-20000 r-xp 00000000 00:00 0 \n"); }
std::string_view KernelRelease() { return "6.1.0"; }
std::string_view HostName() { return "fake"; }
std::string_view ProgramName() { return "prog"; }
void WriteAuxiliaryVector(TextWriter& out) { out.Append(std::string_view("\6\0", 2)); }
void WriteLimits(TextWriter& out) { out.Append("Limit\n"); }

int32_t NextThread(int32_t after) { return after < 1 ? 1 : after < 7 ? 7 : 0; }
void WriteThreadName(TextWriter& out, int32_t thread) {
  if (thread == 1 || thread == 7) {
    out.Append(thread == 1 ? "main" : thread_name);
  }
}
uint64_t ThreadCpuTime(int32_t thread) { return thread == 1 ? 1'000'000'000 : 500'000'000; }
Result<void, Errno> SetThreadName(int32_t thread, std::string_view name) {
  if (thread != 7) {
    return Error(Errno::kESRCH);
  }
  thread_name = name;
  return {};
}

}  // namespace about

namespace testing {

RaisedSignals raised_signals() { return raised; }
SignalMask last_signal_mask() { return signal_mask; }
void ResetServices() {
  raised = {};
  signal_mask = {};
}

}  // namespace testing
}  // namespace nsgx::libos
