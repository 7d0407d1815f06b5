// SPDX-License-Identifier: Apache-2.0
// The monitor from its first line of C++ to the end of the machine.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <new>

#include "base/core/bytes.h"
#include "base/core/hex.h"
#include "base/core/log.h"
#include "base/core/mem_raw.h"
#include "base/crypto/entropy.h"
#include "vmpl-switch/emulator/monitor/bare_hardware.h"
#include "vmpl-switch/emulator/monitor/loader.h"
#include "vmpl-switch/emulator/monitor/monitor.h"
#include "vmpl-switch/emulator/monitor/pvh.h"
#include "vmpl-switch/emulator/monitor/tampering.h"

// l0.lds
extern "C" const std::byte monitor_end[];

// start.S
extern "C" [[noreturn]] void MonitorMain(const nsgx::emu::StartInfo* info);
extern "C" [[noreturn]] void MonitorOther(unsigned self);
extern "C" [[noreturn]] void MonitorException(uint32_t vector, uint64_t error_code, uint64_t rip);

namespace nsgx {
namespace emu {
namespace {

#ifdef NSGX_PARANOID
constexpr bool kIsParanoid = true;
#else
constexpr bool kIsParanoid = false;
#endif

// What isa-debug-exit gets; QEMU's exit status is twice this plus one.
enum class ExitCode : uint8_t {
  kUnfit = 1,       // the machine or the file is not what we need
  kTerminated = 2,  // the guest ended itself by the GHCB protocol
  kShutdown = 3,    // triple fault, or halted for ever
  kAccess = 4,      // VMPL0 was denied what it needs
  kMonitor = 5,     // a fault of the monitor
};

constinit BareHardware g_hardware;
constinit std::array<RmpEntry, kGuestEnd.raw() / kPageSize> g_rmp_entries = {};
constinit std::array<VmplTables, kVmpls> g_tables = {};
constinit InterceptMaps g_maps = {};
constinit std::array<VmcbPages, kMaxProcessors> g_vmcbs = {};
alignas(kPageSize) constinit std::byte g_host_save[kMaxProcessors][kPageSize] = {};
alignas(kPageSize) constinit snp_vmsa g_launch_vmsa = {};

// What the first processor makes for the others, and how they say where they are.
constinit std::array<Monitor*, kMaxProcessors> g_monitors = {};
constinit std::atomic<unsigned> g_others_begun = 0;
constinit std::atomic<bool> g_others_may_run = false;
constinit std::atomic<unsigned> g_others_stopped = 0;

void WaitFor(const std::atomic<unsigned>& count, unsigned wanted) {
  while (count.load(std::memory_order_acquire) != wanted) {
    g_hardware.Pause();
  }
}

[[noreturn]] void Stop(ExitCode code) {
  g_hardware.WritePort(kDebugExitPort, 1, static_cast<uint32_t>(code));
  // Started without the device: power off instead.
  constexpr uint32_t kPowerOff = 0x2000;
  g_hardware.WritePort(kPowerPort, 2, kPowerOff);
  for (;;) {
    asm volatile("cli; hlt");
  }
}

[[noreturn]] void Unfit(std::string_view why) {
  LOG(kError, "end: ", why);
  Stop(ExitCode::kUnfit);
}

void CheckProcessor() {
  constexpr uint32_t kNestedPaging = 1 << 0;
  constexpr uint32_t kGigabytePages = 1 << 26;
  constexpr uint32_t kMinPhysicalBits = 48;
  constexpr uint32_t kMsrVmCr = 0xc0010114;
  constexpr uint32_t kSvmDisabled = 1 << 4;
  if ((firmware::NativeCpuid(0x8000000a, 0).edx & kNestedPaging) == 0) {
    Unfit("this processor has no nested paging (QEMU's -cpu must say +npt)");
  }
  if ((firmware::NativeCpuid(0x80000001, 0).edx & kGigabytePages) == 0) {
    Unfit("this processor has no pages of 1 GiB (QEMU's -cpu should be EPYC)");
  }
  if ((firmware::NativeCpuid(0x80000008, 0).eax & 0xff) < kMinPhysicalBits) {
    Unfit("the C-bit does not fit (QEMU's -cpu must say phys-bits=48)");
  }
  uint32_t low;
  uint32_t high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(kMsrVmCr));
  if ((low & kSvmDisabled) != 0) {
    Unfit("SVM is switched off");
  }
}

std::span<const std::byte> FindFile(const StartInfo& info) {
  if (info.module_count != 1) {
    Unfit("no IGVM file (QEMU's -initrd)");
  }
  const auto& module = *reinterpret_cast<const StartModule*>(info.modules);
  if (module.address < reinterpret_cast<uintptr_t>(monitor_end) ||
      module.address + module.size > kRamSize) {
    Unfit("the IGVM file is not in the monitor's memory");
  }
  return {reinterpret_cast<const std::byte*>(module.address), module.size};
}

void CheckMemory(const StartInfo& info) {
  if (info.magic != kStartInfoMagic) {
    Unfit("not started by the PVH protocol");
  }
  if (info.version == 0) {
    Unfit("no memory map");
  }
  const std::span map(reinterpret_cast<const StartMemory*>(info.memory_map), info.memory_map_count);
  uint64_t end = 0;
  for (const StartMemory& item : map) {
    if (item.type == kMemoryRam) {
      end = std::max(end, item.address + item.size);
    }
  }
  // Firmware keeps some of the end for itself.
  if (end < kGuestEnd.raw() || end > kRamSize) {
    Unfit("this is not a machine with 1 GiB of RAM (QEMU's -m must say 1G)");
  }
}

// Returns how many processors there are; all of them run the monitor then.
unsigned StartProcessors() {
  const unsigned count = g_hardware.CountProcessors();
  if (count == 0 || count > kMaxProcessors) {
    Unfit("the monitor has room for 8 processors (QEMU's -smp)");
  }
  if (count > 1) {
    g_hardware.StartOthers();
    WaitFor(g_others_begun, count - 1);
    g_hardware.RestoreTrampoline();
  }
  return count;
}

void MaskDevices() {
  constexpr uint16_t kFirstPicMask = 0x21;
  constexpr uint16_t kSecondPicMask = 0xa1;
  g_hardware.WritePort(kFirstPicMask, 1, 0xff);
  g_hardware.WritePort(kSecondPicMask, 1, 0xff);
}

[[noreturn]] void Finish(const End& end) {
  switch (end.kind) {
    case End::Kind::kPort:
      g_hardware.WritePort(end.port, end.size, end.value);
      // QEMU ends, or the reset takes effect, when it gets to it.
      for (int i = 0; i < 1000000; ++i) {
        __builtin_ia32_pause();
      }
      Stop(ExitCode::kShutdown);
    case End::Kind::kTerminated:
      Stop(ExitCode::kTerminated);
    case End::Kind::kShutdown:
    case End::Kind::kHalted:
      Stop(ExitCode::kShutdown);
    case End::Kind::kAccess:
      Stop(ExitCode::kAccess);
    case End::Kind::kState:
    case End::Kind::kMonitor:
      Stop(ExitCode::kMonitor);
  }
  Stop(ExitCode::kMonitor);
}

}  // namespace
}  // namespace emu

