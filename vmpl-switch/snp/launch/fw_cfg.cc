// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/launch/fw_cfg.h"

#include <algorithm>

#include "base/core/bytes.h"

namespace nsgx::snp {
namespace {

constexpr uint32_t kControlRead = 1 << 1;
constexpr uint32_t kControlSkip = 1 << 2;
constexpr uint32_t kControlSelect = 1 << 3;
constexpr uint32_t kControlWrite = 1 << 4;

constexpr uint16_t kDirectorySelector = 0x19;
constexpr uint32_t kMaxFiles = 4096;

// All numbers of the device are big-endian.
struct DirectoryEntry {
  uint32_t size;
  uint16_t selector;
  uint16_t reserved;
  char name[56];
};

}  // namespace

Result<void> FwCfg::Select(const FwCfgFile& file) {
  return port_.Transfer(uint32_t{file.selector} << 16 | kControlSelect, {});
}

Result<void> FwCfg::ReadNext(std::span<std::byte> target) {
  while (!target.empty()) {
    const size_t size = std::min(target.size(), FwCfgPort::kMaxTransfer);
    TRY(port_.Transfer(kControlRead, target.first(size)));
    target = target.subspan(size);
  }
  return {};
}

Result<FwCfgFile> FwCfg::Find(std::string_view name) {
  TRY(Select({.selector = kDirectorySelector}));
  uint32_t count = 0;
  TRY(ReadNext(MutableBytesOf(count)));
  count = __builtin_bswap32(count);
  if (count > kMaxFiles) {
    return Error(Status::kHostFault);
  }
  for (uint32_t i = 0; i < count; ++i) {
    DirectoryEntry entry;
    TRY(ReadNext(MutableBytesOf(entry)));
    size_t name_size = 0;
    while (name_size < sizeof(entry.name) && entry.name[name_size] != '\0') {
      ++name_size;
    }
    if (std::string_view(entry.name, name_size) == name) {
      return FwCfgFile{.selector = __builtin_bswap16(entry.selector),
                       .size = __builtin_bswap32(entry.size)};
    }
  }
  return Error(Status::kNotFound);
}

Result<void> FwCfg::Write(const FwCfgFile& file, uint32_t offset, std::span<std::byte> bytes) {
  TRY(Select(file));
  // A skip moves no data, but the device wants to know how much of it.
  std::byte skipped[16];
  while (offset != 0) {
    const uint32_t size = std::min<uint32_t>(offset, sizeof(skipped));
    TRY(port_.Transfer(kControlSkip, std::span(skipped, size)));
    offset -= size;
  }
  return port_.Transfer(kControlWrite, bytes);
}

}  // namespace nsgx::snp
