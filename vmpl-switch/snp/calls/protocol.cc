// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/calls/protocol.h"

#include "base/core/check.h"

namespace nsgx::snp {

void ProtocolTable::Register(Protocol& protocol) {
  CHECK(count_ < kMaxProtocols && Find(protocol.number()) == nullptr);
  protocols_[count_++] = &protocol;
}

Protocol* ProtocolTable::Find(uint32_t number) const {
  for (size_t i = 0; i < count_; ++i) {
    if (protocols_[i]->number() == number) {
      return protocols_[i];
    }
  }
  return nullptr;
}

uint64_t ProtocolTable::Serve(uint64_t rax, CallContext& context) {
  Protocol* protocol = Find(static_cast<uint32_t>(rax >> 32));
  if (protocol == nullptr) {
    return SVSM_UNSUPPORTED_PROTOCOL;
  }
  return protocol->Serve(static_cast<uint32_t>(rax), context);
}

uint64_t ProtocolTable::Query(uint32_t number, uint32_t version) const {
  const Protocol* protocol = Find(number);
  if (protocol == nullptr || version < protocol->lowest_version() ||
      version > protocol->highest_version()) {
    return 0;
  }
  return uint64_t{protocol->highest_version()} << 32 | protocol->lowest_version();
}

uint32_t SvsmResultOf(Status status) {
  switch (status) {
    case Status::kOk:
      return SVSM_SUCCESS;
    case Status::kInvalidArgument:
    case Status::kOutOfRange:
      return SVSM_INVALID_PARAMETER;
    case Status::kPermissionDenied:
      return SVSM_INVALID_ADDRESS;
    case Status::kMalformed:
      return SVSM_INVALID_FORMAT;
    case Status::kBusy:
      return SVSM_BUSY;
    default:
      return SVSM_INVALID_REQUEST;
  }
}

}  // namespace nsgx::snp
