// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/seh_protocol.h"

#include <algorithm>
#include <array>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/mem_raw.h"
#include "base/core/scope_exit.h"
#include "vmpl-switch/snp/enclave/certificates.h"

namespace nsgx::snp {
namespace {

// Pages of zeros, and pages of the guest's, between two looks at what waits for the guest.
constexpr uint64_t kZeroPagesAtOnce = 64;
constexpr uint32_t kDonatedAtOnce = 32;

constexpr uint64_t kMaxCertificatesSize = 8 * kPageSize;

// What this protocol says for `status`. (The numbers are checked to agree in vmpl-switch/seh.)
uint32_t ResultOf(Status status) {
  return status == Status::kOk ? SVSM_SUCCESS
                               : SVSM_PROTOCOL_RESULT + static_cast<uint32_t>(status);
}
uint32_t ResultOf(const Result<void>& result) { return ResultOf(ToStatus(result)); }

// Holds a context's control() for a scope, if nobody else has it.
class SCOPED_CAPABILITY TryControl {
 public:
  explicit TryControl(SpinLock& lock) NO_THREAD_SAFETY_ANALYSIS : lock_(lock),
                                                                  is_held_(lock.TryLock()) {}
  ~TryControl() NO_THREAD_SAFETY_ANALYSIS {
    if (is_held_) {
      lock_.Unlock();
    }
  }
  TryControl(const TryControl&) = delete;
  TryControl& operator=(const TryControl&) = delete;
  bool is_held() const { return is_held_; }

