// SPDX-License-Identifier: Apache-2.0
// The whole machine, as a loader uses it: SEH core, switch and memory together.
#include "vmpl-switch/device/device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <thread>

#include "base/core/bytes.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/report.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/abi/status.h"
#include "vmpl-switch/image/test_image.h"

extern "C" const char nsgx_sim_device_test_begin[], nsgx_sim_device_test_exception[],
    nsgx_sim_device_test_raw[], nsgx_sim_device_test_end[];

namespace nsgx {
namespace {

constexpr uint64_t kFault = 0xfa017;
constexpr uint64_t kHostCall = 1;
constexpr uint64_t kWindowSize = 0x4000;

constexpr uint64_t kRead = NSGX_PERMISSION_READ;
constexpr uint64_t kReadWrite = NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE;

ConfigBuilder Config(uint64_t attributes) {
  ConfigBuilder config;
  config.config.max_vcpus = 4;
  config.config.attributes = attributes;
  config.config.host_calls[0] = uint64_t{1} << kHostCall;
  config.config.host_calls[1] = 0;
  config.config.address_range_size = uint64_t{1} << 30;
  return config;
}

// A program's name and nothing else.
std::span<const std::byte> Arguments() {
  static const struct {
    nsgx_args counts;
    char name[8];
  } arguments = {{.argc = 1, .envc = 0}, "program"};
  return BytesOf(arguments);
}

// An enclave with the program of device_test_code.S, and the loader that drives it.
class TestProgram {
 public:
  explicit TestProgram(uint64_t attributes = 0, uint32_t vcpus = 1)
      : image_(Config(attributes)), device_(OpenSimDevice().value()), vcpus_(vcpus) {
    TestRun& code = image_.runs[1];
    memcpy(code.bytes.data(), nsgx_sim_device_test_begin,
           static_cast<size_t>(nsgx_sim_device_test_end - nsgx_sim_device_test_begin));
    image_.entry = code.offset;
  }

  Result<void> Create() {
    CreateOptions options;
    options.config = image_.config_section;
    options.config_offset = image_.config_offset;
    options.image_size = image_.image_size;
    options.entry = image_.entry;
    options.vcpus = vcpus_;
    options.window_size = kWindowSize;
    return device_->Create(options);
  }

  // With `fd`: a file that holds the contents of all runs, one behind the other.
  Result<void> Load(int fd = -1) {
    uint64_t file_offset = 0;
    for (const TestRun& run : image_.runs) {
      if (run.bytes.empty()) {
        TRY(device_->AddZeroPages(run.offset, run.permissions, run.zero_page_count));
      } else {
        TRY(device_->AddPages(run.offset, run.permissions, {run.bytes, fd, file_offset}));
        file_offset += run.bytes.size();
      }
    }
    return {};
  }

  Result<void> Init() { return device_->Init(BytesOf(image_.Sign()), Arguments()); }

  // Everything up to the first host call of slot 0, and the handlers.
  TestProgram& Start(int fd = -1) {
    EXPECT_EQ(ToStatus(Create()), Status::kOk);
    EXPECT_EQ(ToStatus(Load(fd)), Status::kOk);
    EXPECT_EQ(ToStatus(Init()), Status::kOk);
    slot_ = EnterFirst(0);
    boot_ = ReadObject<nsgx_boot>(Read(slot_ + NSGX_SLOT_BOOT));
    EXPECT_EQ(Gate({NSGX_GATE_SET_HANDLER, code(nsgx_sim_device_test_exception),
                    code(nsgx_sim_device_test_raw)}),
              0);
    return *this;
  }
  // Returns the slot's address.
  uint64_t EnterFirst(uint32_t slot) {
    const Exit exit = device_->Enter(slot, 0x1234);
    EXPECT_EQ(exit.reason, ExitReason::kHostCall);
    EXPECT_EQ(exit.number, kHostCall);
    return exit.arguments[0];
  }

  // Makes the enclave execute `command` (device_test_code.S) with these words.
  Exit Try(uint64_t command, std::initializer_list<uint64_t> words, uint32_t slot = 0) {
    uint64_t* window = reinterpret_cast<uint64_t*>(device_->window(slot).data());
    std::fill_n(window, 6, 0);
    std::copy(words.begin(), words.end(), window);
    return device_->Enter(slot, command);
  }
  uint64_t Do(uint64_t command, std::initializer_list<uint64_t> words, uint32_t slot = 0) {
    const Exit exit = Try(command, words, slot);
    EXPECT_EQ(exit.reason, ExitReason::kHostCall);
    return exit.arguments[0];
  }
  int64_t Gate(std::initializer_list<uint64_t> call) { return static_cast<int64_t>(Do(0, call)); }
  uint64_t Read(uint64_t address) { return Do(1, {address}); }
  uint64_t Write(uint64_t address, uint64_t value) { return Do(2, {address, value}); }
  template <typename T>
  T ReadObject(uint64_t address) {
    T object;
    static_assert(sizeof(T) % 8 == 0);
    for (size_t offset = 0; offset < sizeof(T); offset += 8) {
      const uint64_t word = Read(address + offset);
      memcpy(reinterpret_cast<char*>(&object) + offset, &word, sizeof(word));
    }
    return object;
  }

