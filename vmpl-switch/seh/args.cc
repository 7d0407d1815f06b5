// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/args.h"

#include "base/core/bytes.h"
#include "vmpl-switch/abi/boot.h"

namespace nsgx::seh {

Result<void> CheckArgs(std::span<const std::byte> args) {
  ByteReader reader(args);
  const nsgx_args header = TRY(reader.ReadObject<nsgx_args>());
  const std::span<const std::byte> text = TRY(reader.ReadBytes(reader.remaining()));
  uint64_t count = 0;
  for (std::byte byte : text) {
    count += byte == std::byte{0} ? 1 : 0;
  }
  const bool is_terminated = !text.empty() && text.back() == std::byte{0};
  if (args.size() > NSGX_ARGS_MAX_SIZE || header.argc == 0 || !is_terminated ||
      count != uint64_t{header.argc} + header.envc) {
    return Error(Status::kMalformed);
  }
  return {};
}

}  // namespace nsgx::seh
