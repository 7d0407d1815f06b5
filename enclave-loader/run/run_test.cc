// SPDX-License-Identifier: Apache-2.0
// The command line of nsgx-run, what it hands to the enclave, and how it shows its numbers.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "enclave-loader/cli/output.h"
#include "enclave-loader/run/launch_policy.h"
#include "enclave-loader/run/load.h"
#include "enclave-loader/run/mounts.h"
#include "enclave-loader/run/options.h"
#include "enclave-loader/run/stats.h"
#include "enclave-loader/sign/development_key.h"
#include "enclave-loader/sign/public_key.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/image/config_builder.h"

namespace nsgx::loader {
namespace {

// Owns the strings of a command line; the options are views of them.
class Line {
 public:
  Line(std::initializer_list<const char*> words) : words_(words.begin(), words.end()) {
    for (std::string& word : words_) {
      pointers_.push_back(word.data());
    }
  }
  std::span<char* const> arguments() const { return pointers_; }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

std::string ComplaintAbout(std::initializer_list<const char*> words) {
  const Line line(words);
  const auto options = ParseRunOptions(line.arguments());
  return options.ok() ? "" : std::string(options.error().text());
}

TEST(RunOptions, EverythingAfterTheImageIsTheProgramsOwn) {
  const Line line = {"--stats", "--vcpus", "3", "app.elf", "--help", "-x", "--", "y"};
  const auto options = ParseRunOptions(line.arguments());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options.value().request, Request::kRun);
  EXPECT_STREQ(options.value().image, "app.elf");
  EXPECT_EQ(options.value().arguments.size(), 5u);
  EXPECT_EQ(options.value().vcpus, 3u);
  EXPECT_EQ(options.value().stats, StatsForm::kText);
}

TEST(RunOptions, EnvironmentByValueAndByName) {
  setenv("NSGX_RUN_TEST", "here", 1);
  unsetenv("NSGX_RUN_TEST_ABSENT");
  const Line line = {"--env",  "A=b=c", "--env=NSGX_RUN_TEST", "--env", "NSGX_RUN_TEST_ABSENT",
                     "app.elf"};
  const auto options = ParseRunOptions(line.arguments());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options.value().environment,
            (std::vector<std::string_view>{"A=b=c", "NSGX_RUN_TEST=here"}));
}

TEST(RunOptions, SignersAreHashesOrKeyFiles) {
  const RsaPrivateKey key = DevelopmentKey();
  std::string path = testing::TempDir() + "run_test_XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  ASSERT_TRUE(WriteAll(fd, PublicKeyPem(key.modulus())));
  close(fd);
  for (const std::string& signer : {std::string(kDevelopmentSigner), path}) {
    const Line line = {"--signer", signer.c_str(), "app.elf"};
    const auto options = ParseRunOptions(line.arguments());
    ASSERT_TRUE(options.ok()) << options.error().text();
    EXPECT_EQ(options.value().signer, Sha256::Hash(key.modulus()));
  }
  unlink(path.c_str());
}

TEST(RunOptions, Machines) {
  const auto machine = [](const char* option) {
    const Line line = {option, "app.elf"};
    const auto options = ParseRunOptions(line.arguments());
    return options.ok() ? std::optional(options.value().machine) : std::nullopt;
  };
  EXPECT_EQ(machine("--stats"), Machine::kAuto);
  EXPECT_EQ(machine("--machine=auto"), Machine::kAuto);
  EXPECT_EQ(machine("--machine=sim"), Machine::kSim);
  EXPECT_EQ(machine("--machine=snp"), Machine::kSnp);
  EXPECT_EQ(machine("--machine=emu"), Machine::kEmu);
  EXPECT_EQ(machine("--machine=SNP"), std::nullopt);
}

TEST(RunOptions, Emulator) {
  const Line line = {
      "--machine=emu",     "--emu-publish",     "8080:80",     "--emu-share=data", "--emu-share",
      "/a:b:/data/inside", "--emu-console=log", "--emu-shell", "--emu-cpus=2",     "app.elf"};
  const auto parsed = ParseRunOptions(line.arguments());
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  const EmulatorOptions& options = parsed.value().emulator;
  ASSERT_EQ(options.ports.size(), 1u);
  EXPECT_EQ(options.ports[0].host, 8080);
  EXPECT_EQ(options.ports[0].guest, 80);
  ASSERT_EQ(options.shares.size(), 2u);
  EXPECT_EQ(options.shares[0].host, "data");
  EXPECT_EQ(options.shares[0].guest, "/share");
  EXPECT_EQ(options.shares[1].host, "/a:b");
  EXPECT_EQ(options.shares[1].guest, "/data/inside");
  EXPECT_EQ(options.processors, 2u);
  EXPECT_STREQ(options.console, "log");
  EXPECT_TRUE(options.shell);
}

TEST(RunOptions, AShellNeedsNoImage) {
  const Line line = {"--machine=emu", "--emu-shell"};
  const auto parsed = ParseRunOptions(line.arguments());
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_EQ(parsed.value().image, nullptr);
}

TEST(RunOptions, MistakesAboutTheEmulatorAreNamed) {
  EXPECT_NE(ComplaintAbout({"--emu-shell", "app.elf"}).find("add --machine=emu"),
            std::string::npos);
  for (const char* port : {"80", "80:", ":80", "0:80", "80:65536", "a:80"}) {
    EXPECT_NE(ComplaintAbout({"--machine=emu", "--emu-publish", port, "a"}).find("HOST_PORT"),
              std::string::npos)
        << port;
  }
  for (const char* count : {"0", "9", "two", ""}) {
    EXPECT_NE(ComplaintAbout({"--machine=emu", "--emu-cpus", count, "a"}).find("from 1 to 8"),
              std::string::npos)
        << count;
  }
  for (const char* share : {"", ":/data", "data:/", "data:/proc/x", "data:/a/../b"}) {
    EXPECT_NE(ComplaintAbout({"--machine=emu", "--emu-share", share, "a"}).find("HOST_DIR"),
              std::string::npos)
        << share;
  }
}

TEST(RunOptions, MistakesAreNamed) {
  EXPECT_NE(ComplaintAbout({"--nonsense", "app.elf"}).find("--nonsense"), std::string::npos);
  EXPECT_NE(ComplaintAbout({}).find("no image"), std::string::npos);
  EXPECT_NE(ComplaintAbout({"--vcpus", "0", "app.elf"}).find("from 1 to"), std::string::npos);
  EXPECT_NE(ComplaintAbout({"--vcpus", "257", "app.elf"}).find("from 1 to"), std::string::npos);
  EXPECT_NE(ComplaintAbout({"--signer", "abc", "app.elf"}).find("64 hexadecimal digits"),
            std::string::npos);
  EXPECT_NE(ComplaintAbout({"--signer", "/dev/null", "app.elf"}).find("public key"),
            std::string::npos);
  EXPECT_NE(ComplaintAbout({"--machine", "toaster", "app.elf"}).find("toaster"), std::string::npos);
  EXPECT_NE(ComplaintAbout({"--log", "loud", "app.elf"}).find("loud"), std::string::npos);
  EXPECT_NE(ComplaintAbout({"--stats=xml", "app.elf"}).find("xml"), std::string::npos);
  EXPECT_NE(ComplaintAbout({"--env", "=x", "app.elf"}).find("lacks a name"), std::string::npos);
}

TEST(PackArguments, CountsThenStrings) {
  const Line line = {"app.elf", ""};
  const std::vector<std::string_view> environment = {"A=b"};
  const std::vector<std::byte> packed = PackArguments(line.arguments(), environment);
  nsgx_args counts;
  ASSERT_GE(packed.size(), sizeof counts);
  std::memcpy(&counts, packed.data(), sizeof counts);
  EXPECT_EQ(counts.argc, 2u);
  EXPECT_EQ(counts.envc, 1u);
  const std::string strings(reinterpret_cast<const char*>(packed.data()) + sizeof counts,
                            packed.size() - sizeof counts);
  EXPECT_EQ(strings, std::string("app.elf\0\0A=b\0", 13));
}

TEST(ChooseVcpus, WhatIsAskedForElseProcessorsWithinTheLimit) {
  RunOptions options;
  EXPECT_EQ(ChooseVcpus(options, 1), 1u);
  EXPECT_GE(ChooseVcpus(options, 256), 1u);
  options.vcpus = 9;
  EXPECT_EQ(ChooseVcpus(options, 2), 9u);  // the machine refuses it, with a reason
}

TEST(Stats, TextLeavesOutZerosJsonDoesNot) {
  RunStats stats;
  stats.machine = "sim";
  stats.limitations = "no keys";
  stats.phase_nanoseconds[static_cast<size_t>(Phase::kHash)] = 1500;
  stats.device.exits[0] = 7;
  std::vector<uint64_t> host_calls(shim::kHostCalls.size() + 1);
  host_calls[1] = 7;
  stats.host_calls = host_calls;
  const std::string text = StatsText(stats);
  EXPECT_EQ(text.find("machine: sim; no keys\n"), 0u);
  EXPECT_NE(text.find("hash 1.5"), std::string::npos);
  EXPECT_NE(text.find("host calls: stream_write 7\n"), std::string::npos);
  EXPECT_EQ(text.find("wall_clock"), std::string::npos);
  const std::string json = StatsJson(stats);
  EXPECT_EQ(json.find("{\"machine\": \"sim\", \"limitations\": \"no keys\", "), 0u);
  EXPECT_NE(json.find("\"hash\": 1.5"), std::string::npos);
  EXPECT_NE(json.find("\"wall_clock\": 0"), std::string::npos);
  EXPECT_EQ(json.find('\n'), json.size() - 1);
}

TEST(Stats, CountsOfTheLibraryOsAreReadOrNotBelieved) {
  const NamedCounts expected = {{"switches", 12}, {"steals", 0}};
  EXPECT_EQ(ParseCounts("switches 12, steals 0"), expected);
  for (const std::string_view line :
       {"switches", "switches ", "switches x", " 12", "Switches 12", "a\": 1",
        "switches 12 steals 0", "switches 99999999999999999999", "switches -1"}) {
    EXPECT_TRUE(ParseCounts(line).empty()) << line;
  }
  RunStats stats;
  EXPECT_EQ(StatsText(stats).find("library OS"), std::string::npos);
  stats.library_os = expected;
  EXPECT_NE(StatsText(stats).find("library OS: switches 12\n"), std::string::npos);
  EXPECT_NE(StatsJson(stats).find("\"library_os\": {\"switches\": 12, \"steals\": 0}"),
            std::string::npos);
}

TEST(RunOptions, MountsHaveTwoPlaces) {
  const Line line = {"--mount", "a:b:/data:ro", "--mount=/srv:/x", "--mount", ".:/y:rw", "app.elf"};
  const auto options = ParseRunOptions(line.arguments());
  ASSERT_TRUE(options.ok());
  const std::vector<MountOption>& mounts = options.value().mounts;
  ASSERT_EQ(mounts.size(), 3u);
  EXPECT_EQ(mounts[0].folder, "a:b");
  EXPECT_EQ(mounts[0].target, "/data");
  EXPECT_TRUE(mounts[0].read_only && !mounts[0].wants_write);
  EXPECT_EQ(mounts[1].folder, "/srv");
  EXPECT_EQ(mounts[1].target, "/x");
  EXPECT_FALSE(mounts[1].read_only || mounts[1].wants_write);
  EXPECT_EQ(mounts[2].folder, ".");
  EXPECT_TRUE(mounts[2].wants_write);
  for (const char* wrong : {"/data", "/data:", ":/data", "dir:data", ""}) {
    EXPECT_NE(ComplaintAbout({"--mount", wrong, "app.elf"}).find("wants HOST_DIR:PATH"),
              std::string::npos)
        << wrong;
  }
}

// A configuration with these mounts, variables and attributes.
class Policy {
 public:
  ConfigView View() {
    section_ = builder.Build();
    return ParseConfig(section_).value();
  }
  ConfigBuilder builder;

