// SPDX-License-Identifier: Apache-2.0
// The guest module against programs that mean it no good. Runs as root in a guest of the SEH, with
// nsgx.ko loaded; its environment names files:
//
//   NSGX_TEST_IMAGE   an enclave that computes for ever
//   NSGX_TEST_RUN     nsgx-run
//   NSGX_TEST_MODULE  nsgx.ko

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "enclave-loader/image/image.h"
#include "enclave-loader/image/mapped_file.h"
#include "tests/snp/device_file.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/abi/status.h"
#include "vmpl-switch/image/signature.h"

namespace nsgx {
namespace {

constexpr uint64_t kPageSize = 4096;
constexpr uint64_t kWindowSize = 4 * kPageSize;
constexpr const char* kMaxPages = "/sys/module/nsgx/parameters/max_pages";

const char* const image_path = getenv("NSGX_TEST_IMAGE");
const char* const run_path = getenv("NSGX_TEST_RUN");
const char* const module_path = getenv("NSGX_TEST_MODULE");

nsgx_device_query Query() {
  DeviceFile file;
  nsgx_device_query query = {};
  EXPECT_EQ(file.Call(NSGX_DEVICE_QUERY, &query), 0);
  return query;
}

// That nothing of what a test did is left.
class ModuleTest : public testing::Test {
 protected:
  void SetUp() override { before_ = Query(); }
  void TearDown() override {
    const nsgx_device_query after = Query();
    EXPECT_EQ(after.enclaves, before_.enclaves);
    EXPECT_EQ(after.enclave_pages, before_.enclave_pages);
    EXPECT_EQ(after.module_pages, before_.module_pages);
    EXPECT_EQ(after.lost_pages, before_.lost_pages);
  }

 private:
  nsgx_device_query before_ = {};
};

// The image in memory, and the ioctls that load it.
class Loader {
 public:
  Loader()
      : file_(loader::MappedFile::Open(image_path)),
        image_(loader::Image::Parse(file_.value().bytes())) {}

  const loader::Image& image() { return image_.value(); }

  nsgx_device_create CreateArgument() {
    return {.config = Word(image().config_section().data()),
            .config_size = image().config_section().size(),
            .config_offset = image().config_offset(),
            .image_size = image().size(),
            .entry = image().entry(),
            .window_size = kWindowSize,
            .vcpus = 1,
            .reserved = 0};
  }
  int64_t Create(const DeviceFile& file) {
    nsgx_device_create create = CreateArgument();
    return file.Call(NSGX_DEVICE_CREATE, &create);
  }
  int64_t Add(const DeviceFile& file, const loader::PageRun& run) {
    nsgx_device_add add = {.offset = run.offset,
                           .size = run.page_count * kPageSize,
                           .source = Word(run.bytes.data()),
                           .permissions = run.permissions,
                           .reserved = 0,
                           .done = 0};
    const int64_t result = file.Call(NSGX_DEVICE_ADD, &add);
    // Said here, because only this knows how far it came.
    EXPECT_EQ(add.done, result == 0 ? add.size : 0)
        << "offset " << run.offset << " size " << add.size;
    return result;
  }
  int64_t Init(const DeviceFile& file) {
    const nsgx_signature signature = image().Signature().value();
    constexpr char kName[] = "spin";
    std::array<std::byte, sizeof(nsgx_args) + sizeof kName> args;
    const nsgx_args counts = {.argc = 1, .envc = 0};
    std::memcpy(args.data(), &counts, sizeof counts);
    std::memcpy(args.data() + sizeof counts, kName, sizeof kName);
    nsgx_device_init init = {.signature = Word(&signature),
                             .args = Word(args.data()),
                             .signature_size = sizeof signature,
                             .args_size = sizeof args};
    return file.Call(NSGX_DEVICE_INIT, &init);
  }
  int64_t Load(const DeviceFile& file) {
    if (const int64_t result = Create(file); result != 0) {
      return result;
    }
    for (const loader::PageRun& run : image().runs()) {
      if (const int64_t result = Add(file, run); result != 0) {
        return result;
      }
    }
    return Init(file);
  }

