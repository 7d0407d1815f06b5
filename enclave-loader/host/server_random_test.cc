// SPDX-License-Identifier: Apache-2.0
// The server against an enclave that asks for anything: every call of the table, with arguments
// that are legal, nearly legal and neither. It stays inside the window, and answers what the table
// allows.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "enclave-loader/host/fake_device.h"
#include "enclave-loader/host/server.h"

namespace nsgx::loader {
namespace {

using shim::HostCallArgument;
using shim::HostCallInfo;
using shim::HostCallValues;

class NullOwner final : public HostServerOwner {
 public:
  bool StartVcpu(uint32_t slot) override { return slot == 1; }
  void Log(uint32_t, std::string_view line) override { bytes += line.size(); }
  uint64_t bytes = 0;
};

class Random {
 public:
  uint64_t Next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 11;
  }
  // Near a limit, beyond it, or anywhere.
  uint64_t Around(uint64_t limit) {
    switch (Next() % 8) {
      case 0:
        return limit + 1;
      case 1:
        return ~uint64_t{0} - Next() % 16;
      case 2:
        return Next() << 11;
      case 3:
        return limit;
      default:
        return limit == ~uint64_t{0} ? Next() : Next() % (limit + 1);
    }
  }

 private:
  uint64_t state_ = 1;
};

TEST(ServerRandom, EveryCallOfTheTable) {
  // Standard input and output of the enclave are ours; they become nothing.
  const int saved[] = {dup(0), dup(1), dup(2)};
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  ASSERT_GE(null, 0);
  std::string wrong;
  {
    for (int stream = 0; stream < 3; ++stream) {
      dup2(null, stream);
    }
    FakeDevice device;
    NullOwner owner;
    HostFiles files;
    HostServer server(device, owner, files, 2);
    Random random;
    for (int round = 0; round < 3000; ++round) {
      for (const HostCallInfo& call : shim::kHostCalls) {
        HostCallValues values = {};
        for (size_t i = 0; i < values.size(); ++i) {
          const HostCallArgument& argument = call.arguments[i];
          const bool is_data = argument.kind == HostCallArgument::Kind::kDataIn ||
                               argument.kind == HostCallArgument::Kind::kDataOut;
          values[i] = random.Around(
              is_data ? std::min(argument.limit, FakeDevice::kWindowSize / argument.unit)
                      : argument.limit);
        }
        for (std::byte& byte : device.window(0).first(256)) {
          byte = static_cast<std::byte>(random.Next());
        }
        server.Wake(0);  // so that no sleep is long
        device.now = ~uint64_t{0} - 1;
        const bool is_legal = shim::IsLegalRequest(call, values, FakeDevice::kWindowSize);
        const int64_t reply = server.Answer(0, {ExitReason::kHostCall, call.number, values});
        if (is_legal ? !shim::IsLegalReply(call, values, reply) && reply != -EIO && reply != -EINVAL
                     : reply != -EINVAL) {
          wrong = std::string(call.name) + " answers " + std::to_string(reply);
        }
      }
    }
    for (int stream = 0; stream < 3; ++stream) {
      dup2(saved[stream], stream);
      close(saved[stream]);
    }
    close(null);
  }
  EXPECT_EQ(wrong, "");
}

}  // namespace
}  // namespace nsgx::loader
