// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/launch_config.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/image/config.h"

namespace nsgx::loader {
namespace {

using Strings = std::vector<std::string>;

std::string ComplaintAbout(std::string_view toml) {
  const auto parsed = ParseLaunchConfig(toml, "app.toml");
  return parsed.ok() ? "" : std::string(parsed.error().text());
}

TEST(LaunchConfigTest, EveryKeyIsRead) {
  const auto parsed = ParseLaunchConfig(R"(
address_range = "2 GiB"
main_stack = 65536
max_vcpus = 3
product_id = 7
svn = 65535
debug = true
host_sigterm = true
[args]
fixed = ["--port", "", "80"]
[env]
any = true
allow = ["LANG", "APP_*"]
fixed = ["MODE=production", "EMPTY="]
)",
                                        "app.toml");
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  const LaunchConfig& config = parsed.value();
  EXPECT_EQ(config.address_range, uint64_t{2} << 30);
  EXPECT_EQ(config.main_stack, 65536u);
  EXPECT_EQ(config.max_vcpus, 3u);
  EXPECT_EQ(config.product_id, 7u);
  EXPECT_EQ(config.svn, 65535u);
  EXPECT_TRUE(config.debug);
  EXPECT_TRUE(config.host_sigterm);
  EXPECT_FALSE(config.any_args);
  EXPECT_TRUE(config.any_env);
  EXPECT_EQ(config.fixed_args, (Strings{"--port", "", "80"}));
  EXPECT_EQ(config.allowed_env, (Strings{"LANG", "APP_*"}));
  EXPECT_EQ(config.fixed_env, (Strings{"MODE=production", "EMPTY="}));
}

TEST(LaunchConfigTest, EverythingMayBeLeftOut) {
  EXPECT_EQ(ComplaintAbout(""), "");
  EXPECT_EQ(ComplaintAbout("[args]\nany = true\n"), "");
  EXPECT_EQ(ComplaintAbout("args.any = true\n"), "");
}

TEST(LaunchConfigTest, ComplaintsNameTheKeyAndTheLine) {
  EXPECT_EQ(ComplaintAbout("svn = 1\nmax_vpcus = 4\n"),
            "app.toml:2: there is no key max_vpcus; see nsgx.toml(5)");
  EXPECT_EQ(ComplaintAbout("[env]\n\nalow = []\n"),
            "app.toml:3: there is no key env.alow; see nsgx.toml(5)");
  EXPECT_EQ(ComplaintAbout("[evn]\n"), "app.toml:1: there is no key evn; see nsgx.toml(5)");
  EXPECT_EQ(ComplaintAbout("args = 3\n"), "app.toml:1: args is a table; write [args]");
  EXPECT_EQ(ComplaintAbout("\ndebug = 1\n"),
            "app.toml:2: debug has a value of another form; write BOOLEAN, default false");
  EXPECT_EQ(ComplaintAbout("svn = 65536\n"),
            "app.toml:1: svn is out of its limits; see nsgx.toml(5)");
  EXPECT_EQ(ComplaintAbout("[env]\nallow = ['A=b']\n"),
            "app.toml:2: in env.allow, \"A=b\" is not the name of a variable; see nsgx.toml(5)");
  EXPECT_EQ(ComplaintAbout("svn = \n").rfind("app.toml:1: ", 0), 0u) << ComplaintAbout("svn = \n");
}

TEST(LaunchConfigTest, LimitsAreThoseOfTheImage) {
  for (const char* good :
       {"address_range = '16 MiB'\nmain_stack = '1 MiB'", "address_range = '4TiB'",
        "max_vcpus = 256", "svn = 0", "main_stack = '4 KiB'", "[env]\nallow = ['*']",
        "address_range = 67108864"}) {
    const auto parsed = ParseLaunchConfig(good, "");
    ASSERT_TRUE(parsed.ok()) << parsed.error().text();
    std::vector<std::byte> section(NSGX_PAGE_SIZE);
    EXPECT_TRUE(EncodeLaunchConfig(parsed.value(), {}, {}, section).ok()) << good;
    EXPECT_TRUE(ParseConfig(section).ok()) << good;
  }
  for (const char* bad : {"address_range = '15 MiB'",
                          "address_range = '5 TiB'",
                          "address_range = '17 MiB'",
                          "address_range = '64 MB'",
                          "address_range = '16777216 TiB'",
                          "address_range = '99999999999999999999'",
                          "address_range = -1",
                          "address_range = ''",
                          "address_range = 'MiB'",
                          "max_vcpus = 0",
                          "max_vcpus = 257",
                          "max_vcpus = '4'",
                          "max_vcpus = 1.5",
                          "main_stack = 100",
                          "main_stack = 0",
                          "product_id = -1",
                          "svn = true",
                          "address_range = '16 MiB'\nmain_stack = '16 MiB'",
                          "[env]\nallow = ['']",
                          "[env]\nallow = ['A*B']",
                          "[env]\nallow = 'A'",
                          "[env]\nallow = [1]",
                          "[env]\nfixed = ['A']",
                          "[env]\nfixed = ['=b']",
                          "[env]\nfixed = [\"A=\\u0000\"]",
                          "[args]\nfixed = [\"\\u0000\"]",
                          "[args]\nany = true\nfixed = ['a']"}) {
    EXPECT_NE(ComplaintAbout(bad), "") << bad;
  }
}

TEST(LaunchConfigTest, ImagesHoldWhatWasWritten) {
  LaunchConfig config;
  config.any_args = true;
  config.debug = true;
  config.svn = 9;
  config.allowed_env = {"LANG", "APP_*"};
  config.fixed_env = {"MODE=production"};
  config.any_args = false;
  config.fixed_args = {"", "x"};
  std::vector<std::byte> section(NSGX_PAGE_SIZE, std::byte{0xee});
  ASSERT_TRUE(
      EncodeLaunchConfig(config, {0x182, uint64_t{1} << 63}, {"4096:3:r:/app/x"}, section).ok());
  const auto parsed = ParseConfig(section);
  ASSERT_TRUE(parsed.ok());
  const ConfigView& view = parsed.value();
  EXPECT_EQ(view.address_range_size(), config.address_range);
  EXPECT_EQ(view.main_stack_size(), config.main_stack);
  EXPECT_EQ(view.max_vcpus(), 64u);
  EXPECT_EQ(view.attributes(), NSGX_ATTRIBUTE_DEBUG);
  EXPECT_EQ(view.svn(), 9u);
  EXPECT_TRUE(HostCallAllowed(view.config(), 1) && HostCallAllowed(view.config(), 7) &&
              HostCallAllowed(view.config(), 127));
  EXPECT_FALSE(HostCallAllowed(view.config(), 0));
  const auto list = [](const ConfigStrings& strings) {
    return Strings(strings.begin(), strings.end());
  };
  EXPECT_EQ(list(view.env_allow()), config.allowed_env);
  EXPECT_EQ(list(view.env_fixed()), config.fixed_env);
  EXPECT_EQ(list(view.args_fixed()), config.fixed_args);
  EXPECT_EQ(list(view.files()), Strings{"4096:3:r:/app/x"});
}

TEST(LaunchConfigTest, OnlyWhoHasMountsMayCallForFiles) {
  const std::array<uint64_t, 2> all = {~uint64_t{0}, 0};
  std::vector<std::byte> section(NSGX_PAGE_SIZE);
  LaunchConfig config;
  ASSERT_TRUE(EncodeLaunchConfig(config, all, {}, section).ok());
  const uint64_t without = ParseConfig(section).value().config().host_calls[0];
  config.mounts = {"hostfs:/data:ro"};
  ASSERT_TRUE(EncodeLaunchConfig(config, all, {}, section).ok());
  EXPECT_EQ(ParseConfig(section).value().config().host_calls[0], all[0]);
  for (uint32_t call = 0; call < 64; ++call) {
    EXPECT_EQ((without >> call & 1) != 0, !shim::IsFileCall(call)) << call;
  }
}

TEST(LaunchConfigTest, MountsAreChecked) {
  EXPECT_EQ(ComplaintAbout("mounts = [\"hostfs:/data:rw\", \"hostfs:/srv/*:ro\"]"), "");
  for (const char* text : {"hostfs:data:rw", "/data", "hostfs:/data", "hostfs:/proc:ro"}) {
    EXPECT_NE(ComplaintAbout(std::string("mounts = [\"") + text + "\"]").find(text),
              std::string::npos);
  }
}

TEST(LaunchConfigTest, ListsThatDoNotFitAreRefused) {
  LaunchConfig config;
  config.fixed_args = {std::string(NSGX_PAGE_SIZE - sizeof(nsgx_config) - 1, 'x')};
  std::vector<std::byte> section(NSGX_PAGE_SIZE);
  EXPECT_TRUE(EncodeLaunchConfig(config, {}, {}, section).ok());
  config.fixed_args[0] += 'x';
  EXPECT_EQ(EncodeLaunchConfig(config, {}, {}, section).error().text(),
            "the configuration needs 4097 bytes, the image has room for 4096; shorten its lists");
}

TEST(LaunchConfigTest, TheManualNamesEveryKey) {
  const std::string page = LaunchConfigManPage();
  for (const char* key : {"address_range =", "main_stack =", "max_vcpus =", "product_id =", "svn =",
                          "debug =", "host_sigterm =", "args.any =", "args.fixed =", "env.any =",
                          "env.allow =", "env.fixed =", "mounts =", "files ="}) {
    EXPECT_NE(page.find(key), std::string::npos) << key;
  }
}

}  // namespace
}  // namespace nsgx::loader
