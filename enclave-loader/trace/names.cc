// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/trace/names.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <span>

namespace nsgx::loader {
namespace {

struct Name {
  uint64_t value;
  std::string_view name;
};
// NOLINTBEGIN: the spelling of macros.
#define N(name) {static_cast<uint64_t>(name), #name}

constexpr Name kErrnos[] = {N(EPERM),
                            N(ENOENT),
                            N(ESRCH),
                            N(EINTR),
                            N(EIO),
                            N(ENXIO),
                            N(E2BIG),
                            N(ENOEXEC),
                            N(EBADF),
                            N(ECHILD),
                            N(EAGAIN),
                            N(ENOMEM),
                            N(EACCES),
                            N(EFAULT),
                            N(ENOTBLK),
                            N(EBUSY),
                            N(EEXIST),
                            N(EXDEV),
                            N(ENODEV),
                            N(ENOTDIR),
                            N(EISDIR),
                            N(EINVAL),
                            N(ENFILE),
                            N(EMFILE),
                            N(ENOTTY),
                            N(ETXTBSY),
                            N(EFBIG),
                            N(ENOSPC),
                            N(ESPIPE),
                            N(EROFS),
                            N(EMLINK),
                            N(EPIPE),
                            N(EDOM),
                            N(ERANGE),
                            N(EDEADLK),
                            N(ENAMETOOLONG),
                            N(ENOLCK),
                            N(ENOSYS),
                            N(ENOTEMPTY),
                            N(ELOOP),
                            N(ENODATA),
                            N(ETIME),
                            N(EPROTO),
                            N(EBADMSG),
                            N(EOVERFLOW),
                            N(EILSEQ),
                            N(ENOTSOCK),
                            N(EDESTADDRREQ),
                            N(EMSGSIZE),
                            N(EPROTOTYPE),
                            N(ENOPROTOOPT),
                            N(EPROTONOSUPPORT),
                            N(ESOCKTNOSUPPORT),
                            N(EOPNOTSUPP),
                            N(EPFNOSUPPORT),
                            N(EAFNOSUPPORT),
                            N(EADDRINUSE),
                            N(EADDRNOTAVAIL),
                            N(ENETDOWN),
                            N(ENETUNREACH),
                            N(ENETRESET),
                            N(ECONNABORTED),
                            N(ECONNRESET),
                            N(ENOBUFS),
                            N(EISCONN),
                            N(ENOTCONN),
                            N(ESHUTDOWN),
                            N(ETIMEDOUT),
                            N(ECONNREFUSED),
                            N(EHOSTDOWN),
                            N(EHOSTUNREACH),
                            N(EALREADY),
                            N(EINPROGRESS),
                            N(ESTALE),
                            N(EDQUOT),
                            N(ECANCELED),
                            N(EOWNERDEAD),
                            N(ENOTRECOVERABLE)};
constexpr Name kSignals[] = {
    N(SIGHUP),  N(SIGINT),         N(SIGQUIT), N(SIGILL),  N(SIGTRAP),   N(SIGABRT), N(SIGBUS),
    N(SIGFPE),  N(SIGKILL),        N(SIGUSR1), N(SIGSEGV), N(SIGUSR2),   N(SIGPIPE), N(SIGALRM),
    N(SIGTERM), {16, "SIGSTKFLT"}, N(SIGCHLD), N(SIGCONT), N(SIGSTOP),   N(SIGTSTP), N(SIGTTIN),
    N(SIGTTOU), N(SIGURG),         N(SIGXCPU), N(SIGXFSZ), N(SIGVTALRM), N(SIGPROF), N(SIGWINCH),
    N(SIGIO),   N(SIGPWR),         N(SIGSYS)};
constexpr Name kAccessModes[] = {N(O_RDONLY), N(O_WRONLY), N(O_RDWR)};
// Flags of several bits come before those that are a part of them.
constexpr Name kOpen[] = {{020200000, "O_TMPFILE"},
                          {04010000, "O_SYNC"},
                          N(O_CREAT),
                          N(O_EXCL),
                          N(O_NOCTTY),
                          N(O_TRUNC),
                          N(O_APPEND),
                          N(O_NONBLOCK),
                          N(O_DSYNC),
                          {040000, "O_DIRECT"},
                          {0100000, "O_LARGEFILE"},
                          N(O_DIRECTORY),
                          N(O_NOFOLLOW),
                          {01000000, "O_NOATIME"},
                          N(O_CLOEXEC),
                          {010000000, "O_PATH"}};
constexpr Name kAt[] = {{0x100, "AT_SYMLINK_NOFOLLOW"},
                        {0x200, "AT_REMOVEDIR"},
                        {0x400, "AT_SYMLINK_FOLLOW"},
                        {0x800, "AT_NO_AUTOMOUNT"},
                        {0x1000, "AT_EMPTY_PATH"}};
constexpr Name kProtections[] = {N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC)};
constexpr Name kMaps[] = {N(MAP_SHARED),
                          N(MAP_PRIVATE),
                          N(MAP_FIXED),
                          N(MAP_ANONYMOUS),
                          {0x100, "MAP_GROWSDOWN"},
                          {0x2000, "MAP_LOCKED"},
                          {0x4000, "MAP_NORESERVE"},
                          {0x8000, "MAP_POPULATE"},
                          {0x20000, "MAP_STACK"},
                          {0x40000, "MAP_HUGETLB"},
                          {0x100000, "MAP_FIXED_NOREPLACE"}};
constexpr Name kSyncs[] = {N(MS_ASYNC), N(MS_INVALIDATE), N(MS_SYNC)};
constexpr Name kHow[] = {N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK)};
constexpr Name kClocks[] = {N(CLOCK_REALTIME),
                            N(CLOCK_MONOTONIC),
                            N(CLOCK_PROCESS_CPUTIME_ID),
                            N(CLOCK_THREAD_CPUTIME_ID),
                            {4, "CLOCK_MONOTONIC_RAW"},
                            {5, "CLOCK_REALTIME_COARSE"},
                            {6, "CLOCK_MONOTONIC_COARSE"},
                            {7, "CLOCK_BOOTTIME"},
                            {11, "CLOCK_TAI"}};
