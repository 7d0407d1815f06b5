// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/trace/call_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdio>
#include <cstring>

#include "enclave-loader/trace/names.h"

namespace nsgx::loader {
namespace {

using shim::ArgumentKind;
using shim::ArgumentKinds;
using shim::Capture;
using shim::TraceMemory;
using shim::TraceRecord;

// As strace's -s.
constexpr size_t kShownData = 32;

// Cuts a T off `bytes`. Nothing when they are too few.
template <typename T>
std::optional<T> Take(std::string_view& bytes) {
  if (bytes.size() < sizeof(T)) {
    return std::nullopt;
  }
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

void AppendQuoted(std::string& text, std::string_view bytes, bool is_cut) {
  text += '"';
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    switch (c) {
      case '"':
        text += "\\\"";
        break;
      case '\\':
        text += "\\\\";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      case '\t':
        text += "\\t";
        break;
      default:
        if (c >= 0x20 && c < 0x7f) {
          text += c;
        } else {
          // All three digits if the next character is one.
          const bool is_followed =
              i + 1 < bytes.size() && bytes[i + 1] >= '0' && bytes[i + 1] <= '9';
          char digits[8];
          std::snprintf(digits, sizeof digits, is_followed ? "\\%03o" : "\\%o",
                        static_cast<unsigned>(static_cast<unsigned char>(c)));
          text += digits;
        }
    }
  }
  text += is_cut ? "\"..." : "\"";
}

void AppendTime(std::string& text, std::string_view bytes, std::string_view fraction) {
  const auto seconds = Take<int64_t>(bytes), part = Take<int64_t>(bytes);
  if (seconds && part) {
    text.append("{tv_sec=").append(std::to_string(*seconds)).append(", ").append(fraction);
    text.append("=").append(std::to_string(*part)).append("}");
  }
}

void AppendSet(std::string& text, std::string_view bytes) {
  const auto set = Take<uint64_t>(bytes);
  text += '[';
  for (int signal = 1; set && signal <= 64; ++signal) {
    if ((*set >> (signal - 1) & 1) != 0) {
      const std::string_view name = SignalName(signal);
      text += text.back() == '[' ? "" : " ";
      text += name.empty() ? "RT_" + std::to_string(signal - 32) : std::string(name.substr(3));
    }
  }
  text += ']';
}

void AppendEvents(std::string& text, uint32_t events) {
  constexpr std::pair<uint32_t, std::string_view> kNames[] = {
      {1, "IN"}, {2, "PRI"}, {4, "OUT"}, {8, "ERR"}, {0x10, "HUP"}, {0x2000, "RDHUP"}};
  bool first = true;
  for (const auto& [bit, name] : kNames) {
    if ((events & bit) != 0) {
      text.append(first ? "" : "|").append("POLL").append(name);
      events &= ~bit;
      first = false;
    }
  }
  if (events != 0 || first) {
    text += first ? "" : "|";
    AppendHex(text, events);
  }
}

void AppendAddress(std::string& text, std::string_view bytes) {
  std::string_view rest = bytes;
  const auto family = Take<uint16_t>(rest);
  if (!family) {
    text += "{}";
    return;
  }
  text += "{sa_family=";
  AppendNamed(text, ArgumentKind::kDomain, *family);
  char address[INET6_ADDRSTRLEN] = {};
  if (*family == AF_UNIX && !rest.empty()) {
    const bool is_abstract = rest[0] == '\0';
    text += is_abstract ? ", sun_path=@" : ", sun_path=";
    rest.remove_prefix(is_abstract ? 1 : 0);
    AppendQuoted(text, is_abstract ? rest : rest.substr(0, rest.find('\0')), false);
  } else if (*family == AF_INET && bytes.size() >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, bytes.data(), sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, address, sizeof address);
    text.append(", sin_port=htons(").append(std::to_string(ntohs(in.sin_port)));
    text.append("), sin_addr=inet_addr(\"").append(address).append("\")");
  } else if (*family == AF_INET6 && bytes.size() >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in;
    std::memcpy(&in, bytes.data(), sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, address, sizeof address);
    text.append(", sin6_port=htons(").append(std::to_string(ntohs(in.sin6_port)));
    text.append("), inet_pton(AF_INET6, \"").append(address).append("\")");
  }
  text += '}';
}

void AppendStat(std::string& text, std::string_view bytes) {
  // Of struct stat on x86-64: mode at 24, size at 48.
  uint32_t mode;
  int64_t size;
  if (bytes.size() < 56) {
    return;
  }
  std::memcpy(&mode, bytes.data() + 24, sizeof mode);
  std::memcpy(&size, bytes.data() + 48, sizeof size);
  constexpr std::string_view kTypes[] = {"0",        "S_IFIFO", "S_IFCHR", "0", "S_IFDIR", "0",
                                         "S_IFBLK",  "0",       "S_IFREG", "0", "S_IFLNK", "0",
                                         "S_IFSOCK", "0",       "0",       "0"};
  text.append("{st_mode=").append(kTypes[mode >> 12 & 0xf]).append("|");
  AppendOctal(text, mode & 07777);
  text.append(", st_size=").append(std::to_string(size)).append(", ...}");
}

// What lies at a pointer of this kind.
void AppendMemory(std::string& text, ArgumentKind kind, const ToldMemory& memory) {
  std::string_view bytes = memory.bytes;
  const bool is_cut = memory.whole > bytes.size();
  const auto append_list = [&](auto append_one) {
    text += '[';
    for (bool first = true; append_one(first); first = false) {
    }
    text += is_cut ? ", ...]" : "]";
  };
  switch (kind) {
    case ArgumentKind::kPath:
    case ArgumentKind::kText:
      AppendQuoted(text, bytes, is_cut);
      break;
    case ArgumentKind::kData:
    case ArgumentKind::kDataOut:
      AppendQuoted(text, bytes.substr(0, kShownData), memory.whole > kShownData);
      break;
    case ArgumentKind::kTime:
    case ArgumentKind::kTimeOut:
      AppendTime(text, bytes, "tv_nsec");
      break;
    case ArgumentKind::kTimevalOut:
      AppendTime(text, bytes, "tv_usec");
      break;
    case ArgumentKind::kSet:
    case ArgumentKind::kSetOut:
      AppendSet(text, bytes);
      break;
    case ArgumentKind::kVector:
      append_list([&](bool first) {
        const auto base = Take<uint64_t>(bytes), size = Take<uint64_t>(bytes);
        if (base && size) {
          text += first ? "{iov_base=" : ", {iov_base=";
          AppendHex(text, *base);
          text.append(", iov_len=").append(std::to_string(*size)).append("}");
        }
        return base && size;
      });
      break;
    case ArgumentKind::kPoll:
      append_list([&](bool first) {
        const auto fd = Take<int32_t>(bytes);
        const auto events = Take<uint16_t>(bytes), revents = Take<uint16_t>(bytes);
        if (fd && events && revents) {
          text.append(first ? "{fd=" : ", {fd=").append(std::to_string(*fd)).append(", events=");
          AppendEvents(text, *events);
          text += '}';
        }
        return fd && events && revents;
      });
      break;
    case ArgumentKind::kEvent:
    case ArgumentKind::kEventsOut:
      append_list([&](bool first) {
        const auto events = Take<uint32_t>(bytes);
        const auto data = Take<uint64_t>(bytes);
        if (events && data) {
          text += first ? "{events=" : ", {events=";
          AppendEvents(text, *events);
          text += ", data=";
          AppendHex(text, *data);
          text += '}';
        }
        return events && data;
      });
      break;
    case ArgumentKind::kAddress:
    case ArgumentKind::kAddressOut:
      AppendAddress(text, bytes);
      break;
    case ArgumentKind::kStatOut:
      AppendStat(text, bytes);
      break;
    case ArgumentKind::kPairOut:
    case ArgumentKind::kIntOut:
      append_list([&](bool first) {
        const auto number = Take<int32_t>(bytes);
        if (number) {
          text.append(first ? "" : ", ").append(std::to_string(*number));
        }
        return number.has_value();
      });
      break;
    default:
      append_list([&](bool first) {
        const auto word = Take<int64_t>(bytes);
        if (word) {
          text.append(first ? "" : ", ").append(std::to_string(*word));
        }
        return word.has_value();
      });
      break;
  }
}

void AppendValue(std::string& text, ArgumentKind kind, uint64_t value) {
  constexpr int32_t kCurrentDirectory = -100;
  if (AppendNamed(text, kind, value)) {
    return;
  }
  switch (kind) {
    case ArgumentKind::kDirectory:
      if (static_cast<int32_t>(value) == kCurrentDirectory) {
        text += "AT_FDCWD";
        break;
      }
      [[fallthrough]];
    case ArgumentKind::kInt:
    case ArgumentKind::kFd:
      text += std::to_string(static_cast<int32_t>(value));
      break;
    case ArgumentKind::kLong:
      text += std::to_string(static_cast<int64_t>(value));
      break;
    case ArgumentKind::kUnsigned:
      text += std::to_string(value);
      break;
    case ArgumentKind::kOctal:
      AppendOctal(text, value & 0xffffffff);
      break;
    default:
      if (value == 0) {
        text += "NULL";
      } else {
        AppendHex(text, value);
      }
  }
}

bool IsMappedByResult(uint64_t number) {
  return number == 9 || number == 12 || number == 25;  // mmap, brk, mremap
}

}  // namespace

