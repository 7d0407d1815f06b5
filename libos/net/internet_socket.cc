// SPDX-License-Identifier: Apache-2.0
#include "libos/net/internet_socket.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/core/addr.h"
#include "base/core/scope_exit.h"
#include "libos/kernel/socket_wait.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/kernel_heap.h"
#include "libos/net/internet_option.h"
#include "libos/net/sleep.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kWritable = kPOLLOUT | kPOLLWRNORM;
constexpr uint32_t kBroken = kPOLLERR | kPOLLHUP;
constexpr uint32_t kAnything = kPOLLIN | kPOLLPRI | kPOLLOUT | kPOLLRDHUP | kBroken;

constexpr uint32_t kKnownSendFlags = kMSG_DONTROUTE | kMSG_DONTWAIT | kMSG_EOR | kMSG_CONFIRM |
                                     kMSG_NOSIGNAL | kMSG_MORE | kMSG_CMSG_CLOEXEC;
// Streams are moved in pieces of up to this size.
constexpr size_t kPiece = 65536;
constexpr size_t kSmallPiece = 1024;

// Grows with everything done that may make something ready on another socket of this program.
constinit std::atomic<uint64_t> activity{1};

// The larger memory of a Piece that nobody uses now: allocating it each time costs more than a
// small transfer. Null: in use, or never made.
constinit std::atomic<std::byte*> spare_pages{nullptr};
constexpr size_t kPiecePages = kPiece / kPageSize;

// Where data lie on their way between the program and the host's window: small ones on the stack.
class Piece {
 public:
  Piece() = default;
  ~Piece() {
    if (pages_ != nullptr) {
      Free(spare_pages.exchange(pages_));
    }
  }
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;

  // Room for `size` bytes, at most kPiece. ENOMEM.
  Result<std::span<std::byte>, Errno> Make(size_t size) {
    if (size <= sizeof(small_)) {
      return std::span(small_, size);
    }
    pages_ = spare_pages.exchange(nullptr);
    if (pages_ == nullptr) {
      pages_ = KernelAllocatePages(kPiecePages, PageContents::kAny);
    }
    if (pages_ == nullptr) {
      return Error(Errno::kENOMEM);
    }
    return std::span(pages_, size);
  }

  static void Free(std::byte* pages) {
    if (pages != nullptr) {
      KernelFreePages(pages, kPiecePages);
    }
  }

 private:
  std::byte small_[kSmallPiece];
  std::byte* pages_ = nullptr;
};

// The address that the program gave, in the host's form. EINVAL: too short. EAFNOSUPPORT.
Result<host::SocketName, Errno> NameOf(const SocketAddress& address, int32_t domain) {
  host::SocketName name = {};
  if (domain == kAF_INET) {
    if (address.size < sizeof(LinuxSockaddrIn)) {
      return Error(Errno::kEINVAL);
    }
    if (address.family() != kAF_INET) {
      return Error(Errno::kEAFNOSUPPORT);
    }
    // What lies behind the address is not the host's business.
    name.size = sizeof(LinuxSockaddrIn);
    std::memcpy(name.bytes.data(), address.bytes, offsetof(LinuxSockaddrIn, sin_zero));
    return name;
  }
  if (address.size < sizeof(uint16_t)) {
    return Error(Errno::kEINVAL);
  }
  if (address.family() != kAF_INET6) {
    return Error(Errno::kEAFNOSUPPORT);
  }
  if (address.size < kSockaddrIn6MinimumSize) {
    return Error(Errno::kEINVAL);
  }
  name.size = sizeof(LinuxSockaddrIn6);
  std::memcpy(name.bytes.data(), address.bytes, std::min<size_t>(address.size, name.size));
  return name;
}

void ToProgram(const host::SocketName& name, SocketAddress& out) {
  out.size = name.size;
  std::memcpy(out.bytes, name.bytes.data(), name.size);
}

