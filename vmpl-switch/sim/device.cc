// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/device/device.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "base/core/addr_raw.h"
#include "base/core/check.h"
#include "base/core/checked.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/emulator/chip/chip.h"
#include "vmpl-switch/seh/enclave.h"
#include "vmpl-switch/seh/keys.h"
#include "vmpl-switch/sim/clock.h"
#include "vmpl-switch/sim/kernel.h"
#include "vmpl-switch/sim/machine.h"
#include "vmpl-switch/sim/process.h"
#include "vmpl-switch/sim/thread.h"
#include "vmpl-switch/sim/vcpu.h"

// A breakpoint for debuggers: the image lies in memory, `size` bytes from `base`, so its symbols
// can be added there (add-symbol-file IMAGE -o BASE).
extern "C" void nsgx_sim_image_loaded(const void* base, uint64_t size);
extern "C" [[gnu::noinline, gnu::used]] void nsgx_sim_image_loaded(const void* base,
                                                                   uint64_t size) {
  asm volatile("" : : "r"(base), "r"(size) : "memory");
}

namespace nsgx {
namespace sim {
namespace {

// Memory with the SEH's key that holds one T. Access to the T wants SehAccess.
template <typename T>
class SehObject {
 public:
  template <typename... Arguments>
  static Result<SehObject> Make(Arguments&&... arguments) {
    std::byte* memory = TRY(kernel::Allocate(kSize, CurrentProcess().seh_key));
    const SehAccess access;
    return SehObject(new (memory) T(std::forward<Arguments>(arguments)...));
  }
  SehObject(SehObject&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  SehObject& operator=(SehObject&&) = delete;
  ~SehObject() {
    if (object_ != nullptr) {
      {
        const SehAccess access;
        object_->~T();
      }
      kernel::Unmap(reinterpret_cast<std::byte*>(object_), kSize);
    }
  }

  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  // For ever.
  T* Release() { return std::exchange(object_, nullptr); }

 private:
  static constexpr size_t kSize = AlignUp(sizeof(T), kPageSize);

  explicit SehObject(T* object) : object_(object) {}

  T* object_;
};

// The SEH's secrets: one for the process, so that its enclaves can verify each other's reports.
struct Secrets {
  SimMachine machine;
  seh::KeyStore keys{machine};
};

Result<Secrets*> ProcessSecrets() {
  static constinit SpinLock lock;
  static constinit Secrets* secrets = nullptr;
  const SpinLockGuard guard(lock);
  if (secrets == nullptr) {
    secrets = TRY(SehObject<Secrets>::Make()).Release();
  }
  return secrets;
}

// What the SEH keeps for one enclave.
class EnclaveSeh final : public SehCalls {
 public:
  explicit EnclaveSeh(seh::KeyStore& keys) : enclave_(machine_, keys) {}

  int64_t GateCall(uint32_t slot, uint64_t call, const std::array<uint64_t, 5>& a) override {
    return enclave_.GateCall(slot, call, a[0], a[1], a[2], a[3], a[4]);
  }
  FaultAnswer HandleFault(uint64_t address, seh::Permissions needed) override {
    const Result<void> handled = enclave_.HandleFault(EnclaveVirt(address), needed);
    if (handled.ok() || handled.error() == Status::kBusy) {
      return FaultAnswer::kRetry;
    }
    return handled.error() == Status::kNotFound ? FaultAnswer::kDeliver : FaultAnswer::kEnd;
  }
  uint64_t exception_entry() const override { return enclave_.exception_entry().raw(); }
  uint64_t syscall_entry() const override { return enclave_.syscall_entry().raw(); }

  seh::Enclave& enclave() { return enclave_; }
  SimMachine& machine() { return machine_; }

 private:
  SimMachine machine_;
  seh::Enclave enclave_;
};

// Memory that host and enclave share; zeroed.
class Window {
 public:
  Window() = default;
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  ~Window() { Free(); }

  // Errors: kOutOfRange, kNoMemory.
  Result<void> Allocate(uint64_t slot_size, uint32_t slots) {
    Free();
    const uint64_t size = TRY(CheckedMul(slot_size, uint64_t{slots}));
    if (size == 0) {
      return {};
    }
    memory_ = TRY(kernel::Allocate(size, kernel::kNoKey));
    size_ = size;
    slot_size_ = slot_size;
    slots_ = slots;
    return {};
  }
  void Free() {
    if (memory_ != nullptr) {
      kernel::Unmap(memory_, size_);
      memory_ = nullptr;
      slots_ = 0;
    }
  }

