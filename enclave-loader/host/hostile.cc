// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/host/hostile.h"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <cstring>

namespace nsgx::loader {
namespace {

using shim::HostCallArgument;
using shim::HostCallInfo;
using shim::HostCallReply;
using shim::HostCallValues;

constexpr std::array<std::string_view, kLieCount> kNames = {
    "short",         "long",         "negative",   "wrong-errno", "reused-token",
    "stale-reply",   "double-fetch", "time-back",  "never",       "garbage",
    "spurious-wake", "lost-wake",    "reordering", "single-step"};

constexpr Lies Bit(Lie lie) { return Lies{1} << static_cast<uint32_t>(lie); }

constexpr uint64_t kMicrosecond = 1000, kMillisecond = 1'000'000, kSecond = 1'000'000'000;
// How long a host that loses wake-ups lets anybody sleep, since losing them for ever is denial of
// service, which nothing can be done about.
constexpr uint64_t kLongestSleep = 50 * kMillisecond;
constexpr uint64_t kNever = kSecond;
constexpr uint64_t kLongestDelay = 2 * kMillisecond;
constexpr uint32_t kStepTickMicroseconds = 300;
constexpr int64_t kSpoilTime = 100 * kMicrosecond;
// Errors of Linux and the numbers that its C library takes for errors.
constexpr int64_t kKnownErrnos = 133, kErrnos = 4095;

void Sleep(uint64_t nanoseconds) {
  const timespec time = {.tv_sec = static_cast<time_t>(nanoseconds / kSecond),
                         .tv_nsec = static_cast<long>(nanoseconds % kSecond)};
  nanosleep(&time, nullptr);
}

int64_t Now() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * static_cast<int64_t>(kSecond) + now.tv_nsec;
}

// Which argument is the host's to fill; kHostCallArguments: none.
size_t RoomIndex(const HostCallInfo& call) {
  size_t index = 0;
  while (index < call.arguments.size() &&
         call.arguments[index].kind != HostCallArgument::Kind::kDataIn) {
    ++index;
  }
  return index;
}

uint64_t RoomSize(const HostCallInfo& call, const HostCallValues& values) {
  const size_t index = RoomIndex(call);
  return index < values.size() ? values[index] * call.arguments[index].unit : 0;
}

// splitmix64
uint64_t Scramble(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

std::string_view LieName(Lie lie) { return kNames[static_cast<size_t>(lie)]; }

std::string LieList(Lies lies) {
  std::string names;
  for (size_t i = 0; i < kLieCount; ++i) {
    if ((lies >> i & 1) != 0) {
      names.append(names.empty() ? "" : ",").append(kNames[i]);
    }
  }
  return names;
}

Result<Lies> ParseLies(std::string_view names) {
  if (names == "all") {
    return kAllLies;
  }
  Lies lies = 0;
  while (true) {
    const size_t comma = names.find(',');
    const auto name = std::ranges::find(kNames, names.substr(0, comma));
    if (name == kNames.end()) {
      return Error(Status::kNotFound);
    }
    lies |= Lies{1} << (name - kNames.begin());
    if (comma == std::string_view::npos) {
      return lies;
    }
    names.remove_prefix(comma + 1);
  }
}

Lies LiesAbout(const HostCallInfo& call) {
  Lies lies = Bit(Lie::kNegative) | Bit(Lie::kWrongErrno) | Bit(Lie::kStaleReply) |
              Bit(Lie::kReusedToken) | Bit(Lie::kNever) | Bit(Lie::kReordering);
  switch (call.reply.kind) {
    case HostCallReply::Kind::kCount:
      lies |= Bit(Lie::kShort) | Bit(Lie::kLong);
      if (call.number == static_cast<uint32_t>(shim::HostCall::kWait)) {
        lies |= Bit(Lie::kSpuriousWake) | Bit(Lie::kLostWake);
      }
      break;
    case HostCallReply::Kind::kNumber:
      lies |= Bit(Lie::kTimeBack);
      break;
    default:
      lies |= Bit(Lie::kLong);
      break;
  }
  if (RoomIndex(call) < call.arguments.size()) {
    lies |= Bit(Lie::kDoubleFetch) | Bit(Lie::kGarbage);
  }
  return lies;
}

int64_t IllegalReply(Lie lie, const HostCallInfo& call, const HostCallValues& values,
                     uint64_t random) {
  // Some of each kind are near to what is legal, some are far from it.
  const uint64_t distance = (random & 1) != 0 ? 1 : 1 + (random >> 1) % 0x7fffffffffff;
  if (lie == Lie::kNegative) {
    return (random & 2) != 0 ? INT64_MIN + static_cast<int64_t>(distance)
                             : -kErrnos - static_cast<int64_t>(distance);
  }
  if (lie == Lie::kWrongErrno) {
    const int64_t limit = (random & 1) != 0 ? kKnownErrnos : kErrnos;
    int64_t number = 1 + static_cast<int64_t>((random >> 1) % static_cast<uint64_t>(limit));
    while (shim::IsLegalReply(call, values, -number)) {
      number = number % limit + 1;
    }
    return -number;
  }
  const uint64_t bound = values[call.reply.index];
  switch (call.reply.kind) {
    case HostCallReply::Kind::kCount:
      return static_cast<int64_t>(bound + distance);
    case HostCallReply::Kind::kBits: {
      uint64_t bit = distance % 63;
      while ((call.reply.mask >> bit & 1) != 0) {
        bit = (bit + 1) % 63;
      }
      return int64_t{1} << bit;
    }
    default:
      return static_cast<int64_t>(distance);
  }
}

HostileHost::HostileHost(HostServer& honest, Device& device, const HostileOptions& options,
                         uint32_t slot_count)
    : honest_(honest),
      device_(device),
      options_(options),
      slots_(slot_count),
      remembered_(shim::kHostCalls.size()) {
  for (uint32_t i = 0; i < slot_count; ++i) {
    slots_[i].random = Scramble(options.seed + i);
  }
  if ((options.lies & Bit(Lie::kDoubleFetch)) != 0) {
    pthread_t thread;
    const auto run = [](void* host) -> void* {
      static_cast<HostileHost*>(host)->SpoilWindows();
      return nullptr;
    };
    if (pthread_create(&thread, nullptr, run, this) == 0) {
      pthread_detach(thread);
    }
  }
}

uint64_t HostileHost::Random(uint32_t slot) {
  return Scramble(slots_[slot].random += 0x9e3779b97f4a7c15u);
}

bool HostileHost::Choose(uint32_t slot, Lies lies, Lie* lie) {
  lies &= options_.lies;
  if (lies == 0 || Random(slot) % 100 >= options_.percent) {
    return false;
  }
  size_t index;
  do {
    index = static_cast<size_t>(Random(slot) % kLieCount);
  } while ((lies >> index & 1) == 0);
  *lie = static_cast<Lie>(index);
  counts_[index].fetch_add(1, std::memory_order_relaxed);
  return true;
}

int64_t HostileHost::Answer(uint32_t slot, const Exit& from_enclave) {
  StartSteps(slot);
  const HostCallInfo* const call = shim::FindHostCall(from_enclave.number);
  Exit exit = from_enclave;
  if ((options_.lies & Bit(Lie::kDoubleFetch)) != 0 &&
      exit.number == static_cast<uint32_t>(shim::HostCall::kWait)) {
    // The spoiling may reach the next request, which then waits for what never comes.
    uint64_t& deadline = exit.arguments[2];
    deadline = std::min(deadline, device_.Now() + kLongestSleep);
  }
  if (slots_[slot].is_stepped && exit.number == static_cast<uint32_t>(shim::HostCall::kSetTick)) {
    return 0;
  }
  Lie lie;
  if (call == nullptr ||
      !shim::IsLegalRequest(*call, exit.arguments, device_.window(slot).size()) ||
      !Choose(slot, LiesAbout(*call), &lie)) {
    const int64_t reply = honest_.Answer(slot, exit);
    if (call != nullptr) {
      Remember(slot, *call, exit.arguments, reply);
    }
    return reply;
  }
  return AnswerWith(lie, slot, exit, *call);
}

int64_t HostileHost::AnswerWith(Lie lie, uint32_t slot, const Exit& exit,
                                const HostCallInfo& call) {
  const std::span<std::byte> room =
      device_.window(slot).first(static_cast<size_t>(RoomSize(call, exit.arguments)));
  Exit changed = exit;
  int64_t reply = 0;
  switch (lie) {
    case Lie::kStaleReply:
      if (Repeat(call, room, &reply)) {
        return reply;
      }
      return honest_.Answer(slot, exit);
    case Lie::kShort: {
      uint64_t& count = changed.arguments[call.reply.index];
      count = count > 1 ? 1 + Random(slot) % (count - 1) : count;
      return honest_.Answer(slot, changed);
    }
    case Lie::kNever:
      Sleep(kNever);
      return honest_.Answer(slot, exit);
    case Lie::kReordering:
      Sleep(Random(slot) % kLongestDelay);
      reply = honest_.Answer(slot, exit);
      Sleep(Random(slot) % kLongestDelay);
      return reply;
    case Lie::kSpuriousWake:
      // The records of what is waited for lie there as if they told what is ready.
      return static_cast<int64_t>(Random(slot) %
                                  (std::min(exit.arguments[0], exit.arguments[1]) + 1));
    case Lie::kLostWake:
      Sleep(kLongestSleep);
      return 0;
    default:
      break;
  }
  reply = honest_.Answer(slot, exit);
  switch (lie) {
    case Lie::kReusedToken:
      Repeat(call, room, &reply);
      return reply;
    case Lie::kDoubleFetch:
      slots_[slot].spoil_until.store(Now() + kSpoilTime, std::memory_order_relaxed);
      spoiling_.fetch_add(1, std::memory_order_release);
      spoiling_.notify_one();
      return reply;
    case Lie::kGarbage:
      FillWithGarbage(slot, room);
      return reply;
    case Lie::kTimeBack:
      return reply <= 0 ? reply
                        : reply - static_cast<int64_t>(Random(slot) % static_cast<uint64_t>(reply));
    default:
      return IllegalReply(lie, call, exit.arguments, Random(slot));
  }
}

void HostileHost::Remember(uint32_t slot, const HostCallInfo& call, const HostCallValues& values,
                           int64_t reply) {
  if ((options_.lies & (Bit(Lie::kReusedToken) | Bit(Lie::kStaleReply))) == 0 || reply < 0) {
    return;
  }
  constexpr uint64_t kEnough = 64 * 1024;
  const auto data =
      device_.window(slot).first(static_cast<size_t>(std::min(RoomSize(call, values), kEnough)));
  const std::lock_guard lock(lock_);
  Remembered& last = remembered_[call.number];
  last.exists = true;
  last.reply = reply;
  last.data.assign(data.begin(), data.end());
}

bool HostileHost::Repeat(const HostCallInfo& call, std::span<std::byte> room, int64_t* reply) {
  const std::lock_guard lock(lock_);
  const Remembered& last = remembered_[call.number];
  if (!last.exists) {
    return false;
  }
  std::copy_n(last.data.begin(), std::min(last.data.size(), room.size()), room.begin());
  *reply = last.reply;
  return true;
}

void HostileHost::FillWithGarbage(uint32_t slot, std::span<std::byte> bytes) {
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(Random(slot));
  }
}

void HostileHost::SpoilWindows() {
  uint64_t random = options_.seed;
  while (true) {
    const uint32_t seen = spoiling_.load(std::memory_order_acquire);
    bool is_spoiling = false;
    for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot].spoil_until.load(std::memory_order_relaxed) <= Now()) {
        continue;
      }
      is_spoiling = true;
      // A part at the beginning, where every call has its data.
      const std::span<std::byte> window = device_.window(slot);
      volatile std::byte* const first = window.data();
      for (size_t i = 0; i < std::min<size_t>(window.size(), 512); ++i) {
        first[i] = static_cast<std::byte>(Scramble(++random));
      }
    }
    if (!is_spoiling) {
      spoiling_.wait(seen, std::memory_order_acquire);
    }
  }
}