 private:
  Result<loader::MappedFile, loader::Refusal> file_;
  Result<loader::Image, loader::Refusal> image_;
};

int64_t Enter(const DeviceFile& file, uint32_t slot, nsgx_device_enter* enter) {
  *enter = {.slot = slot, .reason = 0, .answer = 0, .number = 0, .arguments = {}};
  return file.Call(NSGX_DEVICE_ENTER, enter);
}

TEST_F(ModuleTest, SpeaksOurVersions) {
  const nsgx_device_query query = Query();
  EXPECT_EQ(query.version, NSGX_DEVICE_VERSION);
  EXPECT_EQ(query.seh_version, NSGX_SEH_VERSION);
  EXPECT_GT(query.max_enclaves, 0u);
  EXPECT_GT(query.max_pages, 0u);
}

TEST_F(ModuleTest, RefusesNumbersThatItHasNot) {
  DeviceFile file;
  std::array<std::byte, 256> room = {};
  for (uint64_t number = 0; number < 256; ++number) {
    for (const uint64_t direction : {0u, 1u, 2u, 3u}) {
      for (const uint64_t size : {0u, 4u, 8u, 200u}) {
        EXPECT_EQ(file.Call(_IOC(direction, NSGX_DEVICE_MAGIC + 1u, number, size), room.data()),
                  -ENOTTY);
        const uint64_t request = _IOC(direction, NSGX_DEVICE_MAGIC, number, size);
        if (request != NSGX_DEVICE_DESTROY && request != NSGX_DEVICE_SET_TICK) {
          EXPECT_EQ(file.Call(request, room.data()), -ENOTTY) << std::hex << request;
        }
      }
    }
  }
}

TEST_F(ModuleTest, RefusesPointersToNowhere) {
  DeviceFile file;
  for (const uint64_t request :
       {NSGX_DEVICE_QUERY, NSGX_DEVICE_CREATE, NSGX_DEVICE_ADD, NSGX_DEVICE_INIT, NSGX_DEVICE_ENTER,
        NSGX_DEVICE_SET_TICK, NSGX_DEVICE_INFO, NSGX_DEVICE_CERTIFICATES, NSGX_DEVICE_DEBUG}) {
    EXPECT_EQ(file.Call(request, nullptr), -EFAULT) << std::hex << request;
    EXPECT_EQ(file.Call(request, reinterpret_cast<void*>(uint64_t{0xffff888000000000})), -EFAULT);
  }
}

TEST_F(ModuleTest, ChecksHowAnEnclaveIsToBe) {
  DeviceFile file;
  Loader loader;
  const nsgx_device_create good = loader.CreateArgument();
  const auto refused = [&](auto change, int64_t result) {
    nsgx_device_create create = good;
    change(create);
    EXPECT_EQ(file.Call(NSGX_DEVICE_CREATE, &create), result);
  };
  refused([](auto& create) { create.config_size = 0; }, -EINVAL);
  refused([](auto& create) { create.config_size = 17 * kPageSize; }, -EINVAL);
  refused([](auto& create) { create.config_size = ~uint64_t{0} - kPageSize + 1; }, -EINVAL);
  refused([](auto& create) { create.config_size += 1; }, -EINVAL);
  refused([](auto& create) { create.image_size += 1; }, -EINVAL);
  refused([](auto& create) { create.window_size += 1; }, -EINVAL);
  refused([](auto& create) { create.window_size = uint64_t{1} << 63; }, -EINVAL);
  refused([](auto& create) { create.vcpus = 0; }, -EINVAL);
  refused([](auto& create) { create.vcpus = NSGX_MAX_VCPUS + 1; }, -EINVAL);
  refused([](auto& create) { create.reserved = 1; }, -EINVAL);
  refused([](auto& create) { create.config = 0; }, -EFAULT);
  refused([](auto& create) { create.config = ~uint64_t{0} << 12; }, -EFAULT);
  refused([](auto& create) { create.window_size = uint64_t{1} << 31; }, -ENOMEM);
  // What is in the configuration is the SEH's affair.
  const std::vector<std::byte> zeros(good.config_size);
  refused([&](auto& create) { create.config = Word(zeros.data()); }, NSGX_MALFORMED);
  // After all that the file is as good as new.
  EXPECT_EQ(loader.Create(file), 0);
  EXPECT_EQ(loader.Create(file), -EBADFD);
}

TEST_F(ModuleTest, WantsCallsInTheirOrder) {
  DeviceFile file;
  Loader loader;
  nsgx_device_enter enter;
  nsgx_seh_info info = {};
  nsgx_device_buffer buffer = {.address = Word(&info), .size = sizeof info};
  EXPECT_EQ(loader.Add(file, loader.image().runs().front()), -EBADFD);
  EXPECT_EQ(loader.Init(file), -EBADFD);
  EXPECT_EQ(Enter(file, 0, &enter), -EINVAL);  // there are no slots
  EXPECT_EQ(file.Call(NSGX_DEVICE_INFO, &buffer), -EBADFD);
  EXPECT_EQ(file.Call(NSGX_DEVICE_DESTROY, nullptr), -EBADFD);

  EXPECT_EQ(loader.Create(file), 0);
  EXPECT_EQ(Enter(file, 0, &enter), -EBADFD);
  EXPECT_EQ(Enter(file, 1, &enter), -EINVAL);
  EXPECT_EQ(Enter(file, ~0u, &enter), -EINVAL);
  EXPECT_EQ(file.Call(NSGX_DEVICE_INFO, &buffer), 0);
  EXPECT_EQ(info.state, 1u);

  EXPECT_EQ(file.Call(NSGX_DEVICE_DESTROY, nullptr), 0);
  EXPECT_EQ(file.Call(NSGX_DEVICE_DESTROY, nullptr), -EBADFD);
  EXPECT_EQ(loader.Create(file), -EBADFD);
  EXPECT_EQ(Enter(file, 0, &enter), -EBADFD);
}

TEST_F(ModuleTest, ChecksWhatIsAdded) {
  DeviceFile file;
  Loader loader;
  ASSERT_EQ(loader.Create(file), 0);
  const std::vector<std::byte> page(kPageSize);
  const nsgx_device_add good = {.offset = 0,
                                .size = kPageSize,
                                .source = Word(page.data()),
                                .permissions = 1,
                                .reserved = 0,
                                .done = 77};
  const auto refused = [&](auto change, int64_t result) {
    nsgx_device_add add = good;
    change(add);
    EXPECT_EQ(file.Call(NSGX_DEVICE_ADD, &add), result);
    EXPECT_EQ(add.done, 0u);
  };
  refused([](auto& add) { add.offset = 1; }, -EINVAL);
  refused([](auto& add) { add.size = 1; }, -EINVAL);
  refused([](auto& add) { add.size = ~uint64_t{0} << 12, add.offset = 2 * kPageSize; }, -EINVAL);
  refused([](auto& add) { add.reserved = 1; }, -EINVAL);
  refused([](auto& add) { add.source = 8; }, -EFAULT);
  nsgx_device_init init = {
      .signature = Word(page.data()), .args = 0, .signature_size = 0, .args_size = 0};
  EXPECT_EQ(file.Call(NSGX_DEVICE_INIT, &init), -EINVAL);
  init.signature_size = kPageSize + 1;
  EXPECT_EQ(file.Call(NSGX_DEVICE_INIT, &init), -EINVAL);
  init.signature_size = kPageSize;
  init.args_size = (1u << 20) + 1;
  EXPECT_EQ(file.Call(NSGX_DEVICE_INIT, &init), -EINVAL);
  init.args_size = 8;
  EXPECT_EQ(file.Call(NSGX_DEVICE_INIT, &init), -EFAULT);
}

TEST_F(ModuleTest, MapsTheWindowAndNoMore) {
  DeviceFile file;
  EXPECT_EQ(file.Map(kPageSize), nullptr);
  Loader loader;
  ASSERT_EQ(loader.Create(file), 0);
  EXPECT_EQ(file.Map(kWindowSize + kPageSize), nullptr);
  EXPECT_EQ(file.Map(kPageSize, kWindowSize), nullptr);
  EXPECT_EQ(file.Map(2 * kPageSize, kWindowSize - kPageSize), nullptr);
  EXPECT_EQ(file.Map(kPageSize, uint64_t{1} << 62), nullptr);
  EXPECT_EQ(file.Map(kPageSize, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE), nullptr);
  EXPECT_EQ(file.Map(kPageSize, 0, PROT_READ | PROT_EXEC), nullptr);

  std::byte* all = file.Map(kWindowSize);
  ASSERT_NE(all, nullptr);
  EXPECT_TRUE(
      std::all_of(all, all + kWindowSize, [](std::byte byte) { return byte == std::byte{0}; }));
  EXPECT_NE(mprotect(all, kPageSize, PROT_READ | PROT_EXEC), 0);
  EXPECT_EQ(mremap(all, kWindowSize, 2 * kWindowSize, MREMAP_MAYMOVE), MAP_FAILED);

  std::byte* last = file.Map(kPageSize, kWindowSize - kPageSize);
  ASSERT_NE(last, nullptr);
  all[kWindowSize - 1] = std::byte{42};
  EXPECT_EQ(last[kPageSize - 1], std::byte{42});

  // A mapping keeps the enclave; after DESTROY it is plain memory.
  EXPECT_EQ(file.Call(NSGX_DEVICE_DESTROY, nullptr), 0);
  all[0] = std::byte{1};
  file.Close();
  EXPECT_EQ(last[kPageSize - 1], std::byte{42});
  munmap(all, kWindowSize);
  munmap(last, kPageSize);
}

TEST_F(ModuleTest, AnotherFileHasNothingOfIt) {
  DeviceFile mine;
  Loader loader;
  ASSERT_EQ(loader.Load(mine), 0);
  DeviceFile other;
  nsgx_device_enter enter;
  nsgx_seh_info info;
  nsgx_device_buffer buffer = {.address = Word(&info), .size = sizeof info};
  EXPECT_EQ(other.Call(NSGX_DEVICE_INFO, &buffer), -EBADFD);
  EXPECT_EQ(other.Call(NSGX_DEVICE_DESTROY, nullptr), -EBADFD);
  EXPECT_EQ(Enter(other, 0, &enter), -EINVAL);
  EXPECT_EQ(other.Map(kPageSize), nullptr);
  nsgx_device_debug debug = {.address = 0, .buffer = Word(&info), .size = 8, .flags = 0};
  EXPECT_EQ(other.Call(NSGX_DEVICE_DEBUG, &debug), -EBADFD);
  EXPECT_EQ(mine.Call(NSGX_DEVICE_INFO, &buffer), 0);
  EXPECT_EQ(info.state, 2u);

  // Each its own, side by side; the second one goes without harm to the first.
  ASSERT_EQ(loader.Load(other), 0);
  EXPECT_EQ(Query().enclaves, 2u);
  other.Close();
  EXPECT_EQ(mine.Call(NSGX_DEVICE_INFO, &buffer), 0);
  EXPECT_EQ(info.state, 2u);
}

TEST_F(ModuleTest, KeepsToTheLimit) {
  const auto set_limit = [](uint64_t pages) { std::ofstream(kMaxPages) << pages << std::flush; };
  Loader loader;
  for (const uint64_t limit : {1u, 20u, 100u}) {
    DeviceFile file;
    set_limit(limit);
    EXPECT_EQ(loader.Create(file), -ENOMEM) << limit;
  }
  set_limit(0);
  DeviceFile file;
  EXPECT_EQ(loader.Create(file), 0);
}

TEST_F(ModuleTest, CertificatesFitOrSayHowLargeTheyAre) {
  DeviceFile file;
  std::vector<std::byte> room(65536);
  nsgx_device_buffer buffer = {.address = Word(room.data()), .size = room.size()};
  const int64_t result = file.Call(NSGX_DEVICE_CERTIFICATES, &buffer);
  if (result == NSGX_UNSUPPORTED) {
    GTEST_SKIP() << "the host has none";
  }
  ASSERT_EQ(result, 0);
  ASSERT_GT(buffer.size, 0u);
  ASSERT_LE(buffer.size, room.size());
  std::vector<std::byte> first(kPageSize);
  nsgx_device_buffer small = {.address = Word(first.data()), .size = 100};
  ASSERT_EQ(file.Call(NSGX_DEVICE_CERTIFICATES, &small), 0);
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 100, room.begin()));
  EXPECT_EQ(first[100], std::byte{0});
}

