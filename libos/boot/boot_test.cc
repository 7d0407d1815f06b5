// SPDX-License-Identifier: Apache-2.0
// What happens before the library OS runs: relocation, the policy for arguments and environment,
// the program's first stack.

#include <elf.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "libos/boot/launch_strings.h"
#include "libos/boot/program_stack.h"
#include "libos/boot/relocate.h"
#include "vmpl-switch/image/config_builder.h"

namespace nsgx::libos {
namespace {

using Strings = std::vector<std::string>;

// ---- relocation
// --------------------------------------------------------------------------------------------------

TEST(Relocate, RelaAndRelr) {
  std::array<uint64_t, 256> image{};
  const uint64_t base = reinterpret_cast<uint64_t>(image.data());
  image[3] = 0x10;   // by RELR: address
  image[4] = 0x20;   // by RELR: bit 0
  image[66] = 0x30;  // by RELR: bit 62
  image[67] = 0x40;  // by RELR: first bit of the second bitmap
  image[69] = 0x50;  // not relocated
  auto* rela = reinterpret_cast<Elf64_Rela*>(&image[200]);  // 200..202
  *rela = {.r_offset = 8 * 100, .r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE), .r_addend = 0x60};
  image[210] = 3 * 8;
  image[211] = 1 | (uint64_t{1} << 1) | (uint64_t{1} << 63);
  image[212] = 1 | (uint64_t{1} << 1);
  const Elf64_Dyn dynamic[] = {{DT_RELA, {200 * 8}},
                               {DT_RELASZ, {sizeof(Elf64_Rela)}},
                               {DT_RELR, {210 * 8}},
                               {DT_RELRSZ, {3 * 8}},
                               {DT_NULL, {0}}};
  ASSERT_TRUE(RelocateImage(base, dynamic));
  EXPECT_EQ(image[3], base + 0x10);
  EXPECT_EQ(image[4], base + 0x20);
  EXPECT_EQ(image[66], base + 0x30);
  EXPECT_EQ(image[67], base + 0x40);
  EXPECT_EQ(image[69], 0x50u);
  EXPECT_EQ(image[100], base + 0x60);
}

TEST(Relocate, OtherKindsAreRefused) {
  std::array<uint64_t, 16> image{};
  auto* rela = reinterpret_cast<Elf64_Rela*>(&image[4]);
  *rela = {.r_offset = 0, .r_info = ELF64_R_INFO(1, R_X86_64_GLOB_DAT), .r_addend = 0};
  const Elf64_Dyn dynamic[] = {
      {DT_RELA, {4 * 8}}, {DT_RELASZ, {sizeof(Elf64_Rela)}}, {DT_NULL, {0}}};
  EXPECT_FALSE(RelocateImage(reinterpret_cast<uint64_t>(image.data()), dynamic));
}

// ---- policy
// --------------------------------------------------------------------------------------------------------

std::vector<char> Args(const Strings& arguments, const Strings& variables) {
  const nsgx_args counts = {.argc = static_cast<uint32_t>(arguments.size()),
                            .envc = static_cast<uint32_t>(variables.size())};
  std::vector<char> bytes(sizeof counts);
  memcpy(bytes.data(), &counts, sizeof counts);
  for (const Strings* list : {&arguments, &variables}) {
    for (const std::string& string : *list) {
      bytes.insert(bytes.end(), string.c_str(), string.c_str() + string.size() + 1);
    }
  }
  return bytes;
}

// Everything that the policy says about one launch.
struct Outcome {
  Strings arguments, variables;
  std::vector<std::pair<Refusal, std::string>> refused;
};

Outcome Apply(const ConfigBuilder& builder, const Strings& arguments, const Strings& variables) {
  const std::vector<std::byte> section = builder.Build();
  const auto config = ParseConfig(section);
  EXPECT_TRUE(config.ok());
  const std::vector<char> args = Args(arguments, variables);
  const LaunchStrings strings(config.value(), args);
  Outcome outcome;
  const auto refuse = [&](Refusal why, std::string_view what) {
    outcome.refused.emplace_back(why, what);
  };
  strings.ForEachArgument([&](std::string_view string) { outcome.arguments.emplace_back(string); },
                          refuse);
  strings.ForEachVariable([&](std::string_view string) { outcome.variables.emplace_back(string); },
                          refuse);
  return outcome;
}

TEST(LaunchStrings, NothingIsAllowedByDefault) {
  ConfigBuilder builder;
  builder.config.attributes = 0;
  const Outcome outcome = Apply(builder, {"app", "one"}, {"HOME=/"});
  EXPECT_EQ(outcome.arguments, Strings{"app"});
  EXPECT_TRUE(outcome.variables.empty());
  EXPECT_EQ(outcome.refused,
            (std::vector<std::pair<Refusal, std::string>>{{Refusal::kArgumentsFixed, "one"},
                                                          {Refusal::kNotAllowed, "HOME"}}));
}

TEST(LaunchStrings, FixedArgumentsReplaceThoseFromOutside) {
  ConfigBuilder builder;
  builder.config.attributes = 0;
  builder.Add(&nsgx_config::args_fixed, "--serve").Add(&nsgx_config::args_fixed, "");
  const Outcome outcome = Apply(builder, {"app", "--evil"}, {});
  EXPECT_EQ(outcome.arguments, (Strings{"app", "--serve", ""}));
}

TEST(LaunchStrings, AnyLetsEverythingIn) {
  ConfigBuilder builder;
  builder.config.attributes = NSGX_ATTRIBUTE_ANY_ARGS | NSGX_ATTRIBUTE_ANY_ENV;
  const Outcome outcome = Apply(builder, {"app", "", "two"}, {"A=", "B=x=y"});
  EXPECT_EQ(outcome.arguments, (Strings{"app", "", "two"}));
  EXPECT_EQ(outcome.variables, (Strings{"A=", "B=x=y"}));
  EXPECT_TRUE(outcome.refused.empty());
}

TEST(LaunchStrings, RulesForVariables) {
  ConfigBuilder builder;
  builder.config.attributes = 0;
  builder.Add(&nsgx_config::env_allow, "GREETING").Add(&nsgx_config::env_allow, "APP_*");
  builder.Add(&nsgx_config::env_fixed, "MODE=production")
      .Add(&nsgx_config::env_fixed, "APP_FIXED=1");
  const Outcome outcome = Apply(builder, {"app"},
                                {"GREETING=hi", "GREETINGS=no", "APP_=yes", "APP_A=b", "APP=no",
                                 "MODE=debug", "APP_FIXED=2", "nonsense", "=x"});
  EXPECT_EQ(outcome.variables,
            (Strings{"MODE=production", "APP_FIXED=1", "GREETING=hi", "APP_=yes", "APP_A=b"}));
  EXPECT_EQ(outcome.refused,
            (std::vector<std::pair<Refusal, std::string>>{{Refusal::kNotAllowed, "GREETINGS"},
                                                          {Refusal::kNotAllowed, "APP"},
                                                          {Refusal::kVariableFixed, "MODE"},
                                                          {Refusal::kVariableFixed, "APP_FIXED"},
                                                          {Refusal::kNotAVariable, "nonsense"},
                                                          {Refusal::kNotAVariable, "=x"}}));
}

TEST(LaunchStrings, CutBlobStaysInBounds) {
  ConfigBuilder builder;
  builder.config.attributes = NSGX_ATTRIBUTE_ANY_ARGS | NSGX_ATTRIBUTE_ANY_ENV;
  const std::vector<std::byte> section = builder.Build();
  const auto config = ParseConfig(section);
  const std::vector<char> args = Args({"app", "argument"}, {"A=b"});
  for (size_t size = 0; size < args.size(); ++size) {
    const std::vector<char> cut(args.begin(), args.begin() + static_cast<ptrdiff_t>(size));
    const LaunchStrings strings(config.value(), cut);
    size_t total = 0;
    const auto count = [&](std::string_view string) { total += string.size(); };
    const auto ignore = [](Refusal, std::string_view) {};
    strings.ForEachArgument(count, ignore);
    strings.ForEachVariable(count, ignore);
    EXPECT_LE(total, args.size());
  }
}

// ---- first stack
// ----------------------------------------------------------------------------------------------------

TEST(ProgramStack, LooksAsTheAbiWants) {
  ConfigBuilder builder;
  builder.config.attributes = NSGX_ATTRIBUTE_ANY_ARGS | NSGX_ATTRIBUTE_ANY_ENV;
  const std::vector<std::byte> section = builder.Build();
  const auto config = ParseConfig(section);
  const std::vector<char> args = Args({"app", "one"}, {"A=b"});
  const LaunchStrings strings(config.value(), args);
  alignas(16) std::array<std::byte, 4096> stack{};
  const std::array<std::byte, 16> random = {std::byte{7}};
  const AuxiliaryEntry auxiliary[] = {{AT_PAGESZ, 4096}};
  const auto start = BuildProgramStack(stack, strings, auxiliary, random);
  ASSERT_TRUE(start.has_value());
  EXPECT_EQ(*start % 16, 0u);
  EXPECT_GE(*start, reinterpret_cast<uint64_t>(stack.data()));

  const auto* words = reinterpret_cast<const uint64_t*>(*start);
  const auto text = [&](size_t i) { return std::string(reinterpret_cast<const char*>(words[i])); };
  EXPECT_EQ(words[0], 2u);
  EXPECT_EQ(text(1), "app");
  EXPECT_EQ(text(2), "one");
  EXPECT_EQ(words[3], 0u);
  EXPECT_EQ(text(4), "A=b");
  EXPECT_EQ(words[5], 0u);
  EXPECT_EQ(words[6], uint64_t{AT_PAGESZ});
  EXPECT_EQ(words[7], 4096u);
  EXPECT_EQ(words[8], uint64_t{AT_RANDOM});
  EXPECT_EQ(memcmp(reinterpret_cast<const void*>(words[9]), random.data(), 16), 0);
  EXPECT_EQ(words[10], uint64_t{AT_EXECFN});
  EXPECT_EQ(text(11), "app");
  EXPECT_EQ(words[12], uint64_t{AT_NULL});
  EXPECT_LE(words[9] + 16, reinterpret_cast<uint64_t>(stack.data() + stack.size()));
}

TEST(ProgramStack, WithoutArgumentsTheNameIsEmpty) {
  ConfigBuilder builder;
  const std::vector<std::byte> section = builder.Build();
  const auto config = ParseConfig(section);
  const std::vector<char> args = Args({}, {});
  const LaunchStrings strings(config.value(), args);
  alignas(16) std::array<std::byte, 1024> stack;
  stack.fill(std::byte{0xff});
  const auto start = BuildProgramStack(stack, strings, {}, std::array<std::byte, 16>{});
  ASSERT_TRUE(start.has_value());
  const auto* words = reinterpret_cast<const uint64_t*>(*start);
  EXPECT_EQ(words[0], 0u);
  EXPECT_EQ(words[5], uint64_t{AT_EXECFN});
  EXPECT_STREQ(reinterpret_cast<const char*>(words[6]), "");
}

TEST(ProgramStack, TooMuchTextIsRefused) {
  ConfigBuilder builder;
  builder.config.attributes = NSGX_ATTRIBUTE_ANY_ARGS;
  const std::vector<std::byte> section = builder.Build();
  const auto config = ParseConfig(section);
  const std::vector<char> args = Args({"app", std::string(600, 'x')}, {});
  const LaunchStrings strings(config.value(), args);
  alignas(16) std::array<std::byte, 1024> stack;
  EXPECT_FALSE(BuildProgramStack(stack, strings, {}, std::array<std::byte, 16>{}).has_value());
}

}  // namespace
}  // namespace nsgx::libos
