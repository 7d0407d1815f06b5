// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/fw_cfg_port.h"

#include "base/core/check.h"
#include "base/core/mem_raw.h"

namespace nsgx::snp {
namespace {

constexpr uint16_t kAddressHighPort = 0x514;
constexpr uint16_t kAddressLowPort = 0x518;
constexpr uint32_t kControlError = 1 << 0;
constexpr uint32_t kControlRead = 1 << 1;
constexpr uint32_t kControlWrite = 1 << 4;
constexpr int kMaxPolls = 1000000;

// Big-endian, at the start of the buffer.
struct Access {
  uint32_t control;
  uint32_t length;
  uint64_t address;
};

}  // namespace

Result<void> FwCfgDma::Transfer(uint32_t control, std::span<std::byte> data) {
  CHECK(data.size() <= kMaxTransfer);
  volatile std::byte* bytes = buffer_ + kPageSize;
  if ((control & kControlWrite) != 0) {
    CopyOnce(bytes, data.data(), data.size());
  }
  const Access access = {__builtin_bswap32(control),
                         __builtin_bswap32(static_cast<uint32_t>(data.size())),
                         __builtin_bswap64(address_.raw() + kPageSize)};
  CopyOnce(buffer_, &access, sizeof(access));
  TRY(ghcb_.WritePort32(kAddressHighPort,
                        __builtin_bswap32(static_cast<uint32_t>(address_.raw() >> 32))));
  TRY(ghcb_.WritePort32(kAddressLowPort, __builtin_bswap32(static_cast<uint32_t>(address_.raw()))));
  for (int i = 0; i < kMaxPolls; ++i) {
    uint32_t left;
    CopyOnce(&left, buffer_, sizeof(left));
    left = __builtin_bswap32(left);
    if ((left & kControlError) != 0) {
      return Error(Status::kHostFault);
    }
    if (left == 0) {
      if ((control & kControlRead) != 0) {
        CopyOnce(data.data(), bytes, data.size());
      }
      return {};
    }
    __builtin_ia32_pause();
  }
  return Error(Status::kHostFault);
}

}  // namespace nsgx::snp