// Whatever it answers, it is here afterwards.
TEST_F(ModuleTest, SurvivesNonsense) {
  std::mt19937_64 random(20261126);
  Loader loader;
  DeviceFile with;
  ASSERT_EQ(loader.Create(with), 0);
  DeviceFile without;
  // CERTIFICATES takes nothing that could be wrong, and takes long.
  const std::array<uint64_t, 7> requests = {
      NSGX_DEVICE_CREATE,   NSGX_DEVICE_ADD,   NSGX_DEVICE_INIT, NSGX_DEVICE_ENTER,
      NSGX_DEVICE_SET_TICK, NSGX_DEVICE_DEBUG, NSGX_DEVICE_INFO};
  const std::vector<std::byte> memory(16 * kPageSize);
  for (int i = 0; i < 2000; ++i) {
    std::array<uint64_t, 16> argument;
    for (uint64_t& word : argument) {
      switch (random() % 5) {
        case 0:
          word = random();
          break;
        case 1:
          word = random() % 8 * kPageSize;
          break;
        case 2:
          word = Word(memory.data());
          break;
        case 3:
          word = random() % 4;
          break;
        default:
          word = uint64_t{1} << random() % 64;
      }
    }
    const DeviceFile& file = random() % 2 == 0 ? with : without;
    file.Call(requests[random() % requests.size()], argument.data());
  }
}

