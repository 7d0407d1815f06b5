// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/loader.h"

#include "base/core/bytes.h"
#include "base/core/mem_raw.h"

namespace nsgx::emu {
namespace {

using igvm::Directive;
using igvm::DirectiveKind;

constexpr uint32_t kMemoryIsShared = 1;  // environment info, bit 0

static_assert(sizeof(snp_cpuid_page) == kPageSize);

Result<void> Check(firmware::FirmwareStatus status) {
  if (status != firmware::FirmwareStatus::kSuccess) {
    return Error(Status::kPermissionDenied);
  }
  return {};
}

class Loader {
 public:
  Loader(const igvm::File& file, const GuestMemory& memory, Rmp& rmp, uint32_t processors)
      : file_(file), memory_(memory), rmp_(rmp), processors_(processors) {}

  Result<std::span<std::byte, kPageSize>> Launch(GuestPhys address) {
    const Page page = PageOf(address);
    TRY(rmp_.AssignAtLaunch(page));
    return memory_.Bytes(page);
  }

  Result<void> LoadPage(const Directive& directive) {
    const std::span<std::byte, kPageSize> bytes = TRY(Launch(directive.address));
    Fill(bytes, directive.data);
    return {};
  }

  // An area as it is when it is inserted: what the file has, then what the host writes.
  Result<void> InsertParameters(const Directive& insert) {
    for (uint64_t offset = 0; offset < insert.size; offset += kPageSize) {
      Fill(TRY(Launch(insert.address + offset)), {});
    }
    const std::span<std::byte> area(memory_.At(PageOf(insert.address)), insert.size);
    for (const Directive& directive : file_.directives()) {
      if (directive.index != insert.index) {
        continue;
      }
      switch (directive.kind) {
        case DirectiveKind::kParameterArea:
          if (!directive.data.empty()) {
            CopyOnce(area.data(), directive.data.data(), area.size());
          }
          break;
        case DirectiveKind::kVpCount:
          TRY(Put(area, directive.offset, processors_));
          break;
        case DirectiveKind::kEnvironmentInfo:
          TRY(Put(area, directive.offset, kMemoryIsShared));
          break;
        case DirectiveKind::kMemoryMap: {
          const Page low_end = PageOf(kHoleBegin);
          const Page high = PageOf(kHoleEnd);
          const igvm_memory_map_entry entries[] = {
              {0, low_end, IGVM_MEMORY_RAM, 0, 0},
              {high, memory_.pages() - high, IGVM_MEMORY_RAM, 0, 0},
              {0, 0, 0, 0, 0},
          };
          TRY(Put(area, directive.offset, entries));
          break;
        }
        default:
          break;
      }
    }
    return {};
  }

 private:
  static void Fill(std::span<std::byte, kPageSize> page, std::span<const std::byte> data) {
    if (data.empty()) {
      FillOnce(page.data(), std::byte{0}, page.size());
    } else {
      CopyOnce(page.data(), data.data(), page.size());
    }
  }

  template <typename T>
  static Result<void> Put(std::span<std::byte> area, uint64_t offset, const T& value) {
    const std::span<std::byte> place = TRY(MutableSlice(area, offset, sizeof(value)));
    CopyOnce(place.data(), &value, sizeof(value));
    return {};
  }

  const igvm::File& file_;
  const GuestMemory& memory_;
  Rmp& rmp_;
  uint32_t processors_;
};

}  // namespace

Result<igvm::LaunchDigest::Value> LoadIgvm(
    const igvm::File& file, const GuestMemory& memory, Rmp& rmp, const firmware::GuestCpuid& cpuid,
    firmware::SecureProcessor& firmware,
    std::span<const std::byte, firmware::SecureProcessor::kEntropySize> entropy,
    uint32_t processors, snp_vmsa& vmsa) {
  TRY(Check(firmware.StartLaunch(file.policy(), entropy)));
  Loader loader(file, memory, rmp, processors);
  for (const Directive& directive : file.directives()) {
    switch (directive.kind) {
      case DirectiveKind::kNormalPage:
      case DirectiveKind::kUnmeasuredPage:
        TRY(loader.LoadPage(directive));
        break;
      case DirectiveKind::kSecretsPage:
        TRY(Check(firmware.WriteSecrets(TRY(loader.Launch(directive.address)))));
        break;
      case DirectiveKind::kCpuidPage:
        cpuid.WritePage(
            *reinterpret_cast<snp_cpuid_page*>(TRY(loader.Launch(directive.address)).data()));
        break;
      case DirectiveKind::kParameterInsert:
        TRY(loader.InsertParameters(directive));
        break;
      case DirectiveKind::kRequiredMemory:
        TRY(rmp.Assign(PageOf(directive.address), directive.size >> kPageShift, false));
        break;
      case DirectiveKind::kVpContext:
        CopyOnce(&vmsa, directive.data.data(), sizeof(vmsa));
        break;
      case DirectiveKind::kIdBlock:
        return Error(Status::kUnsupported);
      case DirectiveKind::kParameterArea:
      case DirectiveKind::kVpCount:
      case DirectiveKind::kMemoryMap:
      case DirectiveKind::kEnvironmentInfo:
        break;
    }
  }
  const igvm::LaunchDigest::Value digest = igvm::MeasureFile(file);
  TRY(Check(firmware.FinishLaunch(digest)));
  return digest;
}

}  // namespace nsgx::emu
