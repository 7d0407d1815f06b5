// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/image/mapped_file.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

namespace nsgx::loader {
namespace {

class MappedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "mapped_file_test_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override {
    unlink(Path("file").c_str());
    rmdir(folder_.c_str());
  }

  std::string Path(const char* name) const { return folder_ + "/" + name; }

  static Refusal Refused(const std::string& path) { return MappedFile::Open(path.c_str()).error(); }

  std::string folder_;
};

TEST_F(MappedFileTest, HasTheBytes) {
  std::ofstream(Path("file")) << "contents";
  const auto opened = MappedFile::Open(Path("file").c_str());
  ASSERT_TRUE(opened.ok());
  const auto bytes = opened.value().bytes();
  EXPECT_EQ(bytes.size(), 8u);
  EXPECT_EQ(std::memcmp(bytes.data(), "contents", 8), 0);
}

TEST_F(MappedFileTest, OtherThingsAreRefused) {
  EXPECT_EQ(Refused(Path("missing")).cause, Cause::kNotFound);
  EXPECT_EQ(Refused(folder_).cause, Cause::kDirectory);
  std::ofstream(Path("file")).close();
  EXPECT_EQ(Refused(Path("file")).cause, Cause::kNotElf);
  EXPECT_EQ(Refused(Path("file") + "/x").cause, Cause::kNotFound);
  EXPECT_EQ(Refused("/dev/null").cause, Cause::kNotRegularFile);
  unlink(Path("file").c_str());
  ASSERT_EQ(mkfifo(Path("file").c_str(), 0600), 0);
  EXPECT_EQ(Refused(Path("file")).cause, Cause::kNotRegularFile)
      << "and nobody waited for a writer";
}

TEST_F(MappedFileTest, UnreadableSaysWhy) {
  if (geteuid() == 0) {
    GTEST_SKIP() << "root may read everything";
  }
  std::ofstream(Path("file")) << "contents";
  ASSERT_EQ(chmod(Path("file").c_str(), 0), 0);
  EXPECT_EQ(Refused(Path("file")).cause, Cause::kNotReadable);
  EXPECT_EQ(Refused(Path("file")).value, uint64_t{EACCES});
}

TEST_F(MappedFileTest, NeverTakesTheNumberOfAStandardStream) {
  std::ofstream(Path("file")) << "contents";
  const int saved = dup(STDIN_FILENO);
  close(STDIN_FILENO);
  {
    const auto opened = MappedFile::Open(Path("file").c_str());
    EXPECT_TRUE(opened.ok() && opened.value().fd() > STDERR_FILENO);
  }
  if (saved >= 0) {
    dup2(saved, STDIN_FILENO);
    close(saved);
  }
}

}  // namespace
}  // namespace nsgx::loader