// ---- slots

void Ignore(int) {}

// Sends this process signals, which its threads survive.
class Alarms {
 public:
  Alarms() {
    struct sigaction action = {};
    action.sa_handler = Ignore;
    sigaction(SIGALRM, &action, nullptr);
    Set(200'000);
  }
  ~Alarms() { Set(0); }

 private:
  static void Set(suseconds_t microseconds) {
    const timeval period = {.tv_sec = 0, .tv_usec = microseconds};
    const itimerval timer = {.it_interval = period, .it_value = period};
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
};

// Enters until something ends it that is neither the enclave's wish for an answer, which it does
// not get, nor a signal, nor another thread.
int64_t EnterAgainAndAgain(const DeviceFile& file, int64_t until) {
  while (true) {
    nsgx_device_enter enter;
    const int64_t result = Enter(file, 0, &enter);
    const bool goes_on =
        result == 0 ? enter.reason <= NSGX_SEH_EXIT_WAKE : result == -EINTR || result == -EBUSY;
    if (result == until || !goes_on) {
      return result;
    }
  }
}

TEST_F(ModuleTest, ASignalEndsTheStayAndItGoesOn) {
  const Alarms alarms;
  DeviceFile file;
  Loader loader;
  ASSERT_EQ(loader.Load(file), 0);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(EnterAgainAndAgain(file, -EINTR), -EINTR);
  }
}

TEST_F(ModuleTest, OneThreadASlotAndNoneOnceItIsGone) {
  const Alarms alarms;
  DeviceFile file;
  Loader loader;
  ASSERT_EQ(loader.Load(file), 0);
  int64_t result_inside = 0;
  std::thread inside([&] { result_inside = EnterAgainAndAgain(file, -EBADFD); });
  EXPECT_EQ(EnterAgainAndAgain(file, -EBUSY), -EBUSY);
  // While the other thread is in it, or about to be.
  EXPECT_EQ(file.Call(NSGX_DEVICE_DESTROY, nullptr), 0);
  inside.join();
  EXPECT_EQ(result_inside, -EBADFD);
}

TEST_F(ModuleTest, TicksReachTheEnclave) {
  DeviceFile file;
  Loader loader;
  ASSERT_EQ(loader.Load(file), 0);
  nsgx_device_tick tick = {.slot = 0, .microseconds = 99};
  EXPECT_EQ(file.Call(NSGX_DEVICE_SET_TICK, &tick), -EINVAL);
  tick = {.slot = 1, .microseconds = 1000};
  EXPECT_EQ(file.Call(NSGX_DEVICE_SET_TICK, &tick), -EINVAL);
  tick = {.slot = 0, .microseconds = 1000};
  EXPECT_EQ(file.Call(NSGX_DEVICE_SET_TICK, &tick), 0);
  // Closed while the timer runs.
}

// ---- processes

pid_t StartRun() {
  const pid_t child = fork();
  if (child == 0) {
    execl(run_path, run_path, "--machine=snp", image_path, nullptr);
    _exit(99);
  }
  return child;
}

TEST_F(ModuleTest, AKilledProcessLeavesNothing) {
  const uint64_t enclaves = Query().enclaves;
  for (int i = 0; i < 5; ++i) {
    const pid_t child = StartRun();
    // In the middle of loading, or when it computes.
    for (int tries = 0; i != 0 && tries < 2000 && Query().enclaves == enclaves; ++tries) {
      usleep(1000);
    }
    usleep(static_cast<useconds_t>(i) * 100'000);
    EXPECT_EQ(waitpid(child, nullptr, WNOHANG), 0);
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(Query().enclaves, enclaves);
  }
}

TEST_F(ModuleTest, LinuxLivesWhileEnclavesCompute) {
  const pid_t first = StartRun();
  const pid_t second = StartRun();
  timespec begin = {};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < 20; ++i) {
    usleep(100'000);
  }
  timespec end = {};
  clock_gettime(CLOCK_MONOTONIC, &end);
  // Sleeps come to an end although two threads never leave the processor of their own will.
  EXPECT_LT(end.tv_sec - begin.tv_sec, 20);
  for (const pid_t child : {first, second}) {
    EXPECT_EQ(waitpid(child, nullptr, WNOHANG), 0);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
}

// ---- the module itself

int64_t Unload() { return syscall(SYS_delete_module, "nsgx", O_NONBLOCK) == 0 ? 0 : -errno; }

int64_t LoadModule() {
  const int fd = open(module_path, O_RDONLY | O_CLOEXEC);
  const int64_t result = syscall(SYS_finit_module, fd, "", 0) == 0 ? 0 : -errno;
  close(fd);
  return result;
}

TEST_F(ModuleTest, StaysWhileAFileIsOpen) {
  DeviceFile file;
  EXPECT_EQ(Unload(), -EWOULDBLOCK);
  Loader loader;
  ASSERT_EQ(loader.Create(file), 0);
  std::byte* window = file.Map(kWindowSize);
  ASSERT_NE(window, nullptr);
  file.Close();
  EXPECT_EQ(Unload(), -EWOULDBLOCK);
  munmap(window, kWindowSize);
}

TEST_F(ModuleTest, ComesAndGoesTwoHundredTimes) {
  Loader loader;
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(Unload(), 0) << i;
    ASSERT_EQ(LoadModule(), 0) << i;
    // The device node is there at once, and of use.
    DeviceFile file;
    ASSERT_GE(file.fd(), 0) << i;
    if (i % 20 == 0) {
      ASSERT_EQ(loader.Create(file), 0) << i;
    }
  }
}

}  // namespace
}  // namespace nsgx
