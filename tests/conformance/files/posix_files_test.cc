// SPDX-License-Identifier: Apache-2.0
// Files as POSIX and Linux have them: opening, transfers, names, attributes, directories, locks,
// mappings.

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/files/folder.h"

namespace {

// The error of a call that is to fail.
#define EXPECT_ERRNO(call, error)           \
  do {                                      \
    errno = 0;                              \
    EXPECT_LT(static_cast<long>(call), 0L); \
    EXPECT_EQ(errno, error);                \
  } while (false)

class PosixFiles : public InFolder {
 protected:
  static std::string ReadAll(const char* path) {
    std::string text;
    const int fd = open(path, O_RDONLY);
    char buffer[4096];
    ssize_t got;
    while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
      text.append(buffer, static_cast<size_t>(got));
    }
    close(fd);
    return text;
  }
  static void WriteAll(const char* path, const std::string& text) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    EXPECT_EQ(close(fd), 0);
  }
  static struct stat StatOf(const char* path) {
    struct stat status = {};
    EXPECT_EQ(lstat(path, &status), 0) << path;
    return status;
  }
  static std::set<std::string> Names(const char* path) {
    std::set<std::string> names;
    DIR* const directory = opendir(path);
    while (const dirent* entry = readdir(directory)) {
      names.insert(entry->d_name);
    }
    closedir(directory);
    return names;
  }
};

// ---- opening

TEST_F(PosixFiles, OpenFlags) {
  EXPECT_ERRNO(open("none", O_RDONLY), ENOENT);
  const int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0640);
  ASSERT_GE(fd, 0);
  EXPECT_ERRNO(open("a", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
  EXPECT_EQ(write(fd, "hello", 5), 5);
  EXPECT_EQ(StatOf("a").st_mode & 07777, 0640u);
  close(open("a", O_WRONLY | O_TRUNC));
  EXPECT_EQ(StatOf("a").st_size, 0);
  EXPECT_ERRNO(open("a/b", O_RDONLY), ENOTDIR);
  EXPECT_ERRNO(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
  EXPECT_ERRNO(open(".", O_RDWR), EISDIR);
  EXPECT_ERRNO(open(std::string(300, 'x').c_str(), O_RDONLY), ENAMETOOLONG);
  EXPECT_ERRNO(open(std::string(PATH_MAX, 'x').c_str(), O_RDONLY), ENAMETOOLONG);
  EXPECT_ERRNO(open("", O_RDONLY), ENOENT);
  symlink("a", "link");
  EXPECT_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  symlink("loop", "loop");
  EXPECT_ERRNO(open("loop", O_RDONLY), ELOOP);
  close(fd);
  EXPECT_ERRNO(close(fd), EBADF);
}

TEST_F(PosixFiles, TheLowestNumberIsTaken) {
  const int first = open("a", O_RDWR | O_CREAT, 0600);
  const int second = dup(first);
  const int third = dup(first);
  close(second);
  EXPECT_EQ(open("a", O_RDONLY), second);
  EXPECT_EQ(fcntl(first, F_DUPFD, third), third + 1);
  EXPECT_EQ(dup2(first, 100), 100);
  EXPECT_EQ(fcntl(100, F_GETFD), 0);
  EXPECT_EQ(dup3(first, 101, O_CLOEXEC), 101);
  EXPECT_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
  EXPECT_ERRNO(dup3(first, first, 0), EINVAL);
  EXPECT_ERRNO(dup2(99, 98), EBADF);
  for (int fd : {first, second, third, third + 1, 100, 101}) {
    EXPECT_EQ(close(fd), 0);
  }
}

TEST_F(PosixFiles, StatusFlags) {
  const int fd = open("a", O_RDWR | O_CREAT | O_APPEND, 0600);
  EXPECT_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
  EXPECT_EQ(fcntl(fd, F_SETFL, 0), 0);
  EXPECT_EQ(fcntl(fd, F_GETFL) & O_APPEND, 0);
  EXPECT_ERRNO(fcntl(fd, 12345), EINVAL);
  EXPECT_ERRNO(fcntl(200, F_GETFL), EBADF);
  close(fd);
}

TEST_F(PosixFiles, TemporaryFiles) {
  char name[] = "temporary-XXXXXX";
  const int fd = mkstemp(name);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(StatOf(name).st_mode & 07777, 0600u);
  close(fd);
  FILE* const file = tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_GE(fputs("text", file), 0);
  rewind(file);
  char text[10] = {};
  EXPECT_STREQ(fgets(text, sizeof(text), file), "text");
  fclose(file);
}

// ---- transfers

TEST_F(PosixFiles, PositionsAndSharing) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(write(fd, "0123456789", 10), 10);
  EXPECT_EQ(lseek(fd, -3, SEEK_END), 7);
  char buffer[20] = {};
  EXPECT_EQ(read(fd, buffer, 20), 3);
  EXPECT_EQ(read(fd, buffer, 20), 0);
  EXPECT_EQ(pread(fd, buffer, 4, 2), 4);
  EXPECT_EQ(std::string(buffer, 4), "2345");
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 10);
  const int twin = dup(fd);
  EXPECT_EQ(lseek(twin, 5, SEEK_SET), 5);
  EXPECT_EQ(read(fd, buffer, 1), 1);
  EXPECT_EQ(buffer[0], '5');
  EXPECT_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
  EXPECT_ERRNO(lseek(fd, 0, 99), EINVAL);
  EXPECT_ERRNO(pread(fd, buffer, 1, -1), EINVAL);
  EXPECT_ERRNO(read(open("a", O_WRONLY), buffer, 1), EBADF);
  EXPECT_ERRNO(write(open("a", O_RDONLY), buffer, 1), EBADF);
  EXPECT_ERRNO(read(open(".", O_RDONLY), buffer, 1), EISDIR);
}

