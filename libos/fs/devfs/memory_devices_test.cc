// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/devfs/memory_devices.h"

#include <string>

#include "libos/mm/mapped_file.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class MemoryDeviceTest : public FilesTest {};

TEST_F(MemoryDeviceTest, Null) {
  const int fd = Open("/dev/null", kO_RDWR);
  EXPECT_EQ(Read(fd, 100), Got(""));
  EXPECT_EQ(Write(fd, "gone"), 4);
  // The bytes are not even looked at.
  EXPECT_EQ(ResultOf(SysWrite(fd, UserIn<std::byte>(kBadAddress), 1 << 30)), 1 << 30);
  EXPECT_EQ(Lseek(fd, 5, kSEEK_SET), 0);
  EXPECT_EQ(Pwrite(fd, "x", 7), 1);
  EXPECT_EQ(Fstat(fd).stat.st_rdev, MakeDevice(1, 3));
  EXPECT_EQ(Fstat(fd).stat.st_mode, kS_IFCHR | 0666);
  EXPECT_EQ(ResultOf(SysIoctl(fd, kTCGETS, 0)), Fails(Errno::kENOTTY));
  EXPECT_FALSE(OpenForMapping(fd, false).ok());
}

TEST_F(MemoryDeviceTest, Zero) {
  const int fd = Open("/dev/zero", kO_RDWR);
  EXPECT_EQ(Read(fd, 10000).data, std::string(10000, '\0'));
  EXPECT_EQ(Write(fd, "x"), 1);
  EXPECT_EQ(ResultOf(SysRead(fd, UserOut<std::byte>(kBadAddress), 10)), Fails(Errno::kEFAULT));
  auto mapping = OpenForMapping(fd, true);
  ASSERT_TRUE(mapping.ok());
  std::byte bytes[100];
  std::fill(std::begin(bytes), std::end(bytes), std::byte{1});
  EXPECT_EQ(mapping.value()->ReadForMapping(1 << 20, bytes).value(), 100u);
  EXPECT_EQ(bytes[99], std::byte{0});
  mapping.value()->DropMappingReference();
}

TEST_F(MemoryDeviceTest, Full) {
  const int fd = Open("/dev/full", kO_RDWR);
  EXPECT_EQ(Read(fd, 10).data, std::string(10, '\0'));
  EXPECT_EQ(Write(fd, "x"), Fails(Errno::kENOSPC));
}

TEST_F(MemoryDeviceTest, Random) {
  for (const char* path : {"/dev/random", "/dev/urandom"}) {
    const int fd = Open(path, kO_RDWR);
    const Bytes first = Read(fd, 5000);
    const Bytes second = Read(fd, 5000);
    EXPECT_EQ(first.data.size(), 5000u);
    EXPECT_NE(first.data, second.data);
    EXPECT_EQ(Write(fd, "seed"), 4);
    EXPECT_EQ(ResultOf(SysRead(fd, UserOut<std::byte>(kBadAddress), 10)), Fails(Errno::kEFAULT));
  }
}

}  // namespace
}  // namespace nsgx::libos::testing
