// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/result.h"

namespace nsgx::snp {

// The machine's configuration device (QEMU's fw_cfg), by its DMA interface. What comes from it is
// the host's and is for the guest; the SEH believes none of it.
class FwCfgPort {
 public:
  // Has the device do one operation: FW_CFG_DMA_* control bits, and with a read or write, whole
  // `data` to or from it.
  //
  // Requires: at most kMaxTransfer bytes.
  // Errors:   kHostFault  the device reports an error, or does not answer.
  static constexpr size_t kMaxTransfer = 256 * 1024;
  virtual Result<void> Transfer(uint32_t control, std::span<std::byte> data) = 0;

 protected:
  ~FwCfgPort() = default;
};

struct FwCfgFile {
  uint16_t selector = 0;
  uint32_t size = 0;
};

class FwCfg {
 public:
  constexpr explicit FwCfg(FwCfgPort& port) : port_(port) {}

  // Finds a file by its name.
  //
  // Errors: kNotFound   there is none.
  //         kHostFault  the directory is not one.
  Result<FwCfgFile> Find(std::string_view name);

  // Starts at the beginning of a file; ReadNext goes on from where the last one ended.
  Result<void> Select(const FwCfgFile& file);
  // Any size, in as many transfers as that takes.
  Result<void> ReadNext(std::span<std::byte> target);

  // Writes `bytes` at `offset` of a file that the guest's firmware may write.
  Result<void> Write(const FwCfgFile& file, uint32_t offset, std::span<std::byte> bytes);

 private:
  FwCfgPort& port_;
};

}  // namespace nsgx::snp