TEST_F(PosixFiles, AppendingGoesToTheEnd) {
  WriteAll("a", "start");
  const int fd = open("a", O_WRONLY | O_APPEND);
  lseek(fd, 0, SEEK_SET);
  EXPECT_EQ(write(fd, "+end", 4), 4);
  EXPECT_EQ(ReadAll("a"), "start+end");
  close(fd);
}

TEST_F(PosixFiles, Vectors) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  char one[] = "one", two[] = "", three[] = "three";
  iovec pieces[] = {{one, 3}, {two, 0}, {three, 5}};
  EXPECT_EQ(writev(fd, pieces, 3), 8);
  char a[2], b[10];
  iovec into[] = {{a, 2}, {b, 10}};
  EXPECT_EQ(preadv(fd, into, 2, 0), 8);
  EXPECT_EQ(std::string(a, 2) + std::string(b, 6), "onethree");
  EXPECT_EQ(pwritev(fd, pieces, 1, 20), 3);
  EXPECT_EQ(lseek(fd, 0, SEEK_END), 23);
  EXPECT_ERRNO(writev(fd, pieces, -1), EINVAL);
  EXPECT_ERRNO(writev(fd, pieces, IOV_MAX + 1), EINVAL);
  close(fd);
}

TEST_F(PosixFiles, LargeFilesInManyPieces) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  std::string data(3'000'000, '\0');
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<char>(i * 31 >> 3);
  }
  size_t piece = 1;
  for (size_t at = 0; at < data.size();) {
    const size_t size = std::min(piece, data.size() - at);
    ASSERT_EQ(write(fd, data.data() + at, size), static_cast<ssize_t>(size));
    at += size;
    piece = piece * 3 % 100'003;
  }
  std::string back(data.size(), '?');
  ASSERT_EQ(pread(fd, back.data(), back.size(), 0), static_cast<ssize_t>(back.size()));
  EXPECT_TRUE(back == data);
  close(fd);
}

TEST_F(PosixFiles, BadAddresses) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  char* const memory = static_cast<char*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_EQ(munmap(memory + 4096, 4096), 0);
  memset(memory, 'm', 4096);
  // As much as there is.
  EXPECT_EQ(write(fd, memory + 4000, 200), 96);
  EXPECT_EQ(pwrite(fd, memory, 4096, 0), 4096);
  EXPECT_EQ(pread(fd, memory + 4086, 200, 0), 10);
  EXPECT_ERRNO(write(fd, memory + 4096, 1), EFAULT);
  EXPECT_ERRNO(pread(fd, memory + 4096, 1, 0), EFAULT);
  EXPECT_ERRNO(open(memory + 4096, O_RDONLY), EFAULT);
  EXPECT_ERRNO(open(reinterpret_cast<const char*>(8), O_RDONLY), EFAULT);
  EXPECT_ERRNO(write(fd, reinterpret_cast<const void*>(uintptr_t{1} << 63), 1), EFAULT);
  munmap(memory, 4096);
  close(fd);
}

