// SPDX-License-Identifier: Apache-2.0
#include "syscall-shim/hostcall/host_calls.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

namespace nsgx::shim {
namespace {

TEST(HostCallsTest, TableIsIndexedByNumber) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kHostCalls.size(); ++i) {
    EXPECT_EQ(kHostCalls[i].number, i);
    EXPECT_TRUE(names.insert(kHostCalls[i].name).second) << kHostCalls[i].name;
  }
  EXPECT_EQ(InfoOf(HostCall::kWait).name, "wait");
}

TEST(HostCallsTest, NumbersNeverChange) {
  // They are in measured images. A call may be added at the end; a line of this test is never
  // edited.
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kStreamRead), 0u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kStreamWrite), 1u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kStreamQuery), 2u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kWait), 3u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kStartVcpu), 4u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kSetTick), 5u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kWallClock), 6u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kLog), 7u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kCertificateChain), 8u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kSocketCreate), 28u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kSocketPoll), 43u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kNameServers), 44u);
  EXPECT_EQ(static_cast<uint32_t>(HostCall::kInterfaces), 45u);
}

TEST(HostCallsTest, FindsByNumber) {
  EXPECT_EQ(FindHostCall(7)->name, "log");
  EXPECT_EQ(FindHostCall(kHostCalls.size()), nullptr);
  EXPECT_EQ(FindHostCall(~uint64_t{0}), nullptr);
}

TEST(HostCallsTest, RequestsStayWithinTheirLimits) {
  const HostCallInfo& read = InfoOf(HostCall::kStreamRead);
  EXPECT_TRUE(IsLegalRequest(read, {2, 4096, 0, 0}, 4096));
  EXPECT_TRUE(IsLegalRequest(read, {0, 0, 0, 0}, 0));
  EXPECT_FALSE(IsLegalRequest(read, {3, 4096, 0, 0}, 4096)) << "no such stream";
  EXPECT_FALSE(IsLegalRequest(read, {0, 4097, 0, 0}, 4096)) << "beyond the window";
  EXPECT_FALSE(IsLegalRequest(read, {0, ~uint64_t{0}, 0, 0}, ~uint64_t{0})) << "beyond the limit";
  EXPECT_FALSE(IsLegalRequest(read, {0, 1, 1, 0}, 4096)) << "an argument that the call has not";

  const HostCallInfo& wait = InfoOf(HostCall::kWait);
  EXPECT_TRUE(IsLegalRequest(wait, {32, 0, ~uint64_t{0}, 0}, 32 * 8));
  EXPECT_FALSE(IsLegalRequest(wait, {32, 0, 0, 0}, 32 * 8 - 1)) << "units count, not bytes";
  EXPECT_FALSE(IsLegalRequest(wait, {0, 33, 0, 0}, 32 * 8)) << "room counts as data do";
  EXPECT_FALSE(IsLegalRequest(wait, {33, 0, 0, 0}, 4096));
}

TEST(HostCallsTest, CountsAreBoundByTheRequest) {
  const HostCallInfo& write = InfoOf(HostCall::kStreamWrite);
  EXPECT_TRUE(IsLegalReply(write, {1, 10}, 0));
  EXPECT_TRUE(IsLegalReply(write, {1, 10}, 10));
  EXPECT_FALSE(IsLegalReply(write, {1, 10}, 11));
  EXPECT_FALSE(IsLegalReply(write, {1, 10}, INT64_MAX));
}

TEST(HostCallsTest, BitsAreThoseOfTheCall) {
  const HostCallInfo& query = InfoOf(HostCall::kStreamQuery);
  EXPECT_TRUE(IsLegalReply(query, {0}, 0x0000ffffffff0001));
  EXPECT_FALSE(IsLegalReply(query, {0}, 2));
  EXPECT_FALSE(IsLegalReply(query, {0}, int64_t{1} << 48));
}

TEST(HostCallsTest, SuccessIsZeroAndNothingElse) {
  EXPECT_TRUE(IsLegalReply(InfoOf(HostCall::kStartVcpu), {1}, 0));
  EXPECT_FALSE(IsLegalReply(InfoOf(HostCall::kStartVcpu), {1}, 1));
  EXPECT_TRUE(IsLegalReply(InfoOf(HostCall::kWallClock), {}, INT64_MAX));
}

TEST(HostCallsTest, EveryErrorIsLegalForThoseThatNameItOnly) {
  for (const HostCallInfo& call : kHostCalls) {
    for (int64_t number = 1; number < 5000; ++number) {
      EXPECT_EQ(IsLegalReply(call, {}, -number), call.errnos.Has(number))
          << call.name << " " << number;
    }
    EXPECT_FALSE(IsLegalReply(call, {}, INT64_MIN)) << call.name;
    EXPECT_FALSE(IsLegalReply(call, {}, INT64_MIN + EAGAIN)) << call.name;
  }
}

TEST(HostCallsTest, TracesReadWell) {
  std::array<char, 128> buffer;
  const auto text = [&](const TracedHostCall& traced) {
    TextBuffer out(buffer);
    AppendText(out, traced);
    return std::string(out.text());
  };
  const HostCallInfo& read = InfoOf(HostCall::kStreamRead);
  EXPECT_EQ(text({read, {0, 4096}}), "stream_read(stream 0, size 4096)");
  EXPECT_EQ(text({read, {0, 4096}, 17}), "stream_read(stream 0, size 4096) = 17");
  EXPECT_EQ(text({read, {0, 4096}, -EAGAIN}), "stream_read(stream 0, size 4096) = -EAGAIN");
  EXPECT_EQ(text({read, {0, 4096}, -12345}), "stream_read(stream 0, size 4096) = -12345");
  EXPECT_EQ(text({read, {0, 4096}, INT64_MIN}),
            "stream_read(stream 0, size 4096) = -9223372036854775808");
  EXPECT_EQ(text({InfoOf(HostCall::kWallClock), {}, 1}), "wall_clock() = 1");
}

}  // namespace
}  // namespace nsgx::shim
