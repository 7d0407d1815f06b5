// SPDX-License-Identifier: Apache-2.0
// Streams, files and formatting of the C++ library on the library OS's own files.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <format>
#include <fstream>
#include <iostream>
#include <iterator>
#include <locale>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// A new empty folder, removed at the end.
class Folder : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::temp_directory_path() /
            ("nsgx-streams-" + std::to_string(reinterpret_cast<uintptr_t>(this)));
    fs::create_directory(path_);
  }
  void TearDown() override { fs::remove_all(path_); }
  fs::path path_;
};

TEST_F(Folder, WriteThenReadLines) {
  const fs::path file = path_ / "lines";
  {
    std::ofstream out(file);
    for (int i = 0; i < 1000; ++i) {
      out << "line " << i << '\n';
    }
    ASSERT_TRUE(out.good());
  }
  std::ifstream in(file);
  std::string line;
  int count = 0;
  while (std::getline(in, line)) {
    EXPECT_EQ(line, "line " + std::to_string(count));
    ++count;
  }
  EXPECT_EQ(count, 1000);
  EXPECT_TRUE(in.eof());
}

TEST_F(Folder, BinarySeekAndOverwrite) {
  const fs::path file = path_ / "binary";
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary | std::ios::trunc);
  const std::string block(100'000, 'x');
  stream << block;
  stream.seekp(50'000);
  stream << "middle";
  stream.seekg(49'999);
  std::string read(8, ' ');
  stream.read(read.data(), 8);
  EXPECT_EQ(read, "xmiddlex");
  stream.close();
  EXPECT_EQ(fs::file_size(file), 100'000u);
}

TEST_F(Folder, MissingFileIsAnError) {
  std::ifstream in(path_ / "absent");
  EXPECT_FALSE(in.is_open());
  std::error_code error;
  EXPECT_EQ(fs::file_size(path_ / "absent", error), static_cast<uintmax_t>(-1));
  EXPECT_EQ(error, std::errc::no_such_file_or_directory);
}

TEST_F(Folder, TreeOfFolders) {
  fs::create_directories(path_ / "a" / "b" / "c");
  std::ofstream(path_ / "a" / "one") << "1";
  std::ofstream(path_ / "a" / "b" / "two") << "22";
  std::ofstream(path_ / "a" / "b" / "c" / "three") << "333";
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path_)) {
    names.push_back(fs::relative(entry.path(), path_).string());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names,
            (std::vector<std::string>{"a", "a/b", "a/b/c", "a/b/c/three", "a/b/two", "a/one"}));

  fs::copy(path_ / "a", path_ / "copy", fs::copy_options::recursive);
  EXPECT_EQ(fs::file_size(path_ / "copy" / "b" / "c" / "three"), 3u);
  EXPECT_EQ(fs::remove_all(path_ / "a"), 6u);
  EXPECT_FALSE(fs::exists(path_ / "a"));
}

TEST_F(Folder, LinksAndRenames) {
  std::ofstream(path_ / "file") << "content";
  fs::create_symlink("file", path_ / "symbolic");
  fs::create_hard_link(path_ / "file", path_ / "hard");
  EXPECT_EQ(fs::read_symlink(path_ / "symbolic"), "file");
  EXPECT_EQ(fs::hard_link_count(path_ / "file"), 2u);
  EXPECT_TRUE(fs::equivalent(path_ / "symbolic", path_ / "hard"));
  fs::rename(path_ / "file", path_ / "renamed");
  EXPECT_TRUE(fs::is_symlink(path_ / "symbolic"));
  EXPECT_FALSE(fs::exists(path_ / "symbolic"));
  EXPECT_EQ(fs::canonical(path_ / "hard").filename(), "hard");
}

TEST_F(Folder, PermissionsTimesAndSizes) {
  const fs::path file = path_ / "file";
  std::ofstream(file) << "0123456789";
  fs::permissions(file, fs::perms::owner_read);
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read);
  fs::permissions(file, fs::perms::owner_all);
  fs::resize_file(file, 4);
  EXPECT_EQ(fs::file_size(file), 4u);
  const auto yesterday = fs::file_time_type::clock::now() - std::chrono::hours(24);
  fs::last_write_time(file, yesterday);
  EXPECT_LT(fs::last_write_time(file) - yesterday, std::chrono::milliseconds(1));
}

TEST(Streams, StringStreamsAndManipulators) {
  std::ostringstream out;
  out << std::hex << 255 << ' ' << std::boolalpha << true << ' ' << 1.5;
  EXPECT_EQ(out.str(), "ff true 1.5");
  std::istringstream in("12 abc 3.25");
  int number;
  std::string word;
  double real;
  in >> number >> word >> real;
  EXPECT_EQ(number, 12);
  EXPECT_EQ(word, "abc");
  EXPECT_EQ(real, 3.25);
}

TEST(Streams, Format) {
  EXPECT_EQ(std::format("{:>8}|{:<6}|{:^5}|{:#x}|{:.3f}", 42, "ab", 'c', 255, 3.14159),
            "      42|ab    |  c  |0xff|3.142");
  EXPECT_THROW((void)std::vformat("{:d}", std::make_format_args("text")), std::format_error);
}

TEST(Streams, Regex) {
  std::smatch match;
  const std::string text = "key = value";
  ASSERT_TRUE(std::regex_match(text, match, std::regex(R"((\w+)\s*=\s*(\w+))")));
  EXPECT_EQ(match[1], "key");
  EXPECT_EQ(match[2], "value");
}

TEST(Streams, ClassicLocale) {
  EXPECT_EQ(std::locale("C").name(), "C");
  std::ostringstream out;
  out.imbue(std::locale("C"));
  out << 1234567.5;
  EXPECT_EQ(out.str(), "1.23457e+06");
}

}  // namespace
