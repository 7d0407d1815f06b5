// SPDX-License-Identifier: Apache-2.0
// The parts of the device that need no machine.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "vmpl-switch/abi/status.h"
#include "vmpl-switch/snp-device/answers.h"
#include "vmpl-switch/snp-device/diagnosis.h"
#include "vmpl-switch/snp-device/snp_device.h"

namespace nsgx::snp {
namespace {

Status StatusOf(int64_t result, int error_number) {
  const Result<void> converted = ResultOf(result, error_number);
  return converted.ok() ? Status::kOk : converted.error();
}

TEST(ResultOf, NumbersOfTheSehAreStatuses) {
  EXPECT_EQ(StatusOf(0, EIO), Status::kOk);
  for (int64_t status = 1; status <= NSGX_CANCELLED; ++status) {
    EXPECT_EQ(StatusOf(status, 0), static_cast<Status>(status));
  }
  EXPECT_EQ(StatusOf(NSGX_CANCELLED + 1, 0), Status::kHostFault);
  EXPECT_EQ(StatusOf(int64_t{1} << 32, 0), Status::kHostFault);
}

TEST(ResultOf, NumbersOfLinuxAreTranslated) {
  EXPECT_EQ(StatusOf(-1, EINVAL), Status::kInvalidArgument);
  EXPECT_EQ(StatusOf(-1, EBADFD), Status::kBadState);
  EXPECT_EQ(StatusOf(-1, EBUSY), Status::kBusy);
  EXPECT_EQ(StatusOf(-1, ENOMEM), Status::kNoMemory);
  EXPECT_EQ(StatusOf(-1, EINTR), Status::kInterrupted);
  EXPECT_EQ(StatusOf(-1, ESHUTDOWN), Status::kCancelled);
  EXPECT_EQ(StatusOf(-1, EIO), Status::kHostFault);
  EXPECT_EQ(StatusOf(-1, EPROTO), Status::kHostFault);
  EXPECT_EQ(StatusOf(-1, ENOTTY), Status::kUnsupported);
  EXPECT_EQ(StatusOf(-1, EXDEV), Status::kInternal);
}

TEST(ExitOf, KeepsEverythingThatTheSlotSays) {
  const nsgx_device_enter enter = {
      .slot = 3, .reason = NSGX_SEH_EXIT_WAKE, .answer = 9, .number = 7, .arguments = {1, 2, 3, 4}};
  const Result<Exit> exit = ExitOf(enter);
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit.value().reason, ExitReason::kWake);
  EXPECT_EQ(exit.value().number, 7u);
  EXPECT_EQ(exit.value().arguments, (std::array<uint64_t, 4>{1, 2, 3, 4}));
}

// Interruptions and demands for memory are the module's: one that comes through is its mistake.
TEST(ExitOf, RefusesReasonsThatALoaderHasNot) {
  for (const uint32_t reason : {NSGX_SEH_EXIT_INTERRUPTED, NSGX_SEH_EXIT_NO_PAGES, 8u, ~0u}) {
    const nsgx_device_enter enter = {
        .slot = 0, .reason = reason, .answer = 0, .number = 0, .arguments = {}};
    const Result<Exit> exit = ExitOf(enter);
    ASSERT_FALSE(exit.ok());
    EXPECT_EQ(exit.error(), Status::kHostFault);
  }
}

TEST(StatsOf, CountersGoWhereTheyBelong) {
  nsgx_seh_info info = {};
  for (uint64_t i = 0; i < std::size(info.exits); ++i) {
    info.exits[i] = 100 + i;
  }
  info.gate_calls[15] = 15;
  info.exceptions = 1;
  info.ticks = 2;
  info.syscalls_reflected = 3;
  info.pages_loaded = 4;
  info.pages_hashed = 5;
  const DeviceStats stats = StatsOf(info);
  EXPECT_EQ(stats.exits[0], 100u);
  EXPECT_EQ(stats.exits[5], 105u);
  EXPECT_EQ(stats.gate_calls[15], 15u);
  EXPECT_EQ(stats.exceptions, 1u);
  EXPECT_EQ(stats.ticks, 2u);
  EXPECT_EQ(stats.syscalls_reflected, 3u);
  EXPECT_EQ(stats.pages_loaded, 4u);
  EXPECT_EQ(stats.pages_hashed, 5u);
}

TEST(CrashOf, KeepsAllRegisters) {
  nsgx_seh_info info = {};
  info.crash_cause = 14;
  info.crash_address = 0x1000;
  info.crash_image_offset = 0x20;
  info.crash_registers[17] = 0x246;
  const Crash crash = CrashOf(info);
  EXPECT_EQ(crash.cause, 14u);
  EXPECT_EQ(crash.address, 0x1000u);
  EXPECT_EQ(crash.image_offset, 0x20u);
  EXPECT_EQ(crash.registers[17], 0x246u);
}

TEST(Diagnose, NamesWhatIsMissing) {
  const auto says = [](const Findings& findings, std::string_view text) {
    const std::string line = Diagnose(findings);
    return line.find(text) != std::string::npos && line.find("; ") != std::string::npos &&
           line.find('\n') == std::string::npos;
  };
  EXPECT_TRUE(says({ENOENT, false, std::nullopt}, "no SEV-SNP guest"));
  EXPECT_TRUE(says({ENOENT, false, 0}, "VMPL0 itself"));
  EXPECT_TRUE(says({ENOENT, false, 1}, "modprobe nsgx"));
  EXPECT_TRUE(says({ENOENT, true, 1}, "devtmpfs"));
  EXPECT_TRUE(says({ENXIO, false, 1}, "modprobe nsgx"));
  EXPECT_TRUE(says({EACCES, true, 1}, "not for this user"));
  EXPECT_TRUE(says({EMFILE, true, 1}, std::strerror(EMFILE)));
}

TEST(OpenSnpDevice, SaysWhyThereIsNone) {
  if (HasSnpDevice()) {
    GTEST_SKIP() << "this machine has one";
  }
  std::string why;
  EXPECT_EQ(OpenSnpDevice(&why), nullptr);
  EXPECT_EQ(why, Diagnose(Examine(ENOENT)));
}

}  // namespace
}  // namespace nsgx::snp
