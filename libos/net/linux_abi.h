// SPDX-License-Identifier: Apache-2.0
// The part of the Linux x86-64 ABI that concerns sockets: numbers and layouts, no behaviour. Names
// keep their Linux spelling behind a k, as those of vfs/linux_abi.h do.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsgx::libos {

// socket
inline constexpr int32_t kAF_UNSPEC = 0;
inline constexpr int32_t kAF_UNIX = 1;
inline constexpr int32_t kAF_INET = 2;
inline constexpr int32_t kAF_INET6 = 10;
inline constexpr int32_t kAF_NETLINK = 16;
inline constexpr int32_t kAF_MAX = 46;

inline constexpr int32_t kSOCK_STREAM = 1;
inline constexpr int32_t kSOCK_DGRAM = 2;
inline constexpr int32_t kSOCK_RAW = 3;
inline constexpr int32_t kSOCK_SEQPACKET = 5;
inline constexpr int32_t kSOCK_MAX = 11;
inline constexpr uint32_t kSOCK_TYPE_MASK = 0xf;
inline constexpr uint32_t kSOCK_NONBLOCK = 04000;    // O_NONBLOCK
inline constexpr uint32_t kSOCK_CLOEXEC = 02000000;  // O_CLOEXEC

inline constexpr int32_t kIPPROTO_IP = 0;
inline constexpr int32_t kIPPROTO_TCP = 6;
inline constexpr int32_t kIPPROTO_UDP = 17;
inline constexpr int32_t kIPPROTO_IPV6 = 41;

// shutdown
inline constexpr int32_t kSHUT_RD = 0;
inline constexpr int32_t kSHUT_WR = 1;
inline constexpr int32_t kSHUT_RDWR = 2;

inline constexpr int32_t kSOMAXCONN = 4096;

// Flags of send and receive
inline constexpr uint32_t kMSG_OOB = 0x1;
inline constexpr uint32_t kMSG_PEEK = 0x2;
inline constexpr uint32_t kMSG_DONTROUTE = 0x4;
inline constexpr uint32_t kMSG_CTRUNC = 0x8;
inline constexpr uint32_t kMSG_TRUNC = 0x20;
inline constexpr uint32_t kMSG_DONTWAIT = 0x40;
inline constexpr uint32_t kMSG_EOR = 0x80;
inline constexpr uint32_t kMSG_WAITALL = 0x100;
inline constexpr uint32_t kMSG_CONFIRM = 0x800;
inline constexpr uint32_t kMSG_ERRQUEUE = 0x2000;
inline constexpr uint32_t kMSG_NOSIGNAL = 0x4000;
inline constexpr uint32_t kMSG_MORE = 0x8000;
inline constexpr uint32_t kMSG_WAITFORONE = 0x10000;
inline constexpr uint32_t kMSG_CMSG_CLOEXEC = 0x40000000;

// struct sockaddr and its kin. Each begins with the family; ports and addresses of the Internet are
// in network order.
inline constexpr size_t kSockaddrStorageSize = 128;
struct LinuxSockaddrIn {
  uint16_t sin_family;
  uint16_t sin_port;
  uint8_t sin_addr[4];
  uint8_t sin_zero[8];
};
static_assert(sizeof(LinuxSockaddrIn) == 16);
struct LinuxSockaddrIn6 {
  uint16_t sin6_family;
  uint16_t sin6_port;
  uint32_t sin6_flowinfo;
  uint8_t sin6_addr[16];
  uint32_t sin6_scope_id;
};
static_assert(sizeof(LinuxSockaddrIn6) == 28);
// What a program of today must give at least; the scope came later.
inline constexpr size_t kSockaddrIn6MinimumSize = 24;
inline constexpr size_t kUnixPathOffset = 2;
inline constexpr size_t kUnixPathSize = 108;

// struct msghdr
struct LinuxMsghdr {
  uint64_t msg_name;
  int32_t msg_namelen;
  int32_t padding0;
  uint64_t msg_iov;
  uint64_t msg_iovlen;
  uint64_t msg_control;
  uint64_t msg_controllen;
  uint32_t msg_flags;
  int32_t padding1;
};
static_assert(sizeof(LinuxMsghdr) == 56);
// struct mmsghdr
struct LinuxMmsghdr {
  LinuxMsghdr msg_hdr;
  uint32_t msg_len;
  int32_t padding;
};
static_assert(sizeof(LinuxMmsghdr) == 64);
// struct cmsghdr; the data follows, and the next header at the next multiple of 8.
struct LinuxCmsghdr {
  uint64_t cmsg_len;  // with the header
  int32_t cmsg_level;
  int32_t cmsg_type;
};
static_assert(sizeof(LinuxCmsghdr) == 16);
constexpr size_t ControlMessageSpace(size_t data) {
  return sizeof(LinuxCmsghdr) + ((data + 7) & ~size_t{7});
}
inline constexpr int32_t kSCM_RIGHTS = 1;
inline constexpr int32_t kSCM_CREDENTIALS = 2;
// struct ucred
struct LinuxUcred {
  int32_t pid;
  uint32_t uid;
  uint32_t gid;
};
static_assert(sizeof(LinuxUcred) == 12);

// Options: level SOL_SOCKET
inline constexpr int32_t kSOL_SOCKET = 1;
inline constexpr int32_t kSO_DEBUG = 1;
inline constexpr int32_t kSO_REUSEADDR = 2;
inline constexpr int32_t kSO_TYPE = 3;
inline constexpr int32_t kSO_ERROR = 4;
inline constexpr int32_t kSO_DONTROUTE = 5;
inline constexpr int32_t kSO_BROADCAST = 6;
inline constexpr int32_t kSO_SNDBUF = 7;
inline constexpr int32_t kSO_RCVBUF = 8;
inline constexpr int32_t kSO_KEEPALIVE = 9;
inline constexpr int32_t kSO_OOBINLINE = 10;
inline constexpr int32_t kSO_PRIORITY = 12;
inline constexpr int32_t kSO_LINGER = 13;
inline constexpr int32_t kSO_REUSEPORT = 15;
inline constexpr int32_t kSO_PASSCRED = 16;
inline constexpr int32_t kSO_PEERCRED = 17;
inline constexpr int32_t kSO_RCVLOWAT = 18;
inline constexpr int32_t kSO_SNDLOWAT = 19;
inline constexpr int32_t kSO_RCVTIMEO = 20;
inline constexpr int32_t kSO_SNDTIMEO = 21;
inline constexpr int32_t kSO_ACCEPTCONN = 30;
inline constexpr int32_t kSO_SNDBUFFORCE = 32;
inline constexpr int32_t kSO_RCVBUFFORCE = 33;
inline constexpr int32_t kSO_PROTOCOL = 38;
inline constexpr int32_t kSO_DOMAIN = 39;
// struct linger
struct LinuxLinger {
  int32_t l_onoff;
  int32_t l_linger;
};

}  // namespace nsgx::libos