// The log is QEMU's debug console; COM1 is the guests'.
bool LogEnabled(LogLevel) { return true; }

void LogWrite(LogLevel, std::string_view line) {
  const auto put = [](std::string_view text) {
    for (char character : text) {
      emu::g_hardware.WritePort(emu::kLogPort, 1, static_cast<uint8_t>(character));
    }
  };
  put("L0: ");
  put(line);
  put("\n");
}

void CheckFailed(const char* file, int line, const char* what) {
  LOG(kError, "end: ", file, ":", line, ": check failed: ", what);
  emu::Stop(emu::ExitCode::kMonitor);
}

}  // namespace nsgx

void MonitorException(uint32_t vector, uint64_t error_code, uint64_t rip) {
  using namespace nsgx;
  LOG(kError, "end: exception ", vector, " error ", Hex{error_code}, " in the monitor at ",
      Hex{rip});
  emu::Stop(emu::ExitCode::kMonitor);
}

void MonitorOther(unsigned self) {
  using namespace nsgx::emu;
  g_hardware.StartExceptions();
  g_hardware.StartSvm(reinterpret_cast<uintptr_t>(g_host_save[self]));
  g_others_begun.fetch_add(1, std::memory_order_release);
  while (!g_others_may_run.load(std::memory_order_acquire)) {
    g_hardware.Pause();
  }
  g_monitors[self]->RunWhenReleased();
  g_monitors[self]->Scrub();
  g_others_stopped.fetch_add(1, std::memory_order_release);
  for (;;) {
    asm volatile("cli; hlt");
  }
}

