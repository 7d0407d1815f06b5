// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/run/outside_signals.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "enclave-loader/run/detached_thread.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx::loader {
namespace {

// The thread's own, for as long as the process lives.
struct Watch {
  Vcpus* vcpus = nullptr;
  bool are_for_the_program = false;
  sigset_t signals = {};
};
Watch watch;

// A debugger stops what it debugs by SIGINT, and hears nothing of signals that are waited for.
bool IsDebugged() {
  FILE* const status = fopen("/proc/self/status", "re");
  if (status == nullptr) {
    return false;
  }
  constexpr std::string_view kTracer = "TracerPid:";
  char line[256];
  long tracer = 0;
  while (fgets(line, sizeof line, status) != nullptr) {
    if (std::string_view(line).starts_with(kTracer)) {
      tracer = strtol(line + kTracer.size(), nullptr, 10);
    }
  }
  fclose(status);
  return tracer != 0;
}

void* Run(void*) {
  while (true) {
    int number = 0;
    if (sigwait(&watch.signals, &number) != 0) {
      continue;
    }
    if (!watch.are_for_the_program) {
      watch.vcpus->EndBySignal(number);
    }
    watch.vcpus->Signal(number);
  }
}

}  // namespace

void WatchOutsideSignals(Vcpus& vcpus, uint64_t attributes) {
  watch.vcpus = &vcpus;
  watch.are_for_the_program = (attributes & NSGX_ATTRIBUTE_HOST_SIGTERM) != 0;
  sigemptyset(&watch.signals);
  for (int number = 1; number <= 32; ++number) {
    struct sigaction action = {};
    if ((shim::kOutsideSignals >> (number - 1) & 1) != 0 &&
        sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
      sigaddset(&watch.signals, number);
    }
  }
  if ((attributes & NSGX_ATTRIBUTE_DEBUG) != 0 && IsDebugged()) {
    sigdelset(&watch.signals, SIGINT);
  }
  pthread_sigmask(SIG_BLOCK, &watch.signals, nullptr);
  if (!StartDetachedThread(Run, nullptr)) {
    pthread_sigmask(SIG_UNBLOCK, &watch.signals, nullptr);
  }
}

}  // namespace nsgx::loader
