// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/launch/acpi_loader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "vmpl-switch/snp/testing/fake_fw_cfg.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kAreaPages = 4;

// Builds the list of steps.
class Script {
 public:
  Script& Allocate(const std::string& file, uint32_t alignment) {
    Begin(1);
    Name(file, 0);
    Number(56, alignment);
    return *this;
  }
  Script& AddPointer(const std::string& to, const std::string& from, uint32_t offset,
                     uint8_t size) {
    Begin(2);
    Name(to, 0);
    Name(from, 56);
    Number(112, offset);
    step_[116] = static_cast<std::byte>(size);
    Flush();
    return *this;
  }
  Script& AddChecksum(const std::string& file, uint32_t offset, uint32_t start, uint32_t length) {
    Begin(3);
    Name(file, 0);
    Number(56, offset);
    Number(60, start);
    Number(64, length);
    return *this;
  }
  Script& WritePointer(const std::string& to, const std::string& from, uint32_t offset,
                       uint32_t from_offset, uint8_t size) {
    Begin(4);
    Name(to, 0);
    Name(from, 56);
    Number(112, offset);
    Number(116, from_offset);
    step_[120] = static_cast<std::byte>(size);
    Flush();
    return *this;
  }
  Script& Other(uint32_t command) {
    Begin(command);
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  void Begin(uint32_t command) {
    bytes_.resize(bytes_.size() + 128);
    std::memcpy(&bytes_[bytes_.size() - 128], &command, sizeof(command));
    std::memset(step_, 0, sizeof(step_));
    Flush();
  }
  void Flush() { std::memcpy(&bytes_[bytes_.size() - 124], step_, sizeof(step_)); }
  void Name(const std::string& name, size_t offset) {
    std::memcpy(step_ + offset, name.data(), name.size());
    Flush();
  }
  void Number(size_t offset, uint32_t value) {
    std::memcpy(step_ + offset, &value, sizeof(value));
    Flush();
  }

  std::vector<std::byte> bytes_;
  std::byte step_[124];
};

class AcpiLoaderTest : public testing::Test {
 protected:
  AcpiLoaderTest() : memory_(kAreaPages * kPageSize) {
    device_.AddFile("etc/acpi/rsdp", std::vector<std::byte>(36, std::byte{1}));
    device_.AddFile("etc/acpi/tables", std::vector<std::byte>(5000, std::byte{2}));
    device_.AddFile("etc/vmgenid_addr", std::vector<std::byte>(8));
  }

  Result<GuestPhys> Load(const Script& script) {
    device_.AddFile("etc/table-loader", script.bytes());
    FwCfg fw_cfg(device_);
    AcpiLoader loader(fw_cfg, area_, memory_);
    return loader.Load();
  }

  uint64_t Number(GuestPhys at, size_t size) {
    uint64_t value = 0;
    std::memcpy(&value, &memory_[at - area_.address()], size);
    return value;
  }

