// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/host/parking.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace nsgx::loader {
namespace {

// Numbers of the Linux ABI; <linux/futex.h> is not everywhere.
constexpr int kFutexWaitPrivate = 128;
constexpr int kFutexWakePrivate = 129;

// Without a descriptor to be woken by, a thread in poll() looks up this often.
constexpr uint64_t kBlindPollNanoseconds = 1'000'000;

}  // namespace

ParkingPlace::~ParkingPlace() {
  if (const int fd = wake_fd_.load(); fd >= 0) {
    close(fd);
  }
}

void ParkingPlace::Sleep(uint64_t nanoseconds) {
  if (TakeWake() || nanoseconds == 0) {
    return;
  }
  const timespec timeout = ToTimespec(nanoseconds);
  syscall(SYS_futex, &woken_, kFutexWaitPrivate, 0, nanoseconds == kNoTimeout ? nullptr : &timeout,
          nullptr, 0);
  TakeWake();
}

int ParkingPlace::WakeDescriptor() {
  int fd = wake_fd_.load(std::memory_order_relaxed);
  if (fd < 0) {
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    wake_fd_.store(fd, std::memory_order_seq_cst);
  }
  return fd;
}

void ParkingPlace::SleepOrReady(std::span<pollfd> streams, uint64_t nanoseconds) {
  const size_t count = std::min(streams.size(), kMaxStreams);
  std::array<pollfd, kMaxStreams + 1> fds = {};
  fds[0] = {.fd = WakeDescriptor(), .events = POLLIN, .revents = 0};
  std::copy_n(streams.begin(), count, fds.begin() + 1);
  if (fds[0].fd < 0) {
    nanoseconds = std::min(nanoseconds, kBlindPollNanoseconds);
  }
  int ready = 0;
  SleepBy(fds[0].fd, nanoseconds, [&](uint64_t most) {
    const timespec timeout = ToTimespec(most);
    ready = ppoll(fds.data(), count + 1, most == kNoTimeout ? nullptr : &timeout, nullptr);
  });
  if (fds[0].revents != 0) {
    uint64_t ignored;
    (void)!read(fds[0].fd, &ignored, sizeof ignored);
  }
  for (size_t i = 0; i < count; ++i) {
    streams[i].revents = ready > 0 ? fds[i + 1].revents : short{0};
  }
}

void ParkingPlace::Wake() {
  if (woken_.exchange(1, std::memory_order_seq_cst) != 0) {
    return;  // somebody else's wake-up is on its way
  }
  if (const int fd = sleeps_by_.load(std::memory_order_seq_cst); fd >= 0) {
    const uint64_t one = 1;
    (void)!write(fd, &one, sizeof one);
  }
  syscall(SYS_futex, &woken_, kFutexWakePrivate, 1, nullptr, nullptr, 0);
}

}  // namespace nsgx::loader