Result<Ref<Socket>, Errno> MakeInternetSocket(int32_t domain, int32_t type, int32_t protocol) {
  if (type != kSOCK_STREAM && type != kSOCK_DGRAM) {
    // Raw packets are for root of a real machine; root of an enclave is nobody outside.
    return Error(type == kSOCK_RAW ? Errno::kEPERM : Errno::kESOCKTNOSUPPORT);
  }
  const int32_t wanted = type == kSOCK_STREAM ? kIPPROTO_TCP : kIPPROTO_UDP;
  if (protocol != 0 && protocol != wanted) {
    return Error(Errno::kEPROTONOSUPPORT);
  }
  Ref<InternetSocket> socket =
      Ref<InternetSocket>::Adopt(TRY(New<InternetSocket>(domain, type, wanted)));
  TRY(socket->MakeInHost());
  return Ref<Socket>(std::move(socket));
}

}  // namespace

void FreeSparePages() { Piece::Free(spare_pages.exchange(nullptr)); }

Result<Ref<Socket>, Errno> MakeIpv4Socket(int32_t type, int32_t protocol) {
  return MakeInternetSocket(kAF_INET, type, protocol);
}
Result<Ref<Socket>, Errno> MakeIpv6Socket(int32_t type, int32_t protocol) {
  return MakeInternetSocket(kAF_INET6, type, protocol);
}

// ---- life
// --------------------------------------------------------------------------------------------

Result<void, Errno> InternetSocket::MakeInHost() {
  const uint32_t number = TRY(AddHostSocket(*this));
  {
    SpinLockGuard guard(state_lock_);
    // As Linux has it: a stream without a connection is hung up.
    ready_ = is_datagram() ? kPOLLOUT : kPOLLOUT | kPOLLHUP;
  }
  auto created = host::SocketCreate(number, is_datagram(), is_ipv6());
  if (!created.ok()) {
    RemoveHostSocket(number);
    FreeHostSocketNumber(number);
    return created;
  }
  number_ = number;
  return {};
}

void InternetSocket::CloseInHost() {
  if (number_ != kNoNumber) {
    const uint32_t number = std::exchange(number_, kNoNumber);
    RemoveHostSocket(number);
    host::SocketClose(number, false);
    FreeHostSocketNumber(number);
    activity.fetch_add(1, std::memory_order_relaxed);
  }
}

void InternetSocket::Closed(File&) {
  CloseInHost();
  Ref<InternetSocket> unused;
  SpinLockGuard guard(spare_lock_);
  unused = std::move(spare_);
}

InternetSocket::~InternetSocket() { CloseInHost(); }
void InternetSocket::Destroy() { Delete(this); }

// ---- readiness
// ---------------------------------------------------------------------------------------

constinit const InternetSocket::Direction InternetSocket::kIncoming = {
    .events = kPOLLIN | kPOLLRDHUP | kBroken,
    .disproved = kPOLLIN | kPOLLRDHUP | kBroken,
    .sleepers = &InternetSocket::receivers_};
constinit const InternetSocket::Direction InternetSocket::kOutgoing = {
    .events = kPOLLOUT | kBroken,
    .disproved = kPOLLOUT | kBroken,
    .sleepers = &InternetSocket::senders_};

void InternetSocket::OnHostEvents(uint32_t events, uint64_t wait) {
  SpinLockGuard guard(state_lock_);
  ++events_;
  if (found_at_ >= wait) {
    // What was found while that call was on its way may be newer than what the call says.
    unsure_ |= events;
  }
  const uint32_t news = (events & ~ready_) | (events & (kPOLLIN | kPOLLPRI));
  // Of these two it is known when they end; the others are what the host says now.
  ready_ = (ready_ & (kPOLLIN | kPOLLOUT)) | events;
  if ((events & kIncoming.events) != 0) {
    receivers_.Wake(1);
  }
  if ((events & kOutgoing.events) != 0) {
    senders_.Wake(1);
  }
  if (news != 0) {
    observers_.Notify(news | ((news & kPOLLIN) != 0 ? kReadable : 0) |
                      ((news & kPOLLOUT) != 0 ? kWritable : 0));
  }
}

