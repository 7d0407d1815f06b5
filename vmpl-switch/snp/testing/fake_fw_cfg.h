// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/core/check.h"
#include "vmpl-switch/snp/launch/fw_cfg.h"

namespace nsgx::snp {

// The configuration device, with files in memory; reads behind the end of one give zeros, as QEMU's
// do.
class FakeFwCfg final : public FwCfgPort {
 public:
  void AddFile(const std::string& name, std::vector<std::byte> bytes) {
    files_.emplace_back(name, std::move(bytes));
    file_count = static_cast<uint32_t>(files_.size());
  }
  const std::vector<std::byte>& file(size_t index) const { return files_.at(index).second; }

  Result<void> Transfer(uint32_t control, std::span<std::byte> data) override {
    CHECK(data.size() <= kMaxTransfer);
    if (fails) {
      return Error(Status::kHostFault);
    }
    if ((control & 1 << 3) != 0) {
      selector_ = static_cast<uint16_t>(control >> 16);
      offset_ = 0;
    }
    std::vector<std::byte> directory;
    std::vector<std::byte>* bytes = &directory;
    if (selector_ == 0x19) {
      directory = Directory();
    } else if (selector_ >= kFirst && selector_ - kFirst < files_.size()) {
      bytes = &files_[selector_ - kFirst].second;
    }
    for (std::byte& byte : data) {
      const size_t at = offset_++;
      if ((control & 1 << 1) != 0) {
        byte = at < bytes->size() ? (*bytes)[at] : std::byte{0};
      } else if ((control & 1 << 4) != 0 && at < bytes->size()) {
        (*bytes)[at] = byte;
      }
    }
    return {};
  }

  uint32_t file_count = 0;  // what the directory says
  bool fails = false;

 private:
  static constexpr uint16_t kFirst = 0x20;

  std::vector<std::byte> Directory() const {
    std::vector<std::byte> out;
    const auto put = [&out](uint64_t value, int size) {
      for (int i = size - 1; i >= 0; --i) {
        out.push_back(static_cast<std::byte>(value >> (8 * i)));
      }
    };
    put(file_count, 4);
    uint16_t selector = kFirst;
    for (const auto& [name, bytes] : files_) {
      put(bytes.size(), 4);
      put(selector++, 2);
      put(0, 2);
      for (size_t i = 0; i < 56; ++i) {
        out.push_back(i < name.size() ? static_cast<std::byte>(name[i]) : std::byte{0});
      }
    }
    return out;
  }

  std::vector<std::pair<std::string, std::vector<std::byte>>> files_;
  uint16_t selector_ = 0;
  size_t offset_ = 0;
};

}  // namespace nsgx::snp
