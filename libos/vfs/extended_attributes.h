// SPDX-License-Identifier: Apache-2.0
// Extended attributes of one inode: values by name, in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

class Inode;

// How a value is set: it may not, or has to, be there already.
enum class AttributeMustBe : uint8_t { kEither, kNew, kThere };

class ExtendedAttributes {
 public:
  ExtendedAttributes() = default;
  ExtendedAttributes(const ExtendedAttributes&) = delete;
  ExtendedAttributes& operator=(const ExtendedAttributes&) = delete;
  ~ExtendedAttributes();

  // EEXIST, ENODATA: not as `must_be` has it. ENOSPC: no memory.
  Result<void, Errno> Set(std::string_view name, std::span<const std::byte> value,
                          AttributeMustBe must_be);
  // Copies the value and returns its size; an empty `out` asks for the size alone. ENODATA; ERANGE:
  // larger than `out`.
  Result<size_t, Errno> Get(std::string_view name, std::span<std::byte> out);
  // ENODATA.
  Result<void, Errno> Remove(std::string_view name);
  // All names, each with a NUL; as Get. `with_trusted`: also those that only root sees.
  Result<size_t, Errno> List(std::span<std::byte> out, bool with_trusted);

 private:
  struct Record;

  Record* Find(std::string_view name) REQUIRES(lock_);

  SpinLock lock_;
  IntrusiveList<Record> records_ GUARDED_BY(lock_);
};

}  // namespace nsgx::libos