uint64_t InternetSocket::events_seen() {
  SpinLockGuard guard(state_lock_);
  return events_;
}

void InternetSocket::NoteNotReady(uint32_t bits, uint64_t seen) {
  SpinLockGuard guard(state_lock_);
  if (events_ == seen) {
    ready_ &= ~bits;
    unsure_ &= ~bits;
    found_at_ = LastSocketWait();
  } else {
    unsure_ |= bits;
  }
}

void InternetSocket::NoteUnsure(uint32_t bits) {
  SpinLockGuard guard(state_lock_);
  unsure_ |= bits;
}

void InternetSocket::NoteState(uint32_t ready, uint64_t seen) {
  SpinLockGuard guard(state_lock_);
  if (events_ == seen) {
    ready_ = ready;
    unsure_ = 0;
    found_at_ = LastSocketWait();
  } else {
    ready_ |= ready;
    unsure_ = kAnything;
  }
}

void InternetSocket::NoteConnected(bool is_connected, uint64_t seen) {
  SpinLockGuard guard(state_lock_);
  if (!is_connected || events_ != seen) {
    unsure_ = kAnything;
  } else {
    // It was broken while it had no connection, and is not now.
    ready_ &= ~kBroken;
    unsure_ &= ~kBroken;
    found_at_ = LastSocketWait();
  }
  // Data may have come with the connection, and have been told before that was: so nothing is taken
  // back of what can be read.
  ready_ |= kPOLLOUT;
}

void InternetSocket::PassOn(const Direction& direction) {
  SpinLockGuard guard(state_lock_);
  WaitQueue& sleepers = this->*direction.sleepers;
  if (((ready_ | unsure_) & direction.events) != 0 && !sleepers.is_empty()) {
    sleepers.Wake(1);
  }
}

Result<void, Errno> InternetSocket::WaitFor(const Direction& direction, Deadline deadline) {
  // From here on, somebody asks the host.
  AddSocketWaiter();
  ScopeExit remove([] { RemoveSocketWaiter(); });
  state_lock_.Lock();
  if (((ready_ | unsure_) & direction.events) != 0) {
    state_lock_.Unlock();
    return {};
  }
  return SleepUntil(this->*direction.sleepers, state_lock_, deadline);
}

template <typename Attempt>
auto InternetSocket::Retry(const Direction& direction, Deadline deadline, Attempt attempt)
    -> decltype(attempt(uint64_t{})) {
  while (true) {
    uint64_t seen;
    bool may_be_ready;
    {
      SpinLockGuard guard(state_lock_);
      seen = events_;
      may_be_ready = ((ready_ | unsure_) & direction.events) != 0;
    }
    // Who does not want to wait is told what the host says now; for others, what is known will do.
    if (may_be_ready || deadline == 0) {
      auto result = attempt(seen);
      if (result.ok() || result.error() != Errno::kEAGAIN) {
        if (!result.ok()) {
          // An error is told once, and what stood for it ends with it.
          NoteUnsure(kAnything);
        }
        PassOn(direction);
        return result;
      }
      NoteNotReady(direction.disproved, seen);
      if (deadline == 0) {
        return Error(Errno::kEAGAIN);
      }
    }
    auto woken = WaitFor(direction, deadline);
    if (!woken.ok()) {
      PassOn(direction);
      return Error(woken.error());
    }
  }
}

uint32_t InternetSocket::Poll(File&, Observer* observer) {
  bool is_first = false;
  uint64_t seen;
  bool ask;
  {
    SpinLockGuard guard(state_lock_);
    if (observer != nullptr) {
      is_first = observers_.is_empty();
      observers_.Add(*observer);
    }
    seen = events_;
    ask = unsure_ != 0;
  }
  if (is_first) {
    AddSocketWaiter();
  }
  if (ask && number_ != kNoNumber) {
    const auto now = host::SocketPoll(number_);
    if (now.ok()) {
      NoteState(now.value(), seen);
    }
  }
  SpinLockGuard guard(state_lock_);
  return ready_ | ((ready_ & kPOLLIN) != 0 ? kReadable : 0) |
         ((ready_ & kPOLLOUT) != 0 ? kWritable : 0);
}

