// SPDX-License-Identifier: Apache-2.0
#include "libos/net/control_message.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "base/core/bytes.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class ControlMessageTest : public FilesTest {};

std::vector<std::byte> Encoded(uint64_t length, int32_t level, int32_t type, size_t data) {
  const LinuxCmsghdr header = {.cmsg_len = length, .cmsg_level = level, .cmsg_type = type};
  std::vector<std::byte> bytes(sizeof(header) + data, std::byte{0x55});
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

TEST_F(ControlMessageTest, AllAreRead) {
  std::vector<std::byte> bytes = Encoded(20, 1, 2, 8);
  const std::vector<std::byte> second = Encoded(24, 3, 4, 8);
  bytes.insert(bytes.end(), second.begin(), second.end());
  ControlMessageReader reader(bytes);
  ControlMessage message;
  ASSERT_TRUE(reader.Next(message).value());
  EXPECT_EQ(message.level, 1);
  EXPECT_EQ(message.type, 2);
  EXPECT_EQ(message.data.size(), 4u);
  ASSERT_TRUE(reader.Next(message).value());
  EXPECT_EQ(message.level, 3);
  EXPECT_EQ(message.data.size(), 8u);
  EXPECT_FALSE(reader.Next(message).value());
}

TEST_F(ControlMessageTest, WrongLengthsAreRefused) {
  ControlMessage message;
  for (const uint64_t length : {uint64_t{0}, uint64_t{15}, uint64_t{25}, ~uint64_t{0}}) {
    const std::vector<std::byte> bytes = Encoded(length, 1, 1, 8);
    ControlMessageReader reader(bytes);
    EXPECT_EQ(reader.Next(message).error(), Errno::kEINVAL) << length;
  }
  const std::vector<std::byte> padding(15);
  EXPECT_FALSE(ControlMessageReader(padding).Next(message).value());
}

TEST_F(ControlMessageTest, WhatDoesNotFitIsCutOff) {
  const auto memory = AllocateUser(64);
  const std::array<std::byte, 8> data = {};
  ControlMessageWriter writer(AddressOf(memory), 44);
  EXPECT_EQ(writer.RoomForData(), 28u);
  EXPECT_TRUE(writer.Put(1, 2, data).ok());
  EXPECT_EQ(writer.size(), 24u);
  EXPECT_FALSE(writer.was_cut());
  EXPECT_TRUE(writer.Put(1, 2, data).ok());
  EXPECT_TRUE(writer.was_cut());
  EXPECT_EQ(writer.size(), 44u);
  LinuxCmsghdr second;
  std::memcpy(&second, memory.data() + 24, sizeof(second));
  EXPECT_EQ(second.cmsg_len, 20u);
  EXPECT_EQ(writer.RoomForData(), 0u);
  ControlMessageWriter nothing(0, 0);
  EXPECT_TRUE(nothing.Put(1, 2, data).ok());
  EXPECT_TRUE(nothing.was_cut());
  ControlMessageWriter bad(kBadAddress, 64);
  EXPECT_EQ(bad.Put(1, 2, data).error(), Errno::kEFAULT);
}

}  // namespace
}  // namespace nsgx::libos::testing