std::optional<ToldCall> ParseToldCall(std::string_view line) {
  const auto record = Take<TraceRecord>(line);
  if (!record || record->magic != shim::kTraceMagic) {
    return std::nullopt;
  }
  ToldCall call = {.record = *record, .memory = {}};
  for (uint8_t i = 0; i < record->memories; ++i) {
    const auto memory = Take<TraceMemory>(line);
    if (!memory || memory->argument >= call.memory.size() || memory->size > line.size() ||
        memory->whole < memory->size) {
      return std::nullopt;
    }
    call.memory[memory->argument] = {.is_told = true,
                                     .is_unreadable = memory->is_unreadable != 0,
                                     .whole = memory->whole,
                                     .bytes = std::string(line.substr(0, memory->size))};
    line.remove_prefix(memory->size);
  }
  return call;
}

std::string CallName(uint64_t number) {
  const std::string_view name = shim::SyscallName(number);
  return name.empty() ? "syscall_" + std::to_string(number) : std::string(name);
}

size_t ArgumentCount(uint64_t number) {
  if (!shim::HasArguments(number)) {
    return shim::kSyscallArguments;
  }
  const ArgumentKinds& kinds = shim::ArgumentsOf(number);
  size_t count = 0;
  while (count < kinds.size() && kinds[count] != ArgumentKind::kNone) {
    ++count;
  }
  return count;
}

