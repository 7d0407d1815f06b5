// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/user_memory.h"

#include <cstring>

#include "libos/kernel/user_access.h"

namespace nsgx::libos {
namespace {

constinit uint64_t user_base = 0;
constinit uint64_t user_size = 0;

constexpr uint64_t kFailed = ~uint64_t{0};

bool IsUserRange(uint64_t address, uint64_t size) {
  const uint64_t offset = address - user_base;
  return offset <= user_size && size <= user_size - offset;
}

void* Pointer(uint64_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

void SetUserRange(uint64_t base, uint64_t size) {
  user_base = base;
  user_size = size;
}

Result<void, Errno> CopyFromUser(std::span<std::byte> to, uint64_t from) {
  if (!IsUserRange(from, to.size()) ||
      libos_user_copy(to.data(), Pointer(from), to.size()) == kFailed) {
    return Error(Errno::kEFAULT);
  }
  return {};
}

Result<void, Errno> CopyToUser(uint64_t to, std::span<const std::byte> from) {
  if (!IsUserRange(to, from.size()) ||
      libos_user_copy(Pointer(to), from.data(), from.size()) == kFailed) {
    return Error(Errno::kEFAULT);
  }
  return {};
}

Result<void, Errno> ZeroUser(uint64_t to, size_t size) {
  if (!IsUserRange(to, size) || libos_user_zero(Pointer(to), size) == kFailed) {
    return Error(Errno::kEFAULT);
  }
  return {};
}

Result<uint32_t, Errno> LoadUser32(uint64_t address) {
  if (!IsUserRange(address, sizeof(uint32_t))) {
    return Error(Errno::kEFAULT);
  }
  const uint64_t value = libos_user_load32(Pointer(address));
  if (value == kFailed) {
    return Error(Errno::kEFAULT);
  }
  return static_cast<uint32_t>(value);
}

Result<uint32_t, Errno> CompareExchangeUser32(uint64_t address, uint32_t expected,
                                              uint32_t wanted) {
  if (!IsUserRange(address, sizeof(uint32_t))) {
    return Error(Errno::kEFAULT);
  }
  const uint64_t value = libos_user_compare_exchange32(Pointer(address), expected, wanted);
  if (value == kFailed) {
    return Error(Errno::kEFAULT);
  }
  return static_cast<uint32_t>(value);
}

Result<size_t, Errno> CopyStringFromUser(std::span<char> out, uint64_t from) {
  // In pieces that end at page borders, so that a string at the end of mapped memory is read whole.
  constexpr size_t kPiece = 64;
  constexpr uint64_t kPage = 4096;
  size_t done = 0;
  while (done < out.size()) {
    const uint64_t address = from + done;
    size_t size = kPiece < out.size() - done ? kPiece : out.size() - done;
    const size_t to_border = kPage - address % kPage;
    size = size < to_border ? size : to_border;
    TRY(CopyFromUser(std::as_writable_bytes(out.subspan(done, size)), address));
    const void* end = memchr(&out[done], 0, size);
    if (end != nullptr) {
      return static_cast<size_t>(static_cast<const char*>(end) - out.data());
    }
    done += size;
  }
  return Error(Errno::kENAMETOOLONG);
}

}  // namespace nsgx::libos
