// SPDX-License-Identifier: Apache-2.0
// What the host tells of sockets in a test.
#pragma once

#include <cstdint>

namespace nsgx::libos::testing {

// The host says that this is ready on a socket, by an answer to its wait call `wait`.
void TellSocketEvents(uint32_t socket, uint32_t events, uint64_t wait);
// A new wait call is on its way to the host; returns its number.
uint64_t BeginSocketWait();
// Threads and observers that wait for sockets.
uint32_t socket_waiter_count();

}  // namespace nsgx::libos::testing
