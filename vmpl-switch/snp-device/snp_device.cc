// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp-device/snp_device.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/core/check.h"
#include "base/core/checked.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/guest-module/nsgx_ioctl.h"
#include "vmpl-switch/snp-device/answers.h"
#include "vmpl-switch/snp-device/diagnosis.h"

namespace nsgx {
namespace snp {
namespace {

// What the module takes at least.
constexpr uint32_t kShortestTick = 100;
constexpr size_t kMaxCertificateSize = 65536;
constexpr uint64_t kPageSize = 4096;

uint64_t Word(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

uint64_t LinuxNow() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// ioctl(), whose request is an int for one C library and an unsigned long for the other.
int64_t Control(int fd, uint64_t request, void* argument) {
  return syscall(SYS_ioctl, fd, request, argument);
}

class SnpDevice final : public Device {
 public:
  explicit SnpDevice(int fd) : fd_(fd) {}
  SnpDevice(const SnpDevice&) = delete;
  SnpDevice& operator=(const SnpDevice&) = delete;
  // The module destroys the enclave when nothing refers to the file any more.
  ~SnpDevice() override {
    if (window_ != nullptr) {
      munmap(window_, window_size_ * slot_count_);
    }
    close(fd_);
  }

  std::string_view name() const override { return is_emulated_ ? "emu" : "snp"; }
  std::string_view limitations() const override {
    return is_emulated_ ? "this machine is emulated and keeps no secrets" : "";
  }

  Result<void> Create(const CreateOptions& options) override;
  Result<void> AddPages(uint64_t offset, uint32_t permissions, const LoadSource& source) override;
  Result<void> AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count) override;
  Result<void> Init(std::span<const std::byte> signature, std::span<const std::byte> args) override;

  Exit Enter(uint32_t slot, uint64_t answer) override;
  std::span<std::byte> window(uint32_t slot) override {
    CHECK(slot < slot_count_);
    return {window_ + slot * window_size_, window_size_};
  }
  Result<void> SetTick(uint32_t slot, uint32_t microseconds) override;
  Result<void> StepBehindTicks(uint32_t, uint64_t) override { return Error(Status::kUnsupported); }
  uint64_t Now() override;

  Result<void> CertificateChain(std::span<const std::byte>* der) override;
  Crash crash() const override;
  DeviceStats stats() const override;
  void identity(std::span<std::byte, 32> out) const override;

 private:
  // Repeats what a signal has interrupted.
  Result<void> Call(uint64_t request, void* argument) const {
    while (true) {
      const int64_t result = Control(fd_, request, argument);
      if (result >= 0 || errno != EINTR) {
        return ResultOf(result, errno);
      }
    }
  }

  Result<void> Add(uint64_t offset, uint32_t permissions, uint64_t size, const std::byte* source);
  Result<nsgx_seh_info> Info() const;
  Result<void> SetClock();
  Exit End(const Exit& exit);

  const int fd_;
  bool is_emulated_ = false;
  std::byte* window_ = nullptr;
  uint64_t window_size_ = 0;  // of a slot
  uint32_t slot_count_ = 0;
  std::vector<std::byte> certificates_;
  uint64_t nanoseconds_load_ = 0;
  uint64_t nanoseconds_signature_ = 0;

  // A moment of the machine's clock, and of ours.
  uint64_t clock_now_ = 0;
  uint64_t clock_tsc_ = 0;
  uint64_t clock_linux_ = 0;
  uint64_t tsc_khz_ = 0;  // 0: not known, Linux's clock has to do

  std::mutex lock_;
  Exit end_ = {};                      // of the first slot that saw it
  std::atomic<bool> is_over_ = false;  // end_ is set
};

Result<nsgx_seh_info> SnpDevice::Info() const {
  nsgx_seh_info info = {};
  nsgx_device_buffer buffer = {.address = Word(&info), .size = sizeof info};
  TRY(Call(NSGX_DEVICE_INFO, &buffer));
  return info;
}

Result<void> SnpDevice::Create(const CreateOptions& options) {
  const uint64_t window_bytes =
      TRY(CheckedMul(options.window_size, static_cast<uint64_t>(options.vcpus)));
  nsgx_device_create create = {.config = Word(options.config.data()),
                               .config_size = options.config.size(),
                               .config_offset = options.config_offset,
                               .image_size = options.image_size,
                               .entry = options.entry,
                               .window_size = options.window_size,
                               .vcpus = options.vcpus,
                               .reserved = 0};
  TRY(Call(NSGX_DEVICE_CREATE, &create));
  if (window_bytes != 0) {
    void* memory = mmap(nullptr, window_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (memory == MAP_FAILED) {
      return Error(Status::kNoMemory);
    }
    window_ = static_cast<std::byte*>(memory);
  }
  window_size_ = options.window_size;
  slot_count_ = options.vcpus;
  return SetClock();
}

Result<void> SnpDevice::SetClock() {
  const nsgx_seh_info info = TRY(Info());
  clock_tsc_ = __rdtsc();
  clock_linux_ = LinuxNow();
  clock_now_ = info.now;
  tsc_khz_ = info.tsc_khz;
  is_emulated_ = info.machine == NSGX_MACHINE_EMU;
  return {};
}

uint64_t SnpDevice::Now() {
  if (tsc_khz_ == 0) {
    return clock_now_ + (LinuxNow() - clock_linux_);
  }
  const auto ticks = static_cast<unsigned __int128>(__rdtsc() - clock_tsc_);
  return clock_now_ + static_cast<uint64_t>(ticks * 1'000'000u / tsc_khz_);
}

Result<void> SnpDevice::Add(uint64_t offset, uint32_t permissions, uint64_t size,
                            const std::byte* source) {
  const uint64_t begin = LinuxNow();
  nsgx_device_add add = {.offset = offset,
                         .size = size,
                         .source = Word(source),
                         .permissions = permissions,
                         .reserved = 0,
                         .done = 0};
  TRY(Call(NSGX_DEVICE_ADD, &add));
  nanoseconds_load_ += LinuxNow() - begin;
  return {};
}

Result<void> SnpDevice::AddPages(uint64_t offset, uint32_t permissions, const LoadSource& source) {
  return Add(offset, permissions, source.bytes.size(), source.bytes.data());
}

Result<void> SnpDevice::AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t page_count) {
  return Add(offset, permissions, TRY(CheckedMul(page_count, kPageSize)), nullptr);
}

Result<void> SnpDevice::Init(std::span<const std::byte> signature,
                             std::span<const std::byte> args) {
  constexpr size_t kMost = UINT32_MAX;
  if (signature.size() > kMost || args.size() > kMost) {
    return Error(Status::kInvalidArgument);
  }
  const uint64_t begin = LinuxNow();
  nsgx_device_init init = {.signature = Word(signature.data()),
                           .args = Word(args.data()),
                           .signature_size = static_cast<uint32_t>(signature.size()),
                           .args_size = static_cast<uint32_t>(args.size())};
  TRY(Call(NSGX_DEVICE_INIT, &init));
  nanoseconds_signature_ = LinuxNow() - begin;
  return {};
}

Exit SnpDevice::Enter(uint32_t slot, uint64_t answer) {
  nsgx_device_enter enter = {
      .slot = slot, .reason = 0, .answer = answer, .number = 0, .arguments = {}};
  const Result<void> entered = Call(NSGX_DEVICE_ENTER, &enter);
  if (!entered.ok()) {
    if (entered.error() == Status::kBadState) {
      // It is over, by another slot, whose thread is about to say how.
      is_over_.wait(false);
    }
    return End({.reason = ExitReason::kLost,
                .number = static_cast<uint64_t>(entered.error()),
                .arguments = {}});
  }
  const Result<Exit> exit = ExitOf(enter);
  if (!exit.ok()) {
    return End({.reason = ExitReason::kLost,
                .number = static_cast<uint64_t>(exit.error()),
                .arguments = {}});
  }
  switch (exit.value().reason) {
    case ExitReason::kHostCall:
    case ExitReason::kIdle:
    case ExitReason::kWake:
      return exit.value();
    default:
      return End(exit.value());
  }
}

// The enclave has ended; the first reason counts, for all slots.
Exit SnpDevice::End(const Exit& exit) {
  const std::lock_guard guard(lock_);
  if (!is_over_.load(std::memory_order_relaxed)) {
    end_ = exit;
    is_over_.store(true, std::memory_order_release);
    is_over_.notify_all();
  }
  return end_;
}

Result<void> SnpDevice::SetTick(uint32_t slot, uint32_t microseconds) {
  nsgx_device_tick tick = {
      .slot = slot, .microseconds = microseconds == 0 ? 0 : std::max(microseconds, kShortestTick)};
  return Call(NSGX_DEVICE_SET_TICK, &tick);
}

Result<void> SnpDevice::CertificateChain(std::span<const std::byte>* der) {
  if (certificates_.empty()) {
    std::vector<std::byte> room(kMaxCertificateSize);
    nsgx_device_buffer buffer = {.address = Word(room.data()), .size = room.size()};
    TRY(Call(NSGX_DEVICE_CERTIFICATES, &buffer));
    if (buffer.size > room.size()) {
      return Error(Status::kOutOfRange);
    }
    room.resize(buffer.size);
    certificates_ = std::move(room);
  }
  *der = certificates_;
  return {};
}

Crash SnpDevice::crash() const {
  const Result<nsgx_seh_info> info = Info();
  return info.ok() ? CrashOf(info.value())
                   : Crash{.cause = 0, .address = 0, .image_offset = ~uint64_t{0}, .registers = {}};
}

DeviceStats SnpDevice::stats() const {
  const Result<nsgx_seh_info> info = Info();
  DeviceStats stats = info.ok() ? StatsOf(info.value()) : DeviceStats{};
  stats.nanoseconds_load = nanoseconds_load_;
  stats.nanoseconds_signature = nanoseconds_signature_;
  return stats;
}

void SnpDevice::identity(std::span<std::byte, 32> out) const {
  const Result<nsgx_seh_info> info = Info();
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = info.ok() ? std::byte{info.value().identity[i]} : std::byte{0};
  }
}

}  // namespace
}  // namespace snp

bool HasSnpDevice() { return access(NSGX_DEVICE_PATH, F_OK) == 0; }

std::unique_ptr<Device> OpenSnpDevice(std::string* why) {
  const int fd = open(NSGX_DEVICE_PATH, O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    *why = snp::Diagnose(snp::Examine(errno));
    return nullptr;
  }
  nsgx_device_query query = {};
  const int64_t result = snp::Control(fd, NSGX_DEVICE_QUERY, &query);
  if (result != 0) {
    *why = "module nsgx does not reach the SEH; see the kernel log";
  } else if (query.version != NSGX_DEVICE_VERSION || query.seh_version != NSGX_SEH_VERSION) {
    *why =
        "module nsgx or the SEH has another version than this program; install those that belong "
        "together";
  } else {
    return std::make_unique<snp::SnpDevice>(fd);
  }
  close(fd);
  return nullptr;
}

}  // namespace nsgx
