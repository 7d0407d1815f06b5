// SPDX-License-Identifier: Apache-2.0
// A client for servers that send back what they get: keeps one request of 64 bytes on its way on
// each connection.
//   load PORT CONNECTIONS REQUESTS   prints {"seconds": ...}; the time between first request and
//   last answer load PORT CONNECTIONS idle       connects, says so, and stays until standard input
//   ends
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

constexpr size_t kSize = 64;

[[noreturn]] void Fail(const char* what) {
  perror(what);
  exit(1);
}

int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("connect");
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

void Ask(int fd) {
  const char request[kSize] = {};
  if (send(fd, request, kSize, 0) != static_cast<ssize_t>(kSize)) {
    Fail("send");
  }
}

double Drive(const std::vector<int>& connections, long requests) {
  const int set = epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : connections) {
    epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) {
      Fail("epoll_ctl");
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  long asked = 0;
  for (const int fd : connections) {
    Ask(fd);
    ++asked;
  }
  for (long answered = 0; answered < asked;) {
    epoll_event events[256];
    const int count = epoll_wait(set, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      char answer[kSize];
      if (recv(fd, answer, kSize, MSG_WAITALL) != static_cast<ssize_t>(kSize)) {
        Fail("recv");
      }
      ++answered;
      if (asked < requests) {
        Ask(fd);
        ++asked;
      }
    }
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    return 64;
  }
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  std::vector<int> connections;
  for (long i = 0; i < atol(argv[2]); ++i) {
    connections.push_back(Connect(atoi(argv[1])));
  }
  if (argv[3] == std::string_view("idle")) {
    printf("connected\n");
    fflush(stdout);
    return getchar() == EOF ? 0 : 1;
  }
  printf("{\"seconds\": %.9f}\n", Drive(connections, atol(argv[3])));
  return 0;
}
