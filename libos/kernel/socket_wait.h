// SPDX-License-Identifier: Apache-2.0
// What becomes ready on the host's sockets, told by whichever vCPU asked the host: the keeper,
// which waits while others run; a vCPU that has been busy for long; or a call that looks without
// waiting.
#pragma once

#include <cstdint>
#include <span>

#include "libos/host/host.h"

namespace nsgx::libos {

// Told what the host says about sockets.
class SocketEventSink {
 public:
  // `events` are of sockets all, and hints. `wait` is the number of the host call that they came
  // by. Runs on any vCPU; may wake threads, and takes no lock that is held around the calls below.
  virtual void OnSocketEvents(std::span<const host::Ready> events, uint64_t wait) = 0;

 protected:
  ~SocketEventSink() = default;
};
// Once, before there is a socket. Null: at the end of a test.
void SetSocketEventSink(SocketEventSink* sink);

// How many threads and observers wait for sockets. While there is one, the host is asked.
void AddSocketWaiter();
void RemoveSocketWaiter();

// The number of the host call that was begun last: what is done after this was read may be older
// news to the events of that call.
uint64_t LastSocketWait();

// Asks the host, for a call that is about to say that nothing is ready. False: there are no
// sockets, so it would have nothing to tell.
bool LookForSocketEvents();
// The same for calls that find something ready each time: asks once in a while, lest that hide all
// others.
void LookForSocketEventsSometimes();

}  // namespace nsgx::libos
