// SPDX-License-Identifier: Apache-2.0
// The lies of a hostile host, for every call of the table.
#include "enclave-loader/host/hostile.h"

#include <gtest/gtest.h>

#include <array>

namespace nsgx::loader {
namespace {

TEST(Lies, NamesAreParsedAndPrinted) {
  EXPECT_EQ(ParseLies("all").value(), kAllLies);
  EXPECT_EQ(ParseLies(LieList(kAllLies)).value(), kAllLies);
  EXPECT_EQ(ParseLies("short,garbage").value(),
            1u << static_cast<int>(Lie::kShort) | 1u << static_cast<int>(Lie::kGarbage));
  for (const char* wrong : {"", "shor", "short,", ",short", "all,short", "ALL"}) {
    EXPECT_FALSE(ParseLies(wrong).ok()) << wrong;
  }
}

// What a lie says must be something that the enclave has to refuse, or it would test nothing.
TEST(Lies, IllegalRepliesAreIllegalForEveryCallOfTheTable) {
  uint64_t random = 1;
  for (const shim::HostCallInfo& call : shim::kHostCalls) {
    for (const Lie lie : {Lie::kLong, Lie::kNegative, Lie::kWrongErrno}) {
      if ((LiesAbout(call) >> static_cast<int>(lie) & 1) == 0) {
        continue;
      }
      for (int round = 0; round < 2000; ++round) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        shim::HostCallValues values = {};
        for (size_t i = 0; i < values.size(); ++i) {
          const uint64_t limit = call.arguments[i].limit;
          values[i] = limit == ~uint64_t{0} ? random : (random >> 7) % (limit + 1);
        }
        const int64_t reply = IllegalReply(lie, call, values, random >> 3);
        EXPECT_FALSE(shim::IsLegalReply(call, values, reply))
            << call.name << " " << LieName(lie) << " " << reply;
      }
    }
  }
}

TEST(Lies, EveryCallIsLiedAboutInSeveralWays) {
  Lies all = 0;
  for (const shim::HostCallInfo& call : shim::kHostCalls) {
    EXPECT_NE(LiesAbout(call) & 1u << static_cast<int>(Lie::kNegative), 0u) << call.name;
    all |= LiesAbout(call);
  }
  const Lies about_time = 1u << static_cast<int>(Lie::kSingleStep);
  EXPECT_EQ(all | about_time, kAllLies) << "some lie is about no call";
}

}  // namespace
}  // namespace nsgx::loader