void MonitorMain(const nsgx::emu::StartInfo* info) {
  using namespace nsgx;
  using namespace nsgx::emu;
  g_hardware.StartExceptions();
  CheckProcessor();
  g_hardware.StartSvm(reinterpret_cast<uintptr_t>(g_host_save[0]));
  MaskDevices();
  CheckMemory(*info);
  const std::span<const std::byte> bytes = FindFile(*info);
  const unsigned count = StartProcessors();

  const GuestMemory memory(0, kGuestEnd.raw());
  Rmp rmp(memory, g_rmp_entries);
  NestedTables tables(rmp);
  for (unsigned vmpl = 0; vmpl < kVmpls; ++vmpl) {
    tables.Initialize(vmpl, g_tables[vmpl], vmpl != 0);
  }
  static constinit DmaTables g_dma_tables = {};
  DmaGuard guard(rmp);
  guard.Initialize(g_dma_tables);
  RmpObservers observers(tables, guard);
  rmp.SetObserver(&observers);
  tables.RefreshAll();

  static constinit firmware::SecureProcessor g_firmware;
  static constinit firmware::GuestCpuid g_cpuid(firmware::NativeCpuid, kEncryptionBitNumber);
  if (count > 1) {
    g_cpuid.ShowBroadcast();
  }
  const Result<igvm::File> file = igvm::File::Open(bytes);
  if (!file.ok()) {
    LOG(kError, "the IGVM file of ", bytes.size(), " bytes: ", file.error());
    Unfit("this is no IGVM file that can be loaded");
  }
  HardwareEntropy source;
  std::array<std::byte, firmware::SecureProcessor::kEntropySize> entropy;
  if (!source.Fill(entropy).ok()) {
    Unfit("the processor gives no random numbers");
  }
  const auto digest =
      LoadIgvm(file.value(), memory, rmp, g_cpuid, g_firmware, entropy, count, g_launch_vmsa);
  if (!digest.ok()) {
    LOG(kError, "loading: ", digest.error());
    Unfit("the IGVM file cannot be loaded");
  }
  std::array<char, 2 * sizeof(igvm::LaunchDigest::Value)> hex;
  LOG(kNotice, "launch digest ", EncodeHex(digest.value(), hex).value());

  if (g_hardware.StartIommu(guard)) {
    LOG(kNotice, "devices reach shared memory alone");
  } else {
    LOG(kNotice, "devices reach all memory: there is no IOMMU (QEMU's -device intel-iommu)");
  }

  Tampering* const tampering = StartTampering(*info, memory, rmp);
  FillMaps(g_maps);
  if (tampering != nullptr) {
    GuardPort(g_maps, kTamperingPort);
    tampering->AfterLaunch();
  }

  Paranoia paranoia(kIsParanoid, count);
  alignas(Processors) static constinit std::byte g_processors_space[sizeof(Processors)] = {};
  auto* processors = new (&g_processors_space) Processors(count, g_hardware);
  tables.SetRevoker(*processors);
  alignas(Monitor) static constinit std::byte g_monitor_space[kMaxProcessors][sizeof(Monitor)] = {};
  for (unsigned i = 0; i < count; ++i) {
    g_monitors[i] =
        new (&g_monitor_space[i]) Monitor(g_hardware, memory, rmp, tables, *processors, i,
                                          g_firmware, g_cpuid, paranoia, g_maps, g_vmcbs[i]);
    if (tampering != nullptr) {
      g_monitors[i]->SetTampering(*tampering);
    }
  }
  g_others_may_run.store(true, std::memory_order_release);
  const End end = g_monitors[0]->Run(g_launch_vmsa);
  WaitFor(g_others_stopped, count - 1);
  LogEnd(end);
  if (tampering != nullptr) {
    tampering->AfterEnd();
  }
  LogCounters(processors->counters());
  if (paranoia.is_on()) {
    LOG(kInfo, "count paranoia.checked ", paranoia.checked());
    LOG(kInfo, "count paranoia.forgotten ", paranoia.forgotten());
  }
  g_monitors[0]->Scrub();
  // The keys of messages; nobody asks the firmware for anything any more.
  FillOnce(&g_firmware, std::byte{0}, sizeof(g_firmware));
  LOG(kInfo, "count scrubbed ", rmp.ScrubPrivate());
  Finish(end);
}
