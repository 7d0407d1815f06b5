// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/message_transport.h"

#include "base/core/addr.h"
#include "base/core/check.h"
#include "base/core/mem_raw.h"
#include "vmpl-switch/snp/cpu/per_cpu.h"

namespace nsgx::snp {

void GhcbTransport::Initialize(volatile std::byte* buffer, GuestPhys address) {
  buffer_ = buffer;
  address_ = address;
}

Result<MessageTransport::Answer> GhcbTransport::Exchange(std::span<const std::byte, 4096> request,
                                                         std::span<std::byte, 4096> response,
                                                         std::span<std::byte> certificates) {
  CHECK(buffer_ != nullptr && certificates.size() % kPageSize == 0);
  if (certificates.size() > kCertificatePages * kPageSize) {
    return Error(Status::kOutOfRange);
  }
  volatile std::byte* certificate_pages = buffer_ + 2 * kPageSize;
  CopyOnce(buffer_, request.data(), kPageSize);
  FillOnce(buffer_ + kPageSize, std::byte{0}, (1 + kCertificatePages) * kPageSize);
  GhcbExit exit = {.code = GHCB_EXIT_GUEST_REQUEST,
                   .info1 = address_.raw(),
                   .info2 = address_.raw() + kPageSize};
  if (!certificates.empty()) {
    exit.code = GHCB_EXIT_EXTENDED_GUEST_REQUEST;
    exit.sends_rax = true;
    exit.sends_rbx = true;
    exit.rax = address_.raw() + 2 * kPageSize;
    exit.rbx = certificates.size() >> kPageShift;
  }
  const GhcbExit answer = TRY(ThisCpu().ghcb->Exit(exit));
  CopyOnce(response.data(), buffer_ + kPageSize, kPageSize);
  CopyOnce(certificates.data(), certificate_pages, certificates.size());
  return Answer{answer.info2, answer.rbx};
}

}  // namespace nsgx::snp
