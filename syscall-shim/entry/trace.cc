// SPDX-License-Identifier: Apache-2.0
#include "syscall-shim/entry/trace.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "libos/host/host.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/user_memory.h"
#include "syscall-shim/table/syscall_arguments.h"

namespace nsgx::shim {
namespace {

// A line for the operator in the making.
class Line {
 public:
  explicit Line(const TraceRecord& record) : record_(record), size_(sizeof record) {}

  // Adds what lies at `address` in the program, or the beginning of it.
  void AddText(size_t argument, uint64_t address) {
    std::array<char, kTraceText> text;
    const auto length = libos::CopyStringFromUser(text, address);
    if (length.ok()) {
      Add(argument, std::as_bytes(std::span(text)).first(length.value()), length.value());
    } else if (length.error() == libos::Errno::kENAMETOOLONG) {
      AddBytes(argument, address, kTraceText, kTraceText + 1);
    } else {
      AddUnreadable(argument);
    }
  }

  void AddBytes(size_t argument, uint64_t address, size_t size, uint64_t whole) {
    std::array<std::byte, std::max(kTraceText, kTraceData)> bytes;
    const auto part = std::span(bytes).first(std::min(size, bytes.size()));
    if (libos::CopyFromUser(part, address).ok()) {
      Add(argument, part, whole);
    } else {
      AddUnreadable(argument);
    }
  }

  void Send() {
    std::memcpy(bytes_.data(), &record_, sizeof record_);
    const auto line = std::span(reinterpret_cast<const char*>(bytes_.data()), size_);
    libos::host::Log(libos::host::LogLevel::kTrace, line);
  }

 private:
  void Add(size_t argument, std::span<const std::byte> data, uint64_t whole) {
    Put({.argument = static_cast<uint8_t>(argument),
         .is_unreadable = 0,
         .size = static_cast<uint16_t>(data.size()),
         .whole = static_cast<uint32_t>(std::min<uint64_t>(whole, ~uint32_t{0}))},
        data);
  }
  void AddUnreadable(size_t argument) {
    Put({.argument = static_cast<uint8_t>(argument), .is_unreadable = 1, .size = 0, .whole = 0},
        {});
  }
  void Put(const TraceMemory& memory, std::span<const std::byte> data) {
    if (bytes_.size() - size_ < sizeof memory + data.size()) {
      return;  // what does not fit is shown as an address
    }
    std::memcpy(bytes_.data() + size_, &memory, sizeof memory);
    if (!data.empty()) {
      std::memcpy(bytes_.data() + size_ + sizeof memory, data.data(), data.size());
    }
    size_ += sizeof memory + data.size();
    ++record_.memories;
  }

  TraceRecord record_;
  size_t size_;
  std::array<std::byte, kTraceRecordLimit> bytes_;
};

// Not inlined, so that its line is off the stack while the call is made.
[[gnu::noinline]] void Tell(Capture::Moment moment, uint64_t number, const uint64_t (&words)[6],
                            int64_t result) {
  TraceRecord record = {};
  record.magic = kTraceMagic;
  record.number = static_cast<uint16_t>(std::min<uint64_t>(number, UINT16_MAX));
  record.tid = libos::CurrentThread().tid;
  if (moment == Capture::Moment::kEnter) {
    std::copy_n(words, kSyscallArguments, record.words);
  } else {
    record.is_leave = 1;
    record.words[0] = static_cast<uint64_t>(result);
  }
  Line line(record);
  const ArgumentKinds& kinds = ArgumentsOf(number);
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Capture capture = CaptureOf(kinds[i]);
    if (capture.moment != moment || words[i] == 0 ||
        (moment == Capture::Moment::kLeave && result < 0)) {
      continue;
    }
    if (capture.count == Capture::Count::kString) {
      line.AddText(i, words[i]);
      continue;
    }
    uint64_t count = 1;
    if (capture.count == Capture::Count::kNextArgument) {
      count = i + 1 < kinds.size() ? words[i + 1] : 0;
    } else if (capture.count == Capture::Count::kResult) {
      count = static_cast<uint64_t>(result);
    }
    // Whole ones, of which the first few are told.
    const uint64_t room = std::max<uint64_t>(kTraceData, capture.unit);
    line.AddBytes(i, words[i], std::min(count, room / capture.unit) * capture.unit,
                  count * capture.unit);
  }
  line.Send();
}

}  // namespace

int64_t Traced(Trampoline handler, uint64_t number, const uint64_t (&words)[6]) {
  Tell(Capture::Moment::kEnter, number, words, 0);
  const int64_t result =
      handler(number, words[0], words[1], words[2], words[3], words[4], words[5]);
  Tell(Capture::Moment::kLeave, number, words, result);
  return result;
}

}  // namespace nsgx::shim