  std::byte* begin() const { return memory_; }
  uint32_t slots() const { return slots_; }
  std::span<std::byte> slot(uint32_t slot) const {
    return {memory_ + slot * slot_size_, slot_size_};
  }

 private:
  std::byte* memory_ = nullptr;
  uint64_t size_ = 0;
  uint64_t slot_size_ = 0;
  uint32_t slots_ = 0;
};

class SimDevice final : public Device {
 public:
  explicit SimDevice(SehObject<EnclaveSeh> seh) : seh_(std::move(seh)) {}
  SimDevice(const SimDevice&) = delete;
  SimDevice& operator=(const SimDevice&) = delete;
  ~SimDevice() override;

  std::string_view name() const override { return "sim"; }
  std::string_view limitations() const override { return Limitations(); }

  Result<void> Create(const CreateOptions& options) override;
  Result<void> AddPages(uint64_t offset, uint32_t permissions, const LoadSource& source) override;
  Result<void> AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count) override;
  Result<void> Init(std::span<const std::byte> signature, std::span<const std::byte> args) override;

  Exit Enter(uint32_t slot, uint64_t answer) override;
  std::span<std::byte> window(uint32_t slot) override;
  Result<void> SetTick(uint32_t slot, uint32_t microseconds) override;
  Result<void> StepBehindTicks(uint32_t slot, uint64_t seed) override;
  uint64_t Now() override { return ProcessNow(); }

  Result<void> CertificateChain(std::span<const std::byte>* der) override;
  Crash crash() const override;
  DeviceStats stats() const override;
  void identity(std::span<std::byte, 32> out) const override;

 private:
  // One thread slot: used by the thread that enters it.
  struct Slot {
    Vcpu vcpu;
    std::array<uint64_t, 6> exits = {};  // by ExitReason
    bool has_entered = false;
  };

  struct LoadWork {
    uint64_t pages_loaded;
    uint64_t ticks_load;
    uint64_t ticks_signature;
  };

  std::optional<Exit> Leave(Slot& slot, const std::array<uint64_t, 6>& words, uint64_t& answer);
  static Exit Count(Slot& slot, const Exit& exit);
  Exit End(Slot& slot, const Exit& exit);
  Crash DescribeCrash(const VcpuCrash& found) const;

  SehObject<EnclaveSeh> seh_;
  Window window_;
  std::vector<Slot> slots_;
  uint64_t image_size_ = 0;
  LoadWork load_ = {};

  mutable SpinLock lock_;
  std::atomic<bool> is_over_ = false;
  Exit end_ GUARDED_BY(lock_) = {};
  Crash crash_ GUARDED_BY(lock_) = {};
};

SimDevice::~SimDevice() {
  const SehAccess access;
  seh::Enclave& enclave = seh_->enclave();
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].has_entered) {
      enclave.ReleaseSlot(i);
    }
  }
  slots_.clear();
  CHECK(enclave.Destroy().ok());
}

Result<void> SimDevice::Create(const CreateOptions& options) {
  const SehAccess access;
  TRY(window_.Allocate(options.window_size, options.vcpus));
  const Result<void> created = seh_->enclave().Create({
      .config = options.config,
      .config_offset = options.config_offset,
      .image_size = options.image_size,
      .entry = options.entry,
      .vcpus = options.vcpus,
      .gate = GateAddress(),
      .window = kernel::Word(window_.begin()),
      .window_size = options.window_size,
  });
  if (!created.ok()) {
    window_.Free();
    return Error(created.error());
  }
  image_size_ = options.image_size;
  return {};
}

Result<void> SimDevice::AddPages(uint64_t offset, uint32_t permissions, const LoadSource& source) {
  const SehAccess access;
  const uint64_t begin = ReadTsc();
  TRY(seh_->enclave().AddPages(
      offset, permissions,
      {.bytes = source.bytes, .fd = source.fd, .file_offset = source.file_offset}));
  load_.pages_loaded += source.bytes.size() >> kPageShift;
  load_.ticks_load += ReadTsc() - begin;
  return {};
}

Result<void> SimDevice::AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count) {
  const SehAccess access;
  const uint64_t begin = ReadTsc();
  TRY(seh_->enclave().AddZeroPages(offset, permissions, page_count));
  load_.pages_loaded += page_count;
  load_.ticks_load += ReadTsc() - begin;
  return {};
}

