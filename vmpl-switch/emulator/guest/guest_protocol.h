// SPDX-License-Identifier: Apache-2.0
// What the machine's starter (enclave-loader/emu) and the guest's init say to each other.
#pragma once

#include <cstddef>
#include <string_view>

namespace nsgx::emulator {

// The command: a file in the initramfs, records that end with a NUL byte. Each is one of these
// words and, behind a space, its value.
inline constexpr std::string_view kCommandFile = "/run/nsgx/command";
inline constexpr std::string_view kArgument = "argument";  // of the program; the first: its path
inline constexpr std::string_view kEnvironment = "environment";  // NAME=VALUE
inline constexpr std::string_view kFolder = "folder";            // where the program starts
inline constexpr std::string_view kMarker = "marker";            // ends each output stream; random
inline constexpr std::string_view kNetwork = "network";          // no value: bring the network up
inline constexpr std::string_view kTerminal = "terminal";        // no value: streams are /dev/hvc0

inline constexpr size_t kMarkerSize = 32;

// Ports of virtio-serial. Output ends when the marker has come, because ports are not in step with
// each other.
inline constexpr std::string_view kInputPort = "org.nsgx.stdin";
inline constexpr std::string_view kOutputPort = "org.nsgx.stdout";
inline constexpr std::string_view kErrorPort = "org.nsgx.stderr";
inline constexpr std::string_view kControlPort = "org.nsgx.control";

// Lines from init on the control port.
inline constexpr std::string_view kStarted = "started";  // the program runs
inline constexpr std::string_view kExited = "exited ";   // and its exit status: 0 to 255
inline constexpr std::string_view kKilled = "killed ";   // and the signal
inline constexpr std::string_view kFailed = "failed ";   // and why: the program never ran

// The one line to init: everything has come out, and the machine may go off. Linux does not wait
// for what it has given to a port, so QEMU would lose it.
inline constexpr std::string_view kTaken = "taken";

}  // namespace nsgx::emulator
