// SPDX-License-Identifier: Apache-2.0
#include "libos/net/unix/unix_socket.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/core/scope_exit.h"
#include "libos/kernel/user_memory.h"
#include "libos/net/sleep.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/kernel_services.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kWritable = kPOLLOUT | kPOLLWRNORM | kPOLLWRBAND;
constexpr uint32_t kSIOCOUTQ = 0x5411;
// A message leaves this much of the buffer to its head.
constexpr size_t kMessageHead = 32;
constexpr uint32_t kLeastBuffer = 4608;

// Options that mean nothing between threads of one process, as far as they are plain numbers.
constexpr uint32_t kPlainOptions = 1u << kSO_DEBUG | 1u << kSO_REUSEADDR | 1u << kSO_DONTROUTE |
                                   1u << kSO_BROADCAST | 1u << kSO_KEEPALIVE | 1u << kSO_OOBINLINE |
                                   1u << kSO_REUSEPORT;

SocketAddress NoName() {
  SocketAddress address;
  const uint16_t family = static_cast<uint16_t>(kAF_UNIX);
  std::memcpy(address.bytes, &family, sizeof(family));
  address.size = sizeof(family);
  return address;
}

SocketAddress OrNoName(const SocketAddress& address) {
  return address.size != 0 ? address : NoName();
}

}  // namespace

LinuxUcred CurrentCredentials() {
  return {.pid = about::ProcessId(),
          .uid = process_credentials.effective.user,
          .gid = process_credentials.effective.group};
}

// ---- making

UnixSocket::UnixSocket(int32_t type, Ref<UnixQueue> queue)
    : Socket(kAF_UNIX, type, 0), incoming_(std::move(queue)) {
  incoming_->SetReceiver(this);
}

Result<Ref<UnixSocket>, Errno> UnixSocket::Make(int32_t type, int32_t protocol) {
  if (protocol != 0 && protocol != kAF_UNIX) {
    return Error(Errno::kEPROTONOSUPPORT);
  }
  if (type == kSOCK_RAW) {
    type = kSOCK_DGRAM;  // as Linux
  }
  if (type != kSOCK_STREAM && type != kSOCK_DGRAM && type != kSOCK_SEQPACKET) {
    return Error(Errno::kESOCKTNOSUPPORT);
  }
  Ref<UnixQueue> queue = type == kSOCK_STREAM ? TRY(MakeStreamQueue())
                                              : TRY(MakeMessageQueue(type == kSOCK_SEQPACKET));
  return Ref<UnixSocket>::Adopt(TRY(New<UnixSocket>(type, std::move(queue))));
}

UnixSocket::~UnixSocket() { Close(); }

void UnixSocket::Join(UnixSocket& first, UnixSocket& second) {
  const LinuxUcred credentials = CurrentCredentials();
  for (auto [socket, peer] : {std::pair(&first, &second), std::pair(&second, &first)}) {
    socket->SetOutgoing(peer->incoming_.Clone());
    SpinLockGuard guard(socket->lock_of_state_);
    socket->state_ = State::kConnected;
    socket->peer_credentials_ = credentials;
  }
}

Ref<UnixQueue> UnixSocket::Outgoing() const {
  SpinLockGuard guard(lock_of_state_);
  return outgoing_.Clone();
}

void UnixSocket::SetOutgoing(Ref<UnixQueue> queue) {
  SpinLockGuard guard(lock_of_state_);
  if (outgoing_) {
    outgoing_->RemoveSender(*this);
  }
  std::swap(outgoing_, queue);
  if (outgoing_) {
    outgoing_->AddSender(*this);
  }
}

// ---- names and connections

Result<void, Errno> UnixSocket::Bind(const SocketAddress& address) {
  return BindName(*this, TRY(UnixAddressText(address)));
}

Result<void, Errno> UnixSocket::GetName(SocketAddress& out) {
  {
    SpinLockGuard guard(lock_of_state_);
    out = inherited_name_;
  }
  if (out.size == 0) {
    out = OrNoName(NameOf(*this));
  }
  return {};
}

Result<void, Errno> UnixSocket::GetPeer(SocketAddress& out) {
  SpinLockGuard guard(lock_of_state_);
  if (!outgoing_) {
    return Error(Errno::kENOTCONN);
  }
  out = OrNoName(peer_name_);
  return {};
}

bool UnixSocket::is_listening() const {
  SpinLockGuard guard(lock_of_state_);
  return state_ == State::kListening;
}

