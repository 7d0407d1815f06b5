// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/iommu.h"

#include "vmpl-switch/emulator/monitor/dma_guard.h"

namespace nsgx::emu {
namespace {

// Intel's document D51397, chapter 11.
constexpr uint64_t kVersion = 0x00;
constexpr uint64_t kExtendedCapability = 0x10;
constexpr uint64_t kGlobalCommand = 0x18;
constexpr uint64_t kGlobalStatus = 0x1c;
constexpr uint64_t kRootTable = 0x20;
constexpr uint64_t kContextCommand = 0x28;
constexpr uint32_t kTranslate = 1u << 31;
constexpr uint32_t kSetRoot = 1u << 30;
constexpr uint64_t kStart = uint64_t{1} << 63;
constexpr uint64_t kAllContexts = uint64_t{1} << 61;
constexpr uint64_t kAllPages = uint64_t{1} << 60;
constexpr int kMaxPolls = 1000000;

template <typename T>
volatile T& Register(uint64_t offset) {
  return *reinterpret_cast<volatile T*>(kIommuRegisters.raw() + offset);
}

bool WaitFor(uint32_t status) {
  for (int i = 0; i < kMaxPolls; ++i) {
    if ((Register<uint32_t>(kGlobalStatus) & status) != 0) {
      return true;
    }
  }
  return false;
}

// QEMU has done it when the write returns; a machine that has not is waited for.
void Command(uint64_t offset, uint64_t command) {
  Register<uint64_t>(offset) = kStart | command;
  for (int i = 0; i < kMaxPolls && (Register<uint64_t>(offset) & kStart) != 0; ++i) {
  }
}

// Where the register for forgetting pages is, the device says.
uint64_t PageCommand() {
  const uint64_t offset = (Register<uint64_t>(kExtendedCapability) >> 8 & 0x3ff) * 16;
  return offset + 8;
}

}  // namespace

bool Iommu::IsPresent() {
  const uint32_t version = Register<uint32_t>(kVersion);
  return version != 0 && version != ~uint32_t{0};
}

bool Iommu::Start(uint64_t root) {
  Register<uint64_t>(kRootTable) = root;
  Register<uint32_t>(kGlobalCommand) = kSetRoot;
  if (!WaitFor(kSetRoot)) {
    return false;
  }
  Command(kContextCommand, kAllContexts);
  Command(PageCommand(), kAllPages);
  Register<uint32_t>(kGlobalCommand) = kTranslate;
  is_on_ = WaitFor(kTranslate);
  return is_on_;
}

void Iommu::Flush() { Command(PageCommand(), kAllPages); }

}  // namespace nsgx::emu
