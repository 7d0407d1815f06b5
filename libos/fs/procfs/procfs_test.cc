// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/procfs/procfs.h"

#include <string>
#include <vector>

#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class ProcTest : public FilesTest {
 protected:
  static bool Contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }
};

TEST_F(ProcTest, TheRoot) {
  EXPECT_EQ(ListOf("/proc"),
            (std::vector<std::string>{"1", "cpuinfo", "filesystems", "loadavg", "meminfo", "mounts",
                                      "resolv.conf", "self", "stat", "sys", "uptime", "version"}));
  EXPECT_EQ(Readlink("/proc/self"), Got("1"));
  EXPECT_EQ(Stat("/proc/self").stat.st_ino, Stat("/proc/1").stat.st_ino);
  EXPECT_EQ(Stat("/proc/2").result, Fails(Errno::kENOENT));
  EXPECT_EQ(Stat("/proc").stat.st_mode, kS_IFDIR | 0555);
  EXPECT_EQ(Stat("/proc/self/status").stat.st_mode, kS_IFREG | 0444);
  for (const std::string& name : ListOf("/proc/self")) {
    EXPECT_EQ(Lstat("/proc/self/" + name).result, 0) << name;
  }
}

TEST_F(ProcTest, Texts) {
  EXPECT_EQ(ReadWhole("/proc/self/cmdline"), std::string("prog\0one\0", 9));
  EXPECT_EQ(ReadWhole("/proc/self/environ"), std::string("A=b\0", 4));
  EXPECT_EQ(ReadWhole("/proc/self/comm"), "main\n");
  EXPECT_EQ(ReadWhole("/proc/self/auxv"), std::string("\6\0", 2));
  EXPECT_EQ(ReadWhole("/proc/self/limits"), "Limit\n");
  EXPECT_EQ(ReadWhole("/proc/self/cgroup"), "0::/\n");
  EXPECT_TRUE(Contains(ReadWhole("/proc/self/maps"), "10000-20000 r-xp"));
  EXPECT_TRUE(Contains(ReadWhole("/proc/meminfo"), "MemTotal:       262144 kB\n"));
  EXPECT_TRUE(Contains(ReadWhole("/proc/cpuinfo"), "processor\t: 1\n"));
  EXPECT_FALSE(Contains(ReadWhole("/proc/cpuinfo"), "processor\t: 2\n"));
  EXPECT_TRUE(Contains(ReadWhole("/proc/version"), "Linux version 6.1.0 "));
  EXPECT_EQ(ReadWhole("/proc/mounts"),
            "tmpfs / tmpfs rw,relatime 0 0\n"
            "devtmpfs /dev devtmpfs rw,relatime 0 0\n"
            "proc /proc proc rw,relatime 0 0\n");
  const std::string status = ReadWhole("/proc/self/status");
  EXPECT_TRUE(Contains(status, "Name:\tmain\n"));
  EXPECT_TRUE(Contains(status, "Pid:\t1\n"));
  EXPECT_TRUE(Contains(status, "Uid:\t0\t0\t0\t0\n"));
  EXPECT_TRUE(Contains(status, "Threads:\t3\n"));
  EXPECT_TRUE(Contains(status, "VmRSS:\t8192 kB\n"));
  EXPECT_TRUE(Contains(status, "Umask:\t0022\n"));
  const std::string stat = ReadWhole("/proc/self/stat");
  EXPECT_TRUE(stat.starts_with("1 (main) R 0 1 1 0 -1 "));
  EXPECT_EQ(std::count(stat.begin(), stat.end(), ' '), 51);
  const std::string uptime = ReadWhole("/proc/uptime");
  EXPECT_TRUE(Contains(uptime, "."));
  EXPECT_EQ(uptime.back(), '\n');
}