 private:
  std::vector<std::byte> section_;
};

TEST(ChooseMounts, TheRulesOfTheImageDecide) {
  Policy policy;
  policy.builder.Add(&nsgx_config::mounts, "hostfs:/data:rw")
      .Add(&nsgx_config::mounts, "hostfs:/logs:ro,source=/var/log")
      .Add(&nsgx_config::mounts, "hostfs:/all/*:ro")
      .Add(&nsgx_config::files, "0:1:r:/all/mine");
  const ConfigView config = policy.View();
  const auto option = [](std::string_view target, bool write = false, bool read_only = false) {
    return MountOption{"text", "folder", target, write, read_only};
  };
  const MountOption good[] = {option("/data"), option("/all/deep/er"),
                              option("/all/x", false, true)};
  const auto mounts = ChooseMounts(config, good);
  ASSERT_TRUE(mounts.ok());
  ASSERT_EQ(mounts.value().size(), 4u);
  EXPECT_EQ(mounts.value()[0].target, "/data");
  EXPECT_TRUE(mounts.value()[0].is_writable);
  EXPECT_EQ(mounts.value()[1].target, "/logs");
  EXPECT_EQ(mounts.value()[1].folder, "/var/log");
  EXPECT_EQ(mounts.value()[3].target, "/all/deep/er") << "what may lie in another is last";
  EXPECT_FALSE(mounts.value()[3].is_writable);

  const auto complaint = [&](const MountOption& mount) {
    const auto chosen = ChooseMounts(config, std::span(&mount, 1));
    return chosen.ok() ? std::string() : std::string(chosen.error().text());
  };
  EXPECT_NE(complaint(option("/other")).find("have no rule for /other"), std::string::npos);
  EXPECT_NE(complaint(option("/all/../data")).find("have no rule"), std::string::npos);
  EXPECT_NE(complaint(option("/logs", true)).find("the image's rule for /logs is ro"),
            std::string::npos);
  const MountOption twice[] = {option("/data"), option("/data")};
  EXPECT_NE(ChooseMounts(config, twice).error().text().find("has a folder already"),
            std::string_view::npos);
  EXPECT_NE(complaint(option("/all/mine")).find("would hide the image's own file /all/mine"),
            std::string::npos);
}

TEST(LaunchPolicy, ArgumentsThatDoNotGetInAreRefused) {
  Policy policy;
  const Line alone = {"app.elf"}, more = {"app.elf", "--port", "80"};
  EXPECT_TRUE(CheckArguments(policy.View(), alone.arguments()).ok());
  EXPECT_EQ(CheckArguments(policy.View(), more.arguments()).error().text(),
            "takes no arguments from outside: its configuration does not allow any; leave --port "
            "out, or sign the image with args.any = true");
  policy.builder.Add(&nsgx_config::args_fixed, "x");
  EXPECT_NE(CheckArguments(policy.View(), more.arguments()).error().text().find("fixes them"),
            std::string_view::npos);
  Policy open;
  open.builder.config.attributes |= NSGX_ATTRIBUTE_ANY_ARGS;
  EXPECT_TRUE(CheckArguments(open.View(), more.arguments()).ok());
}

TEST(LaunchPolicy, VariablesThatDoNotGetInAreNamed) {
  Policy policy;
  policy.builder.Add(&nsgx_config::env_allow, "LANG")
      .Add(&nsgx_config::env_allow, "APP_*")
      .Add(&nsgx_config::env_fixed, "APP_MODE=x");
  const std::string_view variables[] = {"LANG=C", "APP_X=", "APP_MODE=y", "LANGUAGE=de", "PATH=/"};
  const auto lines = VariablesLeftOut(policy.View(), variables);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].text(),
            "variable APP_MODE is not passed on: the image's configuration fixes it (env.fixed); "
            "leave it out");
  EXPECT_EQ(
      lines[1].text(),
      "variable LANGUAGE is not passed on: the image's env.allow has no rule for it; leave it "
      "out, or sign the image with env.allow = [\"LANGUAGE\"]");
  policy.builder.config.attributes |= NSGX_ATTRIBUTE_ANY_ENV;
  EXPECT_EQ(VariablesLeftOut(policy.View(), variables).size(), 1u) << "the fixed one";
}

}  // namespace
}  // namespace nsgx::loader
