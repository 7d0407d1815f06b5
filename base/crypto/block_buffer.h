// SPDX-License-Identifier: Apache-2.0
// What the hash functions share: a message comes in portions of any size and is compressed in
// blocks.
#pragma once

#include <cstddef>
#include <span>

namespace nsgx {

// Adds `data` to a message of which `pending` bytes wait in `block`. Calls compress(const
// std::byte* blocks, size_t count) for what has become whole, where it lies if it can be; the rest
// waits in `block`. Requires: pending < block.size().
template <typename Compress>
void CompressWholeBlocks(std::span<std::byte> block, size_t pending,
                         std::span<const std::byte> data, Compress compress) {
  if (data.empty()) {
    return;
  }
  if (pending != 0) {
    const size_t room = block.size() - pending;
    const size_t taken = data.size() < room ? data.size() : room;
    __builtin_memcpy(&block[pending], data.data(), taken);
    if (taken < room) {
      return;
    }
    compress(block.data(), size_t{1});
    data = data.subspan(taken);
  }
  const size_t whole = data.size() / block.size();
  if (whole != 0) {
    compress(data.data(), whole);
    data = data.subspan(whole * block.size());
  }
  if (!data.empty()) {
    __builtin_memcpy(block.data(), data.data(), data.size());
  }
}

}  // namespace nsgx
