// SPDX-License-Identifier: Apache-2.0
// The network interfaces, by the C library's functions and by what lies below them.
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/net/loopback.h"

namespace loopback {
namespace {

using InterfaceAddresses = std::unique_ptr<ifaddrs, void (*)(ifaddrs*)>;

InterfaceAddresses Addresses() {
  ifaddrs* first = nullptr;
  EXPECT_EQ(getifaddrs(&first), 0) << strerror(errno);
  return InterfaceAddresses(first, &freeifaddrs);
}

in_addr_t Ipv4Of(const sockaddr& address) {
  EXPECT_EQ(address.sa_family, AF_INET);
  return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr;
}

// The loopback's name, by its address.
std::string LoopbackName() {
  const InterfaceAddresses all = Addresses();
  for (const ifaddrs* entry = all.get(); entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == AF_INET &&
        Ipv4Of(*entry->ifa_addr) == htonl(INADDR_LOOPBACK)) {
      EXPECT_EQ(Ipv4Of(*entry->ifa_netmask), htonl(0xff000000));
      EXPECT_EQ(entry->ifa_flags & (IFF_UP | IFF_LOOPBACK), unsigned{IFF_UP | IFF_LOOPBACK});
      return entry->ifa_name;
    }
  }
  ADD_FAILURE() << "no interface has 127.0.0.1";
  return "";
}

TEST(Interfaces, HaveNamesAndNumbers) {
  struct if_nameindex* const all = if_nameindex();
  ASSERT_NE(all, nullptr);
  std::set<std::string> names;
  for (const struct if_nameindex* one = all; one->if_index != 0; ++one) {
    names.insert(one->if_name);
    EXPECT_EQ(if_nametoindex(one->if_name), one->if_index);
    char name[IF_NAMESIZE] = {};
    ASSERT_NE(if_indextoname(one->if_index, name), nullptr);
    EXPECT_STREQ(name, one->if_name);
  }
  if_freenameindex(all);
  EXPECT_TRUE(names.contains(LoopbackName()));
  EXPECT_EQ(if_nametoindex("no-such-one"), 0u);
  EXPECT_EQ(errno, ENODEV);
  char name[IF_NAMESIZE] = {};
  EXPECT_EQ(if_indextoname(123456789, name), nullptr);
  EXPECT_EQ(errno, ENXIO);
}

TEST(Interfaces, AreToldByIoctl) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM, 0));
  ASSERT_GE(socket, 0);
  ifreq request = {};
  LoopbackName().copy(request.ifr_name, IFNAMSIZ - 1);
  ASSERT_EQ(ioctl(socket, SIOCGIFFLAGS, &request), 0);
  EXPECT_EQ(request.ifr_flags & (IFF_UP | IFF_LOOPBACK), IFF_UP | IFF_LOOPBACK);
  ASSERT_EQ(ioctl(socket, SIOCGIFADDR, &request), 0);
  EXPECT_EQ(Ipv4Of(request.ifr_addr), htonl(INADDR_LOOPBACK));
  ASSERT_EQ(ioctl(socket, SIOCGIFNETMASK, &request), 0);
  EXPECT_EQ(Ipv4Of(request.ifr_netmask), htonl(0xff000000));
  ASSERT_EQ(ioctl(socket, SIOCGIFMTU, &request), 0);
  EXPECT_GE(request.ifr_mtu, 1280);
  strcpy(request.ifr_name, "no-such-one");
  EXPECT_EQ(ioctl(socket, SIOCGIFFLAGS, &request), -1);
  EXPECT_EQ(errno, ENODEV);
}

TEST(Interfaces, AddressesAreListedByIoctl) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM, 0));
  ASSERT_GE(socket, 0);
  ifconf list = {};
  ASSERT_EQ(ioctl(socket, SIOCGIFCONF, &list), 0);
  const size_t wanted = static_cast<size_t>(list.ifc_len);
  ASSERT_GE(wanted, sizeof(ifreq));
  std::vector<ifreq> entries(wanted / sizeof(ifreq) + 1);
  list.ifc_len = static_cast<int>(entries.size() * sizeof(ifreq));
  list.ifc_req = entries.data();
  ASSERT_EQ(ioctl(socket, SIOCGIFCONF, &list), 0);
  EXPECT_EQ(list.ifc_len, static_cast<int>(wanted));
  EXPECT_TRUE(std::any_of(entries.begin(), entries.end() - 1, [](const ifreq& entry) {
    return Ipv4Of(entry.ifr_addr) == htonl(INADDR_LOOPBACK);
  }));
  list.ifc_len = sizeof(ifreq) - 1;
  ASSERT_EQ(ioctl(socket, SIOCGIFCONF, &list), 0);
  EXPECT_EQ(list.ifc_len, 0);
}

