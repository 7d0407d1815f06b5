// SPDX-License-Identifier: Apache-2.0
// An enclave's life, from a guest's wish to the last page given back.
#include "vmpl-switch/snp/enclave/enclave_context.h"

#include "base/core/check.h"
#include "base/core/checked.h"
#include "base/core/mem_raw.h"
#include "base/core/scope_exit.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/image/config.h"
#include "vmpl-switch/snp/cpu/selectors.h"
#include "vmpl-switch/snp/enclave/layout.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kFlagsClean = 0x2;

}  // namespace

Result<void> EnclaveContext::Begin(const EnclaveWish& wish, std::span<const std::byte> config) {
  CHECK(phase_ == kUnused && pages() == 0);
  if (config.size() != wish.config_size || !IsAligned(uint64_t{config.size()}, kPageSize) ||
      !IsAligned(wish.window_size | wish.image_size, kPageSize) || wish.vcpus == 0) {
    return Error(Status::kInvalidArgument);
  }
  const ConfigView view = TRY(ParseConfig(config));
  const seh::EnclaveLayout layout =
      TRY(seh::EnclaveLayout::Make(view.config(), config.size(), wish.image_size));
  const uint64_t window = TRY(CheckedMul(wish.window_size, uint64_t{wish.vcpus}));
  if (wish.vcpus > view.max_vcpus() || window > kMaxWindowSize || layout.size > kMaxEnclaveSize) {
    return Error(Status::kOutOfRange);
  }
  CopyOnce(config_.data(), config.data(), config.size());
  wish_ = wish;
  window_pages_ = 0;
  counters_ = {};
  {
    SpinLockGuard guard(end_lock_);
    has_crashed_ = false;
  }
  __atomic_store_n(&phase_, kWished, __ATOMIC_RELEASE);
  return {};
}

Result<void> EnclaveContext::EnsureCreated() {
  if (phase_ == kCreated) {
    machine_.Activate();
    return {};
  }
  if (phase_ != kWished) {
    return Error(Status::kBadState);
  }
  TRY(enclave_.Create({
      .config = std::span(config_).first(wish_.config_size),
      .config_offset = wish_.config_offset,
      .image_size = wish_.image_size,
      .entry = wish_.entry,
      .vcpus = wish_.vcpus,
      .gate = kGateAddress,
      .window = kWindowAddress,
      .window_size = wish_.window_size,
  }));
  __atomic_store_n(&phase_, kCreated, __ATOMIC_RELEASE);
  return {};
}

Result<void> EnclaveContext::Donate(std::span<const GuestPhys> pages, size_t* taken) {
  *taken = 0;
  if (phase_ != kWished && phase_ != kCreated) {
    return Error(Status::kBadState);
  }
  Result<void> result = TakeGuestPages(services_, pages, taken);
  for (const GuestPhys page : pages.first(*taken)) {
    pool_.Donate(page);
  }
  return result;
}

Result<GuestPhys> EnclaveContext::GiveBack() {
  const GuestPhys page = TRY(pool_.TakeBack());
  TRY(ReturnGuestPage(services_, page));
  return page;
}

Result<void> EnclaveContext::AddPage(uint64_t offset, uint32_t permissions, GuestPhys source) {
  TRY(EnsureCreated());
  TRY(services_.pages.CheckGuestBytes(source, kPageSize));
  TRY(enclave_.AddPages(offset, permissions, {.bytes = {services_.memory.At(source), kPageSize}}));
  Count(counters_.pages_loaded);
  Count(counters_.pages_hashed);
  return {};
}

Result<void> EnclaveContext::AddZeroPages(uint64_t offset, uint32_t permissions, uint64_t count) {
  TRY(EnsureCreated());
  TRY(enclave_.AddZeroPages(offset, permissions, count));
  __atomic_fetch_add(&counters_.pages_loaded, count, __ATOMIC_RELAXED);
  return {};
}

Result<void> EnclaveContext::AddWindow(uint64_t index, GuestPhys page) {
  TRY(EnsureCreated());
  if (enclave_.state() != seh::EnclaveState::kLoading) {
    return Error(Status::kBadState);
  }
  if (index >= wish_.window_size * wish_.vcpus / kPageSize) {
    return Error(Status::kOutOfRange);
  }
  TRY(machine_.AddWindow(index, page));
  ++window_pages_;
  return {};
}