// The copies between program and library OS take other ways by size and place.
TEST_F(PosixFiles, TransfersOfAllSizesAndPlaces) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  std::vector<char> from(9000), to(9000);
  for (size_t i = 0; i < from.size(); ++i) {
    from[i] = static_cast<char>(i * 7 + i / 256);
  }
  for (size_t size : std::to_array<size_t>(
           {1, 3, 7, 16, 17, 255, 256, 257, 300, 319, 320, 321, 512, 1000, 4096, 8000})) {
    for (size_t place = 0; place < 64; place += size < 500 ? 1 : 9) {
      const auto count = static_cast<ssize_t>(size);
      ASSERT_EQ(pwrite(fd, from.data() + place, size, 5), count);
      std::fill(to.begin(), to.end(), '-');
      ASSERT_EQ(pread(fd, to.data() + 64 - place, size, 5), count);
      char* const got = to.data() + 64 - place;
      ASSERT_EQ(memcmp(got, from.data() + place, size), 0) << size << " at " << place;
      ASSERT_EQ(got[-1], '-');
      ASSERT_EQ(got[size], '-');
    }
  }
  close(fd);
}

TEST_F(PosixFiles, TruncationAndHoles) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(pwrite(fd, "end", 3, 1'000'000), 3);
  EXPECT_EQ(StatOf("a").st_size, 1'000'003);
  char buffer[8];
  EXPECT_EQ(pread(fd, buffer, 8, 500'000), 8);
  EXPECT_EQ(std::string(buffer, 8), std::string(8, '\0'));
  EXPECT_EQ(ftruncate(fd, 1'000'001), 0);
  EXPECT_EQ(ftruncate(fd, 1'000'003), 0);
  EXPECT_EQ(pread(fd, buffer, 8, 1'000'000), 3);
  EXPECT_EQ(std::string(buffer, 3), std::string("e\0\0", 3));
  EXPECT_EQ(truncate("a", 10), 0);
  EXPECT_EQ(StatOf("a").st_size, 10);
  EXPECT_ERRNO(ftruncate(fd, -1), EINVAL);
  EXPECT_ERRNO(truncate(".", 0), EISDIR);
  EXPECT_EQ(posix_fallocate(fd, 0, 100'000), 0);
  EXPECT_EQ(StatOf("a").st_size, 100'000);
  close(fd);
}

TEST_F(PosixFiles, CopiesInside) {
  std::string data(200'000, 'x');
  for (size_t i = 0; i < data.size(); i += 7) {
    data[i] = static_cast<char>('a' + i % 26);
  }
  WriteAll("from", data);
  const int from = open("from", O_RDONLY);
  const int to = open("to", O_RDWR | O_CREAT, 0600);
  off_t offset = 100;
  EXPECT_EQ(sendfile(to, from, &offset, 1000), 1000);
  EXPECT_EQ(offset, 1100);
  EXPECT_EQ(lseek(from, 0, SEEK_CUR), 0);
  EXPECT_EQ(ReadAll("to"), data.substr(100, 1000));
  size_t copied = 0;
  ssize_t step;
  while ((step = copy_file_range(from, nullptr, to, nullptr, 150'000, 0)) > 0) {
    copied += static_cast<size_t>(step);
  }
  EXPECT_EQ(step, 0);
  EXPECT_EQ(copied, data.size());
  EXPECT_EQ(ReadAll("to"), data.substr(100, 1000) + data);
  close(from);
  close(to);
}

// ---- names

TEST_F(PosixFiles, UnlinkedFilesLiveOn) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(write(fd, "alive", 5), 5);
  EXPECT_EQ(unlink("a"), 0);
  EXPECT_ERRNO(unlink("a"), ENOENT);
  struct stat status;
  EXPECT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_nlink, 0u);
  WriteAll("a", "new");
  char buffer[10];
  EXPECT_EQ(pread(fd, buffer, 10, 0), 5);
  EXPECT_EQ(std::string(buffer, 5), "alive");
  close(fd);
  EXPECT_EQ(ReadAll("a"), "new");
}

TEST_F(PosixFiles, HardLinks) {
  WriteAll("a", "x");
  EXPECT_EQ(link("a", "b"), 0);
  EXPECT_EQ(StatOf("a").st_nlink, 2u);
  EXPECT_EQ(StatOf("a").st_ino, StatOf("b").st_ino);
  EXPECT_ERRNO(link("a", "b"), EEXIST);
  EXPECT_ERRNO(link("none", "c"), ENOENT);
  EXPECT_EQ(rename("a", "b"), 0);  // one file: nothing happens
  EXPECT_EQ(Names("."), (std::set<std::string>{".", "..", "a", "b"}));
  EXPECT_EQ(unlink("a"), 0);
  EXPECT_EQ(StatOf("b").st_nlink, 1u);
}

TEST_F(PosixFiles, SymbolicLinks) {
  EXPECT_EQ(symlink("target/of/link", "link"), 0);
  char buffer[100];
  EXPECT_EQ(readlink("link", buffer, sizeof(buffer)), 14);
  EXPECT_EQ(readlink("link", buffer, 5), 5);
  EXPECT_EQ(std::string(buffer, 5), "targe");
  EXPECT_ERRNO(open("link", O_RDONLY), ENOENT);
  EXPECT_ERRNO(readlink(".", buffer, sizeof(buffer)), EINVAL);
  EXPECT_ERRNO(symlink("x", "link"), EEXIST);
  EXPECT_EQ(StatOf("link").st_size, 14);
  mkdir("target", 0700);
  mkdir("target/of", 0700);
  WriteAll("target/of/link", "found");
  EXPECT_EQ(ReadAll("link"), "found");
  symlink("..", "target/up");
  EXPECT_EQ(ReadAll("target/up/target/up/link"), "found");
}

TEST_F(PosixFiles, Directories) {
  EXPECT_EQ(mkdir("d", 0750), 0);
  EXPECT_ERRNO(mkdir("d", 0750), EEXIST);
  EXPECT_EQ(StatOf("d").st_mode, static_cast<mode_t>(S_IFDIR | 0750));
  EXPECT_EQ(mkdir("d/e/", 0700), 0);
  EXPECT_ERRNO(rmdir("d"), ENOTEMPTY);
  EXPECT_ERRNO(unlink("d"), EISDIR);
  EXPECT_ERRNO(mkdir("none/e", 0700), ENOENT);
  WriteAll("file", "x");
  EXPECT_ERRNO(rmdir("file"), ENOTDIR);
  EXPECT_ERRNO(mkdir("file/e", 0700), ENOTDIR);
  EXPECT_ERRNO(rmdir("d/e/."), EINVAL);
  EXPECT_EQ(rmdir("d/e/"), 0);
  EXPECT_EQ(rmdir("d"), 0);
}

TEST_F(PosixFiles, Renaming) {
  WriteAll("a", "a");
  WriteAll("b", "b");
  mkdir("d", 0700);
  mkdir("e", 0700);
  WriteAll("e/file", "x");
  EXPECT_EQ(rename("a", "b"), 0);
  EXPECT_EQ(ReadAll("b"), "a");
  EXPECT_ERRNO(rename("a", "c"), ENOENT);
  EXPECT_ERRNO(rename("b", "d"), EISDIR);
  EXPECT_ERRNO(rename("d", "b"), ENOTDIR);
  EXPECT_ERRNO(rename("d", "e"), ENOTEMPTY);
  EXPECT_ERRNO(rename("e", "e/inside"), EINVAL);
  EXPECT_EQ(rename("e", "d"), 0);
  EXPECT_EQ(ReadAll("d/file"), "x");
  EXPECT_EQ(rename("d/file", "file"), 0);
  // Not every C library has a function for it.
  constexpr unsigned kNoReplace = 1, kExchange = 2;
  EXPECT_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "b", kNoReplace), EEXIST);
  EXPECT_EQ(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "b", kExchange), 0);
  EXPECT_EQ(ReadAll("file"), "a");
  EXPECT_EQ(ReadAll("b"), "x");
}

TEST_F(PosixFiles, RelativeToDescriptors) {
  mkdir("d", 0700);
  const int directory = open("d", O_RDONLY | O_DIRECTORY);
  const int fd = openat(directory, "a", O_RDWR | O_CREAT, 0600);
  EXPECT_GE(fd, 0);
  EXPECT_EQ(mkdirat(directory, "sub", 0700), 0);
  EXPECT_EQ(symlinkat("a", directory, "link"), 0);
  EXPECT_EQ(linkat(directory, "a", directory, "b", 0), 0);
  EXPECT_EQ(renameat(directory, "b", AT_FDCWD, "c"), 0);
  struct stat status;
  EXPECT_EQ(fstatat(directory, "link", &status, AT_SYMLINK_NOFOLLOW), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  EXPECT_EQ(faccessat(directory, "link", R_OK, 0), 0);
  EXPECT_EQ(unlinkat(directory, "link", 0), 0);
  EXPECT_EQ(unlinkat(directory, "sub", AT_REMOVEDIR), 0);
  EXPECT_EQ(Names("d"), (std::set<std::string>{".", "..", "a"}));
  EXPECT_ERRNO(openat(fd, "x", O_RDONLY), ENOTDIR);
  EXPECT_ERRNO(openat(200, "x", O_RDONLY), EBADF);
  EXPECT_EQ(fchdir(directory), 0);
  EXPECT_EQ(access("a", F_OK), 0);
  close(fd);
  close(directory);
}

TEST_F(PosixFiles, WorkingDirectory) {
  mkdir("d", 0700);
  EXPECT_EQ(chdir("d"), 0);
  char buffer[PATH_MAX];
  EXPECT_EQ(std::string(getcwd(buffer, sizeof(buffer))), (folder() / "d").string());
  EXPECT_EQ(getcwd(buffer, 3), nullptr);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(rename("../d", "../moved"), 0);
  EXPECT_EQ(std::string(getcwd(buffer, sizeof(buffer))), (folder() / "moved").string());
  EXPECT_EQ(rmdir("../moved"), 0);
  EXPECT_EQ(getcwd(buffer, sizeof(buffer)), nullptr);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_ERRNO(open("new", O_RDWR | O_CREAT, 0600), ENOENT);
  EXPECT_EQ(chdir(".."), 0);
  char* const real = realpath("./..", nullptr);
  EXPECT_EQ(std::string(real), folder().parent_path().string());
  free(real);
}

TEST_F(PosixFiles, ReadingDirectories) {
  for (int i = 0; i < 500; ++i) {
    WriteAll(("file" + std::to_string(i)).c_str(), "");
  }
  DIR* const directory = opendir(".");
  std::multiset<std::string> seen;
  int count = 0;
  long place = 0;
  std::string after_place;
  while (const dirent* entry = readdir(directory)) {
    if (count == 101) {
      after_place = entry->d_name;
    }
    seen.insert(entry->d_name);
    if (++count == 101) {
      place = telldir(directory);
    }
    // What has been seen may go.
    if (entry->d_name[0] == 'f') {
      unlink(entry->d_name);
    }
  }
  EXPECT_EQ(seen.size(), 502u);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 502u);
  EXPECT_NE(place, 0);
  rewinddir(directory);
  count = 0;
  while (readdir(directory) != nullptr) {
    ++count;
  }
  EXPECT_EQ(count, 2);
  closedir(directory);
  EXPECT_EQ(opendir("none"), nullptr);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(PosixFiles, PlacesInDirectories) {
  for (int i = 0; i < 50; ++i) {
    WriteAll(("file" + std::to_string(i)).c_str(), "");
  }
  DIR* const directory = opendir(".");
  for (int i = 0; i < 20; ++i) {
    (void)readdir(directory);
  }
  const long place = telldir(directory);
  const std::string next = readdir(directory)->d_name;
  (void)readdir(directory);
  seekdir(directory, place);
  EXPECT_EQ(readdir(directory)->d_name, next);
  closedir(directory);
}

// ---- attributes

TEST_F(PosixFiles, ModesAndUmask) {
  const mode_t old = umask(077);
  WriteAll("a", "x");
  EXPECT_EQ(StatOf("a").st_mode & 07777, 0600u);
  EXPECT_EQ(umask(old), 077u);
  EXPECT_EQ(chmod("a", 0751), 0);
  EXPECT_EQ(StatOf("a").st_mode & 07777, 0751u);
  const int fd = open("a", O_RDONLY);
  EXPECT_EQ(fchmod(fd, 0444), 0);
  EXPECT_EQ(StatOf("a").st_mode & 07777, 0444u);
  EXPECT_ERRNO(chmod("none", 0600), ENOENT);
  EXPECT_EQ(chown("a", getuid(), getgid()), 0);
  EXPECT_EQ(StatOf("a").st_uid, getuid());
  close(fd);
}

// As a user without special rights.
class AsOrdinaryUser {
 public:
  AsOrdinaryUser() {
    if (geteuid() == 0) {
      was_root_ = seteuid(12345) == 0;
    }
  }
  ~AsOrdinaryUser() {
    if (was_root_) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }

 private:
  bool was_root_ = false;
};

TEST_F(PosixFiles, RightsAreChecked) {
  ASSERT_EQ(chmod(".", 0755), 0);
  WriteAll("a", "x");
  chmod("a", 0000);
  mkdir("closed", 0700);
  WriteAll("closed/file", "x");
  chmod("closed", 0000);
  {
    const AsOrdinaryUser user;
    EXPECT_ERRNO(open("a", O_RDONLY), EACCES);
    EXPECT_ERRNO(open("a", O_WRONLY), EACCES);
    EXPECT_ERRNO(open("closed/file", O_RDONLY), EACCES);
    EXPECT_EQ(opendir("closed"), nullptr);
    EXPECT_EQ(errno, EACCES);
  }
  chmod("closed", 0700);
}

TEST_F(PosixFiles, Times) {
  WriteAll("a", "x");
  const timespec times[] = {{.tv_sec = 1000, .tv_nsec = 123456789},
                            {.tv_sec = 2000, .tv_nsec = 987654321}};
  EXPECT_EQ(utimensat(AT_FDCWD, "a", times, 0), 0);
  EXPECT_EQ(StatOf("a").st_atim.tv_sec, 1000);
  EXPECT_EQ(StatOf("a").st_atim.tv_nsec, 123456789);
  EXPECT_EQ(StatOf("a").st_mtim.tv_sec, 2000);
  EXPECT_EQ(StatOf("a").st_mtim.tv_nsec, 987654321);
  const timespec partly[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = 3000, .tv_nsec = 0}};
  EXPECT_EQ(utimensat(AT_FDCWD, "a", partly, 0), 0);
  EXPECT_EQ(StatOf("a").st_atim.tv_sec, 1000);
  EXPECT_EQ(StatOf("a").st_mtim.tv_sec, 3000);
  const time_t now = time(nullptr);
  const int fd = open("a", O_WRONLY);
  EXPECT_EQ(write(fd, "y", 1), 1);
  EXPECT_GE(StatOf("a").st_mtim.tv_sec, now - 1);
  EXPECT_GE(StatOf("a").st_ctim.tv_sec, now - 1);
  EXPECT_EQ(futimens(fd, times), 0);
  EXPECT_EQ(StatOf("a").st_mtim.tv_sec, 2000);
  const timeval old_form[] = {{.tv_sec = 5, .tv_usec = 6}, {.tv_sec = 7, .tv_usec = 8}};
  EXPECT_EQ(utimes("a", old_form), 0);
  EXPECT_EQ(StatOf("a").st_mtim.tv_nsec, 8000);
  const timespec wrong[] = {{.tv_sec = 0, .tv_nsec = -1}, {.tv_sec = 0, .tv_nsec = 0}};
  EXPECT_ERRNO(utimensat(AT_FDCWD, "a", wrong, 0), EINVAL);
  close(fd);
}

TEST_F(PosixFiles, FileSystemsTellOfThemselves) {
  struct statvfs space;
  EXPECT_EQ(statvfs(".", &space), 0);
  EXPECT_EQ(space.f_namemax, 255u);
  EXPECT_GT(space.f_blocks, 0u);
  EXPECT_GT(space.f_bavail, 0u);
  EXPECT_EQ(pathconf(".", _PC_NAME_MAX), 255);
}

// ---- locks

TEST_F(PosixFiles, WholeFileLocks) {
  const int first = open("a", O_RDWR | O_CREAT, 0600);
  const int second = open("a", O_RDWR);
  EXPECT_EQ(flock(first, LOCK_EX), 0);
  EXPECT_ERRNO(flock(second, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  EXPECT_EQ(flock(first, LOCK_UN), 0);
  EXPECT_EQ(flock(second, LOCK_EX | LOCK_NB), 0);
  std::thread waiter([first] { EXPECT_EQ(flock(first, LOCK_EX), 0); });
  EXPECT_EQ(flock(second, LOCK_UN), 0);
  waiter.join();
  close(second);
  close(first);
}

TEST_F(PosixFiles, RangeLocks) {
  const int first = open("a", O_RDWR | O_CREAT, 0600);
  const int second = open("a", O_RDWR);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_start = 10;
  lock.l_len = 10;
  EXPECT_EQ(fcntl(first, F_OFD_SETLK, &lock), 0);
  lock.l_start = 15;
  EXPECT_ERRNO(fcntl(second, F_OFD_SETLK, &lock), EAGAIN);
  EXPECT_EQ(fcntl(second, F_OFD_GETLK, &lock), 0);
  EXPECT_EQ(lock.l_type, F_WRLCK);
  EXPECT_EQ(lock.l_start, 10);
  EXPECT_EQ(lock.l_pid, -1);
  lock = {};
  lock.l_type = F_WRLCK;
  lock.l_start = 20;
  EXPECT_EQ(fcntl(second, F_OFD_SETLK, &lock), 0);
  // The process's own locks do not exclude each other.
  const int third = open("b", O_RDWR | O_CREAT, 0600);
  lock = {};
  lock.l_type = F_WRLCK;
  EXPECT_EQ(fcntl(third, F_SETLK, &lock), 0);
  EXPECT_EQ(fcntl(third, F_SETLKW, &lock), 0);
  EXPECT_EQ(fcntl(third, F_GETLK, &lock), 0);
  EXPECT_EQ(lock.l_type, F_UNLCK);
  EXPECT_EQ(lockf(third, F_TEST, 0), 0);
  for (int fd : {first, second, third}) {
    close(fd);
  }
}

// ---- mappings

TEST_F(PosixFiles, PrivateMappings) {
  std::string data(10'000, 'm');
  data.replace(5000, 6, "middle");
  WriteAll("a", data);
  const int fd = open("a", O_RDONLY);
  char* const mapped =
      static_cast<char*>(mmap(nullptr, data.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  ASSERT_NE(mapped, MAP_FAILED);
  close(fd);
  EXPECT_EQ(std::string(mapped, data.size()), data);
  EXPECT_EQ(mapped[10'001], '\0');
  mapped[0] = 'X';
  EXPECT_EQ(ReadAll("a"), data);
  munmap(mapped, data.size());
}

TEST_F(PosixFiles, SharedMappingsAreWrittenBack) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(ftruncate(fd, 8192), 0);
  char* const mapped =
      static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  ASSERT_NE(mapped, MAP_FAILED);
  memcpy(mapped + 4090, "over the border", 15);
  EXPECT_EQ(msync(mapped, 8192, MS_SYNC), 0);
  char buffer[15];
  EXPECT_EQ(pread(fd, buffer, 15, 4090), 15);
  EXPECT_EQ(std::string(buffer, 15), "over the border");
  memcpy(mapped, "again", 5);
  munmap(mapped, 8192);
  EXPECT_EQ(pread(fd, buffer, 5, 0), 5);
  EXPECT_EQ(std::string(buffer, 5), "again");
  EXPECT_EQ(StatOf("a").st_size, 8192);
  close(fd);
}

TEST_F(PosixFiles, TransfersFromAndToMappingsOfTheSameFile) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(ftruncate(fd, 65536), 0);
  ASSERT_EQ(pwrite(fd, "begin", 5, 0), 5);
  char* const mapped = static_cast<char*>(mmap(nullptr, 65536, PROT_READ, MAP_PRIVATE, fd, 0));
  ASSERT_NE(mapped, MAP_FAILED);
  // The mapping's pages are fetched from the file while the file is being written.
  EXPECT_EQ(pwrite(fd, mapped, 32768, 32768), 32768);
  char buffer[5];
  EXPECT_EQ(pread(fd, buffer, 5, 32768), 5);
  EXPECT_EQ(std::string(buffer, 5), "begin");
  munmap(mapped, 65536);
  close(fd);
}

TEST_F(PosixFiles, WhatCannotBeMapped) {
  WriteAll("a", "x");
  const int reader = open("a", O_RDONLY);
  const int writer = open("a", O_WRONLY);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, writer, 0), MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  const int directory = open(".", O_RDONLY);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, directory, 0), MAP_FAILED);
  EXPECT_EQ(errno, ENODEV);
  for (int fd : {reader, writer, directory}) {
    close(fd);
  }
}

TEST_F(PosixFiles, MemoryFiles) {
  const int fd = memfd_create("test", MFD_ALLOW_SEALING);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(write(fd, "0123456789", 10), 10);
  EXPECT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
  EXPECT_ERRNO(ftruncate(fd, 5), EPERM);
  EXPECT_ERRNO(pwrite(fd, "x", 1, 10), EPERM);
  EXPECT_EQ(pwrite(fd, "x", 1, 9), 1);
  EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
  close(fd);
}

// ---- devices and /proc

TEST_F(PosixFiles, Devices) {
  char buffer[64];
  memset(buffer, 'x', sizeof(buffer));
  int fd = open("/dev/zero", O_RDWR);
  EXPECT_EQ(read(fd, buffer, sizeof(buffer)), 64);
  EXPECT_EQ(std::count(buffer, buffer + 64, '\0'), 64);
  char* const mapped =
      static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_EQ(mapped[100], '\0');
  munmap(mapped, 4096);
  close(fd);
  fd = open("/dev/null", O_RDWR);
  EXPECT_EQ(write(fd, buffer, 64), 64);
  EXPECT_EQ(read(fd, buffer, 64), 0);
  EXPECT_FALSE(isatty(fd));
  close(fd);
  fd = open("/dev/full", O_WRONLY);
  EXPECT_ERRNO(write(fd, buffer, 1), ENOSPC);
  close(fd);
  fd = open("/dev/urandom", O_RDONLY);
  EXPECT_EQ(read(fd, buffer, sizeof(buffer)), 64);
  EXPECT_LT(std::count(buffer, buffer + 64, '\0'), 32);
  close(fd);
}

TEST_F(PosixFiles, ProcTellsOfDescriptors) {
  const int fd = open("a", O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(write(fd, "content", 7), 7);
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  char buffer[PATH_MAX];
  const ssize_t size = readlink(link.c_str(), buffer, sizeof(buffer));
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(buffer, static_cast<size_t>(size)), (folder() / "a").string());
  EXPECT_EQ(ReadAll(link.c_str()), "content");
  EXPECT_EQ(ReadAll(("/dev/fd/" + std::to_string(fd)).c_str()), "content");
  EXPECT_TRUE(Names("/proc/self/fd").contains(std::to_string(fd)));
  close(fd);
  EXPECT_ERRNO(readlink(link.c_str(), buffer, sizeof(buffer)), ENOENT);
  EXPECT_NE(ReadAll("/proc/self/status").find("Threads:"), std::string::npos);
  EXPECT_NE(ReadAll("/proc/self/maps").find("[stack]"), std::string::npos);
  EXPECT_NE(ReadAll("/proc/meminfo").find("MemTotal:"), std::string::npos);
}

// ---- threads

TEST_F(PosixFiles, ThreadsAppendWithoutLoss) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      const int fd = open("a", O_WRONLY | O_CREAT | O_APPEND, 0600);
      const std::string line(200 + 100 * static_cast<size_t>(t), static_cast<char>('a' + t));
      for (int i = 0; i < 250; ++i) {
        ASSERT_EQ(write(fd, (line + "\n").data(), line.size() + 1),
                  static_cast<ssize_t>(line.size() + 1));
      }
      close(fd);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string all = ReadAll("a");
  int lines = 0;
  for (size_t at = 0; at < all.size();) {
    const size_t end = all.find('\n', at);
    const std::string line = all.substr(at, end - at);
    ASSERT_EQ(line, std::string(200 + 100 * static_cast<size_t>(line[0] - 'a'), line[0]));
    at = end + 1;
    ++lines;
  }
  EXPECT_EQ(lines, 1000);
}

TEST_F(PosixFiles, ThreadsMakeAndRemoveNames) {
  std::vector<std::thread> threads;
  std::atomic<int> made{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &made] {
      for (int i = 0; i < 300; ++i) {
        // Everybody wants the same names; exactly one gets each.
        const std::string name = "shared" + std::to_string(i);
        const int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (fd >= 0) {
          ++made;
          close(fd);
        } else {
          EXPECT_EQ(errno, EEXIST);
        }
        const std::string own = "own" + std::to_string(t);
        EXPECT_EQ(mkdir(own.c_str(), 0700), 0);
        EXPECT_EQ(rename(own.c_str(), (own + "x").c_str()), 0);
        EXPECT_EQ(rmdir((own + "x").c_str()), 0);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(made, 300);
  EXPECT_EQ(Names(".").size(), 302u);
}

}  // namespace
