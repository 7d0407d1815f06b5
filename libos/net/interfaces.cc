// SPDX-License-Identifier: Apache-2.0
#include "libos/net/interfaces.h"

#include <algorithm>
#include <cstring>

#include "libos/kernel/user_memory.h"
#include "libos/net/linux_abi.h"

namespace nsgx::libos {
namespace {

using Kind = host::InterfaceRecord::Kind;

enum : uint32_t {
  kSIOCGIFNAME = 0x8910,
  kSIOCGIFCONF = 0x8912,
  kSIOCGIFFLAGS = 0x8913,
  kSIOCGIFADDR = 0x8915,
  kSIOCGIFBRDADDR = 0x8919,
  kSIOCGIFNETMASK = 0x891b,
  kSIOCGIFMTU = 0x8921,
  kSIOCGIFINDEX = 0x8933,
};

// struct ifreq.
struct LinuxIfreq {
  char name[16];
  union {
    LinuxSockaddrIn address;
    int16_t flags;
    int32_t number;
    uint8_t all[24];
  };
};
static_assert(sizeof(LinuxIfreq) == 40);
// struct ifconf.
struct LinuxIfconf {
  int32_t size;
  uint64_t buffer;
};
static_assert(sizeof(LinuxIfconf) == 16);

LinuxIfreq RequestFor(const host::InterfaceRecord& record) {
  LinuxIfreq request = {.name = {}, .all = {}};
  std::ranges::copy(record.name, request.name);
  return request;
}

LinuxSockaddrIn SocketAddressOf(Ipv4Bytes address) {
  LinuxSockaddrIn out = {.sin_family = kAF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  std::ranges::copy(address.bytes, out.sin_addr);
  return out;
}

// All IPv4 addresses. Without a buffer: how much room they take.
SysResult TellConfiguration(uint64_t argument) {
  LinuxIfconf configuration = TRY(Read(UserIn<LinuxIfconf>(argument)));
  const InterfaceList list;
  size_t done = 0;
  for (const host::InterfaceRecord& record : list.records()) {
    if (record.kind != Kind::kIpv4) {
      continue;
    }
    if (configuration.buffer != 0) {
      if (configuration.size < 0 ||
          static_cast<size_t>(configuration.size) - done < sizeof(LinuxIfreq)) {
        break;
      }
      LinuxIfreq request = RequestFor(record);
      request.address = SocketAddressOf(Ipv4AddressOf(record));
      TRY(Write(UserOut<LinuxIfreq>(configuration.buffer + done), request));
    }
    done += sizeof(LinuxIfreq);
  }
  configuration.size = static_cast<int32_t>(done);
  TRY(Write(UserOut<LinuxIfconf>(argument), configuration));
  return 0;
}

// What is asked for of `record`, which is the interface's own one or, for addresses, one of IPv4.
void Tell(uint32_t what, const host::InterfaceRecord& record, LinuxIfreq& out) {
  out = RequestFor(record);
  switch (what) {
    case kSIOCGIFFLAGS:
      out.flags = static_cast<int16_t>(record.flags);
      break;
    case kSIOCGIFADDR:
      out.address = SocketAddressOf(Ipv4AddressOf(record));
      break;
    case kSIOCGIFBRDADDR:
      out.address = SocketAddressOf(Ipv4BroadcastOf(record));
      break;
    case kSIOCGIFNETMASK:
      out.address = SocketAddressOf(Ipv4MaskOf(record));
      break;
    case kSIOCGIFMTU:
      out.number = static_cast<int32_t>(record.mtu);
      break;
    default:
      out.number = static_cast<int32_t>(record.index);
      break;
  }
}

SysResult TellOne(uint32_t what, uint64_t argument) {
  LinuxIfreq request = TRY(Read(UserIn<LinuxIfreq>(argument)));
  request.name[sizeof(request.name) - 1] = '\0';
  const bool of_address =
      what == kSIOCGIFADDR || what == kSIOCGIFBRDADDR || what == kSIOCGIFNETMASK;
  const Kind wanted = of_address ? Kind::kIpv4 : Kind::kInterface;
  bool is_there = false;
  const InterfaceList list;
  for (const host::InterfaceRecord& record : list.records()) {
    const bool is_it = what == kSIOCGIFNAME ? record.index == static_cast<uint32_t>(request.number)
                                            : NameOf(record) == std::string_view(request.name);
    if (is_it && record.kind == wanted) {
      Tell(what, record, request);
      TRY(Write(UserOut<LinuxIfreq>(argument), request));
      return 0;
    }
    is_there = is_there || is_it;
  }
  return Error(is_there ? Errno::kEADDRNOTAVAIL : Errno::kENODEV);
}

}  // namespace

Ipv4Bytes Ipv4AddressOf(const host::InterfaceRecord& record) {
  Ipv4Bytes out;
  std::memcpy(out.bytes, record.address.data(), sizeof(out.bytes));
  return out;
}

Ipv4Bytes Ipv4MaskOf(const host::InterfaceRecord& record) {
  Ipv4Bytes out = {};
  for (size_t bit = 0; bit < record.prefix; ++bit) {
    out.bytes[bit / 8] = static_cast<uint8_t>(out.bytes[bit / 8] | 0x80u >> (bit % 8));
  }
  return out;
}

Ipv4Bytes Ipv4BroadcastOf(const host::InterfaceRecord& record) {
  if ((record.flags & kIFF_BROADCAST) == 0) {
    return {};
  }
  Ipv4Bytes out = Ipv4AddressOf(record);
  const Ipv4Bytes mask = Ipv4MaskOf(record);
  for (size_t i = 0; i < sizeof(out.bytes); ++i) {
    out.bytes[i] = static_cast<uint8_t>(out.bytes[i] | ~mask.bytes[i]);
  }
  return out;
}

SysResult InterfaceControl(uint32_t request, uint64_t argument) {
  switch (request) {
    case kSIOCGIFCONF:
      return TellConfiguration(argument);
    case kSIOCGIFNAME:
    case kSIOCGIFFLAGS:
    case kSIOCGIFADDR:
    case kSIOCGIFBRDADDR:
    case kSIOCGIFNETMASK:
    case kSIOCGIFMTU:
    case kSIOCGIFINDEX:
      return TellOne(request, argument);
    default:
      return Error(Errno::kENOTTY);
  }
}

}  // namespace nsgx::libos