Result<void, Errno> UnixSocket::Listen(int32_t backlog) {
  if (is_datagram()) {
    return Error(Errno::kEOPNOTSUPP);
  }
  if (NameOf(*this).size == 0) {
    return Error(Errno::kEINVAL);
  }
  SpinLockGuard guard(lock_of_state_);
  if (state_ != State::kIdle && state_ != State::kListening) {
    return Error(Errno::kEINVAL);
  }
  state_ = State::kListening;
  backlog_limit_ = static_cast<uint32_t>(backlog);
  peer_credentials_ = CurrentCredentials();
  connecting_.WakeAll();
  return {};
}

Result<Ref<Socket>, Errno> UnixSocket::Accept(bool wait, SocketAddress& peer) {
  if (is_datagram()) {
    return Error(Errno::kEOPNOTSUPP);
  }
  const Deadline deadline = ReceiveDeadline(wait);
  lock_of_state_.Lock();
  while (true) {
    // Shut down, a listening socket accepts no more.
    if (state_ != State::kListening || incoming_->is_shut()) {
      lock_of_state_.Unlock();
      return Error(Errno::kEINVAL);
    }
    if (!backlog_.is_empty()) {
      break;
    }
    TRY(SleepUntil(accepting_, lock_of_state_, deadline));
    lock_of_state_.Lock();
  }
  Ref<UnixSocket> accepted = Ref<UnixSocket>::Adopt(backlog_.PopFront());
  --backlog_count_;
  connecting_.Wake(1);
  lock_of_state_.Unlock();
  {
    SpinLockGuard guard(accepted->lock_of_state_);
    accepted->is_embryo_ = false;
    peer = OrNoName(accepted->peer_name_);
  }
  return Ref<Socket>(std::move(accepted));
}

Result<void, Errno> UnixSocket::OfferConnection(Ref<UnixSocket> embryo, Deadline deadline) {
  lock_of_state_.Lock();
  while (true) {
    if (state_ != State::kListening || incoming_->is_shut()) {
      lock_of_state_.Unlock();
      return Error(Errno::kECONNREFUSED);
    }
    if (backlog_count_ <= backlog_limit_) {
      break;
    }
    TRY(SleepUntil(connecting_, lock_of_state_, deadline));
    lock_of_state_.Lock();
  }
  backlog_.PushBack(*embryo.Release());
  ++backlog_count_;
  accepting_.Wake(1);
  lock_of_state_.Unlock();
  Notify(kReadable);
  return {};
}

Result<void, Errno> UnixSocket::Connect(const SocketAddress& address, bool wait) {
  if (is_datagram()) {
    return ConnectDatagrams(address);
  }
  const std::string_view text = TRY(UnixAddressText(address));
  if (text.empty()) {
    return Error(Errno::kEINVAL);
  }
  const Deadline deadline = SendDeadline(wait);
  Ref<UnixSocket> embryo = TRY(Make(type(), 0));
  const Ref<UnixSocket> listener = TRY(FindByName(text));
  if (listener->type() != type()) {
    return Error(Errno::kEPROTOTYPE);
  }
  {
    SpinLockGuard guard(lock_of_state_);
    switch (state_) {
      case State::kConnected:
        return Error(Errno::kEISCONN);
      case State::kIdle:
        break;
      default:
        return Error(Errno::kEINVAL);
    }
    state_ = State::kConnecting;
  }
  const SocketAddress listener_name = NameOf(*listener);
  LinuxUcred listener_credentials;
  {
    SpinLockGuard guard(listener->lock_of_state_);
    listener_credentials = listener->peer_credentials_;
  }
  const Ref<UnixQueue> outgoing = embryo->incoming_.Clone();
  outgoing->SetLimit(send_buffer_.load(std::memory_order_relaxed));
  embryo->SetOutgoing(incoming_.Clone());
  {
    SpinLockGuard guard(embryo->lock_of_state_);
    embryo->state_ = State::kConnected;
    embryo->is_embryo_ = true;
    embryo->peer_credentials_ = CurrentCredentials();
    embryo->peer_name_ = NameOf(*this);
    embryo->inherited_name_ = listener_name;
  }
  auto offered = listener->OfferConnection(embryo.Clone(), deadline);
  if (!offered.ok()) {
    // The embryo has not been seen by anybody, so its end must not look like a broken connection.
    embryo->SetOutgoing(nullptr);
    SpinLockGuard guard(lock_of_state_);
    state_ = State::kIdle;
    return Error(offered.error());
  }
  SetOutgoing(outgoing.Clone());
  {
    SpinLockGuard guard(lock_of_state_);
    state_ = State::kConnected;
    peer_credentials_ = listener_credentials;
    peer_name_ = listener_name;
  }
  Notify(kWritable);
  return {};
}

