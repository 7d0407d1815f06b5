// SPDX-License-Identifier: Apache-2.0
// std::filesystem and file streams of the C++ library.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "tests/conformance/files/folder.h"

namespace {

namespace fs = std::filesystem;

void WriteFile(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class Filesystem : public InFolder {};

TEST_F(Filesystem, DirectoriesComeAndGo) {
  EXPECT_TRUE(fs::create_directory("a"));
  EXPECT_FALSE(fs::create_directory("a"));
  EXPECT_TRUE(fs::create_directories("a/b/c/d"));
  EXPECT_FALSE(fs::create_directories("a/b/c/d"));
  EXPECT_TRUE(fs::is_directory("a/b/c"));
  EXPECT_TRUE(fs::is_empty("a/b/c/d"));
  EXPECT_FALSE(fs::is_empty("a"));
  EXPECT_TRUE(fs::remove("a/b/c/d"));
  EXPECT_FALSE(fs::remove("a/b/c/d"));
  std::error_code error;
  EXPECT_FALSE(fs::remove("a", error));
  EXPECT_EQ(error, std::errc::directory_not_empty);
  EXPECT_EQ(fs::remove_all("a"), 3u);
  EXPECT_FALSE(fs::exists("a"));
}

TEST_F(Filesystem, ErrorsThrow) {
  try {
    fs::create_directory("none/sub");
    FAIL();
  } catch (const fs::filesystem_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_EQ(error.path1(), "none/sub");
  }
  EXPECT_THROW(fs::file_size("none"), fs::filesystem_error);
  EXPECT_THROW(fs::rename("none", "other"), fs::filesystem_error);
  EXPECT_THROW(fs::directory_iterator("none"), fs::filesystem_error);
  EXPECT_THROW(fs::read_symlink("."), fs::filesystem_error);
  WriteFile("file", "x");
  EXPECT_THROW(fs::directory_iterator("file"), fs::filesystem_error);
  EXPECT_THROW(fs::create_directories("file/sub"), fs::filesystem_error);
}

TEST_F(Filesystem, Iteration) {
  std::set<fs::path> expected;
  for (int i = 0; i < 300; ++i) {
    const fs::path name = "file" + std::to_string(i);
    WriteFile(name, std::string(static_cast<size_t>(i), 'x'));
    expected.insert(fs::path(".") / name);
  }
  std::set<fs::path> seen;
  for (const fs::directory_entry& entry : fs::directory_iterator(".")) {
    EXPECT_TRUE(entry.is_regular_file());
    EXPECT_EQ(entry.file_size(), std::stoul(entry.path().filename().string().substr(4)));
    seen.insert(entry.path());
  }
  EXPECT_EQ(seen, expected);
}

TEST_F(Filesystem, RecursiveIteration) {
  fs::create_directories("a/b/c");
  fs::create_directories("a/d");
  WriteFile("a/one", "1");
  WriteFile("a/b/two", "22");
  WriteFile("a/b/c/three", "333");
  fs::create_directory_symlink("../b", "a/d/link");
  std::map<std::string, int> depths;
  for (auto it = fs::recursive_directory_iterator("."); it != fs::recursive_directory_iterator();
       ++it) {
    depths[it->path().string()] = it.depth();
  }
  EXPECT_EQ(depths, (std::map<std::string, int>{{"./a", 0},
                                                {"./a/b", 1},
                                                {"./a/b/c", 2},
                                                {"./a/b/c/three", 3},
                                                {"./a/b/two", 2},
                                                {"./a/d", 1},
                                                {"./a/d/link", 2},
                                                {"./a/one", 1}}));
  size_t files = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator("a", fs::directory_options::follow_directory_symlink)) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 5u);
}

TEST_F(Filesystem, RemovingWhileIterating) {
  fs::create_directories("d/sub");
  for (int i = 0; i < 100; ++i) {
    WriteFile("d/" + std::to_string(i), "x");
  }
  int removed = 0;
  for (const auto& entry : fs::directory_iterator("d")) {
    if (entry.is_regular_file()) {
      fs::remove(entry);
      ++removed;
    }
  }
  EXPECT_EQ(removed, 100);
  EXPECT_EQ(fs::remove_all("d"), 2u);
}

