// SPDX-License-Identifier: Apache-2.0
// A server for clients outside, and a client for names: what network_outside_test.py runs.
//   server epoll N    answers until N connections have come and gone; prints its port first
//   server threads N  the same with a thread for each connection
//   server name NAME  prints the addresses of NAME
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

namespace {

int Listen() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(fd, 1024) != 0 || getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    perror("listen");
    exit(1);
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

// False: the connection is over.
bool Answer(int fd) {
  char buffer[4096];
  const ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
  return size > 0 && send(fd, buffer, static_cast<size_t>(size), MSG_NOSIGNAL) == size;
}

void ServeByEpoll(int listener, int connections) {
  const int set = epoll_create1(0);
  epoll_event event = {.events = EPOLLIN, .data = {.fd = listener}};
  epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
  while (connections != 0) {
    epoll_event events[64];
    const int count = epoll_wait(set, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        event.data.fd = accept(listener, nullptr, nullptr);
        const int on = 1;
        setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        epoll_ctl(set, EPOLL_CTL_ADD, event.data.fd, &event);
      } else if (!Answer(fd)) {
        close(fd);
        --connections;
      }
    }
  }
}

void ServeByThreads(int listener, int connections) {
  std::vector<std::thread> threads;
  for (; connections != 0; --connections) {
    const int fd = accept(listener, nullptr, nullptr);
    threads.emplace_back([fd] {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      while (Answer(fd)) {
      }
      close(fd);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

int PrintAddresses(const char* name) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name, "https", &hints, &found);
  if (error != 0) {
    printf("%s\n", gai_strerror(error));
    return 2;
  }
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    char text[INET6_ADDRSTRLEN] = "";
    if (one->ai_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(one->ai_addr);
      inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
      printf("%s %d\n", text, ntohs(address->sin_port));
    } else {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(one->ai_addr);
      inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof(text));
      printf("%s %d\n", text, ntohs(address->sin6_port));
    }
  }
  freeaddrinfo(found);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    return 64;
  }
  const std::string_view what = argv[1];
  if (what == "name") {
    return PrintAddresses(argv[2]);
  }
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const int listener = Listen();
  if (what == "epoll") {
    ServeByEpoll(listener, atoi(argv[2]));
  } else {
    ServeByThreads(listener, atoi(argv[2]));
  }
  return 0;
}
