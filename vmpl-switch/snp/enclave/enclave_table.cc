// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/enclave_table.h"

#include <new>

#include "base/core/check.h"

namespace nsgx::snp {
namespace {

// A number: place + 1 in the lower bits, uses above. Never 0.
constexpr uint32_t kPlaceBits = 8;
static_assert(EnclaveTable::kMaxEnclaves < (1u << kPlaceBits) - 1);

}  // namespace

Result<EnclaveContext*> EnclaveTable::MakeContext() {
  constexpr uint64_t kPages = (sizeof(EnclaveContext) + kPageSize - 1) / kPageSize;
  const GuestPhys memory = TRY(services_.allocator.AllocateForEver(kPages));
  return new (services_.memory.At(memory)) EnclaveContext(services_, hardware_, keys_, gate_);
}

Result<uint32_t> EnclaveTable::Begin(const EnclaveWish& wish, std::span<const std::byte> config) {
  SpinLockGuard guard(lock_);
  for (uint32_t i = 0; i < kMaxEnclaves; ++i) {
    Place& place = places_[i];
    if (place.number != 0) {
      continue;
    }
    if (place.context == nullptr) {
      place.context = TRY(MakeContext());
    }
    EnclaveContext& context = *place.context;
    // Whoever still has it came with a number that is no more; and he may be about to ask us.
    if (!context.control().TryLock()) {
      continue;
    }
    const Result<void> begun = context.Begin(wish, config);
    context.control().Unlock();
    if (!begun.ok()) {
      return Error(begun.error());
    }
    ++place.uses;
    place.number = place.uses << kPlaceBits | (i + 1);
    return place.number;
  }
  return Error(Status::kNoMemory);
}

Result<EnclaveContext*> EnclaveTable::Find(uint32_t number) {
  const uint32_t index = (number & ((1u << kPlaceBits) - 1)) - 1;
  if (index >= kMaxEnclaves) {
    return Error(Status::kNotFound);
  }
  SpinLockGuard guard(lock_);
  if (places_[index].number != number) {
    return Error(Status::kNotFound);
  }
  return places_[index].context;
}

Result<void> EnclaveTable::End(uint32_t number, EnclaveContext& context) {
  SpinLockGuard guard(lock_);
  for (Place& place : places_) {
    if (place.number == number) {
      CHECK(place.context == &context);
      TRY(context.End());
      place.number = 0;
      return {};
    }
  }
  return Error(Status::kNotFound);
}

uint32_t EnclaveTable::count() {
  SpinLockGuard guard(lock_);
  uint32_t count = 0;
  for (const Place& place : places_) {
    count += place.number != 0 ? 1 : 0;
  }
  return count;
}

uint64_t EnclaveTable::pages() {
  SpinLockGuard guard(lock_);
  uint64_t pages = 0;
  for (const Place& place : places_) {
    pages += place.number != 0 ? place.context->pages() : 0;
  }
  return pages;
}

}  // namespace nsgx::snp