TEST_F(Filesystem, Copies) {
  WriteFile("a", "original");
  EXPECT_TRUE(fs::copy_file("a", "b"));
  EXPECT_EQ(ReadFile("b"), "original");
  std::error_code error;
  EXPECT_FALSE(fs::copy_file("a", "b", error));
  EXPECT_EQ(error, std::errc::file_exists);
  WriteFile("a", "changed");
  EXPECT_TRUE(fs::copy_file("a", "b", fs::copy_options::overwrite_existing));
  EXPECT_EQ(ReadFile("b"), "changed");
  EXPECT_FALSE(fs::copy_file("a", "b", fs::copy_options::skip_existing));
  const std::string large(300'000, 'l');
  WriteFile("large", large);
  fs::copy_file("large", "large2");
  EXPECT_TRUE(ReadFile("large2") == large);
  fs::permissions("a", fs::perms::owner_read);
  fs::copy_file("a", "c");
  EXPECT_EQ(fs::status("c").permissions(), fs::perms::owner_read);
}

TEST_F(Filesystem, CopiesTrees) {
  fs::create_directories("from/sub");
  WriteFile("from/one", "1");
  WriteFile("from/sub/two", "2");
  fs::create_symlink("one", "from/link");
  fs::copy("from", "to", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  EXPECT_EQ(ReadFile("to/one"), "1");
  EXPECT_EQ(ReadFile("to/sub/two"), "2");
  EXPECT_EQ(fs::read_symlink("to/link"), "one");
}

TEST_F(Filesystem, Renames) {
  WriteFile("a", "a");
  WriteFile("b", "b");
  fs::rename("a", "b");
  EXPECT_EQ(ReadFile("b"), "a");
  fs::create_directories("d/e");
  fs::rename("d", "f");
  EXPECT_TRUE(fs::is_directory("f/e"));
  std::error_code error;
  fs::rename("f", "f/e/inside", error);
  EXPECT_EQ(error, std::errc::invalid_argument);
}

TEST_F(Filesystem, Links) {
  WriteFile("file", "x");
  fs::create_hard_link("file", "hard");
  EXPECT_EQ(fs::hard_link_count("file"), 2u);
  EXPECT_TRUE(fs::equivalent("file", "hard"));
  fs::create_symlink("file", "soft");
  EXPECT_TRUE(fs::is_symlink("soft"));
  EXPECT_TRUE(fs::is_regular_file("soft"));
  EXPECT_TRUE(fs::equivalent("file", "soft"));
  EXPECT_EQ(fs::symlink_status("soft").type(), fs::file_type::symlink);
  fs::create_symlink("nowhere", "dangling");
  EXPECT_FALSE(fs::exists("dangling"));
  EXPECT_EQ(fs::status("dangling").type(), fs::file_type::not_found);
  fs::copy_symlink("soft", "soft2");
  EXPECT_EQ(fs::read_symlink("soft2"), "file");
}

TEST_F(Filesystem, Paths) {
  fs::create_directories("a/b");
  fs::create_directory_symlink("a/b", "link");
  WriteFile("a/b/file", "x");
  EXPECT_EQ(fs::canonical("link/../b/./file"), folder() / "a/b/file");
  EXPECT_EQ(fs::weakly_canonical("link/none/../x"), folder() / "a/b/x");
  EXPECT_EQ(fs::absolute("x"), folder() / "x");
  EXPECT_EQ(fs::relative(folder() / "a/b/file", folder() / "a"), "b/file");
  EXPECT_EQ(fs::current_path(), folder());
  fs::current_path("a");
  EXPECT_EQ(fs::current_path(), folder() / "a");
  EXPECT_THROW(fs::canonical("none"), fs::filesystem_error);
}

TEST_F(Filesystem, SizesAndSpace) {
  WriteFile("file", "12345");
  EXPECT_EQ(fs::file_size("file"), 5u);
  fs::resize_file("file", 100);
  EXPECT_EQ(fs::file_size("file"), 100u);
  EXPECT_EQ(ReadFile("file"), "12345" + std::string(95, '\0'));
  fs::resize_file("file", 2);
  EXPECT_EQ(ReadFile("file"), "12");
  const fs::space_info space = fs::space(".");
  EXPECT_GT(space.capacity, 0u);
  EXPECT_GE(space.capacity, space.free);
  EXPECT_GE(space.free, space.available);
  std::error_code error;
  fs::file_size(".", error);
  EXPECT_EQ(error, std::errc::is_a_directory);
}

TEST_F(Filesystem, PermissionsAndTimes) {
  WriteFile("file", "x");
  fs::permissions("file", fs::perms::owner_all);
  EXPECT_EQ(fs::status("file").permissions(), fs::perms::owner_all);
  fs::permissions("file", fs::perms::group_read, fs::perm_options::add);
  EXPECT_EQ(fs::status("file").permissions(), fs::perms::owner_all | fs::perms::group_read);
  const fs::file_time_type now = fs::last_write_time("file");
  fs::last_write_time("file", now - std::chrono::hours(1));
  EXPECT_EQ(fs::last_write_time("file"), now - std::chrono::hours(1));
  WriteFile("file", "y");
  EXPECT_GE(fs::last_write_time("file"), now - std::chrono::seconds(1));
}

// ---- streams

TEST_F(Filesystem, StreamsReadAndWriteAnywhere) {
  std::fstream file("file", std::ios::in | std::ios::out | std::ios::trunc | std::ios::binary);
  for (int i = 0; i < 10'000; ++i) {
    file << i << '\n';
  }
  file.seekg(0);
  int number;
  int64_t sum = 0;
  while (file >> number) {
    sum += number;
  }
  EXPECT_EQ(sum, 49'995'000);
  file.clear();
  file.seekp(-5, std::ios::end);
  file << "XXXX";
  file.flush();
  EXPECT_EQ(ReadFile("file").substr(fs::file_size("file") - 5), "XXXX\n");
  file.seekg(0, std::ios::end);
  EXPECT_EQ(static_cast<uintmax_t>(file.tellg()), fs::file_size("file"));
}

TEST_F(Filesystem, StreamsAppend) {
  for (int i = 0; i < 5; ++i) {
    std::ofstream("log", std::ios::app) << "line " << i << '\n';
  }
  std::ifstream log("log");
  std::string line;
  int lines = 0;
  while (std::getline(log, line)) {
    EXPECT_EQ(line, "line " + std::to_string(lines++));
  }
  EXPECT_EQ(lines, 5);
}

TEST_F(Filesystem, StreamsTellOfErrors) {
  EXPECT_FALSE(std::ifstream("none").is_open());
  EXPECT_FALSE(std::ofstream("none/file").is_open());
  std::ofstream full("/dev/full");
  full << "x" << std::flush;
  EXPECT_TRUE(full.bad());
  std::ifstream empty("/dev/null");
  EXPECT_EQ(empty.get(), std::char_traits<char>::eof());
}

TEST_F(Filesystem, LargeBlocks) {
  std::vector<uint32_t> numbers(1'000'000);
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<uint32_t>(i * 2654435761u);
  }
  const auto size = static_cast<std::streamsize>(numbers.size() * sizeof(uint32_t));
  std::ofstream("numbers", std::ios::binary)
      .write(reinterpret_cast<const char*>(numbers.data()), size);
  std::vector<uint32_t> back(numbers.size());
  std::ifstream in("numbers", std::ios::binary);
  in.read(reinterpret_cast<char*>(back.data()), size);
  EXPECT_EQ(in.gcount(), size);
  EXPECT_TRUE(numbers == back);
}

TEST_F(Filesystem, StandardInputAndOutputOfC) {
  FILE* file = fopen("file", "w+");
  ASSERT_NE(file, nullptr);
  EXPECT_GT(fprintf(file, "%d %s %.2f\n", 42, "text", 3.14159), 0);
  rewind(file);
  int number;
  char text[10];
  double fraction;
  EXPECT_EQ(fscanf(file, "%d %9s %lf", &number, text, &fraction), 3);
  EXPECT_EQ(number, 42);
  EXPECT_STREQ(text, "text");
  EXPECT_DOUBLE_EQ(fraction, 3.14);
  EXPECT_EQ(fseek(file, 0, SEEK_END), 0);
  EXPECT_EQ(ftell(file), 13);
  fclose(file);
  EXPECT_EQ(remove("file"), 0);
  EXPECT_EQ(fopen("file", "r"), nullptr);
}

}  // namespace
