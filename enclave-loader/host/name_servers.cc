// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/host/name_servers.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace nsgx::loader {

std::vector<shim::NameServerRecord> ParseNameServers(std::string_view text) {
  std::vector<shim::NameServerRecord> servers;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string keyword, address;
    if (!(words >> keyword >> address) || keyword != "nameserver") {
      continue;
    }
    shim::NameServerRecord record = {};
    for (const int family : {AF_INET, AF_INET6}) {
      if (inet_pton(family, address.c_str(), record.address.data()) == 1) {
        record.family = static_cast<uint32_t>(family);
        servers.push_back(record);
        break;
      }
    }
  }
  return servers;
}

int64_t NameServers(std::span<std::byte> out) {
  const char* const given = getenv("NSGX_RESOLV_CONF");
  const std::ifstream file(given != nullptr ? given : "/etc/resolv.conf");
  std::ostringstream text;
  text << file.rdbuf();
  const auto servers = ParseNameServers(text.str());
  const size_t count = std::min(servers.size(), out.size() / sizeof(shim::NameServerRecord));
  std::memcpy(out.data(), servers.data(), count * sizeof(shim::NameServerRecord));
  return static_cast<int64_t>(count);
}

}  // namespace nsgx::loader