void HostileHost::StartSteps(uint32_t slot) {
  if ((options_.lies & Bit(Lie::kSingleStep)) == 0 || slots_[slot].is_stepped) {
    return;
  }
  slots_[slot].is_stepped = device_.StepBehindTicks(slot, Random(slot)).ok() &&
                            device_.SetTick(slot, kStepTickMicroseconds).ok();
  counts_[static_cast<size_t>(Lie::kSingleStep)] += slots_[slot].is_stepped ? 1 : 0;
}

void HostileHost::Idle(uint32_t slot, uint64_t deadline) {
  StartSteps(slot);
  Lie lie;
  if (Choose(slot, Bit(Lie::kSpuriousWake) | Bit(Lie::kReordering), &lie)) {
    if (lie == Lie::kSpuriousWake) {
      return;
    }
    Sleep(Random(slot) % kLongestDelay);
  }
  if ((options_.lies & Bit(Lie::kLostWake)) != 0) {
    deadline = std::min(deadline, device_.Now() + kLongestSleep);
  }
  honest_.Idle(slot, deadline);
}

void HostileHost::Wake(uint32_t slot, uint64_t woken) {
  Lie lie;
  if (Choose(slot, Bit(Lie::kLostWake) | Bit(Lie::kReordering), &lie)) {
    if (lie == Lie::kLostWake) {
      return;
    }
    Sleep(Random(slot) % kLongestDelay);
  }
  honest_.Wake(woken);
}

std::array<uint64_t, kLieCount> HostileHost::counts() const {
  std::array<uint64_t, kLieCount> counts;
  for (size_t i = 0; i < kLieCount; ++i) {
    counts[i] = counts_[i].load(std::memory_order_relaxed);
  }
  return counts;
}

}  // namespace nsgx::loader
