// SPDX-License-Identifier: Apache-2.0
// Files of the image, with the program's system calls on one side and a made-up image on the other.
#include "libos/fs/embedded/embedded_files.h"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "libos/mm/mapped_file.h"
#include "libos/vfs/linux_abi.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/program.h"
#include "vmpl-switch/image/config_builder.h"

namespace nsgx::libos::testing {
namespace {

class EmbeddedFilesTest : public FilesTest {
 protected:
  void SetUp() override {
    FilesTest::SetUp();
    image_.resize(3 * 4096, 'x');
    image_.replace(4096, 8, "measured");
  }
  Result<void, Errno> Mount(std::initializer_list<std::string_view> files) {
    ConfigBuilder builder;
    for (const std::string_view file : files) {
      builder.Add(&nsgx_config::files, std::string(file));
    }
    section_ = builder.Build();
    return MountEmbeddedFiles(ParseConfig(section_).value(), std::as_bytes(std::span(image_)));
  }

  std::string image_;
  std::vector<std::byte> section_;
};

TEST_F(EmbeddedFilesTest, HoldWhatTheImageHolds) {
  ASSERT_TRUE(
      Mount({"4096:8:r:/app/data/model", "8192:4096:x:/app/tool", "0:0:r:/app/empty"}).ok());
  EXPECT_EQ(ReadWhole("/app/data/model"), "measured");
  EXPECT_EQ(ReadWhole("/app/tool"), std::string(4096, 'x'));
  EXPECT_EQ(ReadWhole("/app/empty"), "");
  EXPECT_EQ(ListOf("/app"), (std::vector<std::string>{"data", "empty", "tool"}));
  const auto model = Stat("/app/data/model").stat;
  EXPECT_EQ(model.st_mode, kS_IFREG | 0444u);
  EXPECT_EQ(model.st_size, 8);
  EXPECT_EQ(Stat("/app/tool").stat.st_mode, kS_IFREG | 0555u);
  EXPECT_NE(model.st_dev, Stat("/app").stat.st_dev);

  const int fd = Open("/app/data/model");
  EXPECT_EQ(Read(fd, 4), Got("meas"));
  EXPECT_EQ(Read(fd, 100), Got("ured"));
  EXPECT_EQ(Read(fd, 100), Got(""));
  EXPECT_EQ(Pread(fd, 100, 6), Got("ed"));
  EXPECT_EQ(Pread(fd, 100, 8), Got(""));
  EXPECT_EQ(Lseek(fd, -3, kSEEK_END), 5);
  EXPECT_EQ(Lseek(fd, 2, kSEEK_DATA), 2);
  EXPECT_EQ(Lseek(fd, 2, kSEEK_HOLE), 8);
  EXPECT_EQ(Lseek(fd, 8, kSEEK_DATA), Fails(Errno::kENXIO));
  Close(fd);
}

TEST_F(EmbeddedFilesTest, NobodyChangesThem) {
  ASSERT_TRUE(Mount({"4096:8:r:/app/model"}).ok());
  EXPECT_EQ(Open("/app/model", kO_RDWR), Fails(Errno::kEROFS));
  EXPECT_EQ(Open("/app/model", kO_WRONLY | kO_CREAT | kO_TRUNC), Fails(Errno::kEROFS));
  EXPECT_EQ(Truncate("/app/model", 0), Fails(Errno::kEROFS));
  EXPECT_EQ(Chmod("/app/model", 0666), Fails(Errno::kEROFS));
  EXPECT_EQ(Unlink("/app/model"), Fails(Errno::kEBUSY));
  EXPECT_EQ(Rename("/app/model", "/app/other"), Fails(Errno::kEBUSY));
  EXPECT_EQ(WriteWhole("/tmp/other", "false"), 5);
  EXPECT_EQ(Rename("/tmp/other", "/app/model"), Fails(Errno::kEBUSY));
  EXPECT_EQ(Link("/app/model", "/app/other"), Fails(Errno::kEXDEV));
  EXPECT_EQ(ReadWhole("/app/model"), "measured");
}

TEST_F(EmbeddedFilesTest, TakeThePlaceOfFilesThatAreThere) {
  ASSERT_TRUE(Mount({"4096:8:r:/etc/hosts"}).ok());
  EXPECT_EQ(ReadWhole("/etc/hosts"), "measured");
  EXPECT_NE(ReadWhole("/proc/mounts").find("embedded /etc/hosts embedded ro"), std::string::npos)
      << ReadWhole("/proc/mounts");
}

TEST_F(EmbeddedFilesTest, CanBeMapped) {
  ASSERT_TRUE(Mount({"4096:8:r:/app/model"}).ok());
  const int fd = Open("/app/model");
  const auto mapping = OpenForMapping(fd, false);
  ASSERT_TRUE(mapping.ok());
  std::array<std::byte, 4096> page = {};
  EXPECT_EQ(mapping.value()->ReadForMapping(0, page).value(), 8u);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(page.data()), 9),
            std::string_view("measured\0", 9));
  EXPECT_EQ(mapping.value()->ReadForMapping(4096, page).value(), 0u);
  mapping.value()->DropMappingReference();
  EXPECT_FALSE(OpenForMapping(fd, true).ok());
  Close(fd);
}

TEST_F(EmbeddedFilesTest, WhatCannotBeIsRefused) {
  EXPECT_FALSE(Mount({"12288:1:r:/behind"}).ok());
  EXPECT_FALSE(Mount({"8192:4097:r:/over"}).ok());
  EXPECT_FALSE(Mount({"4096:8:r:/tmp"}).ok()) << "a folder";
  EXPECT_FALSE(Mount({"4096:8:r:/etc/hosts/x"}).ok()) << "in a file";
  EXPECT_FALSE(Mount({"4096:8:r:/twice", "4096:8:r:/twice"}).ok());
}

}  // namespace
}  // namespace nsgx::libos::testing
