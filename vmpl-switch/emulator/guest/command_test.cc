// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/guest/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nsgx::emulator {
namespace {

const std::string& Marker() {
  static const std::string marker("marker 0123456789abcdef0123456789abcdef\0", 40);
  return marker;
}

std::string Records(std::initializer_list<std::string_view> records) {
  std::string text = Marker();
  for (std::string_view record : records) {
    text.append(record).push_back('\0');
  }
  return text;
}

TEST(CommandTest, ReadsEveryWord) {
  const std::optional<Command> command =
      ParseCommand(Records({"argument /bin/nsgx-run", "argument a b", "argument ", "folder /app",
                            "environment A=1", "network", "terminal"}));
  ASSERT_TRUE(command);
  EXPECT_THAT(command->arguments, testing::ElementsAre("/bin/nsgx-run", "a b", ""));
  EXPECT_THAT(command->environment, testing::ElementsAre("A=1"));
  EXPECT_EQ(command->folder, "/app");
  EXPECT_EQ(command->marker, "0123456789abcdef0123456789abcdef");
  EXPECT_TRUE(command->network);
  EXPECT_TRUE(command->terminal);
}

TEST(CommandTest, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(ParseCommand(""));
  EXPECT_FALSE(ParseCommand(Marker()));                               // nothing to run
  EXPECT_FALSE(ParseCommand(std::string_view("argument /a\0", 12)));  // no marker
  EXPECT_FALSE(ParseCommand(Records({"argument /a", "word x"})));
  EXPECT_FALSE(ParseCommand(Marker() + "argument /a"));  // cut
}

}  // namespace
}  // namespace nsgx::emulator
