// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/files_to_embed.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/core/bytes.h"

namespace nsgx::loader {
namespace {

namespace fs = std::filesystem;

class FilesToEmbedTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = (fs::temp_directory_path() / "nsgx-embed-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path + '/';
    std::ofstream(folder_ + "a=b.txt") << "text";
    std::ofstream(folder_ + "tool") << "code";
    const std::ofstream empty(folder_ + "empty");
    chmod((folder_ + "tool").c_str(), 0755);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string ComplaintAbout(std::string_view text) {
    const auto added = files_.Add(text, folder_);
    return added.ok() ? "" : std::string(added.error().text());
  }

  FilesToEmbed files_;
  std::string folder_;
};

TEST_F(FilesToEmbedTest, AreRead) {
  EXPECT_EQ(ComplaintAbout("a=b.txt=/app/a.txt"), "");
  EXPECT_EQ(ComplaintAbout(folder_ + "tool=/app/bin/tool"), "");
  EXPECT_EQ(ComplaintAbout("empty=/app/empty"), "");
  ASSERT_EQ(files_.files().size(), 3u);
  EXPECT_EQ(files_.files()[0].path, "/app/a.txt");
  EXPECT_TRUE(std::ranges::equal(files_.files()[0].bytes, BytesOf(std::string_view("text"))));
  EXPECT_FALSE(files_.files()[0].is_executable);
  EXPECT_TRUE(files_.files()[1].is_executable);
  EXPECT_TRUE(files_.files()[2].bytes.empty());
}

TEST_F(FilesToEmbedTest, WhatCannotBeEmbeddedIsSaidInALine) {
  EXPECT_EQ(ComplaintAbout("tool=/app/tool"), "");
  const std::string long_name = "tool=/" + std::string(256, 'x');
  const std::pair<std::string, std::string> cases[] = {
      {"tool", "file to embed tool is not of the form HOST=/PATH"},
      {"tool=app", "file to embed tool=app is not of the form HOST=/PATH"},
      {"=/app", "file to embed =/app is not of the form HOST=/PATH"},
      {"tool=/a/../b", "file /a/../b cannot be embedded: its name has to be absolute"},
      {"tool=/a/", "file /a/ cannot be embedded: its name has to be absolute"},
      {"tool=/", "file / cannot be embedded: its name has to be absolute"},
      {long_name, "each part of at most 255 bytes"},
      {"tool=/proc/x", "what is in /proc is the library OS's"},
      {"tool=/app/tool", "file /app/tool is embedded twice"},
      {"tool=/app/tool/x", "file /app/tool/x cannot be embedded beside /app/tool"},
      {"tool=/app", "file /app cannot be embedded beside /app/tool"},
      {"none=/x", "none is not there; correct its name"},
      {".=/x", "is a directory; correct its name"},
      {"/dev/null=/x", "file to embed /dev/null is no regular file; correct its name"},
  };
  for (const auto& [text, what] : cases) {
    const std::string complaint = ComplaintAbout(text);
    EXPECT_NE(complaint.find(what), std::string::npos) << text << ": " << complaint;
    EXPECT_EQ(complaint.find('\n'), std::string::npos) << complaint;
  }
  EXPECT_EQ(files_.files().size(), 1u);
}

}  // namespace
}  // namespace nsgx::loader