 private:
  SpinLock& lock_;
  const bool is_held_;
};

}  // namespace

uint32_t SehProtocol::Serve(uint32_t call, CallContext& context) {
  const ScopeExit back([&] { hardware_.Activate(nullptr); });
  switch (call) {
    case NSGX_SEH_QUERY:
      return Query(context);
    case NSGX_SEH_CREATE:
      return Create(context);
    case NSGX_SEH_DONATE:
      return Donate(context);
    case NSGX_SEH_RECLAIM:
      return Reclaim(context);
    case NSGX_SEH_ADD_PAGES:
      return AddPages(context);
    case NSGX_SEH_ADD_ZERO_PAGES:
      return AddZeroPages(context);
    case NSGX_SEH_ADD_WINDOW:
      return AddWindow(context);
    case NSGX_SEH_INIT:
      return Init(context);
    case NSGX_SEH_ENTER:
      return Enter(context);
    case NSGX_SEH_DESTROY:
      return Destroy(context);
    case NSGX_SEH_INFO:
      return Info(context);
    case NSGX_SEH_CERTIFICATES:
      return Certificates(context);
    case NSGX_SEH_DEBUG_READ:
      return Debug(context, false);
    case NSGX_SEH_DEBUG_WRITE:
      return Debug(context, true);
    default:
      return SVSM_UNSUPPORTED_CALL;
  }
}

// Copies a list once.
//
// Errors: kInvalidArgument, kPermissionDenied  not a page of the guest.
//         kMalformed                           more than fit, or none; reserved bits.
Result<void> SehProtocol::ReadList(uint64_t address, List& list) const {
  if (!IsAligned(address, kPageSize)) {
    return Error(Status::kInvalidArgument);
  }
  const UntrustedBytes bytes = TRY(services_.guest.View(GuestPhys(address), kPageSize));
  struct Head {
    uint32_t count;
    uint32_t reserved;
  };
  const Head head = TRY(bytes.CopyInObject<Head>(0));
  if (head.count == 0 || head.count > NSGX_SEH_LIST_PAGES || head.reserved != 0) {
    return Error(Status::kMalformed);
  }
  list.count = head.count;
  return bytes.CopyIn(offsetof(nsgx_seh_list, pages),
                      std::as_writable_bytes(std::span(list.pages).first(list.count)));
}

// Fills `to` from the pages of the list. Errors: as GuestPages::CheckGuestBytes; kOutOfRange  they
// are too few.
Result<void> SehProtocol::CopyPages(const List& list, std::span<std::byte> to) const {
  for (uint32_t i = 0; !to.empty(); ++i) {
    if (i == list.count) {
      return Error(Status::kOutOfRange);
    }
    if (!IsAligned(list.pages[i], kPageSize)) {
      return Error(Status::kInvalidArgument);
    }
    const size_t size = std::min<size_t>(to.size(), kPageSize);
    TRY(services_.guest.CopyIn(GuestPhys(list.pages[i]), to.first(size)));
    to = to.subspan(size);
  }
  return {};
}

// Calls body(EnclaveContext&) for the enclave in rcx, with its control held. From here on rcx is 0:
// nothing is done yet.
template <typename Body>
uint32_t SehProtocol::WithEnclave(CallContext& context, Body&& body) {
  const uint64_t wanted = context.registers.rcx;
  context.registers.rcx = 0;
  const uint32_t number = static_cast<uint32_t>(wanted);
  if (wanted != number) {
    return ResultOf(Status::kNotFound);
  }
  const Result<EnclaveContext*> found = enclaves_.Find(number);
  if (!found.ok()) {
    return ResultOf(found.error());
  }
  EnclaveContext& enclave = *found.value();
  const TryControl control(enclave.control());
  if (!control.is_held()) {
    return ResultOf(Status::kBusy);
  }
  // It may have ended, and another one begun, before we had it.
  const Result<EnclaveContext*> again = enclaves_.Find(number);
  if (!again.ok()) {
    return ResultOf(again.error());
  }
  return body(enclave);
}

// Calls body(index, page) for the pages of a list, and says in rcx for how many it succeeded. Stops
// at the first failure, and when something waits for the guest.
template <typename Body>
uint32_t SehProtocol::ForEachPage(CallContext& context, uint64_t list_address, Body&& body) {
  List list;
  const Result<void> read = ReadList(list_address, list);
  if (!read.ok()) {
    return SvsmResultOf(read.error());
  }
  for (uint32_t i = 0; i < list.count; ++i) {
    if (i != 0 && hardware_.EventPending()) {
      return SVSM_INCOMPLETE;
    }
    const Result<void> done = IsAligned(list.pages[i], kPageSize)
                                  ? body(i, GuestPhys(list.pages[i]))
                                  : Result<void>(Error(Status::kInvalidArgument));
    if (!done.ok()) {
      return ResultOf(done);
    }
    context.registers.rcx = i + 1;
  }
  return SVSM_SUCCESS;
}

uint32_t SehProtocol::Query(CallContext& context) {
  context.registers.rcx = NSGX_SEH_VERSION;
  context.registers.rdx = enclaves_.count();
  context.registers.r8 = EnclaveTable::kMaxEnclaves;
  context.registers.r9 = enclaves_.pages();
  return SVSM_SUCCESS;
}

uint32_t SehProtocol::Create(CallContext& context) {
  const uint64_t address = context.registers.rcx;
  context.registers.rcx = 0;
  const Result<nsgx_seh_create> request =
      services_.guest.ReadObject<nsgx_seh_create>(GuestPhys(address));
  if (!request.ok()) {
    return SvsmResultOf(request.error());
  }
  const nsgx_seh_create& create = request.value();
  if (create.config_size == 0 || create.config_size > NSGX_CONFIG_MAX_SIZE ||
      !IsAligned(uint64_t{create.config_size}, kPageSize)) {
    return ResultOf(Status::kInvalidArgument);
  }
  List list;
  list.count = static_cast<uint32_t>(create.config_size / kPageSize);
  static_assert(NSGX_CONFIG_MAX_SIZE / kPageSize == std::size(nsgx_seh_create{}.config));
  std::copy_n(create.config, list.count, list.pages);

  SpinLockGuard guard(scratch_lock_);
  const std::span<std::byte> config = scratch_.first(create.config_size);
  const Result<void> copied = CopyPages(list, config);
  if (!copied.ok()) {
    return SvsmResultOf(copied.error());
  }
  const Result<uint32_t> number = enclaves_.Begin({.config_offset = create.config_offset,
                                                   .image_size = create.image_size,
                                                   .entry = create.entry,
                                                   .vcpus = create.vcpus,
                                                   .config_size = create.config_size,
                                                   .window_size = create.window_size},
                                                  config);
  if (!number.ok()) {
    return ResultOf(number.error());
  }
  context.registers.rcx = number.value();
  return SVSM_SUCCESS;
}

uint32_t SehProtocol::Donate(CallContext& context) {
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS -> uint32_t {
    List list;
    const Result<void> read = ReadList(context.registers.rdx, list);
    if (!read.ok()) {
      return SvsmResultOf(read.error());
    }
    uint32_t done = 0;
    while (done < list.count) {
      if (done != 0 && hardware_.EventPending()) {
        return SVSM_INCOMPLETE;
      }
      std::array<GuestPhys, kDonatedAtOnce> pages;
      const uint32_t now = std::min<uint32_t>(list.count - done, kDonatedAtOnce);
      std::transform(list.pages + done, list.pages + done + now, pages.begin(),
                     [](uint64_t page) { return GuestPhys(page); });
      size_t taken = 0;
      const Result<void> donated = enclave.Donate(std::span(pages).first(now), &taken);
      done += static_cast<uint32_t>(taken);
      context.registers.rcx = done;
      if (!donated.ok()) {
        return ResultOf(donated);
      }
    }
    return SVSM_SUCCESS;
  });
}

