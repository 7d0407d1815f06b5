// SPDX-License-Identifier: Apache-2.0
// Exceptions and ticks: asynchronous exits. They arrive as signals on the thread's alternate stack
// (nsgx_sim_signal_entry); the handler delivers them into the enclave, postpones them, ends the
// enclave, or passes them on to whoever handled them before.
#pragma once

namespace nsgx::sim {

// The signal of tick timers.
extern const int kTickSignal;

// Takes SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS and the tick's signal for this process;
// once.
void InstallSignalHandlers();

}  // namespace nsgx::sim
