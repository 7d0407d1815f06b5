// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/config.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "vmpl-switch/image/config_builder.h"

namespace nsgx {
namespace {

using Section = std::vector<std::byte>;

Status StatusOf(const Section& section) {
  const Result<ConfigView> result = ParseConfig(section);
  return result.ok() ? Status::kOk : result.error();
}

std::vector<std::string> ToVector(ConfigStrings strings) {
  std::vector<std::string> result;
  for (std::string_view text : strings) {
    result.emplace_back(text);
  }
  return result;
}

TEST(Config, AcceptsWhatTheBuilderMakes) {
  const Section section = ConfigBuilder().Build();
  Result<ConfigView> config = ParseConfig(section);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config.value().address_range_size(), uint64_t{64} << 20);
  EXPECT_EQ(config.value().max_vcpus(), 4u);
  EXPECT_EQ(config.value().product_id(), 7);
  EXPECT_EQ(config.value().svn(), 3);
  EXPECT_EQ(config.value().main_stack_size(), uint64_t{64} << 10);
  EXPECT_FALSE(config.value().is_debug());
  EXPECT_TRUE(config.value().env_allow().is_empty());
  EXPECT_TRUE(config.value().files().is_empty());
  EXPECT_EQ(config.value().section().data(), section.data());
}

TEST(Config, ReadsEveryList) {
  ConfigBuilder builder;
  builder.Add(&nsgx_config::env_allow, "HOME")
      .Add(&nsgx_config::env_allow, "LC_*")
      .Add(&nsgx_config::env_allow, "*")
      .Add(&nsgx_config::env_fixed, "PATH=/bin")
      .Add(&nsgx_config::env_fixed, "EMPTY=")
      .Add(&nsgx_config::args_fixed, "")
      .Add(&nsgx_config::args_fixed, "--verbose")
      .Add(&nsgx_config::args_fixed, "")
      .Add(&nsgx_config::mounts, "hostfs:/data:ro")
      .Add(&nsgx_config::files, "4096:7:r:/etc/hosts");
  const Section section = builder.Build();
  Result<ConfigView> config = ParseConfig(section);
  ASSERT_TRUE(config.ok());
  using Texts = std::vector<std::string>;
  EXPECT_EQ(ToVector(config.value().env_allow()), (Texts{"HOME", "LC_*", "*"}));
  EXPECT_EQ(ToVector(config.value().env_fixed()), (Texts{"PATH=/bin", "EMPTY="}));
  EXPECT_EQ(ToVector(config.value().args_fixed()), (Texts{"", "--verbose", ""}));
  EXPECT_EQ(ToVector(config.value().mounts()), (Texts{"hostfs:/data:ro"}));
  EXPECT_EQ(ToVector(config.value().files()), (Texts{"4096:7:r:/etc/hosts"}));
  EXPECT_EQ(config.value().args_fixed().count(), 3u);
}

TEST(Config, ReadsListsAfterEmptyOnes) {
  ConfigBuilder builder;
  builder.Add(&nsgx_config::args_fixed, "a").Add(&nsgx_config::files, "0:1:x:/b");
  const Section section = builder.Build();
  Result<ConfigView> config = ParseConfig(section);
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(config.value().env_allow().is_empty());
  EXPECT_EQ(ToVector(config.value().args_fixed()), std::vector<std::string>{"a"});
  EXPECT_EQ(ToVector(config.value().files()), std::vector<std::string>{"0:1:x:/b"});
}

TEST(Config, AllowsTheNamedHostCallsOnly) {
  const Section section = ConfigBuilder().Build();
  Result<ConfigView> config = ParseConfig(section);
  ASSERT_TRUE(config.ok());
  for (uint64_t number = 0; number < 300; ++number) {
    const bool expected = number == 0 || number == 1 || number == 3 || number == 127;
    EXPECT_EQ(HostCallAllowed(config.value().config(), number), expected) << number;
  }
  EXPECT_FALSE(HostCallAllowed(config.value().config(), ~uint64_t{0}));
  EXPECT_FALSE(HostCallAllowed(config.value().config(), uint64_t{1} << 32));
}

TEST(Config, TellsANewerVersionFromGarbage) {
  ConfigBuilder builder;
  builder.config.version = NSGX_CONFIG_VERSION + 1;
  // What a newer version means by the other fields is unknown, so they are not looked at.
  builder.config.attributes = ~uint64_t{0};
  EXPECT_EQ(StatusOf(builder.Build()), Status::kUnsupported);
  builder.config.magic ^= 1;
  EXPECT_EQ(StatusOf(builder.Build()), Status::kMalformed);
}

struct Mutation {
  const char* name;
  std::function<void(ConfigBuilder&)> apply;
};

class ConfigMutation : public testing::TestWithParam<Mutation> {};

TEST_P(ConfigMutation, IsRefused) {
  ConfigBuilder builder;
  builder.Add(&nsgx_config::env_allow, "HOME").Add(&nsgx_config::args_fixed, "one");
  ASSERT_EQ(StatusOf(builder.Build()), Status::kOk);
  GetParam().apply(builder);
  EXPECT_EQ(StatusOf(builder.Build()), Status::kMalformed);
}

INSTANTIATE_TEST_SUITE_P(
    Fields, ConfigMutation,
    testing::Values(
        Mutation{"magic", [](ConfigBuilder& b) { b.config.magic = 0; }},
        Mutation{"version_zero", [](ConfigBuilder& b) { b.config.version = 0; }},
        Mutation{"size_below_struct", [](ConfigBuilder& b) { b.config.size = 175; }},
        Mutation{"size_short", [](ConfigBuilder& b) { --b.config.size; }},
        Mutation{"size_long", [](ConfigBuilder& b) { ++b.config.size; }},
        Mutation{"size_above_section", [](ConfigBuilder& b) { b.config.size = 4097; }},
        Mutation{"size_max", [](ConfigBuilder& b) { b.config.size = ~0u; }},
        Mutation{"range_small",
                 [](ConfigBuilder& b) { b.config.address_range_size = uint64_t{14} << 20; }},
        Mutation{"range_large",
                 [](ConfigBuilder& b) {
                   b.config.address_range_size = NSGX_MAX_ADDRESS_RANGE + (uint64_t{2} << 20);
                 }},
        Mutation{"range_unaligned",
                 [](ConfigBuilder& b) { b.config.address_range_size += uint64_t{1} << 20; }},
        Mutation{"attribute", [](ConfigBuilder& b) { b.config.attributes = 0x10; }},
        Mutation{"attribute_high",
                 [](ConfigBuilder& b) { b.config.attributes = uint64_t{1} << 63; }},
        Mutation{"no_vcpus", [](ConfigBuilder& b) { b.config.max_vcpus = 0; }},
        Mutation{"many_vcpus", [](ConfigBuilder& b) { b.config.max_vcpus = NSGX_MAX_VCPUS + 1; }},
        Mutation{"no_stack", [](ConfigBuilder& b) { b.config.main_stack_size = 0; }},
        Mutation{"stack_unaligned", [](ConfigBuilder& b) { b.config.main_stack_size = 4097; }},
        Mutation{"stack_fills_range",
                 [](ConfigBuilder& b) { b.config.main_stack_size = b.config.address_range_size; }},
        Mutation{"reserved", [](ConfigBuilder& b) { b.config.reserved[31] = 1; }}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Lists, ConfigMutation,
    testing::Values(
        Mutation{"list_reserved", [](ConfigBuilder& b) { b.config.env_allow.reserved = 1; }},
        Mutation{"empty_list_reserved", [](ConfigBuilder& b) { b.config.files.reserved = 1; }},
        Mutation{"empty_list_offset", [](ConfigBuilder& b) { b.config.files.offset = 176; }},
        Mutation{"empty_list_size", [](ConfigBuilder& b) { b.config.files.size = 1; }},
        Mutation{"inside_struct", [](ConfigBuilder& b) { b.config.env_allow.offset = 0; }},
        Mutation{"gap", [](ConfigBuilder& b) { ++b.config.args_fixed.offset; }},
        Mutation{"overlap", [](ConfigBuilder& b) { --b.config.args_fixed.offset; }},
        Mutation{"wrap",
                 [](ConfigBuilder& b) {
                   // In 32 bits, the first list would end where the second begins.
                   b.config.env_allow.offset = ~0u;
                   b.config.env_allow.size = 182;
                 }},
        Mutation{"size_wraps", [](ConfigBuilder& b) { b.config.args_fixed.size = ~0u; }},
        Mutation{"count_more", [](ConfigBuilder& b) { ++b.config.env_allow.count; }},
        Mutation{"count_less", [](ConfigBuilder& b) { b.config.args_fixed.count = 0; }},
        Mutation{"count_max", [](ConfigBuilder& b) { b.config.args_fixed.count = ~0u; }},
        Mutation{"no_final_nul", [](ConfigBuilder& b) { b.strings.back() = 'x'; }},
        Mutation{"behind_the_end", [](ConfigBuilder& b) { b.strings += 'x'; }},
        Mutation{"env_with_equals", [](ConfigBuilder& b) { b.strings[1] = '='; }},
        Mutation{"env_with_inner_star", [](ConfigBuilder& b) { b.strings[1] = '*'; }}),
    [](const auto& test) { return test.param.name; });

TEST(Config, HidesNothingBetweenLists) {
  ConfigBuilder builder;
  builder.Add(&nsgx_config::env_allow, "HOME").Add(&nsgx_config::args_fixed, "");
  ASSERT_EQ(StatusOf(builder.Build()), Status::kOk);
  // One byte before the second list that belongs to none; sizes and strings still add up.
  ++builder.config.args_fixed.offset;
  builder.strings[5] = 'x';
  EXPECT_EQ(StatusOf(builder.Build()), Status::kMalformed);
}

TEST(Config, ChecksEachListsStrings) {
  using List = nsgx_string_list nsgx_config::*;
  const auto status = [](List list, const char* text) {
    return StatusOf(ConfigBuilder().Add(list, text).Build());
  };
  EXPECT_EQ(status(&nsgx_config::env_allow, ""), Status::kMalformed);
  EXPECT_EQ(status(&nsgx_config::env_fixed, ""), Status::kMalformed);
  EXPECT_EQ(status(&nsgx_config::env_fixed, "NAME"), Status::kMalformed);
  EXPECT_EQ(status(&nsgx_config::env_fixed, "=value"), Status::kMalformed);
  EXPECT_EQ(status(&nsgx_config::env_fixed, "N=v=w"), Status::kOk);
  EXPECT_EQ(status(&nsgx_config::args_fixed, ""), Status::kOk);
  EXPECT_EQ(status(&nsgx_config::mounts, ""), Status::kMalformed);
  EXPECT_EQ(status(&nsgx_config::files, ""), Status::kMalformed);
}

TEST(Config, ChecksTheSectionsSize) {
  Section section = ConfigBuilder().Build();
  for (size_t size = 0; size < section.size(); size += 25) {
    EXPECT_EQ(StatusOf(Section(section.begin(), section.begin() + static_cast<ptrdiff_t>(size))),
              Status::kMalformed)
        << size;
  }
  section.resize(NSGX_CONFIG_MAX_SIZE);
  EXPECT_EQ(StatusOf(section), Status::kOk);
  section.back() = std::byte{1};
  EXPECT_EQ(StatusOf(section), Status::kMalformed);
  section.back() = std::byte{0};
  section.resize(NSGX_CONFIG_MAX_SIZE + 4096);
  EXPECT_EQ(StatusOf(section), Status::kMalformed);
}

}  // namespace
}  // namespace nsgx
