// SPDX-License-Identifier: Apache-2.0
// From the first instruction of a slot to main, or to the idle loop.
#include <elf.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/log.h"
#include "libos/boot/launch_strings.h"
#include "libos/boot/program_stack.h"
#include "libos/boot/relocate.h"
#include "libos/boot/start_files.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/clone.h"
#include "libos/kernel/core_file.h"
#include "libos/kernel/count_report.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/entry.h"
#include "libos/kernel/gate.h"
#include "libos/kernel/host_watch_list.h"
#include "libos/kernel/panic.h"
#include "libos/kernel/process.h"
#include "libos/kernel/random.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal_frame.h"
#include "libos/kernel/user_access.h"
#include "libos/mm/address_space.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/image/config.h"

extern "C" {
// Made by the linker.
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
}

namespace nsgx::libos {

uint64_t libos_xsave_mask = 0;
uint64_t libos_frame_size = 0;

extern "C" {

[[noreturn]] __attribute__((visibility("hidden"))) void libos_boot(nsgx_slot* slot);
[[noreturn]] __attribute__((visibility("hidden"))) void libos_enter_cpu(nsgx_slot* slot);
// In start.S: the C library's __libc_start_main(main, ...), with argc, argv, environment and
// auxiliary vector at `stack`.
[[noreturn]] __attribute__((visibility("hidden"))) void libos_start_main(uint64_t stack);

}  // extern "C"

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kProtectionKeys = uint64_t{1} << 9;  // of xcr0: the SEH's affair
constexpr uint64_t kFxsaveSize = 512;
constexpr uint64_t kLegacyXsaveSize = 576;
constexpr uint32_t kBootVersion = 1;

constexpr uint64_t kStackGuard = 16 * kPage;
// The part of the first stack that gets its memory at once.
constexpr uint64_t kStackTop = 32 * kPage;
// Not in every <elf.h>.
constexpr uint64_t kAtHwcap2 = 26, kAtMinSignalStack = 51;
constexpr uint64_t kHwcap2FsGsBase = 2;
constexpr uint64_t kClockTicksPerSecond = 100;

constinit uint64_t main_stack = 0;

template <typename T>
std::span<const T> SpanAt(uint64_t address, uint64_t size) {
  return {reinterpret_cast<const T*>(address), size};
}

void LearnExtendedState(const nsgx_boot& boot) {
  libos_xsave_mask = boot.xcr0 & ~kProtectionKeys;
  const uint64_t least = libos_xsave_mask != 0 ? kLegacyXsaveSize : kFxsaveSize;
  const uint64_t size = boot.xsave_size > least ? boot.xsave_size : least;
  libos_frame_size = (NSGX_FRAME_XSAVE + size + 63) & ~uint64_t{63};
  // Below a frame there must be room for what handles it.
  constexpr uint64_t kNeeded = 0x1c00;
  if (libos_frame_size + kNeeded > LIBOS_KERNEL_STACK_SIZE) {
    Panic("this processor's extended state is larger than a kernel stack holds");
  }
}

const Elf64_Phdr* ProgramHeaders() {
  return reinterpret_cast<const Elf64_Phdr*>(reinterpret_cast<uint64_t>(&__ehdr_start) +
                                             __ehdr_start.e_phoff);
}

// Relocations are done: what only they had to write becomes read-only.
void ProtectRelocated(uint64_t base) {
  for (uint32_t i = 0; i < __ehdr_start.e_phnum; ++i) {
    const Elf64_Phdr& header = ProgramHeaders()[i];
    if (header.p_type != PT_GNU_RELRO) {
      continue;
    }
    const uint64_t begin = (base + header.p_vaddr) & ~(kPage - 1);
    const uint64_t end = (base + header.p_vaddr + header.p_memsz) & ~(kPage - 1);
    if (begin < end && !gate::Protect(begin, end - begin, gate::Rights::kRead).ok()) {
      Panic("relocated data cannot be made read-only");
    }
  }
}

void TellRefusal(Refusal refusal, std::string_view text) {
  const std::string_view rule =
      refusal == Refusal::kArgumentsFixed  ? "the configuration fixes the arguments (any_args)"
      : refusal == Refusal::kNotAllowed    ? "no rule lets it in (env_allow)"
      : refusal == Refusal::kVariableFixed ? "the configuration fixes it (env_fixed)"
                                           : "it is not NAME=value";
  LOG(kNotice, "not passed on from outside: ", text, ": ", rule);
}

// The first thread's stack, above a guard, with all that main and the C library want to know at its
// top.
uint64_t MakeMainStack(const LaunchStrings& strings, uint64_t wanted_size, uint64_t strings_size) {
  const auto ignore = [](std::string_view) {};
  strings.ForEachArgument(ignore, &TellRefusal);
  strings.ForEachVariable(ignore, &TellRefusal);

  // BuildProgramStack leaves half of what it is given free.
  const uint64_t size = wanted_size + ((4 * strings_size + kStackTop + kPage - 1) & ~(kPage - 1));
  MapRequest request;
  request.size = kStackGuard + size;
  auto mapped = Memory().Map(request);
  if (!mapped.ok()) {
    Panic("no memory for the first stack");
  }
  const uint64_t bottom = mapped.value() + kStackGuard;
  if (!Memory().Protect(bottom, size - kStackTop, gate::Rights::kReadWrite).ok() ||
      !Memory().Protect(bottom + size - kStackTop, kStackTop, gate::Rights::kReadWrite).ok()) {
    Panic("no memory for the first stack");
  }
  const AuxiliaryEntry auxiliary[] = {
      {AT_PHDR, reinterpret_cast<uint64_t>(ProgramHeaders())},
      {AT_PHENT, __ehdr_start.e_phentsize},
      {AT_PHNUM, __ehdr_start.e_phnum},
      {AT_PAGESZ, kPage},
      {AT_BASE, 0},
      {AT_FLAGS, 0},
      {AT_ENTRY, reinterpret_cast<uint64_t>(&__ehdr_start) + __ehdr_start.e_entry},
      {AT_UID, 0},
      {AT_EUID, 0},
      {AT_GID, 0},
      {AT_EGID, 0},
      {AT_SECURE, 0},
      {AT_CLKTCK, kClockTicksPerSecond},
      {AT_HWCAP, 0},
      {kAtHwcap2, kHwcap2FsGsBase},
      {kAtMinSignalStack, SignalFrameSize()},
  };
  std::array<std::byte, 16> random;
  FillRandom(random);
  const auto start = BuildProgramStack(std::span(reinterpret_cast<std::byte*>(bottom), size),
                                       strings, auxiliary, random);
  if (!start.has_value()) {
    Panic("arguments and environment do not fit the first stack");
  }
  return *start;
}

// What BuildProgramStack has put at `stack`: argc, argv, null, environment, null.
void LearnProgram(uint64_t stack) {
  const uint64_t argc = *reinterpret_cast<const uint64_t*>(stack);
  const char* const* const argv = reinterpret_cast<const char* const*>(stack) + 1;
  const auto strings = [](const char* const* first, uint64_t count) {
    if (count == 0) {
      return std::string_view();
    }
    const char* const last = first[count - 1];
    return std::string_view(*first,
                            static_cast<size_t>(last - *first) + std::string_view(last).size() + 1);
  };
  const char* const* const environment = argv + argc + 1;
  uint64_t variables = 0;
  while (environment[variables] != nullptr) {
    ++variables;
  }
  struct AuxiliaryWord {
    uint64_t type;
    uint64_t value;
  };
  const AuxiliaryWord* const auxiliary =
      reinterpret_cast<const AuxiliaryWord*>(environment + variables + 1);
  size_t entries = 0;
  while (auxiliary[entries++].type != 0) {  // AT_NULL is part of it
  }
  SetProgram(
      {.arguments = strings(argv, argc),
       .environment = strings(environment, variables),
       .auxiliary = {reinterpret_cast<const char*>(auxiliary), entries * sizeof(AuxiliaryWord)},
       .stack = stack});
}

void RunMain(Thread&) { libos_start_main(main_stack); }

}  // namespace

