// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/host/server.h"

#include <errno.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "enclave-loader/host/interfaces.h"
#include "enclave-loader/host/name_servers.h"

namespace nsgx::loader {
namespace {

using shim::HostCall;
using shim::HostCallInfo;

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

int64_t WallClock() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(static_cast<uint64_t>(now.tv_sec) * kNanosecondsPerSecond +
                              static_cast<uint64_t>(now.tv_nsec));
}

int64_t StreamQueryReply(const Streams::Size& size) {
  return static_cast<int64_t>((size.is_terminal ? shim::kStreamIsTerminal : 0) |
                              uint64_t{size.rows} << shim::kStreamRowsShift |
                              uint64_t{size.columns} << shim::kStreamColumnsShift);
}

// Errors that Linux gives and the call's description does not know become EIO.
int64_t KnownErrorsOnly(const HostCallInfo& call, int64_t reply) {
  return reply >= 0 || shim::IsLegalErrno(call, -reply) ? reply : -EIO;
}

}  // namespace

HostServer::HostServer(Device& device, HostServerOwner& owner, HostFiles& files,
                       uint32_t slot_count)
    : device_(device),
      owner_(owner),
      files_(files),
      places_(slot_count),
      counts_(std::make_unique<std::atomic<uint64_t>[]>(shim::kHostCalls.size() + 1)) {}

int64_t HostServer::Answer(uint32_t slot, const Exit& exit) {
  const HostCallInfo* call = shim::FindHostCall(exit.number);
  counts_[call != nullptr ? call->number : shim::kHostCalls.size()].fetch_add(
      1, std::memory_order_relaxed);
  const shim::HostCallValues& values = exit.arguments;
  const std::span<std::byte> window = device_.window(slot);
  if (call == nullptr || !shim::IsLegalRequest(*call, values, window.size())) {
    return -EINVAL;
  }
  // Whatever the call, its data or room begins at the start of the window, and its size was just
  // checked.
  const auto data = [&](size_t index) {
    return window.first(static_cast<size_t>(values[index] * call->arguments[index].unit));
  };
  switch (static_cast<HostCall>(call->number)) {
    case HostCall::kStreamRead:
      return KnownErrorsOnly(*call, streams_.Read(static_cast<uint32_t>(values[0]), data(1)));
    case HostCall::kStreamWrite:
      return KnownErrorsOnly(*call, streams_.Write(static_cast<uint32_t>(values[0]), data(1)));
    case HostCall::kStreamQuery:
      return StreamQueryReply(streams_.Query(static_cast<uint32_t>(values[0])));
    case HostCall::kWait:
      return Wait(slot, data(0), data(1), values[2]);
    case HostCall::kStartVcpu:
      if (values[0] >= places_.size()) {
        return -EINVAL;
      }
      return owner_.StartVcpu(static_cast<uint32_t>(values[0])) ? 0 : -EAGAIN;
    case HostCall::kSetTick:
      return device_.SetTick(slot, static_cast<uint32_t>(values[0])).ok() ? 0 : -EOPNOTSUPP;
    case HostCall::kWallClock:
      return WallClock();
    case HostCall::kLog: {
      // The enclave could change the text while it is looked at, so it is copied first.
      std::array<char, 1024> line;
      const std::span<const std::byte> text = data(1);
      std::memcpy(line.data(), text.data(), text.size());
      owner_.Log(static_cast<uint32_t>(values[0]), {line.data(), text.size()});
      return 0;
    }
    case HostCall::kCertificateChain:
      return CertificateChain(values[0], data(1));
    case HostCall::kNameServers:
      return NameServers(data(0));
    case HostCall::kInterfaces:
      return Interfaces(data(0));
    default:
      return AnswerWithData(*call, values, window);
  }
}

int64_t HostServer::AnswerWithData(const HostCallInfo& call, const shim::HostCallValues& values,
                                   std::span<std::byte> window) {
  std::span<const std::byte> data;
  std::span<std::byte> room;
  std::span<std::byte> either;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t size = static_cast<size_t>(values[i] * call.arguments[i].unit);
    if (call.arguments[i].kind == shim::HostCallArgument::Kind::kDataOut) {
      data = either = window.first(size);
    } else if (call.arguments[i].kind == shim::HostCallArgument::Kind::kDataIn) {
      room = either = window.first(size);
    }
  }
  const HostCall number = static_cast<HostCall>(call.number);
  const bool is_of_sockets = number >= HostCall::kSocketCreate && number <= HostCall::kSocketPoll;
  return KnownErrorsOnly(call, is_of_sockets ? AnswerSocket(number, values, either)
                                             : files_.Answer(number, values, data, room));
}

