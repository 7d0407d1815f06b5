// SPDX-License-Identifier: Apache-2.0
// getaddrinfo without a name server. With one: names_server_test.py.
#include <netdb.h>

#include "tests/net/loopback.h"

namespace loopback {
namespace {

TEST(Names, Numbers) {
  addrinfo hints = {};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  ASSERT_EQ(getaddrinfo("127.0.0.1", "80", &hints, &found), 0);
  EXPECT_EQ(reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_port, htons(80));
  freeaddrinfo(found);
}

TEST(Names, TheFileOfHosts) {
  addrinfo hints = {};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  ASSERT_EQ(getaddrinfo("localhost", nullptr, &hints, &found), 0);
  EXPECT_EQ(reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_addr.s_addr,
            htonl(INADDR_LOOPBACK));
  freeaddrinfo(found);
}

}  // namespace
}  // namespace loopback