void libos_boot(nsgx_slot* slot) {
  const uint64_t base = reinterpret_cast<uint64_t>(&__ehdr_start);
  if (!RelocateImage(base, _DYNAMIC)) {
    __builtin_trap();  // a broken build; nothing works yet that could tell
  }
  const nsgx_boot& boot = *reinterpret_cast<const nsgx_boot*>(slot->boot);
  InitCpu(boot.vcpus);
  SetImageRange({.base = base, .size = boot.image_size});
  if (boot.magic != NSGX_BOOT_MAGIC || boot.version != kBootVersion || boot.base != base) {
    Panic("the SEH speaks another version of the boot information");
  }
  SetUserRange(boot.base, boot.address_range_size);
  LearnExtendedState(boot);
  Memory().Init(boot.base, boot.heap, boot.base + boot.address_range_size);
  if (!gate::SetHandlers(&libos_exception_entry, &libos_raw_syscall_entry).ok()) {
    Panic("the SEH refused the exception handlers");
  }

  auto config = ParseConfig(SpanAt<std::byte>(boot.config, boot.config_size));
  if (!config.ok()) {
    Panic("the configuration is malformed");
  }
  if ((config.value().attributes() & NSGX_ATTRIBUTE_HOST_SIGTERM) != 0) {
    HostWatches().AllowSignals();
  }
  const LaunchStrings strings(config.value(), SpanAt<char>(boot.args, boot.args_size));
  libos_fill_syscall_table(strings.WantsTrace());
  if (strings.WantsCore()) {
    EnableCoreFile();
  }
  if (strings.WantsCounts()) {
    EnableCountReport();
  }
  ProtectRelocated(base);
  if (!InitClock(boot.tsc_khz)) {
    Panic("this machine has no clock");
  }
  if (!InitRandom(std::as_bytes(std::span(boot.seed)))) {
    Panic("no entropy could be had");
  }

  main_stack =
      MakeMainStack(strings, config.value().main_stack_size(), boot.args_size + boot.config_size);
  LearnProgram(main_stack);
  auto thread = MakeFirstThread();
  if (!thread.ok() || !StartFiles(config.value(), SpanAt<std::byte>(base, boot.image_size)).ok()) {
    Panic("out of memory while starting, or the image is not whole");
  }
  PrepareContext(*thread.value(), &RunMain);
  RunFirst(*thread.value());
}

void libos_enter_cpu(nsgx_slot*) {
  InitCpu(0);
  RunIdle();
}

}  // namespace nsgx::libos
