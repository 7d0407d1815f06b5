// SPDX-License-Identifier: Apache-2.0
// What the switch costs, as JSON: medians, in ticks of the time-stamp counter unless a name says
// otherwise. NSGX_SIM_WITHOUT as in the switch test.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include "base/core/check.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/sim/clock.h"
#include "vmpl-switch/sim/test_enclave.h"
#include "vmpl-switch/sim/thread.h"

namespace nsgx::sim {
namespace {

constexpr int kRounds = 11;

template <typename F>
double Median(F measure) {
  std::vector<double> values;
  for (int i = 0; i < kRounds; ++i) {
    values.push_back(measure());
  }
  std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
  return values[kRounds / 2];
}

// Ticks for each of `count` calls that the enclave makes; `serve` is what the host does for each.
template <typename F>
double MeasureEnclave(const char* routine, uint64_t count, F serve) {
  return Median([&] {
    TestEnclave enclave(routine);
    enclave.Write(BLOB_ARGUMENT, count);
    ThreadBlock* block = AttachThread().value();
    uint64_t answer = 0;
    while (enclave.vcpu().Enter(*block, answer)[0] == NSGX_GATE_HOST_CALL) {
      answer = serve();
    }
    return static_cast<double>(enclave.Read(BLOB_RESULT)) / static_cast<double>(count);
  });
}

template <typename F>
double MeasureHost(uint64_t count, F call) {
  return Median([&] {
    const uint64_t begin = ReadTsc();
    for (uint64_t i = 0; i < count; ++i) {
      call();
    }
    return static_cast<double>(ReadTsc() - begin) / static_cast<double>(count);
  });
}

void Print(const char* name, double value, const char* end = ",") {
  printf("  \"%s\": %.1f%s\n", name, value, end);
}

int Main() {
  const char* text = getenv("NSGX_SIM_WITHOUT");
  const std::string_view without = text == nullptr ? "" : text;
  Options options;
  options.use_keys = without.find("keys") == std::string_view::npos;
  options.use_dispatch = without.find("dispatch") == std::string_view::npos;
  options.use_seccomp = without.find("seccomp") == std::string_view::npos;

  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof(one), &one);
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const auto write_one = [null] {
    return static_cast<uint64_t>(
        kernel::Call(SYS_write, static_cast<uint64_t>(null), kernel::Word("x"), 1));
  };
  // A first run pays for a sleeping processor.
  MeasureHost(1'000'000, write_one);
  const double native_write = MeasureHost(200'000, write_one);

  uint64_t begin = ReadTsc();
  CHECK(OpenProcess(options).ok());
  const double open_process = static_cast<double>(ReadTsc() - begin);
  begin = ReadTsc();
  CHECK(AttachThread().ok());
  const double attach = static_cast<double>(ReadTsc() - begin);
  const double armed_write = MeasureHost(200'000, write_one);
  ProcessClock();
  const auto nothing = [] { return uint64_t{0}; };

  printf("{\n");
  printf("  \"keys\": %s,\n  \"trap\": %d,\n  \"vectors\": %d,\n",
         CurrentProcess().has_keys() ? "true" : "false", static_cast<int>(CurrentProcess().trap),
         static_cast<int>(CurrentProcess().cpu.vectors));
  Print("enter_exit", MeasureEnclave(nsgx_sim_blob_measure_host_call, 500'000, nothing));
  Print("seh_call", MeasureEnclave(nsgx_sim_blob_measure_seh_call, 500'000, nothing));
  Print("host_call_write", MeasureEnclave(nsgx_sim_blob_measure_host_call, 200'000, write_one));
  Print("native_write", native_write);
  Print("native_write_on_armed_thread", armed_write);
  Print("raw_system_call_reflected",
        MeasureEnclave(nsgx_sim_blob_measure_syscall, 20'000, nothing));
  Print("page_fault_delivered", MeasureEnclave(nsgx_sim_blob_measure_exception, 20'000, nothing));
  Print("open_process", open_process);
  Print("attach_thread", attach);
  Print("tsc_khz", static_cast<double>(ProcessTscKhz()), "");
  printf("}\n");
  return 0;
}

}  // namespace
}  // namespace nsgx::sim

int main() { return nsgx::sim::Main(); }