  GuestPageRange area_ = GuestPageRange::OfPages(GuestPhys(0x7f80000), kAreaPages).value();
  std::vector<std::byte> memory_;
  FakeFwCfg device_;
};

const Script& Begin(Script& script) {
  return script.Allocate("etc/acpi/rsdp", 16).Allocate("etc/acpi/tables", 64);
}

TEST_F(AcpiLoaderTest, FollowsTheSteps) {
  Script script;
  Begin(script);
  script.AddPointer("etc/acpi/rsdp", "etc/acpi/tables", 16, 4)
      .AddChecksum("etc/acpi/rsdp", 8, 0, 20)
      .WritePointer("etc/vmgenid_addr", "etc/acpi/tables", 0, 40, 8)
      .Other(0)
      .Other(0x80000001);
  const GuestPhys rsdp = Load(script).value();
  EXPECT_EQ(rsdp, area_.address());
  const GuestPhys tables = area_.address() + 64;
  EXPECT_EQ(Number(rsdp + 16, 4), 0x01010101 + tables.raw());
  uint8_t sum = 0;
  for (uint64_t i = 0; i < 20; ++i) {
    sum = static_cast<uint8_t>(sum + Number(rsdp + i, 1));
  }
  EXPECT_EQ(sum, 0);
  EXPECT_EQ(Number(tables, 8), 0x0202020202020202u);
  uint64_t written = 0;
  std::memcpy(&written, device_.file(2).data(), 8);
  EXPECT_EQ(written, tables.raw() + 40);
  // Nothing of the script is left for the guest to find.
  EXPECT_EQ(memory_.back(), std::byte{0});
}

TEST_F(AcpiLoaderTest, RefusesHostileSteps) {
  const struct {
    const char* what;
    void (*add)(Script& script);
  } kCases[] = {
      {"pointer behind the file",
       [](Script& s) { s.AddPointer("etc/acpi/rsdp", "etc/acpi/tables", 33, 4); }},
      {"pointer far away",
       [](Script& s) { s.AddPointer("etc/acpi/rsdp", "etc/acpi/tables", 0xffffffff, 8); }},
      {"pointer of three bytes",
       [](Script& s) { s.AddPointer("etc/acpi/rsdp", "etc/acpi/tables", 0, 3); }},
      {"pointer of no bytes",
       [](Script& s) { s.AddPointer("etc/acpi/rsdp", "etc/acpi/tables", 0, 0); }},
      {"pointer of 16 bytes",
       [](Script& s) { s.AddPointer("etc/acpi/rsdp", "etc/acpi/tables", 0, 16); }},
      {"unknown file", [](Script& s) { s.AddPointer("etc/none", "etc/acpi/tables", 0, 4); }},
      {"pointer to an unknown file",
       [](Script& s) { s.AddPointer("etc/acpi/rsdp", "etc/none", 0, 4); }},
      {"sum behind the file", [](Script& s) { s.AddChecksum("etc/acpi/rsdp", 0, 30, 7); }},
      {"sum that wraps", [](Script& s) { s.AddChecksum("etc/acpi/rsdp", 0, 0xfffffff0, 0x20); }},
      {"result behind the file", [](Script& s) { s.AddChecksum("etc/acpi/rsdp", 36, 0, 8); }},
      {"file twice", [](Script& s) { s.Allocate("etc/acpi/rsdp", 16); }},
      {"alignment 0", [](Script& s) { s.Allocate("etc/vmgenid_addr", 0); }},
      {"alignment 3", [](Script& s) { s.Allocate("etc/vmgenid_addr", 3); }},
      {"alignment of 2 GiB", [](Script& s) { s.Allocate("etc/vmgenid_addr", 0x80000000); }},
      {"write behind the file",
       [](Script& s) { s.WritePointer("etc/vmgenid_addr", "etc/acpi/tables", 4, 0, 8); }},
      {"write of an address behind the file",
       [](Script& s) { s.WritePointer("etc/vmgenid_addr", "etc/acpi/tables", 0, 5001, 8); }},
  };
  for (const auto& test : kCases) {
    Script script;
    Begin(script);
    test.add(script);
    FakeFwCfg device;
    device.AddFile("etc/acpi/rsdp", std::vector<std::byte>(36, std::byte{1}));
    device.AddFile("etc/acpi/tables", std::vector<std::byte>(5000, std::byte{2}));
    device.AddFile("etc/vmgenid_addr", std::vector<std::byte>(8));
    device.AddFile("etc/table-loader", script.bytes());
    FwCfg fw_cfg(device);
    AcpiLoader loader(fw_cfg, area_, memory_);
    EXPECT_EQ(loader.Load().error(), Status::kMalformed) << test.what;
  }
}

TEST_F(AcpiLoaderTest, StaysInItsArea) {
  device_.AddFile("etc/large", std::vector<std::byte>(kAreaPages * kPageSize));
  Script script;
  script.Allocate("etc/large", 16);
  EXPECT_EQ(Load(script).error(), Status::kOutOfRange);
}

TEST_F(AcpiLoaderTest, SaysWhenThereIsNothing) {
  FakeFwCfg device;
  FwCfg fw_cfg(device);
  AcpiLoader loader(fw_cfg, area_, memory_);
  EXPECT_EQ(loader.Load().error(), Status::kNotFound);
  Script script;
  script.Allocate("etc/acpi/tables", 64);
  EXPECT_EQ(Load(script).error(), Status::kNotFound);
  Script unknown;
  unknown.Allocate("etc/none", 64);
  FakeFwCfg other;
  other.AddFile("etc/table-loader", unknown.bytes());
  FwCfg other_fw_cfg(other);
  AcpiLoader other_loader(other_fw_cfg, area_, memory_);
  EXPECT_EQ(other_loader.Load().error(), Status::kNotFound);
}

}  // namespace
}  // namespace nsgx::snp
