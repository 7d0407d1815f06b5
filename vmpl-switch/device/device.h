// SPDX-License-Identifier: Apache-2.0
// The one interface through which the untrusted loader reaches a machine. The in-process `sim`
// stands behind it, and /dev/nsgx for `snp` and `emu`. What is said here of checks is done behind
// it, by the SEH; the loader is not believed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/core/result.h"

namespace nsgx {

enum class ExitReason : uint32_t {
  kHostCall,  // number, arguments: answer, then Enter(slot, answer)
  kIdle,  // arguments[0]: deadline, monotonic ns of the machine's clock; Enter(slot, 0) when due or
          // woken
  kWake,  // arguments[0]: slot to wake; Enter(slot, 0)
  kDone,  // arguments[0..1]: NSGX_DONE_*, code. The enclave may not be entered again.
  kException,  // the enclave died of an exception that it did not handle; see Crash
  kRefused,    // the enclave asked for what its configuration forbids; the enclave is over
  kLost,       // the machine took the enclave away; number: Status. kCancelled: it goes down
};

struct Exit {
  ExitReason reason;
  uint64_t number;
  std::array<uint64_t, 4> arguments;
};

// Why an enclave died; registers only for debug enclaves, else zero.
struct Crash {
  uint64_t cause;  // NSGX_CAUSE_*
  uint64_t address;
  uint64_t image_offset;   // of the instruction, ~0 when outside the image
  uint64_t registers[18];  // in the order of struct nsgx_frame
};

struct LoadSource {
  std::span<const std::byte> bytes;  // whole pages
  int fd = -1;                       // the file that `bytes` maps, or -1
  uint64_t file_offset = 0;
};

struct CreateOptions {
  std::span<const std::byte> config;  // the whole .nsgx.config section
  uint64_t config_offset = 0;         // in the image
  uint64_t image_size = 0;
  uint64_t entry = 0;        // offset in the image
  uint32_t vcpus = 1;        // slots wanted; at most config.max_vcpus
  uint64_t window_size = 0;  // shared window a slot; multiple of the page size
};

struct DeviceStats {
  uint64_t exits[6] = {};        // by ExitReason, but for kLost
  uint64_t gate_calls[16] = {};  // by number - NSGX_GATE_FIRST_SEH_CALL
  uint64_t exceptions = 0, ticks = 0, syscalls_reflected = 0;
  uint64_t pages_loaded = 0, pages_hashed = 0;
  uint64_t nanoseconds_load = 0, nanoseconds_hash = 0, nanoseconds_signature = 0;
};

// One enclave on one machine. Not thread-safe but for Enter, Wake, which run side by side for
// different slots. Every failure leaves the enclave as it was, or not existing.
class Device {
 public:
  virtual ~Device() = default;

  virtual std::string_view name() const = 0;         // "sim", "snp", "emu"
  virtual std::string_view limitations() const = 0;  // "" or one line: what this machine lacks

  // Creates the enclave. kMalformed: config; kNoMemory: address range larger than the machine
  // gives; kOutOfRange: more vCPUs than the config allows.
  virtual Result<void> Create(const CreateOptions& options) = 0;
  // Adds pages in ascending order. `permissions`: NSGX_PERMISSION_*. kInvalidArgument: order,
  // overlap, W+X.
  virtual Result<void> AddPages(uint64_t offset, uint32_t permissions,
                                const LoadSource& source) = 0;
  virtual Result<void> AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count) = 0;
  // Ends loading: `signature` is struct nsgx_signature; `args` struct nsgx_args and strings.
  // kBadSignature, kBadMeasurement.
  virtual Result<void> Init(std::span<const std::byte> signature,
                            std::span<const std::byte> args) = 0;

  // Runs slot `slot` until it leaves; `answer` is the result of the call that it left with (ignored
  // the first time). Called by one host thread a slot, always the same one.
  virtual Exit Enter(uint32_t slot, uint64_t answer) = 0;
  // The shared window of a slot: untrusted for the enclave, and its contents are untrusted for the
  // loader.
  virtual std::span<std::byte> window(uint32_t slot) = 0;
  // Delivers a preemption tick to the calling slot's thread every `microseconds`; 0 stops it.
  virtual Result<void> SetTick(uint32_t slot, uint32_t microseconds) = 0;
  // What a host can do that wants to hit a certain instruction: behind each tick of the calling
  // slot's thread a random number of instructions is stepped through, and some are followed by a
  // tick. For tests. kUnsupported: not on this machine.
  virtual Result<void> StepBehindTicks(uint32_t slot, uint64_t seed) = 0;
  // Nanoseconds of the machine's monotonic clock, the same that NSGX_GATE_CLOCK describes.
  virtual uint64_t Now() = 0;

  virtual Result<void> CertificateChain(
      std::span<const std::byte>* der) = 0;  // as in evidence.bin, after the core
  virtual Crash crash() const = 0;
  virtual DeviceStats stats() const = 0;
  virtual void identity(std::span<std::byte, 32> out) const = 0;
};

// The machine in this process (vmpl-switch/sim). Never fails for want of protection keys:
// limitations() says what is missing.
Result<std::unique_ptr<Device>> OpenSimDevice();

}  // namespace nsgx
