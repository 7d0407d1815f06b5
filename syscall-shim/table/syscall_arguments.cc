// SPDX-License-Identifier: Apache-2.0
#include "syscall-shim/table/syscall_arguments.h"

#include "syscall-shim/table/limits.h"

namespace nsgx::shim {
namespace {

struct Row {
  bool exists = false;
  ArgumentKinds kinds = {};
};

template <typename... Kinds>
constexpr Row MakeRow(Kinds... kinds) {
  static_assert(sizeof...(kinds) <= kSyscallArguments);
  return {true, {kinds...}};
}

constexpr auto kTable = [] {
  using enum ArgumentKind;
  std::array<Row, SYSCALL_COUNT> table = {};
#define ARGUMENTS(number, name, ...) table[number] = MakeRow(__VA_ARGS__);
#include "syscall-shim/table/syscall_arguments.inc"
#undef ARGUMENTS
  return table;
}();

constexpr auto kNames = [] {
  std::array<std::string_view, SYSCALL_COUNT> names = {};
#define CALL(number, name, ...) names[number] = #name;
#define REFUSE(number, name, ...) names[number] = #name;
#include "syscall-shim/table/syscalls.inc"
#undef CALL
#undef REFUSE
  return names;
}();

constexpr Row kUnknown = {};

const Row& RowOf(uint64_t number) { return number < kTable.size() ? kTable[number] : kUnknown; }

}  // namespace

const ArgumentKinds& ArgumentsOf(uint64_t number) { return RowOf(number).kinds; }
bool HasArguments(uint64_t number) { return RowOf(number).exists; }

std::string_view SyscallName(uint64_t number) {
  return number < kNames.size() ? kNames[number] : std::string_view();
}

Capture CaptureOf(ArgumentKind kind) {
  using Moment = Capture::Moment;
  using Count = Capture::Count;
  using enum ArgumentKind;
  switch (kind) {
    case kPath:
    case kText:
      return {Moment::kEnter, Count::kString, 1};
    case kData:
    case kAddress:
      return {Moment::kEnter, Count::kNextArgument, 1};
    case kVector:
      return {Moment::kEnter, Count::kNextArgument, 16};
    case kPoll:
      return {Moment::kEnter, Count::kNextArgument, 8};
    case kTime:
    case kWords:
      return {Moment::kEnter, Count::kOne, 16};
    case kSet:
      return {Moment::kEnter, Count::kOne, 8};
    case kEvent:
      return {Moment::kEnter, Count::kOne, 12};
    case kDataOut:
      return {Moment::kLeave, Count::kResult, 1};
    case kEventsOut:
      return {Moment::kLeave, Count::kResult, 12};
    case kTimeOut:
    case kTimevalOut:
    case kWordsOut:
      return {Moment::kLeave, Count::kOne, 16};
    case kSetOut:
    case kPairOut:
      return {Moment::kLeave, Count::kOne, 8};
    case kIntOut:
      return {Moment::kLeave, Count::kOne, 4};
    case kStatOut:
      return {Moment::kLeave, Count::kOne, 144};
    case kAddressOut:
      return {Moment::kLeave, Count::kOne, 28};
    default:
      return {};
  }
}

}  // namespace nsgx::shim