Result<void> SimDevice::Init(std::span<const std::byte> signature,
                             std::span<const std::byte> args) {
  const SehAccess access;
  const uint64_t begin = ReadTsc();
  seh::Enclave& enclave = seh_->enclave();
  if (enclave.state() != seh::EnclaveState::kLoading) {
    return Error(Status::kBadState);
  }
  // What can fail comes before the SEH takes the enclave to be running.
  std::array<uint64_t, 2> host_calls = {};
  for (uint64_t number = 0; number < NSGX_HOST_CALL_LIMIT; ++number) {
    if (enclave.HostCallAllowed(number)) {
      host_calls[number / 64] |= uint64_t{1} << (number % 64);
    }
  }
  std::vector<Slot> slots;
  slots.reserve(enclave.vcpus());
  for (uint32_t i = 0; i < enclave.vcpus(); ++i) {
    nsgx_slot* slot = PointerTo<nsgx_slot>(enclave.slot_address(i));
    slots.push_back({.vcpu = TRY(Vcpu::Create(*seh_, i, *slot, host_calls))});
  }
  TRY(enclave.Init(signature, args));
  for (uint32_t i = 0; i < enclave.vcpus(); ++i) {
    constexpr uint64_t kStackTop = NSGX_SLOT_STACK_OFFSET + NSGX_SLOT_STACK_SIZE;
    slots[i].vcpu.PrepareFirstEntry(enclave.entry().raw(),
                                    (enclave.slot_address(i) + kStackTop).raw());
  }
  slots_ = std::move(slots);
  load_.ticks_signature = ReadTsc() - begin;
  nsgx_sim_image_loaded(PointerTo<void>(enclave.base()), image_size_);
  return {};
}

Exit SimDevice::Enter(uint32_t index, uint64_t answer) {
  CHECK(index < slots_.size());
  Slot& slot = slots_[index];
  Result<ThreadBlock*> block = AttachThread();
  // Without memory for a signal stack this thread can do nothing useful for the enclave, and there
  // is no one to tell.
  CHECK(block.ok());
  if (!slot.has_entered) {
    const SehAccess access;
    if (!seh_->enclave().ClaimSlot(index).ok()) {
      return End(slot, {.reason = ExitReason::kRefused, .number = 0, .arguments = {}});
    }
    slot.has_entered = true;
    answer = 0;
  }
  for (;;) {
    if (is_over_.load(std::memory_order_acquire)) {
      return End(slot, {});
    }
    const std::array<uint64_t, 6>& words = slot.vcpu.Enter(*block.value(), answer);
    if (words[0] == NSGX_GATE_HOST_CALL && !is_over_.load(std::memory_order_relaxed)) [[likely]] {
      return Count(slot, {.reason = ExitReason::kHostCall,
                          .number = words[1],
                          .arguments = {words[2], words[3], words[4], words[5]}});
    }
    const std::optional<Exit> exit = Leave(slot, words, answer);
    if (exit.has_value()) {
      return *exit;
    }
  }
}

// Everything but an allowed host call. No exit: the enclave shall go on with `answer`.
std::optional<Exit> SimDevice::Leave(Slot& slot, const std::array<uint64_t, 6>& words,
                                     uint64_t& answer) {
  const SehAccess access;
  seh::Enclave& enclave = seh_->enclave();
  Exit exit = {
      .reason = ExitReason::kRefused, .number = words[1], .arguments = {words[1], words[2]}};
  if (words[0] == SIM_EXIT_EXCEPTION) {
    enclave.Crash();
    exit.reason = ExitReason::kException;
    return End(slot, exit);
  }
  const uint64_t call = words[0] == SIM_EXIT_REFUSED ? NSGX_GATE_HOST_CALL : words[0];
  const Result<seh::Leave> leave = enclave.CheckLeave(call, words[1], words[2]);
  if (!leave.ok()) {
    // Over because of another slot: Enter finds that.
    answer = -uint64_t{static_cast<uint32_t>(leave.error())};
    return std::nullopt;
  }
  switch (leave.value()) {
    case seh::Leave::kHostCall:
      // The list says so only now: not possible, as it is frozen.
      break;
    case seh::Leave::kIdle:
      exit.reason = ExitReason::kIdle;
      return Count(slot, exit);
    case seh::Leave::kWake:
      exit.reason = ExitReason::kWake;
      return Count(slot, exit);
    case seh::Leave::kDone:
      exit.reason = ExitReason::kDone;
      break;
    case seh::Leave::kRefused:
      break;
  }
  return End(slot, exit);
}

