// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/secret_watch.h"

#include "base/core/log.h"

namespace nsgx::emu {
namespace {

// Both are masked here, or the search would find itself.
constexpr uint64_t kMask = 0x5a5a5a5a5a5a5a5a;
constexpr char kMaskedSecret[] = "NSGXcanary-of-the-hostile-guest!";
constexpr size_t kSecretWords = (sizeof(kMaskedSecret) - 1) / sizeof(uint64_t);
// The upper 48 bits of each word that registers.cc puts into a register.
constexpr uint64_t kMaskedRegister = 0x5ec2'e7ca'7a12;

constexpr uint16_t kInitialControl = 0x37f;
constexpr uint32_t kInitialMxcsr = 0x1f80;

bool IsCanary(uint64_t word) { return ((word ^ kMask) >> 16) == kMaskedRegister; }

uint64_t CanariesIn(std::span<const std::byte> bytes) {
  uint64_t count = 0;
  for (size_t at = 0; at + sizeof(uint64_t) <= bytes.size(); at += sizeof(uint64_t)) {
    uint64_t word;
    __builtin_memcpy(&word, bytes.data() + at, sizeof(word));
    count += IsCanary(word) ? 1 : 0;
  }
  return count;
}

uint64_t CanariesIn(const VmplContext& context) {
  const auto& save = context.vmcb->save;
  return CanariesIn(std::as_bytes(std::span(&context.registers, 1))) +
         CanariesIn(std::as_bytes(std::span(&context.fx, 1))) + (IsCanary(save.rax) ? 1 : 0) +
         (IsCanary(save.cr2) ? 1 : 0);
}

}  // namespace

bool SecretWatch::IsVisible(Page page) const {
  if (!rmp_.entry(page).is_assigned) {
    return true;
  }
  for (unsigned vmpl = 1; vmpl < kVmpls; ++vmpl) {
    if (rmp_.PrivateAccess(page, vmpl).can_read) {
      return true;
    }
  }
  return false;
}

SecretWatch::Pages SecretWatch::Search() const {
  uint64_t masked[kSecretWords];
  __builtin_memcpy(masked, kMaskedSecret, sizeof(masked));
  Pages found;
  for (Page page = 0; page < memory_.pages(); ++page) {
    if (!memory_.IsRam(page)) {
      continue;
    }
    const uint64_t* const words = reinterpret_cast<const uint64_t*>(memory_.At(page));
    for (size_t i = 0; i + kSecretWords <= kPageSize / sizeof(uint64_t); ++i) {
      size_t matching = 0;
      while (matching < kSecretWords && (words[i + matching] ^ kMask) == masked[matching]) {
        ++matching;
      }
      if (matching == kSecretWords) {
        ++(IsVisible(page) ? found.visible : found.hidden);
        break;
      }
    }
  }
  return found;
}

void SecretWatch::CheckSwitch(const VmplContext& from, const VmplContext& to) {
  if (from.vmpl != 0) {
    return;
  }
  ++checked_;
  left_by_vmpl0_ += CanariesIn(from);
  found_below_ += CanariesIn(to);
  const bool is_initial =
      from.fx.control == kInitialControl && from.fx.mxcsr == kInitialMxcsr && from.fx.tags == 0;
  not_initial_ += is_initial ? 0 : 1;
}

void SecretWatch::Report() const {
  LOG(kInfo, "count registers.checked ", checked_);
  LOG(kInfo, "count registers.left ", left_by_vmpl0_);
  LOG(kInfo, "count registers.not-initial ", not_initial_);
  LOG(kInfo, "count registers.below ", found_below_);
}

}  // namespace nsgx::emu
