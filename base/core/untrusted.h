// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "base/core/bytes.h"
#include "base/core/mem_raw.h"
#include "base/core/result.h"

// Memory that a less trusted world can change at any moment: shared windows, rings, pages of the
// guest kernel. Nothing here can be read by accident or twice by accident: every access is a named
// call that copies once, and what is checked is the copy.
//
// That the memory is really outside, that is, that it lies wholly inside a registered window and
// touches nothing of ours, is checked by whoever makes these objects, once, and is not checked
// again here.
namespace nsgx {

// A T in untrusted memory; a member of the structs that describe shared windows. Has the size and
// alignment of T.
template <PlainBytes T>
class Untrusted {
 public:
  Untrusted() = default;
  Untrusted(const Untrusted&) = delete;
  Untrusted& operator=(const Untrusted&) = delete;

  // Returns a private copy; every byte is read exactly once. An integer of up to eight bytes is
  // read by one access. The caller must check the copy before it acts on it.
  T CopyIn() const {
    T copy;
    if constexpr (kIsSingleAccess) {
      __atomic_load(&value_, &copy, __ATOMIC_RELAXED);
    } else {
      CopyOnce(&copy, &value_, sizeof(T));
    }
    return copy;
  }

  // Returns a private copy that `is_valid` has accepted.
  //
  // Errors: kHostFault  is_valid(copy) is false.
  template <std::predicate<const T&> IsValid>
  Result<T> CopyIn(IsValid&& is_valid) const {
    T copy = CopyIn();
    if (!is_valid(static_cast<const T&>(copy))) {
      return Error(Status::kHostFault);
    }
    return copy;
  }

  // Writes `value` out; every byte is written exactly once. It is public from here on.
  void CopyOut(const T& value) {
    if constexpr (kIsSingleAccess) {
      T copy = value;
      __atomic_store(&value_, &copy, __ATOMIC_RELAXED);
    } else {
      CopyOnce(&value_, &value, sizeof(T));
    }
  }

  // As CopyIn and CopyOut, ordered for ring indices: what the peer wrote before its release is
  // visible after our acquire, if the peer keeps to the protocol.
  T LoadAcquire() const
    requires(std::is_integral_v<T> && sizeof(T) <= 8)
  {
    return __atomic_load_n(&value_, __ATOMIC_ACQUIRE);
  }
  void StoreRelease(T value)
    requires(std::is_integral_v<T> && sizeof(T) <= 8)
  {
    __atomic_store_n(&value_, value, __ATOMIC_RELEASE);
  }

  // Writes `value` and returns what was there, in one step that orders everything around it.
  T Exchange(T value)
    requires(std::is_integral_v<T> && sizeof(T) <= 8)
  {
    return __atomic_exchange_n(&value_, value, __ATOMIC_SEQ_CST);
  }

 private:
  static constexpr bool kIsSingleAccess =
      (std::is_integral_v<T> || std::is_enum_v<T>) && sizeof(T) <= 8;

  volatile T value_;
};

// A bounded stretch of untrusted memory. A view: it owns nothing and may be copied freely; there
// is no way to get at the bytes but by copying them.
class UntrustedBytes {
 public:
  constexpr UntrustedBytes() = default;

  // Requires: [data, data + size) is mapped, belongs to a less trusted world, and holds nothing of
  //           ours; see the top of this file.
  constexpr UntrustedBytes(volatile std::byte* data, size_t size) : data_(data), size_(size) {}

  constexpr size_t size() const { return size_; }

  // Returns the part of `size` bytes from `offset` on.
  //
  // Errors: kOutOfRange  it is not all inside.
  constexpr Result<UntrustedBytes> Slice(uint64_t offset, uint64_t size) const {
    if (!Holds(offset, size)) {
      return Error(Status::kOutOfRange);
    }
    return UntrustedBytes(data_ + offset, static_cast<size_t>(size));
  }

  // Fills `target`, which is ours, with the bytes from `offset` on; each is read exactly once.
  //
  // Errors: kOutOfRange  fewer than target.size() bytes are there; nothing has been copied.
  Result<void> CopyIn(uint64_t offset, std::span<std::byte> target) const {
    if (!Holds(offset, target.size())) {
      return Error(Status::kOutOfRange);
    }
    CopyOnce(target.data(), data_ + offset, target.size());
    return {};
  }

  // Returns a private copy of the T at `offset`, which need not be aligned.
  //
  // Errors: kOutOfRange  it is not all inside.
  template <PlainBytes T>
  Result<T> CopyInObject(uint64_t offset) const {
    T object;
    TRY(CopyIn(offset, MutableBytesOf(object)));
    return object;
  }

  // Writes `source`, which is ours, to `offset`; each byte is written exactly once and is public
  // from here on.
  //
  // Errors: kOutOfRange  it does not fit; nothing has been written.
  Result<void> CopyOut(uint64_t offset, std::span<const std::byte> source) const {
    if (!Holds(offset, source.size())) {
      return Error(Status::kOutOfRange);
    }
    CopyOnce(data_ + offset, source.data(), source.size());
    return {};
  }

  // Writes `object` to `offset`. Errors: as CopyOut.
  template <PlainBytes T>
  Result<void> CopyOutObject(uint64_t offset, const T& object) const {
    return CopyOut(offset, BytesOf(object));
  }

  // Writes zeros over all of it, so that nothing of an earlier use is left behind.
  void Clear() const { FillOnce(data_, std::byte{0}, size_); }

 private:
  constexpr bool Holds(uint64_t offset, uint64_t size) const {
    return offset <= size_ && size <= size_ - offset;
  }

  volatile std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace nsgx
