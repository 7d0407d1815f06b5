// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/ghcb.h"

#include <algorithm>
#include <cstddef>

#include "base/core/check.h"
#include "base/core/mem_raw.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {
namespace {

static_assert(sizeof(ghcb_page) == kPageSize);

}  // namespace

Result<void> Ghcb::Initialize(volatile std::byte* page, GuestPhys address) {
  const uint64_t answer = gate_.Leave(address.raw() | GHCB_MSR_REGISTER_REQUEST);
  if (answer != (address.raw() | GHCB_MSR_REGISTER_RESPONSE)) {
    return Error(Status::kHostFault);
  }
  page_ = page;
  address_ = address;
  FillOnce(page_, std::byte{0}, kPageSize);
  return {};
}

template <typename T>
void Ghcb::Put(size_t offset, T value) {
  CopyOnce(page_ + offset, &value, sizeof(T));
}

template <typename T>
T Ghcb::Get(size_t offset) const {
  T value;
  CopyOnce(&value, page_ + offset, sizeof(T));
  return value;
}

void Ghcb::PutField(size_t offset, uint64_t value) {
  Put(offset, value);
  const size_t bit = offset / 8;
  const size_t byte = offsetof(ghcb_page, valid_bitmap) + bit / 8;
  page_[byte] = page_[byte] | std::byte{1} << (bit % 8);
}

bool Ghcb::FieldIsValid(size_t offset) const {
  const size_t bit = offset / 8;
  const std::byte byte = page_[offsetof(ghcb_page, valid_bitmap) + bit / 8];
  return (byte & std::byte{1} << (bit % 8)) != std::byte{0};
}

// Nothing of an earlier exit stays in the fields.
void Ghcb::Begin() {
  FillOnce(page_, std::byte{0}, offsetof(ghcb_page, buffer));
  Put(offsetof(ghcb_page, protocol_version), uint16_t{GHCB_VERSION});
  Put(offsetof(ghcb_page, usage), uint32_t{0});
}

Result<GhcbExit> Ghcb::Perform(const GhcbExit& exit, bool has_scratch) {
  CHECK(is_ready());
  PutField(offsetof(ghcb_page, sw_exit_code), exit.code);
  PutField(offsetof(ghcb_page, sw_exit_info_1), exit.info1);
  PutField(offsetof(ghcb_page, sw_exit_info_2), exit.info2);
  if (exit.sends_rax) {
    PutField(offsetof(ghcb_page, rax), exit.rax);
  }
  if (exit.sends_rbx) {
    PutField(offsetof(ghcb_page, rbx), exit.rbx);
  }
  if (has_scratch) {
    PutField(offsetof(ghcb_page, sw_scratch), address_.raw() + offsetof(ghcb_page, buffer));
  }
  gate_.Leave(address_.raw());
  if (!FieldIsValid(offsetof(ghcb_page, sw_exit_info_1)) ||
      static_cast<uint32_t>(Get<uint64_t>(offsetof(ghcb_page, sw_exit_info_1))) != GHCB_ANSWER_OK) {
    return Error(Status::kHostFault);
  }
  GhcbExit answer = {.code = exit.code};
  answer.info2 = FieldIsValid(offsetof(ghcb_page, sw_exit_info_2))
                     ? Get<uint64_t>(offsetof(ghcb_page, sw_exit_info_2))
                     : 0;
  answer.rax = FieldIsValid(offsetof(ghcb_page, rax)) ? Get<uint64_t>(offsetof(ghcb_page, rax)) : 0;
  answer.rbx = FieldIsValid(offsetof(ghcb_page, rbx)) ? Get<uint64_t>(offsetof(ghcb_page, rbx)) : 0;
  return answer;
}

Result<GhcbExit> Ghcb::Exit(const GhcbExit& exit) {
  Begin();
  return Perform(exit, false);
}

Result<GhcbExit> Ghcb::ExitWithBuffer(const GhcbExit& exit, std::span<std::byte> buffer,
                                      bool reads_back) {
  CHECK(buffer.size() <= GHCB_BUFFER_SIZE);
  Begin();
  CopyOnce(page_ + offsetof(ghcb_page, buffer), buffer.data(), buffer.size());
  const GhcbExit answer = TRY(Perform(exit, true));
  if (reads_back) {
    CopyOnce(buffer.data(), page_ + offsetof(ghcb_page, buffer), buffer.size());
  }
  return answer;
}