Result<void> EnclaveContext::MakeSlotStates() {
  for (uint32_t i = 0; i < wish_.vcpus; ++i) {
    if (slots_[i].state == nullptr) {
      slots_[i].state = reinterpret_cast<Ring3State*>(TRY(machine_.AllocateTablePage()));
    }
  }
  return {};
}

void EnclaveContext::FreeSlotStates() {
  for (Slot& slot : slots_) {
    if (slot.state != nullptr) {
      machine_.FreeTablePage(reinterpret_cast<std::byte*>(slot.state));
    }
    slot = {};
  }
}

Result<void> EnclaveContext::Init(std::span<const std::byte> signature,
                                  std::span<const std::byte> args) {
  TRY(EnsureCreated());
  if (enclave_.state() != seh::EnclaveState::kLoading ||
      window_pages_ != wish_.window_size * wish_.vcpus / kPageSize) {
    return Error(Status::kBadState);
  }
  TRY(MakeSlotStates());
  // Complete before anybody may enter.
  const ExtendedState& extended = hardware_.extended_state();
  for (uint32_t i = 0; i < wish_.vcpus; ++i) {
    const EnclaveVirt address = enclave_.slot_address(i);
    Ring3State& state = *slots_[i].state;
    state.frame = {};
    state.frame.rdi = address.raw();
    state.frame.rip = enclave_.entry().raw();
    state.frame.cs = SEH_USER_CODE_SELECTOR;
    state.frame.rflags = kFlagsClean;
    state.frame.rsp = (address + (NSGX_SLOT_STACK_OFFSET + NSGX_SLOT_STACK_SIZE)).raw();
    state.frame.ss = SEH_USER_DATA_SELECTOR;
    state.fs_base = 0;
    state.gs_base = address.raw();
    ResetExtended(std::span(state.extended).first(extended.size), kInitialFcw, kInitialMxcsr);
  }
  return enclave_.Init(signature, args);
}

Result<void> EnclaveContext::Destroy() {
  if (phase_ == kUnused) {
    return Error(Status::kBadState);
  }
  if (phase_ == kDestroyed) {
    return {};
  }
  if (phase_ == kCreated) {
    machine_.Activate();
    TRY(enclave_.Destroy());
    FreeSlotStates();
  }
  __atomic_store_n(&phase_, kDestroyed, __ATOMIC_RELEASE);
  return {};
}

Result<void> EnclaveContext::End() {
  if (phase_ != kDestroyed || pages() != 0) {
    return Error(Status::kBadState);
  }
  __atomic_store_n(&phase_, kUnused, __ATOMIC_RELEASE);
  return {};
}

void EnclaveContext::FillInfo(nsgx_seh_info& info) {
  {
    SpinLockGuard guard(end_lock_);
    info = counters_;
  }
  const seh::EnclaveState state = enclave_.state();
  // 1 loading, 2 running, 3 done, 4 crashed, 5 destroyed.
  info.state = phase_ == kDestroyed                 ? 5
               : state == seh::EnclaveState::kEmpty ? 1
                                                    : static_cast<uint32_t>(state);
  static_assert(static_cast<uint32_t>(seh::EnclaveState::kLoading) == 1 &&
                static_cast<uint32_t>(seh::EnclaveState::kCrashed) == 4);
  if (info.state >= 2 && info.state <= 4) {
    __builtin_memcpy(info.identity, enclave_.body().identity, sizeof(info.identity));
  }
  info.machine = machine_.kind();
  info.pool_pages = pool_.free_pages();
  info.used_pages = pool_.used_pages();
  info.tsc_khz = services_.clock.khz();
  info.now = services_.clock.Conversion().ns_base;
}

Result<void> EnclaveContext::DebugRead(EnclaveVirt address, std::span<std::byte> to) {
  if (phase_ != kCreated) {
    return Error(Status::kBadState);
  }
  if (!enclave_.is_debug()) {
    return Error(Status::kPermissionDenied);
  }
  if (machine_.Read(address, to) != to.size()) {
    return Error(Status::kNotFound);
  }
  return {};
}

Result<void> EnclaveContext::DebugWrite(EnclaveVirt address, std::span<const std::byte> from) {
  if (phase_ != kCreated || enclave_.state() == seh::EnclaveState::kLoading) {
    // Before Init it would change what has been measured.
    return Error(Status::kBadState);
  }
  if (!enclave_.is_debug()) {
    return Error(Status::kPermissionDenied);
  }
  if (machine_.Write(address, from) != from.size()) {
    return Error(Status::kNotFound);
  }
  return {};
}

}  // namespace nsgx::snp