Result<void, Errno> UnixSocket::ConnectDatagrams(const SocketAddress& address) {
  Ref<UnixQueue> queue;
  SocketAddress peer_name;
  if (address.family() != kAF_UNSPEC) {
    queue = TRY(FindReceiver(address));
    peer_name = address;
    const std::string_view text = TRY(UnixAddressText(address));
    // As it was bound: a path with its NUL.
    peer_name.size = kUnixPathOffset + text.size() + (text.front() == '\0' ? 0 : 1);
  }
  const bool is_connected = static_cast<bool>(queue);
  SetOutgoing(std::move(queue));
  SpinLockGuard guard(lock_of_state_);
  state_ = is_connected ? State::kConnected : State::kIdle;
  peer_name_ = peer_name;
  return {};
}

Result<Ref<UnixQueue>, Errno> UnixSocket::FindReceiver(const SocketAddress& address) {
  const Ref<UnixSocket> receiver = TRY(FindByName(TRY(UnixAddressText(address))));
  if (receiver->type() != type()) {
    return Error(Errno::kEPROTOTYPE);
  }
  // Who is connected takes messages from its peer alone.
  const Ref<UnixQueue> answers = receiver->Outgoing();
  if (answers && answers.get() != incoming_.get()) {
    return Error(Errno::kEPERM);
  }
  return receiver->incoming_.Clone();
}

Result<void, Errno> UnixSocket::Shutdown(int32_t how) {
  const Ref<UnixQueue> outgoing = Outgoing();
  if (how != kSHUT_RD && outgoing && !is_datagram()) {
    outgoing->Shut(0);
  } else if (how != kSHUT_RD) {
    // Of this one alone: others may send to the same receiver.
    is_sending_shut_.store(true, std::memory_order_relaxed);
  }
  if (how != kSHUT_WR) {
    incoming_->Shut(0);
    SpinLockGuard guard(lock_of_state_);
    accepting_.WakeAll();
    connecting_.WakeAll();
  }
  return {};
}

// ---- messages

// Null: nothing is sent along. What is, is checked as Linux does for one process: a program may not
// say that it is somebody else, unless it is root.
Result<Attachment*, Errno> UnixSocket::ReadControl(std::span<const std::byte> control) const {
  if (control.empty()) {
    return nullptr;
  }
  Attachment* attachment = TRY(New<Attachment>());
  ScopeExit free([&] { Delete(attachment); });
  attachment->sender = CurrentCredentials();
  bool has_credentials = false;
  ControlMessageReader reader(control);
  ControlMessage message;
  while (TRY(reader.Next(message))) {
    if (message.level != kSOL_SOCKET) {
      continue;
    }
    if (message.type == kSCM_RIGHTS) {
      TRY(attachment->files.Add(message.data));
    } else if (message.type == kSCM_CREDENTIALS) {
      LinuxUcred given;
      if (message.data.size() != sizeof(given)) {
        return Error(Errno::kEINVAL);
      }
      std::memcpy(&given, message.data.data(), sizeof(given));
      const Credentials& who = process_credentials.effective;
      const Credentials& real = process_credentials.real;
      if (given.pid != about::ProcessId()) {
        return Error(who.is_root() ? Errno::kESRCH : Errno::kEPERM);
      }
      if (!who.is_root() && ((given.uid != who.user && given.uid != real.user) ||
                             (given.gid != who.group && given.gid != real.group))) {
        return Error(Errno::kEPERM);
      }
      attachment->sender = given;
      has_credentials = true;
    } else {
      return Error(Errno::kEINVAL);
    }
  }
  if (attachment->files.is_empty() && !has_credentials) {
    return nullptr;
  }
  return std::exchange(attachment, nullptr);
}