uint32_t SehProtocol::Reclaim(CallContext& context) {
  const uint32_t number = static_cast<uint32_t>(context.registers.rcx);
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS -> uint32_t {
    const uint64_t address = context.registers.rdx;
    // Looked at before anything is given back, so that the guest learns of each page.
    const Result<UntrustedBytes> view =
        IsAligned(address, kPageSize) ? services_.guest.View(GuestPhys(address), kPageSize)
                                      : Result<UntrustedBytes>(Error(Status::kInvalidArgument));
    if (!view.ok()) {
      return SvsmResultOf(view.error());
    }
    uint32_t count = 0;
    while (count < NSGX_SEH_LIST_PAGES && !(count != 0 && hardware_.EventPending())) {
      const Result<GuestPhys> page = enclave.GiveBack();
      if (!page.ok()) {
        if (page.error() == Status::kNotFound) {
          break;
        }
        continue;  // the host has spoilt it; nobody gets it any more
      }
      view.value()
          .CopyOutObject(offsetof(nsgx_seh_list, pages) + count * sizeof(uint64_t),
                         page.value().raw())
          .value();
      ++count;
    }
    view.value().CopyOutObject(offsetof(nsgx_seh_list, count), count).value();
    context.registers.rcx = count;
    if (count == 0) {
      // If it is destroyed this was the last of it; if not, it goes on.
      static_cast<void>(enclaves_.End(number, enclave).ok());
    }
    return SVSM_SUCCESS;
  });
}

uint32_t SehProtocol::AddPages(CallContext& context) {
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS -> uint32_t {
    const uint64_t offset = context.registers.rdx;
    const uint64_t permissions = context.registers.r8;
    if (permissions >> 32 != 0 || offset > NSGX_MAX_ADDRESS_RANGE) {
      return ResultOf(Status::kInvalidArgument);
    }
    return ForEachPage(
        context, context.registers.r9, [&](uint32_t i, GuestPhys page) NO_THREAD_SAFETY_ANALYSIS {
          return enclave.AddPage(offset + i * kPageSize, static_cast<uint32_t>(permissions), page);
        });
  });
}

uint32_t SehProtocol::AddZeroPages(CallContext& context) {
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS -> uint32_t {
    const uint64_t offset = context.registers.rdx;
    const uint64_t permissions = context.registers.r8;
    const uint64_t count = context.registers.r9;
    if (permissions >> 32 != 0 || offset > NSGX_MAX_ADDRESS_RANGE ||
        count > NSGX_MAX_ADDRESS_RANGE / kPageSize || count == 0) {
      return ResultOf(Status::kInvalidArgument);
    }
    uint64_t done = 0;
    while (done < count) {
      if (done != 0 && hardware_.EventPending()) {
        return SVSM_INCOMPLETE;
      }
      const uint64_t now = std::min(count - done, kZeroPagesAtOnce);
      const Result<void> added =
          enclave.AddZeroPages(offset + done * kPageSize, static_cast<uint32_t>(permissions), now);
      if (!added.ok()) {
        return ResultOf(added);
      }
      done += now;
      context.registers.rcx = done;
    }
    return SVSM_SUCCESS;
  });
}

uint32_t SehProtocol::AddWindow(CallContext& context) {
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS -> uint32_t {
    const uint64_t first = context.registers.r8;
    if (first > NSGX_MAX_ADDRESS_RANGE) {
      return ResultOf(Status::kOutOfRange);
    }
    return ForEachPage(context, context.registers.rdx,
                       [&](uint32_t i, GuestPhys page) NO_THREAD_SAFETY_ANALYSIS {
                         return enclave.AddWindow(first + i, page);
                       });
  });
}

uint32_t SehProtocol::Init(CallContext& context) {
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS -> uint32_t {
    const uint64_t args_size = context.registers.r8;
    if (args_size > NSGX_ARGS_MAX_SIZE) {
      return ResultOf(Status::kMalformed);
    }
    List list;
    const Result<void> read = ReadList(context.registers.rdx, list);
    if (!read.ok()) {
      return SvsmResultOf(read.error());
    }
    SpinLockGuard guard(scratch_lock_);
    const std::span<std::byte> bytes = scratch_.first(sizeof(nsgx_signature) + args_size);
    const Result<void> copied = CopyPages(list, bytes);
    if (!copied.ok()) {
      return SvsmResultOf(copied.error());
    }
    return ResultOf(
        enclave.Init(bytes.first(sizeof(nsgx_signature)), bytes.subspan(sizeof(nsgx_signature))));
  });
}