void InternetSocket::Unobserve(File&, Observer& observer) {
  bool was_last;
  {
    SpinLockGuard guard(state_lock_);
    const bool was_empty = observers_.is_empty();
    observers_.Remove(observer);
    was_last = !was_empty && observers_.is_empty();
  }
  if (was_last) {
    RemoveSocketWaiter();
  }
}

// ---- connections
// -------------------------------------------------------------------------------------

Result<void, Errno> InternetSocket::Bind(const SocketAddress& address) {
  SocketAddress wanted = address;
  // As Linux: the family may be missing if the address is "any".
  if (domain() == kAF_INET && address.size >= sizeof(LinuxSockaddrIn) &&
      address.family() == kAF_UNSPEC) {
    LinuxSockaddrIn any;
    std::memcpy(&any, address.bytes, sizeof(any));
    if (std::ranges::any_of(any.sin_addr, [](uint8_t byte) { return byte != 0; })) {
      return Error(Errno::kEAFNOSUPPORT);
    }
    any.sin_family = kAF_INET;
    std::memcpy(wanted.bytes, &any, sizeof(any));
  }
  return host::SocketBind(number_, TRY(NameOf(wanted, domain())));
}

Result<void, Errno> InternetSocket::Connect(const SocketAddress& address, bool wait) {
  if (address.size < sizeof(uint16_t)) {
    return Error(Errno::kEINVAL);
  }
  host::SocketName name = {};
  if (address.family() != kAF_UNSPEC) {
    name = TRY(NameOf(address, domain()));
  }
  const Deadline deadline = SendDeadline(wait);
  while (true) {
    const uint64_t seen = events_seen();
    activity.fetch_add(1, std::memory_order_relaxed);
    auto connected = host::SocketConnect(number_, name);
    if (connected.ok()) {
      NoteConnected(name.size != 0, seen);
      return {};
    }
    const Errno error = connected.error();
    if (error != Errno::kEINPROGRESS && error != Errno::kEALREADY) {
      NoteUnsure(kAnything);
      return Error(error);
    }
    // What was known of the socket without a connection is over.
    NoteNotReady(kOutgoing.disproved, seen);
    if (!wait) {
      return Error(error);
    }
    auto woken = WaitFor(kOutgoing, deadline);
    if (!woken.ok()) {
      return Error(woken.error() == Errno::kEAGAIN ? error : woken.error());
    }
  }
}

Result<void, Errno> InternetSocket::Listen(int32_t backlog) {
  if (is_datagram()) {
    return Error(Errno::kEOPNOTSUPP);
  }
  const uint64_t seen = events_seen();
  TRY(host::SocketListen(number_, static_cast<uint32_t>(backlog)));
  bool was_listening;
  {
    SpinLockGuard guard(state_lock_);
    was_listening = std::exchange(is_listening_, true);
  }
  if (!was_listening) {
    NoteState(0, seen);
  }
  return {};
}

bool InternetSocket::is_listening() const {
  SpinLockGuard guard(state_lock_);
  return is_listening_;
}

