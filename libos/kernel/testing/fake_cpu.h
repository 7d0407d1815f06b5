// SPDX-License-Identifier: Apache-2.0
// vCPUs and a host in this process, so that scheduler, futexes and signals run as they are. Each
// thread of the library OS is a host thread; the context switch hands the vCPU from one to the
// other, so that as many run at a time as there are vCPUs.
#pragma once

#include <cstdint>
#include <functional>

#include "libos/kernel/thread.h"

namespace nsgx::libos::testing {

// Starts a library OS with `cpus` vCPUs in this process, runs `body` as its first thread and ends
// the process: with status 0 if body returns, else as host::Done was told. For EXPECT_EXIT.
[[noreturn]] void RunWorld(uint32_t cpus, std::function<void()> body);

// A thread of the library OS that runs `body` and exits. In a world only.
int32_t Spawn(std::function<void()> body);

// Ends the process with a message unless `condition` holds. In a world, where a failed EXPECT would
// go unheard.
void Require(bool condition, const char* what);

struct HostCounts {
  uint64_t wakes, starts, ticks_set, idles;
};
HostCounts host_counts();

// Streams: what the host says is ready.
void SetStreamReady(uint32_t stream, bool ready);

}  // namespace nsgx::libos::testing

#define REQUIRE(condition) ::nsgx::libos::testing::Require(condition, #condition)