TEST_F(ProcTest, Mounts) {
  const std::string text = ReadWhole("/proc/self/mountinfo");
  EXPECT_TRUE(Contains(text, " / / rw,relatime - tmpfs tmpfs rw\n"));
  EXPECT_TRUE(Contains(text, " / /proc rw,relatime - proc proc rw\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST_F(ProcTest, Threads) {
  EXPECT_EQ(ListOf("/proc/self/task"), (std::vector<std::string>{"1", "7"}));
  EXPECT_EQ(ListOf("/proc/self/task/7"), (std::vector<std::string>{"comm", "stat", "status"}));
  EXPECT_EQ(Stat("/proc/self/task/2").result, Fails(Errno::kENOENT));
  EXPECT_EQ(Stat("/proc/self/task/07").result, Fails(Errno::kENOENT));
  EXPECT_EQ(ReadWhole("/proc/self/task/7/comm"), "worker\n");
  EXPECT_EQ(Write(Open("/proc/self/task/7/comm", kO_WRONLY), "other"), 5);
  EXPECT_TRUE(ReadWhole("/proc/self/task/7/stat").starts_with("7 (other) R "));
  EXPECT_TRUE(Contains(ReadWhole("/proc/self/task/7/status"), "Tgid:\t1\nPid:\t7\n"));
  Write(Open("/proc/self/task/7/comm", kO_WRONLY), "worker");
}

TEST_F(ProcTest, Settings) {
  EXPECT_EQ(ListOf("/proc/sys"), (std::vector<std::string>{"fs", "kernel", "net", "vm"}));
  EXPECT_EQ(ReadWhole("/proc/sys/kernel/hostname"), "fake\n");
  EXPECT_EQ(ReadWhole("/proc/sys/kernel/osrelease"), "6.1.0\n");
  EXPECT_EQ(ReadWhole("/proc/sys/net/core/somaxconn"), "4096\n");
  EXPECT_EQ(ReadWhole("/proc/sys/fs/file-max"), "1048576\n");
  const std::string boot_id = ReadWhole("/proc/sys/kernel/random/boot_id");
  EXPECT_EQ(boot_id.size(), 37u);
  EXPECT_EQ(boot_id[14], '4');
  EXPECT_EQ(ReadWhole("/proc/sys/kernel/random/boot_id"), boot_id);
  EXPECT_NE(ReadWhole("/proc/sys/kernel/random/uuid"), boot_id);
  EXPECT_EQ(Stat("/proc/sys/kernel").stat.st_ino, Stat("/proc/sys/kernel/random/..").stat.st_ino);
  const int directory = Open("/proc/sys/kernel/random", kO_RDONLY);
  ResultOf(SysFchdir(directory));
  EXPECT_EQ(Getcwd().data, "/proc/sys/kernel/random");
}

TEST_F(ProcTest, WillingnessToEnd) {
  const char* const path = "/proc/self/oom_score_adj";
  EXPECT_EQ(ReadWhole(path), "0\n");
  EXPECT_EQ(Write(Open(path, kO_WRONLY | kO_TRUNC), "-200\n"), 5);
  EXPECT_EQ(ReadWhole(path), "-200\n");
  for (const char* bad : {"1001", "x", "", "-", "99999999999"}) {
    EXPECT_EQ(Write(Open(path, kO_WRONLY), std::string(bad) + "\n"), Fails(Errno::kEINVAL)) << bad;
  }
  EXPECT_EQ(Write(Open(path, kO_WRONLY), "0"), 1);
}

TEST_F(ProcTest, DescriptorsTellTheirState) {
  const int file = Open("/tmp/a", kO_CREAT | kO_RDWR | kO_CLOEXEC);
  Write(file, "12345");
  const std::string text = ReadWhole("/proc/self/fdinfo/0");
  EXPECT_TRUE(text.starts_with("pos:\t5\nflags:\t02100002\n")) << text;
  EXPECT_EQ(Stat("/proc/self/fdinfo/9").result, Fails(Errno::kENOENT));
}

TEST_F(ProcTest, ATextIsKeptWhileItIsRead) {
  const int fd = Open("/proc/self/status");
  std::string text;
  while (true) {
    const Bytes part = Read(fd, 7);
    if (part.result <= 0) {
      break;
    }
    text += part.data;
    ResultOf(SysUmask(077));
  }
  EXPECT_TRUE(Contains(text, "Umask:\t0022\n"));
  // Read from the start, it is made anew.
  EXPECT_EQ(Lseek(fd, 0, kSEEK_SET), 0);
  EXPECT_TRUE(Contains(Read(fd, 4096).data, "Umask:\t0077\n"));
  ResultOf(SysUmask(022));
  EXPECT_TRUE(Contains(Pread(fd, 4096, 0).data, "Umask:\t0022\n"));
  EXPECT_EQ(Lseek(fd, 0, kSEEK_END), Fails(Errno::kEINVAL));
  EXPECT_EQ(Write(Open("/proc/self/status", kO_WRONLY), "x"), Fails(Errno::kEINVAL));
}

TEST_F(ProcTest, Descriptors) {
  const int file = Open("/tmp/a", kO_CREAT | kO_RDWR);
  const PipePair pipe = MakePipePair();
  EXPECT_EQ(Readlink("/proc/self/fd/0"), Got("/tmp/a"));
  const std::string pipe_name = Readlink("/proc/self/fd/1").data;
  EXPECT_EQ(pipe_name, "pipe:[" + std::to_string(Fstat(pipe.read).stat.st_ino) + "]");
  ResultOf(SysEventfd(0));
  EXPECT_EQ(Readlink("/proc/self/fd/3"), Got("anon_inode:[eventfd]"));
  const std::vector<std::string> all = ListOf("/proc/self/fd");
  EXPECT_EQ(all, (std::vector<std::string>{"0", "1", "2", "3", "4"}));  // 4 reads the directory
  EXPECT_EQ(Readlink("/proc/self/fd/4").result, Fails(Errno::kENOENT));
  for (const char* name : {"00", "+1", "", "x", "1048576", "99999999"}) {
    EXPECT_EQ(Lstat("/proc/self/fd/" + std::string(name) + (name[0] == '\0' ? "nope" : "")).result,
              Fails(Errno::kENOENT));
  }
  // Opened anew, not duplicated.
  Write(file, "hello");
  const int again = Open("/proc/self/fd/0");
  EXPECT_EQ(Read(again, 10), Got("hello"));
  EXPECT_EQ(Stat("/proc/self/fd/0").stat.st_ino, Fstat(file).stat.st_ino);
  Unlink("/tmp/a");
  EXPECT_EQ(Read(Open("/proc/self/fd/0"), 10), Got("hello"));
  EXPECT_EQ(Readlink("/proc/self/fd/0"), Got(" (deleted)"));
  // A pipe's end can be opened by its name.
  const int writer = Open("/proc/self/fd/2", kO_WRONLY);
  EXPECT_EQ(Write(writer, "x"), 1);
  EXPECT_EQ(Read(pipe.read, 5), Got("x"));
  EXPECT_EQ(Open("/proc/self/fd/3"), Fails(Errno::kENXIO));
  EXPECT_EQ(Unlink("/proc/self/fd/0"), Fails(Errno::kEPERM));
  // Directories can be walked through.
  const int directory = Open("/etc");
  EXPECT_EQ(Stat("/proc/self/fd/" + std::to_string(directory) + "/hosts").result, 0);
  EXPECT_EQ(Stat("/dev/fd/" + std::to_string(directory) + "/hosts").result, 0);
}

TEST_F(ProcTest, Links) {
  EXPECT_EQ(Readlink("/proc/self/exe"), Got("/prog"));
  Chdir("/tmp");
  EXPECT_EQ(Readlink("/proc/self/cwd"), Got("/tmp"));
  EXPECT_EQ(Readlink("/proc/self/root"), Got("/"));
  WriteWhole("/tmp/a", "x");
  EXPECT_EQ(ReadWhole("/proc/self/cwd/a"), "x");
  EXPECT_EQ(Chdir("/proc/self/fd"), 0);
  EXPECT_EQ(Getcwd().data, "/proc/1/fd");
  EXPECT_EQ(Chdir(".."), 0);
  EXPECT_EQ(Getcwd().data, "/proc/1");
  Chdir("/");
}

TEST_F(ProcTest, NothingCanBeChanged) {
  EXPECT_EQ(Open("/proc/new", kO_CREAT | kO_RDWR), Fails(Errno::kEPERM));
  EXPECT_EQ(Mkdir("/proc/self/new"), Fails(Errno::kEPERM));
  EXPECT_EQ(Unlink("/proc/uptime"), Fails(Errno::kEPERM));
  EXPECT_EQ(Rmdir("/proc/1"), Fails(Errno::kEPERM));
  EXPECT_EQ(Rename("/proc/uptime", "/proc/time"), Fails(Errno::kEPERM));
  EXPECT_EQ(Chmod("/proc/uptime", 0777), Fails(Errno::kEPERM));
  EXPECT_EQ(Truncate("/proc/uptime", 0), Fails(Errno::kEINVAL));
}

TEST_F(ProcTest, WithoutMemory) {
  for (uint64_t allowed = 0; allowed < 6; ++allowed) {
    FailAllocationsAfter(allowed);
    const int fd = Open("/proc/self/status");
    const Bytes text = fd >= 0 ? Read(fd, 4096) : Bytes{};
    StopFailingAllocations();
    if (fd >= 0) {
      EXPECT_TRUE(text.result > 0 || text.result == Fails(Errno::kENOMEM));
      Close(fd);
    } else {
      EXPECT_EQ(fd, Fails(Errno::kENOMEM));
    }
  }
}

}  // namespace
}  // namespace nsgx::libos::testing