constexpr Name kFutexes[] = {{0, "FUTEX_WAIT"},
                             {1, "FUTEX_WAKE"},
                             {3, "FUTEX_REQUEUE"},
                             {4, "FUTEX_CMP_REQUEUE"},
                             {5, "FUTEX_WAKE_OP"},
                             {6, "FUTEX_LOCK_PI"},
                             {7, "FUTEX_UNLOCK_PI"},
                             {8, "FUTEX_TRYLOCK_PI"},
                             {9, "FUTEX_WAIT_BITSET"},
                             {10, "FUTEX_WAKE_BITSET"},
                             {11, "FUTEX_WAIT_REQUEUE_PI"},
                             {12, "FUTEX_CMP_REQUEUE_PI"},
                             {13, "FUTEX_LOCK_PI2"}};
constexpr Name kWhences[] = {
    N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), {3, "SEEK_DATA"}, {4, "SEEK_HOLE"}};
constexpr Name kAccesses[] = {N(R_OK), N(W_OK), N(X_OK)};
constexpr Name kAdvices[] = {{0, "MADV_NORMAL"},   {1, "MADV_RANDOM"},    {2, "MADV_SEQUENTIAL"},
                             {3, "MADV_WILLNEED"}, {4, "MADV_DONTNEED"},  {8, "MADV_FREE"},
                             {9, "MADV_REMOVE"},   {14, "MADV_HUGEPAGE"}, {15, "MADV_NOHUGEPAGE"},
                             {16, "MADV_DONTDUMP"}};
constexpr Name kFcntls[] = {N(F_DUPFD),
                            N(F_GETFD),
                            N(F_SETFD),
                            N(F_GETFL),
                            N(F_SETFL),
                            N(F_GETLK),
                            N(F_SETLK),
                            N(F_SETLKW),
                            N(F_SETOWN),
                            N(F_GETOWN),
                            {36, "F_OFD_GETLK"},
                            {37, "F_OFD_SETLK"},
                            {38, "F_OFD_SETLKW"},
                            {1030, "F_DUPFD_CLOEXEC"},
                            {1031, "F_SETPIPE_SZ"},
                            {1032, "F_GETPIPE_SZ"},
                            {1033, "F_ADD_SEALS"},
                            {1034, "F_GET_SEALS"}};
constexpr Name kResources[] = {
    N(RLIMIT_CPU),     N(RLIMIT_FSIZE),     N(RLIMIT_DATA),   N(RLIMIT_STACK),       N(RLIMIT_CORE),
    {5, "RLIMIT_RSS"}, {6, "RLIMIT_NPROC"}, N(RLIMIT_NOFILE), {8, "RLIMIT_MEMLOCK"}, N(RLIMIT_AS)};
constexpr Name kEpolls[] = {N(EPOLL_CTL_ADD), N(EPOLL_CTL_DEL), N(EPOLL_CTL_MOD)};
constexpr Name kDomains[] = {N(AF_UNSPEC), N(AF_UNIX), N(AF_INET), N(AF_INET6), {16, "AF_NETLINK"}};
constexpr Name kSocketTypes[] = {
    {1, "SOCK_STREAM"}, {2, "SOCK_DGRAM"}, {3, "SOCK_RAW"}, {5, "SOCK_SEQPACKET"}};
constexpr Name kSocketFlags[] = {{04000, "SOCK_NONBLOCK"}, {02000000, "SOCK_CLOEXEC"}};
constexpr Name kMessages[] = {
    {1, "MSG_OOB"},           {2, "MSG_PEEK"},      {0x20, "MSG_TRUNC"},
    {0x40, "MSG_DONTWAIT"},   {0x80, "MSG_EOR"},    {0x100, "MSG_WAITALL"},
    {0x4000, "MSG_NOSIGNAL"}, {0x8000, "MSG_MORE"}, {0x40000000, "MSG_CMSG_CLOEXEC"}};
