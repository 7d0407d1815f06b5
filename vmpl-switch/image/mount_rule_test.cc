// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/image/mount_rule.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "vmpl-switch/image/config_builder.h"

namespace nsgx {
namespace {

TEST(MountRule, ReadsItsParts) {
  const MountRule plain = ParseMountRule("hostfs:/data:ro").value();
  EXPECT_EQ(plain.target, "/data");
  EXPECT_FALSE(plain.is_writable);
  EXPECT_FALSE(plain.is_pattern);
  const MountRule sourced = ParseMountRule("hostfs:/srv/a:rw,source=/x:y,z").value();
  EXPECT_TRUE(sourced.is_writable);
  EXPECT_EQ(sourced.source, "/x:y,z");
  EXPECT_TRUE(ParseMountRule("hostfs:/*:rw").value().is_pattern);
  EXPECT_EQ(ParseMountRule("hostfs:/srv/*:rw").value().target, "/srv");
  EXPECT_TRUE(ParseMountRule("hostfs:/etc/ssl:ro").ok()) << "who names it, means it";
}

TEST(MountRule, RefusesWhatIsNone) {
  for (const std::string_view text : {"",
                                      "hostfs",
                                      "hostfs:",
                                      "hostfs::ro",
                                      "hostfs:/data",
                                      "hostfs:/data:",
                                      "hostfs:/data:rx",
                                      "hostfs:/data:ro,",
                                      "hostfs:/data:ro,source=",
                                      "hostfs:/data:ro,source=relative",
                                      "hostfs:/data:row",
                                      "hostfs:data:ro",
                                      "hostfs:/:rw",
                                      "hostfs:/data/:ro",
                                      "hostfs:/a//b:ro",
                                      "hostfs:/a/../b:ro",
                                      "hostfs:/./a:ro",
                                      "hostfs:/a/..:ro",
                                      "hostfs:/proc:ro",
                                      "hostfs:/proc/x:ro",
                                      "hostfs:/dev/*:ro",
                                      "hostfs:/sys:ro",
                                      "hostfs:/a*:ro",
                                      "hostfs:/*/b:ro",
                                      "hostfs:/srv/*:rw,source=/x",
                                      "9p:/data:ro",
                                      "HOSTFS:/data:ro"}) {
    EXPECT_FALSE(ParseMountRule(text).ok()) << text;
  }
  EXPECT_FALSE(ParseMountRule("hostfs:/" + std::string(256, 'x') + ":ro").ok());
}

TEST(MountRule, CoversWhatItSays) {
  const MountRule one = ParseMountRule("hostfs:/data:ro").value();
  EXPECT_TRUE(one.Covers("/data"));
  EXPECT_FALSE(one.Covers("/data/sub"));
  EXPECT_FALSE(one.Covers("/dat"));
  const MountRule below = ParseMountRule("hostfs:/srv/*:ro").value();
  EXPECT_TRUE(below.Covers("/srv/a"));
  EXPECT_TRUE(below.Covers("/srv/a/b"));
  for (const std::string_view path :
       {"/srv", "/srv/", "/srvx", "/srv/../etc", "/srv/a/", "srv/a"}) {
    EXPECT_FALSE(below.Covers(path)) << path;
  }
  const MountRule all = ParseMountRule("hostfs:/*:ro").value();
  EXPECT_TRUE(all.Covers("/tmp"));
  EXPECT_TRUE(all.Covers("/etcetera"));
  for (const std::string_view path :
       {"/", "", "/etc", "/etc/ssl", "/proc", "/dev/shm", "/sys/x", "//a", "/a/.."}) {
    EXPECT_FALSE(all.Covers(path)) << path;
  }
}

TEST(MountRule, TheFirstThatFitsCounts) {
  ConfigBuilder builder;
  builder.Add(&nsgx_config::mounts, "hostfs:/srv/logs:rw")
      .Add(&nsgx_config::mounts, "hostfs:/srv/*:ro");
  const auto section = builder.Build();
  const ConfigView config = ParseConfig(section).value();
  EXPECT_TRUE(FindMountRule(config, "/srv/logs").rule.is_writable);
  EXPECT_FALSE(FindMountRule(config, "/srv/data").rule.is_writable);
  EXPECT_TRUE(FindMountRule(config, "/srv/data").found);
  EXPECT_FALSE(FindMountRule(config, "/data").found);
}

TEST(MountRule, NoFolderHidesAFileOfTheImage) {
  ConfigBuilder builder;
  builder.Add(&nsgx_config::mounts, "hostfs:/*:ro").Add(&nsgx_config::files, "0:1:r:/app/conf/a");
  const auto section = builder.Build();
  const ConfigView config = ParseConfig(section).value();
  for (const std::string_view path : {"/app", "/app/conf", "/app/conf/a"}) {
    EXPECT_FALSE(FindMountRule(config, path).found) << path;
    EXPECT_EQ(FindMountRule(config, path).hidden, "/app/conf/a") << path;
  }
  EXPECT_TRUE(FindMountRule(config, "/app/con").found);
  EXPECT_TRUE(FindMountRule(config, "/app/conf/b").found);
}

TEST(EmbeddedFile, ReadsItsParts) {
  const EmbeddedFile file = ParseEmbeddedFile("8192:77:x:/opt/a:b").value();
  EXPECT_EQ(file.offset, 8192u);
  EXPECT_EQ(file.size, 77u);
  EXPECT_TRUE(file.is_executable);
  EXPECT_EQ(file.path, "/opt/a:b");
  EXPECT_TRUE(ParseEmbeddedFile("0:0:r:/empty").ok());
}

TEST(EmbeddedFile, RefusesWhatIsNone) {
  for (const std::string_view text :
       {"", "/a", "0:1:/a", "1:1:r:/a", "4096:1:w:/a", "04096:1:r:/a", "4096:-1:r:/a", "4096:1:r:a",
        "4096:1:r:/", "4096:1:r:/a/../b", "4096::r:/a", ":1:r:/a", "+4096:1:r:/a",
        "4096:4398046511104:r:/a", "9999999999999999:1:r:/a", "4096:1:r:/a/", "0:1:r:/proc/a",
        "0:1:r:/dev"}) {
    EXPECT_FALSE(ParseEmbeddedFile(text).ok()) << text;
  }
}

}  // namespace
}  // namespace nsgx