  Device& device() { return *device_; }
  TestImage& image() { return image_; }
  const nsgx_boot& boot() const { return boot_; }
  uint64_t slot() const { return slot_; }
  uint64_t code(const char* label) const {
    return boot_.base + image_.entry + static_cast<uint64_t>(label - nsgx_sim_device_test_begin);
  }
  // First page of the image's data.
  uint64_t data() const { return boot_.base + image_.runs[2].offset; }

 private:
  TestImage image_;
  std::unique_ptr<Device> device_;
  uint32_t vcpus_;
  uint64_t slot_ = 0;
  nsgx_boot boot_ = {};
};

TEST(Device, TellsTheEnclaveAboutItsWorld) {
  TestProgram program;
  program.Start();
  const nsgx_boot& boot = program.boot();
  EXPECT_EQ(boot.magic, NSGX_BOOT_MAGIC);
  EXPECT_EQ(boot.machine, NSGX_MACHINE_SIM);
  EXPECT_EQ(boot.vcpus, 1u);
  EXPECT_EQ(boot.xcr0 & 3, 3u);
  EXPECT_GE(boot.xsave_size, 576u);
  EXPECT_EQ(program.Read(program.slot()), program.slot());
  EXPECT_EQ(program.Read(program.slot() + NSGX_SLOT_WINDOW),
            reinterpret_cast<uint64_t>(program.device().window(0).data()));
  EXPECT_EQ(program.device().name(), "sim");
  // For who runs this where there must be keys.
  printf("keys: %d\n", program.device().limitations().find("keys") == std::string_view::npos);
}

TEST(Device, CommitsProtectsAndTrims) {
  TestProgram program;
  program.Start();
  const uint64_t heap = program.boot().heap;
  EXPECT_EQ(program.Read(heap), kFault);
  EXPECT_EQ(program.Gate({NSGX_GATE_COMMIT, heap, 8192, kReadWrite}), 0);
  EXPECT_EQ(program.Read(heap), 0u);
  EXPECT_EQ(program.Write(heap + 4096, 77), 77u);
  EXPECT_EQ(program.Read(heap + 4096), 77u);
  EXPECT_EQ(program.Gate({NSGX_GATE_PROTECT, heap + 4096, 4096, kRead}), 0);
  EXPECT_EQ(program.Read(heap + 4096), 77u);
  EXPECT_EQ(program.Write(heap + 4096, 78), kFault);
  EXPECT_EQ(program.Gate({NSGX_GATE_PROTECT, heap + 4096, 4096, 0}), 0);
  EXPECT_EQ(program.Read(heap + 4096), kFault);
  EXPECT_EQ(program.Gate({NSGX_GATE_TRIM, heap, 8192}), 0);
  EXPECT_EQ(program.Read(heap), kFault);
  EXPECT_EQ(program.Gate({NSGX_GATE_COMMIT, heap + 4096, 4096, kReadWrite}), 0);
  EXPECT_EQ(program.Read(heap + 4096), 0u) << "what was trimmed comes back as zeros";
  EXPECT_EQ(program.Gate({NSGX_GATE_COMMIT, program.slot(), 4096, kReadWrite}),
            -NSGX_PERMISSION_DENIED);
  EXPECT_EQ(program.device().stats().exceptions, 4u);
}

TEST(Device, UsesHugePagesForMuchMemory) {
  TestProgram program;
  program.Start();
  constexpr uint64_t kSize = NSGX_GATE_MAX_PAGES << 12;
  EXPECT_EQ(program.Gate({NSGX_GATE_COMMIT, program.boot().heap, kSize, kReadWrite}), 0);
  EXPECT_EQ(program.Write(program.boot().heap + kSize - 8, 5), 5u);
  EXPECT_EQ(program.Gate({NSGX_GATE_TRIM, program.boot().heap, kSize}), 0);
}

TEST(Device, TellsTheTimeInBothWorlds) {
  TestProgram program;
  program.Start();
  EXPECT_EQ(program.Gate({NSGX_GATE_CLOCK, program.data()}), 0);
  const nsgx_clock clock = program.ReadObject<nsgx_clock>(program.data());
  const uint64_t ticks = __builtin_ia32_rdtsc() - clock.tsc_base;
  const uint64_t inside =
      clock.ns_base +
      static_cast<uint64_t>(static_cast<unsigned __int128>(ticks) * clock.multiplier >> 32);
  const uint64_t outside = program.device().Now();
  EXPECT_LE(clock.ns_base, outside);
  EXPECT_NEAR(static_cast<double>(inside), static_cast<double>(outside), 5e7);
  EXPECT_GE(program.device().Now(), outside);
}

TEST(Device, GivesRandomBytes) {
  TestProgram program;
  program.Start();
  EXPECT_EQ(program.Gate({NSGX_GATE_ENTROPY, program.data(), 16}), 0);
  const uint64_t first = program.Read(program.data());
  EXPECT_EQ(program.Gate({NSGX_GATE_ENTROPY, program.data(), 16}), 0);
  EXPECT_NE(program.Read(program.data()), first);
}

TEST(Device, DerivesTheSameKeyAfterARestart) {
  std::string folder = testing::TempDir() + "nsgx-device-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  setenv("XDG_STATE_HOME", folder.c_str(), 1);
  nsgx_key_request request = {};
  request.policy = NSGX_KEY_BY_IDENTITY;
  uint64_t request_word;
  memcpy(&request_word, &request, sizeof(request_word));
  uint64_t keys[2];
  for (uint64_t& key : keys) {
    TestProgram program;
    program.Start();
    const uint64_t data = program.data();
    for (uint64_t offset = 0; offset < sizeof(request); offset += 8) {
      program.Write(data + offset, offset == 0 ? request_word : 0);
    }
    EXPECT_EQ(program.Gate({NSGX_GATE_KEY, data, data + 0x100}), 0);
    key = program.Read(data + 0x100);
  }
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_NE(keys[0], 0u);
}

TEST(Device, GivesEvidence) {
  TestProgram program;
  program.Start();
  EXPECT_EQ(program.Gate({NSGX_GATE_EVIDENCE, program.data(), program.data() + 0x100}), 0);
  const nsgx_report_body body = program.ReadObject<nsgx_report_body>(program.data() + 0x100);
  EXPECT_EQ(body.magic, NSGX_REPORT_MAGIC);
  std::array<std::byte, 32> identity;
  program.device().identity(identity);
  EXPECT_EQ(memcmp(body.identity, identity.data(), identity.size()), 0);
  std::span<const std::byte> chain;
  ASSERT_TRUE(program.device().CertificateChain(&chain).ok());
  EXPECT_GT(chain.size(), 1000u);
}

TEST(Device, ReflectsRawSystemCalls) {
  TestProgram program;
  program.Start();
  EXPECT_EQ(program.Do(3, {39, 1, 2}), 42u);
  EXPECT_EQ(program.device().stats().syscalls_reflected, 1u);
}

TEST(Device, IsDoneWhenTheEnclaveIs) {
  TestProgram program(0, 2);
  program.Start();
  const Exit exit = program.Try(0, {NSGX_GATE_DONE, NSGX_DONE_EXIT, 7});
  EXPECT_EQ(exit.reason, ExitReason::kDone);
  EXPECT_EQ(exit.arguments[0], uint64_t{NSGX_DONE_EXIT});
  EXPECT_EQ(exit.arguments[1], 7u);
  for (uint32_t slot : {0u, 1u}) {
    const Exit again = program.device().Enter(slot, 0);
    EXPECT_EQ(again.reason, ExitReason::kDone);
    EXPECT_EQ(again.arguments[1], 7u);
  }
}

TEST(Device, HandsIdleAndWakeToTheLoader) {
  TestProgram program(0, 2);
  program.Start();
  const Exit idle = program.Try(0, {NSGX_GATE_IDLE, 12345});
  EXPECT_EQ(idle.reason, ExitReason::kIdle);
  EXPECT_EQ(idle.arguments[0], 12345u);
  EXPECT_EQ(program.device().Enter(0, 0).reason, ExitReason::kHostCall);
  const Exit wake = program.Try(0, {NSGX_GATE_WAKE, 1});
  EXPECT_EQ(wake.reason, ExitReason::kWake);
  EXPECT_EQ(wake.arguments[0], 1u);
  EXPECT_EQ(program.device().Enter(0, 0).reason, ExitReason::kHostCall);
  EXPECT_EQ(program.Gate({NSGX_GATE_WAKE, 2}), -NSGX_INVALID_ARGUMENT) << "no such slot";
}

TEST(Device, RefusesHostCallsOffTheList) {
  TestProgram program;
  program.Start();
  const Exit exit = program.Try(0, {NSGX_GATE_HOST_CALL, 2});
  EXPECT_EQ(exit.reason, ExitReason::kRefused);
  EXPECT_EQ(exit.number, 2u);
  EXPECT_EQ(program.device().Enter(0, 0).reason, ExitReason::kRefused);
}

// The handlers are set once, so a program without them is one that never called Start().
void CrashWithoutHandlers(TestProgram& program) {
  program.Create().value();
  program.Load().value();
  program.Init().value();
  program.EnterFirst(0);
  const Exit exit = program.Try(1, {0x10'0000'0000});
  EXPECT_EQ(exit.reason, ExitReason::kException);
  const Crash crash = program.device().crash();
  EXPECT_EQ(crash.cause, uint64_t{NSGX_CAUSE_PAGE_FAULT});
  EXPECT_GE(crash.image_offset, program.image().entry);
  EXPECT_LT(crash.image_offset, program.image().entry + 4096);
}

TEST(Device, SaysWhyADebugEnclaveCrashed) {
  TestProgram program(NSGX_ATTRIBUTE_DEBUG);
  CrashWithoutHandlers(program);
  EXPECT_EQ(program.device().crash().address, 0x10'0000'0000u);
  EXPECT_EQ(program.device().crash().registers[13], 0x10'0000'0000u) << "rax";
}

TEST(Device, SaysLessOfOthers) {
  TestProgram program;
  CrashWithoutHandlers(program);
  EXPECT_EQ(program.device().crash().address, 0u);
  for (uint64_t word : program.device().crash().registers) {
    EXPECT_EQ(word, 0u);
  }
}

TEST(Device, MapsTheImageFromItsFile) {
  const int fd = memfd_create("image", MFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  TestProgram program;
  for (const TestRun& run : program.image().runs) {
    ASSERT_EQ(write(fd, run.bytes.data(), run.bytes.size()),
              static_cast<ssize_t>(run.bytes.size()));
  }
  program.Start(fd);
  // Data is private: the file does not change when the enclave writes.
  const uint64_t data = program.data();
  const uint64_t before = program.Read(data);
  program.Write(data, before + 1);
  EXPECT_EQ(program.Read(data), before + 1);
  uint64_t in_file = 0;
  const off_t offset = static_cast<off_t>(program.image().runs[0].bytes.size() +
                                          program.image().runs[1].bytes.size());
  ASSERT_EQ(pread(fd, &in_file, sizeof(in_file), offset), 8);
  EXPECT_EQ(in_file, before);
  close(fd);
}

TEST(Device, RunsSlotsOnThreadsOfTheirOwn) {
  constexpr uint32_t kVcpus = 3;
  TestProgram program(0, kVcpus);
  program.Start();
  std::vector<std::thread> threads;
  for (uint32_t slot = 1; slot < kVcpus; ++slot) {
    threads.emplace_back([&program, slot] {
      EXPECT_EQ(program.EnterFirst(slot), program.slot() + uint64_t{slot} * NSGX_SLOT_STRIDE);
      EXPECT_TRUE(program.device().SetTick(slot, 50).ok());
      for (uint64_t i = 0; i < 3'000; ++i) {
        ASSERT_EQ(program.Do(3, {i, slot, 2}, slot), i + slot + 2);
      }
      EXPECT_TRUE(program.device().SetTick(slot, 0).ok());
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(program.device().stats().syscalls_reflected, 3'000u * (kVcpus - 1));
}

TEST(Device, CountsWhatItDoes) {
  TestProgram program;
  program.Start();
  program.Gate({NSGX_GATE_CLOCK, program.data()});
  const DeviceStats stats = program.device().stats();
  EXPECT_GT(stats.exits[static_cast<size_t>(ExitReason::kHostCall)], 2u);
  EXPECT_EQ(stats.gate_calls[NSGX_GATE_CLOCK - NSGX_GATE_FIRST_SEH_CALL], 1u);
  EXPECT_EQ(stats.pages_loaded, 11u);
  EXPECT_GE(stats.pages_hashed, 7u);
}

TEST(Device, TwoEnclavesShareAThread) {
  TestProgram first;
  TestProgram second;
  first.Start();
  second.Start();
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(first.Write(first.data(), i), i);
    EXPECT_EQ(second.Write(second.data(), i + 1000), i + 1000);
    EXPECT_EQ(first.Read(first.data()), i);
  }
}

TEST(Device, RefusesWhatTheSehRefuses) {
  {
    TestProgram program(0, 5);
    EXPECT_EQ(program.Create().error(), Status::kOutOfRange) << "more vCPUs than configured";
  }
  TestProgram program;
  ASSERT_TRUE(program.Create().ok());
  ASSERT_TRUE(program.Load().ok());
  nsgx_signature signature = program.image().Sign();
  signature.signature[100] ^= 1;
  EXPECT_EQ(program.device().Init(BytesOf(signature), Arguments()).error(), Status::kBadSignature);
  EXPECT_TRUE(program.Init().ok()) << "a failure leaves the enclave as it was";
}

}  // namespace
}  // namespace nsgx