int64_t HostServer::AnswerSocket(HostCall call, const shim::HostCallValues& values,
                                 std::span<std::byte> data) {
  const uint32_t socket = static_cast<uint32_t>(values[0]);
  switch (call) {
    case HostCall::kSocketCreate:
      return sockets_.Create(socket, values[1]);
    case HostCall::kSocketClose:
      return sockets_.Close(socket, values[1] != 0);
    case HostCall::kSocketBind:
      return sockets_.Bind(socket, data);
    case HostCall::kSocketConnect:
      return sockets_.Connect(socket, data);
    case HostCall::kSocketListen:
      return sockets_.Listen(socket, static_cast<uint32_t>(values[1]));
    case HostCall::kSocketAccept:
      return sockets_.Accept(socket, static_cast<uint32_t>(values[1]), data);
    case HostCall::kSocketSend:
      return sockets_.Send(socket, values[1] != 0, data);
    case HostCall::kSocketSendTo:
      return sockets_.SendTo(socket, data);
    case HostCall::kSocketReceive:
      return sockets_.Receive(socket, values[1] != 0, data);
    case HostCall::kSocketReceiveFrom:
      return sockets_.ReceiveFrom(socket, values[1] != 0, data);
    case HostCall::kSocketShutdown:
      return sockets_.Shutdown(socket, static_cast<uint32_t>(values[1]));
    case HostCall::kSocketName:
      return sockets_.Name(socket, values[1] != 0, data);
    case HostCall::kSocketSetOption:
      return sockets_.SetOption(socket, static_cast<shim::SocketOption>(values[1]), values[2]);
    case HostCall::kSocketGetOption:
      return sockets_.GetOption(socket, static_cast<shim::SocketOption>(values[1]));
    case HostCall::kSocketJoin:
      return sockets_.Join(socket, values[1] != 0, data);
    case HostCall::kSocketPoll:
      return sockets_.Poll(socket);
    default:
      return -EINVAL;
  }
}

int64_t HostServer::Wait(uint32_t slot, std::span<const std::byte> records,
                         std::span<std::byte> out, uint64_t deadline) {
  std::array<pollfd, ParkingPlace::kMaxStreams> fds;
  size_t count = 0;
  bool wants_signals = false;
  for (; !records.empty(); records = records.subspan(sizeof(shim::WaitRecord))) {
    shim::WaitRecord record;
    std::memcpy(&record, records.data(), sizeof record);
    if (record.source == shim::kSignalSource) {
      wants_signals = true;
      continue;
    }
    // A stream that does not exist is never ready, as poll() has it for negative descriptors.
    fds[count++] = {.fd = record.source < kStreamCount ? static_cast<int>(record.source) : -1,
                    .events = static_cast<short>(record.events & (POLLIN | POLLOUT)),
                    .revents = 0};
  }
  std::array<shim::WaitRecord, 256> ready;
  const std::span<shim::WaitRecord> room =
      std::span(ready).first(std::min(ready.size(), out.size() / sizeof(shim::WaitRecord)));
  size_t filled = 0;
  uint64_t nanoseconds = NanosecondsUntil(deadline);
  if (wants_signals && !room.empty() && signals_.load() != 0) {
    room[filled++] = {.source = shim::kSignalSource, .events = signals_.exchange(0)};
    nanoseconds = 0;
  }
  const int event_descriptor = sockets_.event_descriptor();
  const bool only_sockets = count == 0 && event_descriptor >= 0;
  const int waker = only_sockets && nanoseconds != 0 ? sockets_.BeginSleep() : -1;
  if (waker >= 0) {
    // The usual case, in one system call: only sockets, and nobody else waits for them.
    places_[slot].SleepBy(waker, nanoseconds,
                          [&](uint64_t most) { filled = sockets_.TakeEvents(room, most); });
    sockets_.EndSleep();
  } else if (count == 0 && nanoseconds == 0) {
    filled += sockets_.TakeEvents(room.subspan(filled), 0);
  } else {
    fds[count] = {.fd = event_descriptor, .events = POLLIN, .revents = 0};
    places_[slot].SleepOrReady(std::span(fds.data(), count + 1), nanoseconds);
    for (size_t i = 0; i < count && filled < room.size(); ++i) {
      if (fds[i].revents != 0) {
        room[filled++] = {.source = static_cast<uint32_t>(fds[i].fd),
                          .events = static_cast<uint16_t>(fds[i].revents) & shim::kSourceEvents};
      }
    }
    if (fds[count].revents != 0) {
      filled += sockets_.TakeEvents(room.subspan(filled), 0);
    }
  }
  std::memcpy(out.data(), room.data(), filled * sizeof(shim::WaitRecord));
  return static_cast<int64_t>(filled);
}

int64_t HostServer::CertificateChain(uint64_t offset, std::span<std::byte> out) {
  std::span<const std::byte> chain;
  if (!device_.CertificateChain(&chain).ok()) {
    return -EOPNOTSUPP;
  }
  if (offset >= chain.size()) {
    return 0;
  }
  const std::span<const std::byte> part =
      chain.subspan(static_cast<size_t>(offset))
          .first(std::min<size_t>(chain.size() - offset, out.size()));
  std::memcpy(out.data(), part.data(), part.size());
  return static_cast<int64_t>(part.size());
}

uint64_t HostServer::NanosecondsUntil(uint64_t deadline) {
  if (deadline == kNoTimeout) {
    return kNoTimeout;
  }
  const uint64_t now = device_.Now();
  return deadline > now ? deadline - now : 0;
}

void HostServer::Idle(uint32_t slot, uint64_t deadline) {
  places_[slot].Sleep(NanosecondsUntil(deadline));
}

void HostServer::Wake(uint64_t slot) {
  if (slot < places_.size()) {
    places_[static_cast<size_t>(slot)].Wake();
  }
}

void HostServer::Signal(int number) {
  signals_.fetch_or(uint32_t{1} << (number - 1));
  // Whoever waits next tells; the others wake for nothing, and who wakes now waits again.
  for (ParkingPlace& place : places_) {
    place.Wake();
  }
}

std::vector<uint64_t> HostServer::counts() const {
  std::vector<uint64_t> counts;
  for (size_t i = 0; i <= shim::kHostCalls.size(); ++i) {
    counts.push_back(counts_[i].load(std::memory_order_relaxed));
  }
  return counts;
}

}  // namespace nsgx::loader
