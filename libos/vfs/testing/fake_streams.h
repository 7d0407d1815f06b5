// SPDX-License-Identifier: Apache-2.0
// The standard streams of nsgx-run in a test.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libos/host/host.h"

namespace nsgx::libos::testing {

// Back to: no terminal, nothing to read, everything can be written.
void ResetStreams();

void MakeTerminal(host::Stream stream, uint16_t rows, uint16_t columns);
// The host has something to read for the program.
void ProvideInput(std::string_view text);
// There will be no more.
void EndInput();
// How many bytes can be written until the stream is full.
void LimitOutput(host::Stream stream, size_t room);
// Nobody reads the stream any more.
void BreakOutput(host::Stream stream);
// What has been written so far.
std::string OutputOf(host::Stream stream);
// At most this many bytes are taken by one host call.
void LimitTransfer(size_t bytes);
// Watchers that are registered now.
size_t watcher_count();

}  // namespace nsgx::libos::testing
