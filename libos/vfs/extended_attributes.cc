// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/extended_attributes.h"

#include <cstring>
#include <new>

#include "libos/mm/kernel_heap.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// The name and then the value lie behind it.
struct ExtendedAttributes::Record : ListNode<> {
  size_t name_size;
  size_t value_size;

  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  std::string_view name() { return {bytes(), name_size}; }
  std::span<const std::byte> value() {
    return {reinterpret_cast<const std::byte*>(bytes()) + name_size, value_size};
  }
};

ExtendedAttributes::~ExtendedAttributes() {
  SpinLockGuard guard(lock_);
  while (Record* record = records_.PopFront()) {
    KernelFree(record);
  }
}

ExtendedAttributes::Record* ExtendedAttributes::Find(std::string_view name) {
  for (Record& record : records_) {
    if (record.name() == name) {
      return &record;
    }
  }
  return nullptr;
}

Result<void, Errno> ExtendedAttributes::Set(std::string_view name, std::span<const std::byte> value,
                                            AttributeMustBe must_be) {
  void* const memory = KernelAllocate(sizeof(Record) + name.size() + value.size());
  if (memory == nullptr) {
    return Error(Errno::kENOSPC);
  }
  Record* const fresh = ::new (memory) Record;
  fresh->name_size = name.size();
  fresh->value_size = value.size();
  std::memcpy(fresh->bytes(), name.data(), name.size());
  if (!value.empty()) {
    std::memcpy(fresh->bytes() + name.size(), value.data(), value.size());
  }
  Record* old;
  Errno error = {};
  {
    SpinLockGuard guard(lock_);
    old = Find(name);
    if (old != nullptr && must_be == AttributeMustBe::kNew) {
      error = Errno::kEEXIST;
    } else if (old == nullptr && must_be == AttributeMustBe::kThere) {
      error = Errno::kENODATA;
    } else {
      if (old != nullptr) {
        records_.Erase(*old);
      }
      records_.PushBack(*fresh);
    }
  }
  if (error != Errno{}) {
    KernelFree(fresh);
    return Error(error);
  }
  KernelFree(old);
  return {};
}

Result<size_t, Errno> ExtendedAttributes::Get(std::string_view name, std::span<std::byte> out) {
  SpinLockGuard guard(lock_);
  Record* const record = Find(name);
  if (record == nullptr) {
    return Error(Errno::kENODATA);
  }
  const std::span<const std::byte> value = record->value();
  if (!out.empty()) {
    if (value.size() > out.size()) {
      return Error(Errno::kERANGE);
    }
    std::memcpy(out.data(), value.data(), value.size());
  }
  return value.size();
}

Result<void, Errno> ExtendedAttributes::Remove(std::string_view name) {
  Record* record;
  {
    SpinLockGuard guard(lock_);
    record = Find(name);
    if (record == nullptr) {
      return Error(Errno::kENODATA);
    }
    records_.Erase(*record);
  }
  KernelFree(record);
  return {};
}

Result<size_t, Errno> ExtendedAttributes::List(std::span<std::byte> out, bool with_trusted) {
  SpinLockGuard guard(lock_);
  size_t size = 0;
  for (Record& record : records_) {
    const std::string_view name = record.name();
    if (!with_trusted && name.starts_with(kTrustedAttributes)) {
      continue;
    }
    if (!out.empty()) {
      if (size + name.size() + 1 > out.size()) {
        return Error(Errno::kERANGE);
      }
      std::memcpy(out.data() + size, name.data(), name.size());
      out[size + name.size()] = std::byte{0};
    }
    size += name.size() + 1;
  }
  return size;
}

}  // namespace nsgx::libos