Result<Ref<Socket>, Errno> InternetSocket::Accept(bool wait, SocketAddress& peer) {
  if (is_datagram()) {
    return Error(Errno::kEOPNOTSUPP);
  }
  if (!is_listening()) {
    return Error(Errno::kEINVAL);
  }
  Ref<InternetSocket> accepted;
  {
    SpinLockGuard guard(spare_lock_);
    accepted = std::move(spare_);
  }
  if (!accepted) {
    accepted = Ref<InternetSocket>::Adopt(TRY(New<InternetSocket>(domain(), type(), protocol())));
  }
  // Its number is known before the host has it, so that no event is missed.
  const uint32_t number = TRY(AddHostSocket(*accepted));
  const auto connection = Retry(kIncoming, ReceiveDeadline(wait), [&](uint64_t seen) {
    auto result = host::SocketAccept(number_, number, is_ipv6());
    if (result.ok()) {
      NoteMore(result.value().more, seen);
    }
    return result;
  });
  if (!connection.ok()) {
    RemoveHostSocket(number);
    FreeHostSocketNumber(number);
    Ref<InternetSocket> unused;
    SpinLockGuard guard(spare_lock_);
    unused = std::exchange(spare_, std::move(accepted));
    return Error(connection.error());
  }
  accepted->number_ = number;
  // The host's socket has the other options.
  accepted->InheritTimeouts(*this);
  {
    SpinLockGuard guard(accepted->state_lock_);
    accepted->ready_ |= connection.value().events;
  }
  ToProgram(connection.value().peer, peer);
  return Ref<Socket>(std::move(accepted));
}

Result<void, Errno> InternetSocket::Shutdown(int32_t how) {
  activity.fetch_add(1, std::memory_order_relaxed);
  TRY(host::SocketShutdown(number_, static_cast<uint32_t>(how)));
  // Threads that wait for what will not come any more go on and find out.
  SpinLockGuard guard(state_lock_);
  unsure_ = kAnything;
  ready_ |= how != kSHUT_WR ? kPOLLIN | kPOLLRDHUP : 0;
  receivers_.WakeAll();
  senders_.WakeAll();
  observers_.Notify(kReadable | kWritable | kPOLLRDHUP | kPOLLHUP);
  return {};
}

Result<void, Errno> InternetSocket::GetName(SocketAddress& out) {
  ToProgram(TRY(host::SocketGetName(number_, host::SocketSide::kOwn, is_ipv6())), out);
  return {};
}

Result<void, Errno> InternetSocket::GetPeer(SocketAddress& out) {
  ToProgram(TRY(host::SocketGetName(number_, host::SocketSide::kPeer, is_ipv6())), out);
  return {};
}

int32_t InternetSocket::TakeError() {
  constexpr uint64_t kLastErrno = 133;
  const auto error = host::SocketGetOption(number_, host::SocketOption::kError);
  NoteUnsure(kAnything);
  return error.ok() && error.value() <= kLastErrno ? static_cast<int32_t>(error.value())
                                                   : static_cast<int32_t>(Errno::kEIO);
}

// ---- data
// --------------------------------------------------------------------------------------------

Result<size_t, Errno> InternetSocket::Send(IoBuffer& from, const SendRequest& request) {
  if ((request.flags & ~kKnownSendFlags) != 0) {
    return Error(Errno::kEOPNOTSUPP);
  }
  if (!request.control.empty()) {
    // What Linux has here (IP_PKTINFO, TOS, ...) would tell the host what it decides anyhow.
    ControlMessageReader reader(request.control);
    ControlMessage message;
    if (TRY(reader.Next(message))) {
      return Error(Errno::kEINVAL);
    }
  }
  activity.fetch_add(1, std::memory_order_relaxed);
  return is_datagram() ? SendDatagram(from, request) : SendStream(from, request);
}

Result<size_t, Errno> InternetSocket::SendStream(IoBuffer& from, const SendRequest& request) {
  const Deadline deadline = SendDeadline(request.wait);
  const bool more = (request.flags & kMSG_MORE) != 0;
  // What is ours already, as when a file is sent, needs no copy.
  const bool is_own = from.remaining() != 0 && !from.OwnMemory(1).empty();
  Piece piece;
  const std::span<std::byte> room =
      is_own ? std::span<std::byte>() : TRY(piece.Make(std::min(from.remaining(), kPiece)));
  size_t done = 0;
  while (from.remaining() != 0) {
    std::span<const std::byte> data;
    if (is_own) {
      data = from.OwnMemory(std::min(from.remaining(), kPiece));
      from.Skip(data.size());
    } else {
      data = room.first(from.Take(room.first(std::min(room.size(), from.remaining()))));
    }
    const bool is_last = from.remaining() == 0 || from.faulted();
    while (!data.empty()) {
      const auto sent = Retry(kOutgoing, deadline, [&](uint64_t seen) {
        auto result = host::SocketSend(number_, data, more || !is_last);
        if (result.ok() && result.value() < data.size()) {
          // The host has no more room now, and tells when it has.
          NoteNotReady(kPOLLOUT, seen);
        }
        return result;
      });
      if (!sent.ok()) {
        if (done != 0) {
          return done;
        }
        return Error(sent.error());
      }
      done += sent.value();
      data = data.subspan(sent.value());
    }
    if (from.faulted()) {
      break;
    }
  }
  return from.Outcome(done);
}