Result<void> Ghcb::WritePort8(uint16_t port, uint8_t value) {
  TRY(Exit({.code = SNP_EXIT_IOIO,
            .info1 = GHCB_IO_PORT(port) | GHCB_IO_8 | GHCB_IO_ADDRESS_64,
            .sends_rax = true,
            .rax = value}));
  return {};
}

Result<void> Ghcb::WritePort32(uint16_t port, uint32_t value) {
  TRY(Exit({.code = SNP_EXIT_IOIO,
            .info1 = GHCB_IO_PORT(port) | GHCB_IO_32 | GHCB_IO_ADDRESS_64,
            .sends_rax = true,
            .rax = value}));
  return {};
}

Result<uint8_t> Ghcb::ReadPort8(uint16_t port) {
  const GhcbExit answer =
      TRY(Exit({.code = SNP_EXIT_IOIO,
                .info1 = GHCB_IO_PORT(port) | GHCB_IO_8 | GHCB_IO_ADDRESS_64 | GHCB_IO_IN,
                .sends_rax = true,
                .rax = 0}));
  return static_cast<uint8_t>(answer.rax);
}

Result<void> Ghcb::WritePortText(uint16_t port, std::span<const std::byte> text) {
  while (!text.empty()) {
    const size_t size = std::min<size_t>(text.size(), GHCB_BUFFER_SIZE);
    std::byte copy[GHCB_BUFFER_SIZE];
    CopyOnce(copy, text.data(), size);
    TRY(ExitWithBuffer({.code = SNP_EXIT_IOIO,
                        .info1 = GHCB_IO_PORT(port) | GHCB_IO_8 | GHCB_IO_ADDRESS_64 |
                                 GHCB_IO_STRING | GHCB_IO_REP,
                        .info2 = size},
                       std::span(copy, size), false));
    text = text.subspan(size);
  }
  return {};
}

Result<void> Ghcb::ChangePageStates(GuestPhys first, size_t count, bool is_large, uint64_t state) {
  struct {
    ghcb_page_state_header header;
    uint64_t entries[kMaxPageStates];
  } request = {};
  static_assert(sizeof(request) <= GHCB_BUFFER_SIZE);
  CHECK(count != 0 && count <= kMaxPageStates);
  const uint64_t step = is_large ? kLargePageSize : kPageSize;
  for (size_t i = 0; i < count; ++i) {
    request.entries[i] =
        (first.raw() + i * step) | state << 52 | (is_large ? uint64_t{1} << 56 : 0);
  }
  const uint16_t end = static_cast<uint16_t>(count - 1);
  request.header.end = end;
  // A host may stop on the way; whether it gets on at all is its affair.
  for (size_t tries = 0; tries <= count; ++tries) {
    const GhcbExit answer = TRY(ExitWithBuffer(
        {.code = GHCB_EXIT_PAGE_STATE}, std::as_writable_bytes(std::span(&request, 1)), true));
    if (answer.info2 != 0) {
      break;
    }
    if (request.header.next > end) {
      return {};
    }
    // The rest of the request is ours, whatever the host has left in the page.
    request.header.end = end;
  }
  return Error(Status::kHostFault);
}

// A page without valid fields is no request.
void Ghcb::Disarm() {
  CHECK(is_ready());
  FillOnce(page_ + offsetof(ghcb_page, valid_bitmap), std::byte{0},
           sizeof(ghcb_page::valid_bitmap));
  gate_.Prepare(address_.raw());
}

Result<void> ChangePageStateByMsr(HostGate& gate, GuestPhys page, uint64_t state) {
  const uint64_t answer = gate.Leave(state << 52 | page.raw() | GHCB_MSR_PAGE_STATE_REQUEST);
  if (GHCB_MSR_CODE(answer) != GHCB_MSR_PAGE_STATE_RESPONSE || answer >> 32 != 0) {
    return Error(Status::kHostFault);
  }
  return {};
}

Result<void> RunVmpl(HostGate& gate, uint8_t vmpl) {
  const uint64_t answer = gate.Leave(uint64_t{vmpl} << 32 | GHCB_MSR_RUN_VMPL_REQUEST);
  if (GHCB_MSR_CODE(answer) != GHCB_MSR_RUN_VMPL_RESPONSE || answer >> 32 != 0) {
    return Error(Status::kHostFault);
  }
  return {};
}

}  // namespace nsgx::snp
