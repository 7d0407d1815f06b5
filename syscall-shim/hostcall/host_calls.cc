// SPDX-License-Identifier: Apache-2.0
#include "syscall-shim/hostcall/host_calls.h"

#include <errno.h>

#include "base/core/checked.h"

namespace nsgx::shim {
namespace {

using Argument = HostCallArgument;
using Reply = HostCallReply;

// NOLINTBEGIN: the words of host_calls.def.
#define ARGUMENTS(...) \
  {                    \
    {                  \
      __VA_ARGS__      \
    }                  \
  }
#define VALUE(name, limit) {Argument::Kind::kValue, #name, 1, limit}
#define ANY(name) {Argument::Kind::kAny, #name, 1, ~uint64_t{0}}
#define DATA_OUT(name, unit, limit) {Argument::Kind::kDataOut, #name, unit, limit}
#define DATA_IN(name, unit, limit) {Argument::Kind::kDataIn, #name, unit, limit}
#define ZERO {Reply::Kind::kZero}
#define COUNT(index) {Reply::Kind::kCount, index}
#define BITS(mask) {Reply::Kind::kBits, 0, mask}
#define NUMBER {Reply::Kind::kNumber}
#define ERRNOS(...) {__VA_ARGS__}
#define ERRNO(name) E##name
#define HOST_CALL(number, name, Name, summary, arguments, reply, errnos) \
  HostCallInfo{number, #name, arguments, reply, errnos},
// NOLINTEND

constexpr HostCallInfo kTable[] = {
#include "syscall-shim/hostcall/host_calls.def"
};

#undef ARGUMENTS
#undef VALUE
#undef ANY
#undef DATA_OUT
#undef DATA_IN
#undef ZERO
#undef COUNT
#undef BITS
#undef NUMBER
#undef ERRNOS
#undef ERRNO
#undef HOST_CALL

struct NamedErrno {
  int32_t number;
  std::string_view name;
};
// NOLINTBEGIN: numbers are macros, names their spelling.
#define NAMED(name) {E##name, "E" #name}
constexpr NamedErrno kErrnoNames[] = {
    NAMED(ACCES),       NAMED(ADDRINUSE),   NAMED(ADDRNOTAVAIL), NAMED(AFNOSUPPORT),
    NAMED(AGAIN),       NAMED(ALREADY),     NAMED(BADF),         NAMED(BUSY),
    NAMED(CONNABORTED), NAMED(CONNREFUSED), NAMED(CONNRESET),    NAMED(DESTADDRREQ),
    NAMED(DQUOT),       NAMED(EXIST),       NAMED(FBIG),         NAMED(HOSTUNREACH),
    NAMED(INPROGRESS),  NAMED(INVAL),       NAMED(IO),           NAMED(ISCONN),
    NAMED(ISDIR),       NAMED(LOOP),        NAMED(MFILE),        NAMED(MLINK),
    NAMED(MSGSIZE),     NAMED(NAMETOOLONG), NAMED(NETDOWN),      NAMED(NETUNREACH),
    NAMED(NFILE),       NAMED(NOBUFS),      NAMED(NODATA),       NAMED(NODEV),
    NAMED(NOENT),       NAMED(NOMEM),       NAMED(NOPROTOOPT),   NAMED(NOSPC),
    NAMED(NOTCONN),     NAMED(NOTDIR),      NAMED(NOTEMPTY),     NAMED(NXIO),
    NAMED(OPNOTSUPP),   NAMED(PERM),        NAMED(PIPE),         NAMED(PROTO),
    NAMED(ROFS),        NAMED(TIMEDOUT),    NAMED(TXTBSY),       NAMED(XDEV),
};
#undef NAMED
// NOLINTEND

// Every error that a call may give has a name.
constexpr bool AllErrnosAreNamed() {
  for (const HostCallInfo& call : kTable) {
    for (int32_t number = 1; number < HostCallErrnos::kLimit; ++number) {
      if (!call.errnos.Has(number)) {
        continue;
      }
      bool is_named = false;
      for (const NamedErrno& named : kErrnoNames) {
        is_named = is_named || named.number == number;
      }
      if (!is_named) {
        return false;
      }
    }
  }
  return true;
}
static_assert(AllErrnosAreNamed());

// Found while compiling: a number out of order, a reply bounded by an argument that bounds nothing.
constexpr bool IsConsistent() {
  for (size_t i = 0; i < std::size(kTable); ++i) {
    const HostCallInfo& call = kTable[i];
    if (call.number != i) {
      return false;
    }
    const Argument& bound = call.arguments[call.reply.index];
    switch (call.reply.kind) {
      case Reply::Kind::kCount:
        // Counts are replies, so they stay out of the errors' way.
        if (bound.kind == Argument::Kind::kNone || bound.limit > 0x7fffffff) {
          return false;
        }
        break;
      case Reply::Kind::kBits:
        if (call.reply.mask == 0 || call.reply.mask >> 63 != 0) {
          return false;
        }
        break;
      case Reply::Kind::kZero:
      case Reply::Kind::kNumber:
        break;
    }
  }
  return true;
}
static_assert(IsConsistent());

}  // namespace

constinit const std::span<const HostCallInfo> kHostCalls = kTable;

const HostCallInfo* FindHostCall(uint64_t number) {
  return number < kHostCalls.size() ? &kHostCalls[static_cast<size_t>(number)] : nullptr;
}

bool IsLegalRequest(const HostCallInfo& call, const HostCallValues& values, uint64_t window_size) {
  for (size_t i = 0; i < values.size(); ++i) {
    const Argument& argument = call.arguments[i];
    if (values[i] > argument.limit) {
      return false;
    }
    if (argument.kind == Argument::Kind::kDataOut || argument.kind == Argument::Kind::kDataIn) {
      const Result<uint64_t> bytes = CheckedMul(values[i], argument.unit);
      if (!bytes.ok() || bytes.value() > window_size) {
        return false;
      }
    }
  }
  return true;
}

std::string_view ErrnoName(int64_t number) {
  for (const NamedErrno& named : kErrnoNames) {
    if (named.number == number) {
      return named.name;
    }
  }
  return {};
}

bool IsLegalReply(const HostCallInfo& call, const HostCallValues& values, int64_t reply) {
  if (reply < 0) {
    return reply >= -4095 && IsLegalErrno(call, -reply);
  }
  const uint64_t value = static_cast<uint64_t>(reply);
  switch (call.reply.kind) {
    case Reply::Kind::kZero:
      return value == 0;
    case Reply::Kind::kCount:
      return value <= values[call.reply.index];
    case Reply::Kind::kBits:
      return (value & ~call.reply.mask) == 0;
    case Reply::Kind::kNumber:
      return true;
  }
  return false;
}

void AppendText(TextBuffer& out, const TracedHostCall& traced) {
  out.Append(traced.call.name);
  out.Append('(');
  for (size_t i = 0; i < traced.values.size(); ++i) {
    const Argument& argument = traced.call.arguments[i];
    if (argument.kind == Argument::Kind::kNone) {
      break;
    }
    out.Append(i == 0 ? "" : ", ");
    out.Append(argument.name);
    out.Append(' ');
    out.AppendDecimal(traced.values[i]);
  }
  out.Append(')');
  if (!traced.reply.has_value()) {
    return;
  }
  out.Append(" = ");
  // The smallest of all numbers has no negative.
  if (*traced.reply > -HostCallErrnos::kLimit && traced.call.errnos.Has(-*traced.reply)) {
    out.Append('-');
    out.Append(ErrnoName(-*traced.reply));
    return;
  }
  out.AppendSignedDecimal(*traced.reply);
}

}  // namespace nsgx::shim