// What the C library has no header for, in Linux's words.
struct sockaddr_nl {
  uint16_t nl_family;
  uint16_t nl_pad;
  uint32_t nl_pid;
  uint32_t nl_groups;
};
struct nlmsghdr {
  uint32_t nlmsg_len;
  uint16_t nlmsg_type;
  uint16_t nlmsg_flags;
  uint32_t nlmsg_seq;
  uint32_t nlmsg_pid;
};
enum : uint16_t { NLMSG_ERROR = 2, RTM_NEWLINK = 16, RTM_GETLINK = 18 };
enum : uint16_t { NLM_F_REQUEST = 1, NLM_F_MULTI = 2, NLM_F_DUMP = 0x300 };
constexpr int NETLINK_ROUTE = 0;
constexpr uint16_t kUnknownQuestion = 1002;

struct Question {
  nlmsghdr header;
  uint32_t family;
};
Question Ask(uint16_t type, uint16_t flags) {
  Question question = {};
  question.header = {.nlmsg_len = sizeof(question),
                     .nlmsg_type = type,
                     .nlmsg_flags = flags,
                     .nlmsg_seq = 77,
                     .nlmsg_pid = 0};
  return question;
}

TEST(Netlink, AnswersWhatItKnows) {
  EXPECT_EQ(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), -1);
  EXPECT_EQ(errno, ESOCKTNOSUPPORT);
  EXPECT_EQ(socket(AF_NETLINK, SOCK_RAW, 250), -1);
  EXPECT_EQ(errno, EPROTONOSUPPORT);

  const Fd socket(::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  ASSERT_GE(socket, 0);
  const sockaddr_nl anyone = {.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
  ASSERT_EQ(bind(socket, reinterpret_cast<const sockaddr*>(&anyone), sizeof(anyone)), 0);
  sockaddr_nl own = {};
  socklen_t size = sizeof(own);
  ASSERT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size), 0);
  EXPECT_EQ(own.nl_family, AF_NETLINK);
  EXPECT_NE(own.nl_pid, 0u);

  alignas(nlmsghdr) char answer[8192];
  EXPECT_EQ(recv(socket, answer, sizeof(answer), MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  pollfd ready = {.fd = socket, .events = POLLIN | POLLOUT, .revents = 0};
  EXPECT_EQ(poll(&ready, 1, 0), 1);
  EXPECT_EQ(ready.revents, POLLOUT);

  const Question unknown = Ask(kUnknownQuestion, NLM_F_REQUEST);
  ASSERT_EQ(send(socket, &unknown, sizeof(unknown), 0), ssize_t{sizeof(unknown)});
  EXPECT_EQ(poll(&ready, 1, 0), 1);
  EXPECT_EQ(ready.revents, POLLIN | POLLOUT);
  sockaddr_nl from = {};
  size = sizeof(from);
  const size_t refusal_size = 2 * sizeof(nlmsghdr) + sizeof(int32_t);
  ASSERT_GE(recvfrom(socket, answer, sizeof(answer), 0, reinterpret_cast<sockaddr*>(&from), &size),
            static_cast<ssize_t>(refusal_size));
  EXPECT_EQ(from.nl_pid, 0u);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  EXPECT_EQ(header->nlmsg_type, NLMSG_ERROR);
  EXPECT_EQ(header->nlmsg_seq, 77u);
  EXPECT_EQ(header->nlmsg_pid, own.nl_pid);
  int32_t error;
  std::memcpy(&error, answer + sizeof(nlmsghdr), sizeof(error));
  EXPECT_EQ(error, -EOPNOTSUPP);
  nlmsghdr refused;
  std::memcpy(&refused, answer + sizeof(nlmsghdr) + sizeof(error), sizeof(refused));
  EXPECT_EQ(refused.nlmsg_type, kUnknownQuestion);

  const Question links = Ask(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP);
  ASSERT_EQ(send(socket, &links, sizeof(links), 0), ssize_t{sizeof(links)});
  const ssize_t whole = recv(socket, answer, sizeof(nlmsghdr), MSG_PEEK | MSG_TRUNC);
  EXPECT_GT(whole, ssize_t{2 * sizeof(nlmsghdr)});
  header = reinterpret_cast<const nlmsghdr*>(answer);
  EXPECT_EQ(header->nlmsg_type, RTM_NEWLINK);
  EXPECT_NE(header->nlmsg_flags & NLM_F_MULTI, 0);
  EXPECT_EQ(recv(socket, answer, sizeof(answer), 0), whole);
}

}  // namespace
}  // namespace loopback
