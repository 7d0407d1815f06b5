// SPDX-License-Identifier: Apache-2.0
// Sockets that live in the host, by the numbers that they have there. The numbers are chosen here,
// so the host cannot give the same one twice.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

// Whoever wants to know what becomes ready on a socket of the host.
class HostSocket {
 public:
  // `events`: kPOLL* bits, a hint; `wait`: see SocketEventSink. Called with the table's lock held:
  // takes no lock that is held around the calls below.
  virtual void OnHostEvents(uint32_t events, uint64_t wait) = 0;

 protected:
  ~HostSocket() = default;
};

// Gives `socket` a number, and tells it of events from now on. ENFILE, ENOMEM.
Result<uint32_t, Errno> AddHostSocket(HostSocket& socket);
// OnHostEvents is not running and will not be called any more. The number is free when the host has
// closed the socket: FreeHostSocketNumber.
void RemoveHostSocket(uint32_t number);
void FreeHostSocketNumber(uint32_t number);

// At the end of a test.
void ClearHostSockets();

}  // namespace nsgx::libos