Result<size_t, Errno> UnixSocket::Send(IoBuffer& from, const SendRequest& request) {
  if ((request.flags & kMSG_OOB) != 0) {
    return Error(Errno::kEOPNOTSUPP);
  }
  Attachment* attachment = TRY(ReadControl(request.control));
  ScopeExit free([&] { Delete(attachment); });
  Ref<UnixQueue> queue = Outgoing();
  const bool has_peer = static_cast<bool>(queue);
  if (request.to != nullptr && type() == kSOCK_STREAM) {
    return Error(has_peer ? Errno::kEISCONN : Errno::kEOPNOTSUPP);
  }
  if (request.to != nullptr && is_datagram()) {
    queue = TRY(FindReceiver(*request.to));
  }
  if (!queue) {
    return Error(Errno::kENOTCONN);
  }
  if (type() != kSOCK_STREAM &&
      from.remaining() + kMessageHead > send_buffer_.load(std::memory_order_relaxed)) {
    return Error(Errno::kEMSGSIZE);
  }
  if (is_sending_shut_.load(std::memory_order_relaxed)) {
    return Error(Errno::kEPIPE);
  }
  SocketAddress own_name;
  Sending sending = {
      .attachment = attachment, .from = nullptr, .deadline = SendDeadline(request.wait)};
  if (type() != kSOCK_STREAM) {
    own_name = NameOf(*this);
    sending.from = &own_name;
  }
  auto sent = queue->Send(from, sending);
  attachment = sending.attachment;
  if (!sent.ok() && sent.error() == Errno::kECONNREFUSED && has_peer && request.to == nullptr) {
    // The one it was connected with is gone.
    SetOutgoing(nullptr);
  }
  return sent;
}

Result<size_t, Errno> UnixSocket::Receive(IoBuffer& to, ReceiveRequest& request) {
  if ((request.flags & (kMSG_OOB | kMSG_ERRQUEUE)) != 0) {
    return Error(Errno::kEOPNOTSUPP);
  }
  if (!is_datagram()) {
    SpinLockGuard guard(lock_of_state_);
    if (state_ != State::kConnected) {
      return Error(type() == kSOCK_STREAM ? Errno::kEINVAL : Errno::kENOTCONN);
    }
    if (type() == kSOCK_STREAM) {
      request.from = peer_name_;
    }
  }
  return incoming_->Receive(
      to, request,
      {.wants_credentials = passes_credentials_.load(std::memory_order_relaxed),
       .deadline = ReceiveDeadline(request.wait)});
}

// ---- options

Result<void, Errno> UnixSocket::SetFamilyOption(int32_t level, int32_t option,
                                                std::span<const std::byte> value) {
  if (level != kSOL_SOCKET) {
    return Error(Errno::kEOPNOTSUPP);
  }
  const int32_t given = TRY(IntegerOption(value));
  const uint32_t doubled = static_cast<uint32_t>(
      std::clamp<int64_t>(int64_t{given} * 2, kLeastBuffer, UnixQueue::kMaxLimit));
  switch (option) {
    case kSO_PASSCRED:
      passes_credentials_.store(given != 0, std::memory_order_relaxed);
      return {};
    case kSO_SNDBUF:
    case kSO_SNDBUFFORCE: {
      send_buffer_.store(doubled, std::memory_order_relaxed);
      const Ref<UnixQueue> outgoing = Outgoing();
      if (outgoing && !is_datagram()) {
        outgoing->SetLimit(doubled);
      }
      return {};
    }
    case kSO_RCVBUF:
    case kSO_RCVBUFFORCE:
      receive_buffer_.store(doubled, std::memory_order_relaxed);
      return {};
    default:
      break;
  }
  if (option > 0 && option < 32 && (kPlainOptions >> option & 1) != 0) {
    if (given != 0) {
      plain_options_.fetch_or(1u << option, std::memory_order_relaxed);
    } else {
      plain_options_.fetch_and(~(1u << option), std::memory_order_relaxed);
    }
    return {};
  }
  return Error(Errno::kENOPROTOOPT);
}

Result<size_t, Errno> UnixSocket::GetFamilyOption(int32_t level, int32_t option,
                                                  std::span<std::byte> out) {
  if (level != kSOL_SOCKET) {
    return Error(Errno::kEOPNOTSUPP);
  }
  switch (option) {
    case kSO_PASSCRED:
      return PutIntegerOption(out, passes_credentials_.load(std::memory_order_relaxed) ? 1 : 0);
    case kSO_SNDBUF:
      return PutIntegerOption(out,
                              static_cast<int32_t>(send_buffer_.load(std::memory_order_relaxed)));
    case kSO_RCVBUF:
      return PutIntegerOption(
          out, static_cast<int32_t>(receive_buffer_.load(std::memory_order_relaxed)));
    case kSO_PEERCRED: {
      LinuxUcred peer;
      {
        SpinLockGuard guard(lock_of_state_);
        peer = peer_credentials_;
      }
      std::memcpy(out.data(), &peer, sizeof(peer));
      return sizeof(peer);
    }
    case kSO_RCVLOWAT:
      return PutIntegerOption(out, 1);
    default:
      break;
  }
  if (option > 0 && option < 32 && (kPlainOptions >> option & 1) != 0) {
    return PutIntegerOption(
        out, static_cast<int32_t>(plain_options_.load(std::memory_order_relaxed) >> option & 1));
  }
  return Error(Errno::kENOPROTOOPT);
}