size_t KnownAtEnter(uint64_t number) {
  const ArgumentKinds& kinds = shim::ArgumentsOf(number);
  const size_t count = ArgumentCount(number);
  size_t known = 0;
  while (known < count && shim::CaptureOf(kinds[known]).moment != Capture::Moment::kLeave) {
    ++known;
  }
  return known;
}

void AppendArgument(std::string& text, size_t index, const ToldCall& enter, const ToldCall* leave) {
  const ArgumentKind kind = shim::ArgumentsOf(enter.record.number)[index];
  const Capture capture = shim::CaptureOf(kind);
  const ToldCall* const teller = capture.moment == Capture::Moment::kLeave ? leave : &enter;
  if (capture.moment != Capture::Moment::kNever && teller != nullptr &&
      teller->memory[index].is_told && !teller->memory[index].is_unreadable) {
    AppendMemory(text, kind, teller->memory[index]);
  } else {
    AppendValue(text, kind, enter.record.words[index]);
  }
}

std::string ResultText(uint64_t number, int64_t result) {
  constexpr int64_t kErrnos = 4095;
  if (result < 0 && result >= -kErrnos) {
    const std::string_view name = ErrnoName(-result);
    return "-1 " + (name.empty() ? "errno " + std::to_string(-result) : std::string(name)) + " (" +
           std::strerror(static_cast<int>(-result)) + ")";
  }
  std::string text;
  if (IsMappedByResult(number)) {
    AppendHex(text, static_cast<uint64_t>(result));
    return text;
  }
  return std::to_string(result);
}

}  // namespace nsgx::loader
