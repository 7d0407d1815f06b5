// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/launch/fw_cfg.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "vmpl-switch/snp/testing/fake_fw_cfg.h"

namespace nsgx::snp {
namespace {

TEST(FwCfgTest, FindsAndReadsFiles) {
  FakeFwCfg device;
  const std::vector<std::byte> large(700'000, std::byte{0x42});
  device.AddFile("etc/other", {});
  device.AddFile("opt/org.nsgx/kernel", large);
  FwCfg fw_cfg(device);
  const FwCfgFile file = fw_cfg.Find("opt/org.nsgx/kernel").value();
  EXPECT_EQ(file.size, large.size());
  ASSERT_TRUE(fw_cfg.Select(file).ok());
  std::vector<std::byte> read(large.size());
  ASSERT_TRUE(fw_cfg.ReadNext(std::span(read).first(100)).ok());
  ASSERT_TRUE(fw_cfg.ReadNext(std::span(read).subspan(100)).ok());
  EXPECT_EQ(read, large);
}

TEST(FwCfgTest, NamesAreWhole) {
  FakeFwCfg device;
  device.AddFile("opt/org.nsgx/kernel2", {});
  device.AddFile(std::string(56, 'x'), {});  // without a NUL
  FwCfg fw_cfg(device);
  EXPECT_EQ(fw_cfg.Find("opt/org.nsgx/kernel").error(), Status::kNotFound);
  EXPECT_EQ(fw_cfg.Find("").error(), Status::kNotFound);
  EXPECT_TRUE(fw_cfg.Find(std::string(56, 'x')).ok());
}

TEST(FwCfgTest, WritesAtAnOffset) {
  FakeFwCfg device;
  device.AddFile("etc/file", std::vector<std::byte>(64));
  FwCfg fw_cfg(device);
  const FwCfgFile file = fw_cfg.Find("etc/file").value();
  std::byte bytes[] = {std::byte{1}, std::byte{2}};
  ASSERT_TRUE(fw_cfg.Write(file, 37, bytes).ok());
  EXPECT_EQ(device.file(0)[36], std::byte{0});
  EXPECT_EQ(device.file(0)[37], std::byte{1});
  EXPECT_EQ(device.file(0)[38], std::byte{2});
}

TEST(FwCfgTest, BelievesNoDirectory) {
  FakeFwCfg device;
  device.file_count = 0xffffffff;
  FwCfg fw_cfg(device);
  EXPECT_EQ(fw_cfg.Find("x").error(), Status::kHostFault);
  device.fails = true;
  EXPECT_EQ(fw_cfg.Find("x").error(), Status::kHostFault);
}

}  // namespace
}  // namespace nsgx::snp