Result<size_t, Errno> InternetSocket::SendDatagram(IoBuffer& from, const SendRequest& request) {
  if (from.remaining() > host::kMaxDatagram) {
    return Error(Errno::kEMSGSIZE);
  }
  host::SocketName to = {};
  if (request.to != nullptr) {
    SocketAddress address = *request.to;
    if (domain() == kAF_INET && address.size >= sizeof(LinuxSockaddrIn) &&
        address.family() == kAF_UNSPEC) {
      // As Linux: old programs leave the family out.
      const uint16_t family = kAF_INET;
      std::memcpy(address.bytes, &family, sizeof(family));
    }
    to = TRY(NameOf(address, domain()));
  }
  Piece piece;
  const std::span<std::byte> data = TRY(piece.Make(from.remaining()));
  if (from.Take(data) < data.size()) {
    return Error(Errno::kEFAULT);
  }
  return Retry(kOutgoing, SendDeadline(request.wait), [&](uint64_t) {
    return to.size == 0 ? host::SocketSend(number_, data, false)
                        : host::SocketSendTo(number_, data, to);
  });
}

Result<size_t, Errno> InternetSocket::Receive(IoBuffer& to, ReceiveRequest& request) {
  if ((request.flags & kMSG_ERRQUEUE) != 0) {
    return Error(Errno::kEAGAIN);
  }
  if ((request.flags & kMSG_OOB) != 0) {
    return Error(is_datagram() ? Errno::kEOPNOTSUPP : Errno::kEINVAL);
  }
  return is_datagram() ? ReceiveDatagram(to, request) : ReceiveStream(to, request);
}

Result<size_t, Errno> InternetSocket::ReceiveStream(IoBuffer& to, const ReceiveRequest& request) {
  const bool peek = (request.flags & kMSG_PEEK) != 0;
  const bool all = (request.flags & kMSG_WAITALL) != 0 && !peek;
  const Deadline deadline = ReceiveDeadline(request.wait);
  Piece piece;
  const std::span<std::byte> room = TRY(piece.Make(std::min(to.remaining(), kPiece)));
  size_t done = 0;
  while (to.remaining() != 0) {
    const std::span<std::byte> part = room.first(std::min(room.size(), to.remaining()));
    if (deadline == 0 && IsKnownToBeEmpty()) {
      return done != 0 ? Result<size_t, Errno>(done) : Error(Errno::kEAGAIN);
    }
    const auto got = Retry(kIncoming, deadline, [&](uint64_t seen) {
      auto result = host::SocketReceive(number_, part, peek);
      if (result.ok() && result.value() != 0 && !peek) {
        NoteReceived(result.value() < part.size(), seen);
      }
      return result;
    });
    if (!got.ok()) {
      if (done != 0) {
        return done;
      }
      return Error(got.error());
    }
    const std::span<const std::byte> data = part.first(got.value());
    if ((request.flags & kMSG_TRUNC) != 0) {
      to.Skip(data.size());
    } else if (to.Put(data) < data.size()) {
      break;
    }
    done += data.size();
    if (data.empty() || !all) {
      break;
    }
  }
  return to.Outcome(done);
}

void InternetSocket::NoteMore(bool more, uint64_t seen) {
  if (!more) {
    NoteNotReady(kPOLLIN, seen);
  } else {
    SpinLockGuard guard(state_lock_);
    ready_ |= kPOLLIN;
  }
}