constexpr Name kClones[] = {{0x100, "CLONE_VM"},
                            {0x200, "CLONE_FS"},
                            {0x400, "CLONE_FILES"},
                            {0x800, "CLONE_SIGHAND"},
                            {0x4000, "CLONE_VFORK"},
                            {0x10000, "CLONE_THREAD"},
                            {0x40000, "CLONE_SYSVSEM"},
                            {0x80000, "CLONE_SETTLS"},
                            {0x100000, "CLONE_PARENT_SETTID"},
                            {0x200000, "CLONE_CHILD_CLEARTID"},
                            {0x400000, "CLONE_DETACHED"}};
#undef N
// NOLINTEND

std::string_view Find(std::span<const Name> names, uint64_t value) {
  for (const Name& name : names) {
    if (name.value == value) {
      return name.name;
    }
  }
  return {};
}

void AppendChoice(std::string& text, std::span<const Name> names, uint64_t value) {
  const std::string_view name = Find(names, value);
  if (name.empty()) {
    AppendHex(text, value);
  } else {
    text += name;
  }
}

// `none` stands for no flags at all, and is empty if something is there already.
void AppendFlags(std::string& text, std::span<const Name> names, uint64_t value,
                 std::string_view none) {
  if (value == 0) {
    text += none;
    return;
  }
  bool first = true;
  const auto separate = [&] {
    text += none.empty() || !first ? "|" : "";
    first = false;
  };
  for (const Name& name : names) {
    if ((value & name.value) == name.value) {
      separate();
      text += name.name;
      value &= ~name.value;
    }
  }
  if (value != 0) {
    separate();
    AppendHex(text, value);
  }
}

}  // namespace

std::string_view ErrnoName(int64_t number) { return Find(kErrnos, static_cast<uint64_t>(number)); }
std::string_view SignalName(int64_t number) {
  return Find(kSignals, static_cast<uint64_t>(number));
}

void AppendHex(std::string& text, uint64_t value) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%#lx", static_cast<unsigned long>(value));
  text += digits;
}
void AppendOctal(std::string& text, uint64_t value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%#03lo", static_cast<unsigned long>(value));
  text += digits;
}

bool AppendNamed(std::string& text, shim::ArgumentKind kind, uint64_t value) {
  using enum shim::ArgumentKind;
  value &= 0xffffffff;
  switch (kind) {
    case kOpenFlags:
      AppendChoice(text, kAccessModes, value & O_ACCMODE);
      AppendFlags(text, kOpen, value & ~uint64_t{O_ACCMODE}, "");
      return true;
    case kAtFlags:
      AppendFlags(text, kAt, value, "0");
      return true;
    case kProtection:
      AppendFlags(text, kProtections, value, "PROT_NONE");
      return true;
    case kMapFlags:
      AppendFlags(text, kMaps, value, "0");
      return true;
    case kSyncFlags:
      AppendFlags(text, kSyncs, value, "0");
      return true;
    case kSignal:
      if (SignalName(static_cast<int64_t>(value)).empty()) {
        text += std::to_string(value);
      } else {
        text += SignalName(static_cast<int64_t>(value));
      }
      return true;
    case kSetHow:
      AppendChoice(text, kHow, value);
      return true;
    case kClock:
      AppendChoice(text, kClocks, value);
      return true;
    case kFutex: {
      constexpr uint64_t kPrivate = 128, kRealtime = 256;
      AppendChoice(text, kFutexes, value & ~(kPrivate | kRealtime));
      text += (value & kPrivate) != 0 ? "_PRIVATE" : "";
      text += (value & kRealtime) != 0 ? "|FUTEX_CLOCK_REALTIME" : "";
      return true;
    }
    case kWhence:
      AppendChoice(text, kWhences, value);
      return true;
    case kAccess:
      AppendFlags(text, kAccesses, value, "F_OK");
      return true;
    case kAdvice:
      AppendChoice(text, kAdvices, value);
      return true;
    case kFcntl:
      AppendChoice(text, kFcntls, value);
      return true;
    case kResource:
      AppendChoice(text, kResources, value);
      return true;
    case kEpollOperation:
      AppendChoice(text, kEpolls, value);
      return true;
    case kDomain:
      AppendChoice(text, kDomains, value);
      return true;
    case kSocketType:
      // accept4 has the flags only.
      if ((value & 0xf) != 0) {
        AppendChoice(text, kSocketTypes, value & 0xf);
        AppendFlags(text, kSocketFlags, value & ~uint64_t{0xf}, "");
      } else {
        AppendFlags(text, kSocketFlags, value, "0");
      }
      return true;
    case kMessageFlags:
      AppendFlags(text, kMessages, value, "0");
      return true;
    case kCloneFlags:
      AppendFlags(text, kClones, value, "0");
      return true;
    default:
      return false;
  }
}

}  // namespace nsgx::loader