Result<size_t, Errno> UnixSocket::ReadableBytes(File&) {
  if (is_listening()) {
    return Error(Errno::kEINVAL);
  }
  return incoming_->Available();
}

SysResult UnixSocket::Control(File& file, uint32_t request, uint64_t argument) {
  if (request != kSIOCOUTQ) {
    return Socket::Control(file, request, argument);
  }
  const Ref<UnixQueue> outgoing = Outgoing();
  const size_t bytes = outgoing ? outgoing->Available() : 0;
  TRY(nsgx::libos::Write(UserOut<int32_t>(argument), static_cast<int32_t>(bytes)));
  return 0;
}

// ---- readiness

uint32_t UnixSocket::Poll(File&, Observer* observer) {
  if (observer != nullptr) {
    SpinLockGuard guard(observers_lock_);
    observers_.Add(*observer);
  }
  Ref<UnixQueue> outgoing;
  State state;
  {
    SpinLockGuard guard(lock_of_state_);
    state = state_;
    outgoing = outgoing_.Clone();
    if (state == State::kListening) {
      return backlog_.is_empty() ? 0 : kReadable;
    }
  }
  uint32_t events = incoming_->ReceiverEvents();
  events |= outgoing ? outgoing->SenderEvents() : kWritable;
  if (!is_datagram()) {
    const bool is_over = (events & kPOLLRDHUP) != 0 && outgoing && outgoing->is_shut();
    if (state != State::kConnected || is_over) {
      events |= kPOLLHUP;
    }
  }
  return events;
}

void UnixSocket::Unobserve(File&, Observer& observer) {
  SpinLockGuard guard(observers_lock_);
  observers_.Remove(observer);
}

void UnixSocket::Notify(uint32_t events) {
  SpinLockGuard guard(observers_lock_);
  observers_.Notify(events);
}

// ---- the end

void UnixSocket::Closed(File&) {
  Close();
  CollectLostSockets();
}

void UnixSocket::Close() {
  ReleaseName(*this);
  QueuedMatter unread;
  Ref<UnixQueue> outgoing;
  bool is_embryo;
  {
    SpinLockGuard guard(lock_of_state_);
    if (state_ == State::kClosed) {
      return;
    }
    state_ = State::kClosed;
    is_embryo = is_embryo_;
    std::swap(outgoing, outgoing_);
    while (UnixSocket* const embryo = backlog_.PopFront()) {
      unread.sockets.PushBack(*embryo);
    }
    backlog_count_ = 0;
    accepting_.WakeAll();
    connecting_.WakeAll();
  }
  const bool had_data = incoming_->Close(unread);
  if (outgoing) {
    outgoing->RemoveSender(*this);
    if (!is_datagram()) {
      // Who has not read everything, or was never accepted, has broken the connection.
      outgoing->Shut(had_data || is_embryo ? static_cast<int32_t>(Errno::kECONNRESET) : 0);
    }
  }
  if (!is_datagram()) {
    incoming_->Shut(0);
  }
  Bury(unread);
}

void UnixSocket::ForEachQueuedFile(FileVisitor visit, void* context) {
  incoming_->ForEachFile(visit, context);
  SpinLockGuard guard(lock_of_state_);
  for (UnixSocket& embryo : backlog_) {
    embryo.incoming_->ForEachFile(visit, context);
  }
}

void UnixSocket::TakeQueued(QueuedMatter& out) {
  incoming_->TakeAll(out);
  SpinLockGuard guard(lock_of_state_);
  for (UnixSocket& embryo : backlog_) {
    embryo.incoming_->TakeAll(out);
  }
}

// ---- the family

Result<Ref<Socket>, Errno> MakeUnixSocket(int32_t type, int32_t protocol) {
  return Ref<Socket>(TRY(UnixSocket::Make(type, protocol)));
}

Result<SocketPair, Errno> MakeUnixSocketPair(int32_t type, int32_t protocol) {
  Ref<UnixSocket> first = TRY(UnixSocket::Make(type, protocol));
  Ref<UnixSocket> second = TRY(UnixSocket::Make(type, protocol));
  UnixSocket::Join(*first, *second);
  return SocketPair{.first = std::move(first), .second = std::move(second)};
}

}  // namespace nsgx::libos