void InternetSocket::NoteReceived(bool was_all, uint64_t seen) {
  SpinLockGuard guard(state_lock_);
  if (!was_all || events_ != seen) {
    unsure_ |= kPOLLIN;
  } else if ((ready_ & (kPOLLRDHUP | kBroken)) == 0) {
    ready_ &= ~kPOLLIN;
    unsure_ &= ~kPOLLIN;
    found_at_ = LastSocketWait();
    emptied_at_ = activity.load(std::memory_order_relaxed);
  }  // else the end comes next, and the host does not tell of it again
}

bool InternetSocket::IsKnownToBeEmpty() {
  SpinLockGuard guard(state_lock_);
  const uint64_t emptied = std::exchange(emptied_at_, 0);
  return emptied == activity.load(std::memory_order_relaxed) &&
         ((ready_ | unsure_) & kIncoming.events) == 0;
}

Result<size_t, Errno> InternetSocket::ReceiveDatagram(IoBuffer& to, ReceiveRequest& request) {
  const bool peek = (request.flags & kMSG_PEEK) != 0;
  const size_t wanted = to.remaining();
  Piece piece;
  const std::span<std::byte> room = TRY(piece.Make(std::min(wanted, host::kMaxDatagram)));
  const host::Datagram datagram =
      TRY(Retry(kIncoming, ReceiveDeadline(request.wait), [&](uint64_t seen) {
        auto result = host::SocketReceiveFrom(number_, room, peek, is_ipv6());
        if (result.ok()) {
          NoteMore(result.value().more, seen);
        }
        return result;
      }));
  ToProgram(datagram.from, request.from);
  if (to.Put(room.first(datagram.size)) < datagram.size) {
    return Error(Errno::kEFAULT);
  }
  if (datagram.full_size > wanted) {
    request.flags_out |= kMSG_TRUNC;
  }
  return (request.flags & kMSG_TRUNC) != 0 ? datagram.full_size : datagram.size;
}

// ---- options
// -----------------------------------------------------------------------------------------

Result<void, Errno> InternetSocket::SetFamilyOption(int32_t level, int32_t name,
                                                    std::span<const std::byte> value) {
  const InternetOption* const option = FindInternetOption(level, name, domain(), type());
  if (option != nullptr) {
    return host::SocketSetOption(number_, option->option, TRY(LoadOption(*option, value)));
  }
  if (const auto leave = IsMembershipOption(level, name, domain()); leave.has_value()) {
    return host::SocketJoin(number_, TRY(LoadMembership(value, domain())), *leave);
  }
  return Error(Errno::kENOPROTOOPT);
}

Result<size_t, Errno> InternetSocket::GetFamilyOption(int32_t level, int32_t name,
                                                      std::span<std::byte> out) {
  const InternetOption* const option = FindInternetOption(level, name, domain(), type());
  if (option == nullptr) {
    return Error(Errno::kENOPROTOOPT);
  }
  return StoreOption(*option, TRY(host::SocketGetOption(number_, option->option)), out);
}

Result<size_t, Errno> InternetSocket::QueuedBytes(host::SocketOption queue) {
  if (is_listening()) {
    return Error(Errno::kEINVAL);
  }
  return std::min<uint64_t>(TRY(host::SocketGetOption(number_, queue)), INT32_MAX);
}

Result<size_t, Errno> InternetSocket::ReadableBytes(File&) {
  return QueuedBytes(host::SocketOption::kAvailable);
}

SysResult InternetSocket::Control(File& file, uint32_t request, uint64_t argument) {
  constexpr uint32_t kSIOCOUTQ = 0x5411;
  if (request != kSIOCOUTQ) {
    return Socket::Control(file, request, argument);
  }
  const size_t unsent = TRY(QueuedBytes(host::SocketOption::kUnsent));
  TRY(nsgx::libos::Write(UserOut<int32_t>(argument), static_cast<int32_t>(unsent)));
  return 0;
}

}  // namespace nsgx::libos