// Not under control: slots run side by side.
uint32_t SehProtocol::Enter(CallContext& context) {
  const uint32_t number = static_cast<uint32_t>(context.registers.rcx);
  const uint32_t slot = static_cast<uint32_t>(context.registers.rcx >> 32);
  const uint64_t answer = context.registers.rdx;
  const uint64_t flags = context.registers.r8;
  if ((flags & ~uint64_t{NSGX_SEH_ENTER_TICK}) != 0) {
    return ResultOf(Status::kInvalidArgument);
  }
  const Result<EnclaveContext*> enclave = enclaves_.Find(number);
  if (!enclave.ok()) {
    return ResultOf(enclave.error());
  }
  const Result<nsgx_seh_exit> exit =
      enclave.value()->Enter(slot, answer, (flags & NSGX_SEH_ENTER_TICK) != 0);
  if (!exit.ok()) {
    return ResultOf(exit.error());
  }
  // The calling area is a page of the guest as long as the call lasts.
  const Result<void> written = services_.guest.WriteObject(
      context.calling_area + offsetof(svsm_calling_area, buffer), exit.value());
  if (!written.ok()) {
    return SvsmResultOf(written.error());
  }
  context.registers.rcx = exit.value().reason;
  return SVSM_SUCCESS;
}

uint32_t SehProtocol::Destroy(CallContext& context) {
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS {
    return ResultOf(enclave.Destroy());
  });
}

uint32_t SehProtocol::Info(CallContext& context) {
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS -> uint32_t {
    if (!IsAligned(context.registers.rdx, kPageSize)) {
      return SVSM_INVALID_PARAMETER;
    }
    nsgx_seh_info info;
    enclave.FillInfo(info);
    const Result<void> written =
        services_.guest.WriteObject(GuestPhys(context.registers.rdx), info);
    return written.ok() ? SVSM_SUCCESS : SvsmResultOf(written.error());
  });
}

uint32_t SehProtocol::Certificates(CallContext& context) {
  const uint64_t address = context.registers.rcx;
  context.registers.rcx = 0;
  List list;
  const Result<void> read = ReadList(address, list);
  if (!read.ok()) {
    return SvsmResultOf(read.error());
  }
  SpinLockGuard guard(scratch_lock_);
  const std::span<std::byte> table = scratch_.first(kMaxCertificatesSize);
  const std::span<std::byte> out = scratch_.subspan(kMaxCertificatesSize, kMaxCertificatesSize);
  // What the host leaves out is nothing.
  FillOnce(table.data(), std::byte{0}, table.size());
  // The certificates come with a report; this one is nobody's.
  const std::array<std::byte, 64> report_data = {};
  std::array<std::byte, SNP_REPORT_SIZE> report;
  uint64_t wanted = 0;
  const Result<void> fetched =
      services_.messages.ReportWithCertificates(report_data, report, table, &wanted);
  if (!fetched.ok()) {
    return ResultOf(fetched);
  }
  const Result<size_t> size = ArrangeCertificates(table, out);
  if (!size.ok()) {
    return ResultOf(size.error());
  }
  if (size.value() > uint64_t{list.count} * kPageSize) {
    return ResultOf(Status::kOutOfRange);
  }
  for (size_t done = 0; done < size.value(); done += kPageSize) {
    const size_t now = std::min<size_t>(size.value() - done, kPageSize);
    const Result<void> written =
        services_.guest.CopyOut(GuestPhys(list.pages[done / kPageSize]), out.subspan(done, now));
    if (!written.ok()) {
      return SvsmResultOf(written.error());
    }
  }
  context.registers.rcx = size.value();
  return SVSM_SUCCESS;
}

uint32_t SehProtocol::Debug(CallContext& context, bool is_write) {
  return WithEnclave(context, [&](EnclaveContext& enclave) NO_THREAD_SAFETY_ANALYSIS -> uint32_t {
    const EnclaveVirt address(context.registers.rdx);
    const uint64_t page = context.registers.r8;
    const uint64_t size = context.registers.r9;
    if (size == 0 || size > kPageSize || !IsAligned(page, kPageSize)) {
      return SVSM_INVALID_PARAMETER;
    }
    std::array<std::byte, kPageSize> buffer;
    const std::span<std::byte> bytes = std::span(buffer).first(size);
    if (is_write) {
      const Result<void> read = services_.guest.CopyIn(GuestPhys(page), bytes);
      return read.ok() ? ResultOf(enclave.DebugWrite(address, bytes)) : SvsmResultOf(read.error());
    }
    const Result<void> read = enclave.DebugRead(address, bytes);
    if (!read.ok()) {
      return ResultOf(read);
    }
    const Result<void> written = services_.guest.CopyOut(GuestPhys(page), bytes);
    return written.ok() ? SVSM_SUCCESS : SvsmResultOf(written.error());
  });
}

}  // namespace nsgx::snp