Exit SimDevice::Count(Slot& slot, const Exit& exit) {
  slot.exits[static_cast<size_t>(exit.reason)] += 1;
  return exit;
}

// The enclave has ended; the first reason counts, for all slots.
Exit SimDevice::End(Slot& slot, const Exit& exit) {
  const SpinLockGuard guard(lock_);
  if (!is_over_.load(std::memory_order_relaxed)) {
    end_ = exit;
    if (exit.reason == ExitReason::kException) {
      crash_ = DescribeCrash(slot.vcpu.crash());
    }
    is_over_.store(true, std::memory_order_release);
  }
  return Count(slot, end_);
}

Crash SimDevice::DescribeCrash(const VcpuCrash& found) const {
  const SehAccess access;
  const seh::Enclave& enclave = seh_->enclave();
  Crash crash = {.cause = found.cause,
                 .address = found.address,
                 .image_offset = ~uint64_t{0},
                 .registers = {}};
  const uint64_t offset = found.rip - enclave.base().raw();
  if (offset < image_size_) {
    crash.image_offset = offset;
  }
  if (enclave.is_debug()) {
    std::copy(found.registers.begin(), found.registers.end(), crash.registers);
  } else {
    crash.address = 0;
  }
  return crash;
}

std::span<std::byte> SimDevice::window(uint32_t slot) {
  CHECK(slot < window_.slots());
  return window_.slot(slot);
}

Result<void> SimDevice::SetTick(uint32_t slot, uint32_t microseconds) {
  if (slot >= slots_.size()) {
    return Error(Status::kNotFound);
  }
  return SetThreadTick(*TRY(AttachThread()), microseconds);
}

Result<void> SimDevice::StepBehindTicks(uint32_t slot, uint64_t seed) {
  if (slot >= slots_.size()) {
    return Error(Status::kNotFound);
  }
  ThreadBlock& block = *TRY(AttachThread());
  block.step_random = seed | 1;
  return {};
}

Result<void> SimDevice::CertificateChain(std::span<const std::byte>* der) {
  *der = chip::CertificateChain();
  return {};
}

Crash SimDevice::crash() const {
  const SpinLockGuard guard(lock_);
  return crash_;
}

DeviceStats SimDevice::stats() const {
  DeviceStats stats = {};
  for (const Slot& slot : slots_) {
    for (size_t i = 0; i < slot.exits.size(); ++i) {
      stats.exits[i] += slot.exits[i];
    }
    const VcpuCounters counters = slot.vcpu.counters();
    for (size_t i = 0; i < counters.gate_calls.size(); ++i) {
      stats.gate_calls[i] += counters.gate_calls[i];
    }
    stats.exceptions += counters.exceptions;
    stats.ticks += counters.ticks;
    stats.syscalls_reflected += counters.syscalls_reflected;
  }
  const SehAccess access;
  const HashWork hashed = seh_->machine().work();
  stats.pages_loaded = load_.pages_loaded;
  stats.pages_hashed = hashed.pages_hashed;
  stats.nanoseconds_load =
      ToNanoseconds(load_.ticks_load - std::min(load_.ticks_load, hashed.ticks_hashing));
  stats.nanoseconds_hash = ToNanoseconds(hashed.ticks_hashing);
  stats.nanoseconds_signature = ToNanoseconds(load_.ticks_signature);
  return stats;
}

void SimDevice::identity(std::span<std::byte, 32> out) const {
  const SehAccess access;
  const seh::Enclave& enclave = seh_->enclave();
  const bool is_known = enclave.state() != seh::EnclaveState::kEmpty &&
                        enclave.state() != seh::EnclaveState::kLoading;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = is_known ? std::byte{enclave.body().identity[i]} : std::byte{0};
  }
}

}  // namespace
}  // namespace sim

Result<std::unique_ptr<Device>> OpenSimDevice() {
  TRY(sim::OpenProcess({}));
  sim::Secrets* secrets = TRY(sim::ProcessSecrets());
  sim::SehObject<sim::EnclaveSeh> seh = TRY(sim::SehObject<sim::EnclaveSeh>::Make(secrets->keys));
  return std::unique_ptr<Device>(new sim::SimDevice(std::move(seh)));
}

}  // namespace nsgx
