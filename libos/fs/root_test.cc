// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/root.h"

#include <string>
#include <vector>

#include "libos/vfs/testing/files_test.h"

namespace nsgx::libos::testing {
namespace {

using Names = std::vector<std::string>;

class RootTest : public FilesTest {};

TEST_F(RootTest, TheTree) {
  EXPECT_EQ(ListOf("/"), (Names{"dev", "etc", "home", "proc", "root", "run", "tmp", "var"}));
  EXPECT_EQ(ListOf("/dev"), (Names{"console", "fd", "full", "null", "ptmx", "pts", "random", "shm",
                                   "stderr", "stdin", "stdout", "tty", "urandom", "zero"}));
  EXPECT_EQ(ListOf("/etc"),
            (Names{"group", "hostname", "hosts", "passwd", "resolv.conf", "services"}));
  EXPECT_EQ(Stat("/tmp").stat.st_mode, kS_IFDIR | 01777);
  EXPECT_EQ(Stat("/dev/shm").stat.st_mode, kS_IFDIR | 01777);
  EXPECT_EQ(Stat("/root").stat.st_mode, kS_IFDIR | 0700);
  EXPECT_EQ(Stat("/etc/passwd").stat.st_mode, kS_IFREG | 0644);
  EXPECT_EQ(Stat("/").stat.st_nlink, 10u);
  EXPECT_EQ(Stat("/var/tmp").stat.st_mode, kS_IFDIR | 01777);
  EXPECT_EQ(ReadWhole("/etc/hosts"), "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
  EXPECT_EQ(ReadWhole("/etc/resolv.conf"),
            "nameserver 192.0.2.53\nnameserver 2001:db8:0:0:0:0:0:35\n");
  EXPECT_NE(ReadWhole("/etc/services").find("https\t443/tcp\n"), std::string::npos);
  EXPECT_TRUE(ReadWhole("/etc/passwd").starts_with("root:x:0:0:"));
  EXPECT_EQ(Getcwd().data, "/");
}

TEST_F(RootTest, StandardStreamsAreTheFirstDescriptors) {
  OpenStreams();
  EXPECT_EQ(Open("/dev/null"), 3);
  EXPECT_EQ(Readlink("/dev/stdin"), Got("/proc/self/fd/0"));
}

}  // namespace
}  // namespace nsgx::libos::testing
