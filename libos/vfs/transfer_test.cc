// SPDX-License-Identifier: Apache-2.0
// Reads and writes of every kind: partial ones, vectors, positions, holes, limits, copies between
// files.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/core/addr.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

// Text that tells where in it one is.
std::string Pattern(size_t size, size_t seed = 0) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>('a' + (i * 7 + i / 251 + seed) % 26);
  }
  return text;
}

class TransferTest : public FilesTest {
 protected:
  int NewFile(std::string_view path = "/tmp/file") { return Open(path, kO_CREAT | kO_RDWR); }

  static int64_t SeekTo(int fd, int64_t offset) { return Lseek(fd, offset, kSEEK_SET); }
};

TEST_F(TransferTest, SizesAroundPagesAndWindows) {
  const size_t sizes[] = {1,    255,   256,   257,   4095,   4096,   4097,
                          8192, 65535, 65536, 65537, 131072, 200001, 1000000};
  int number = 0;
  for (const size_t size : sizes) {
    const int fd = NewFile("/tmp/file" + std::to_string(number++));
    const std::string data = Pattern(size, size);
    EXPECT_EQ(Write(fd, data), static_cast<int64_t>(size));
    EXPECT_EQ(Fstat(fd).stat.st_size, static_cast<int64_t>(size));
    EXPECT_EQ(Fstat(fd).stat.st_blocks, static_cast<int64_t>((size + 4095) / 4096 * 8));
    EXPECT_EQ(Pread(fd, size + 100, 0).data, data);
    EXPECT_EQ(Pread(fd, size, 1).data, data.substr(1));
    EXPECT_EQ(Pread(fd, 300, static_cast<int64_t>(size - 1)).data, data.substr(size - 1));
    EXPECT_EQ(Pread(fd, 300, static_cast<int64_t>(size)).result, 0);
    Close(fd);
  }
}

TEST_F(TransferTest, PiecesOfEverySizeMakeOneFile) {
  for (const size_t piece : {1u, 7u, 255u, 300u, 4096u, 5000u}) {
    const int fd = NewFile("/tmp/p" + std::to_string(piece));
    const std::string data = Pattern(20000, piece);
    for (size_t at = 0; at < data.size(); at += piece) {
      const std::string part = data.substr(at, piece);
      ASSERT_EQ(Write(fd, part), static_cast<int64_t>(part.size()));
    }
    EXPECT_EQ(Pread(fd, 30000, 0).data, data);
    SeekTo(fd, 0);
    std::string again;
    while (true) {
      const Bytes part = Read(fd, piece);
      if (part.result == 0) {
        break;
      }
      again += part.data;
    }
    EXPECT_EQ(again, data);
    Close(fd);
  }
}

TEST_F(TransferTest, OverwritesInTheMiddle) {
  const int fd = NewFile();
  std::string model = Pattern(100000);
  Write(fd, model);
  size_t seed = 1;
  for (const size_t at : {0u, 1u, 4090u, 4096u, 50000u, 99990u}) {
    for (const size_t size : {1u, 10u, 256u, 257u, 4096u, 70000u}) {
      const std::string part = Pattern(size, ++seed);
      ASSERT_EQ(Pwrite(fd, part, static_cast<int64_t>(at)), static_cast<int64_t>(size));
      if (model.size() < at + size) {
        model.resize(at + size);
      }
      model.replace(at, size, part);
      ASSERT_EQ(Pread(fd, 300000, 0).data, model);
    }
  }
}

TEST_F(TransferTest, HolesReadAsZeros) {
  const int fd = NewFile();
  EXPECT_EQ(Pwrite(fd, "end", 1'000'000), 3);
  EXPECT_EQ(Pwrite(fd, Pattern(300), 500'000), 300);
  EXPECT_EQ(Fstat(fd).stat.st_blocks, 16);
  const std::string data = Pread(fd, 2'000'000, 0).data;
  ASSERT_EQ(data.size(), 1'000'003u);
  EXPECT_EQ(data.substr(0, 500'000), std::string(500'000, '\0'));
  EXPECT_EQ(data.substr(500'000, 300), Pattern(300));
  EXPECT_EQ(data.substr(500'300, 499'700), std::string(499'700, '\0'));
  EXPECT_EQ(data.substr(1'000'000), "end");
  EXPECT_EQ(Pread(fd, 10, 400'000).data, std::string(10, '\0'));
}

TEST_F(TransferTest, SeeksDataAndHoles) {
  const int fd = NewFile();
  Pwrite(fd, Pattern(5000), 8192);
  Pwrite(fd, "x", 40960);
  EXPECT_EQ(Lseek(fd, 0, kSEEK_DATA), 8192);
  EXPECT_EQ(Lseek(fd, 9000, kSEEK_DATA), 9000);
  EXPECT_EQ(Lseek(fd, 8192, kSEEK_HOLE), 16384);
  EXPECT_EQ(Lseek(fd, 16384, kSEEK_DATA), 40960);
  EXPECT_EQ(Lseek(fd, 40960, kSEEK_HOLE), 40961);  // the end is one
  EXPECT_EQ(Lseek(fd, 40961, kSEEK_DATA), Fails(Errno::kENXIO));
  EXPECT_EQ(Lseek(fd, 40961, kSEEK_HOLE), Fails(Errno::kENXIO));
  EXPECT_EQ(Lseek(fd, -1, kSEEK_HOLE), Fails(Errno::kENXIO));
  Ftruncate(fd, 100000);
  EXPECT_EQ(Lseek(fd, 45056, kSEEK_DATA), Fails(Errno::kENXIO));
  EXPECT_EQ(Lseek(fd, 45056, kSEEK_HOLE), 45056);
}

TEST_F(TransferTest, Seeks) {
  const int fd = NewFile();
  Write(fd, "0123456789");
  EXPECT_EQ(Lseek(fd, 0, kSEEK_CUR), 10);
  EXPECT_EQ(Lseek(fd, -3, kSEEK_CUR), 7);
  EXPECT_EQ(Read(fd, 5), Got("789"));
  EXPECT_EQ(Lseek(fd, -4, kSEEK_END), 6);
  EXPECT_EQ(Lseek(fd, 100, kSEEK_SET), 100);
  EXPECT_EQ(Read(fd, 5), Got(""));
  EXPECT_EQ(Lseek(fd, -1, kSEEK_SET), Fails(Errno::kEINVAL));
  EXPECT_EQ(Lseek(fd, -101, kSEEK_CUR), Fails(Errno::kEINVAL));
  EXPECT_EQ(Lseek(fd, INT64_MAX, kSEEK_CUR), Fails(Errno::kEINVAL));
  EXPECT_EQ(Lseek(fd, 0, 5), Fails(Errno::kEINVAL));
  EXPECT_EQ(Lseek(fd, INT64_MAX, kSEEK_SET), INT64_MAX);
  EXPECT_EQ(Write(fd, "x"), Fails(Errno::kEFBIG));
  EXPECT_EQ(Lseek(77, 0, kSEEK_SET), Fails(Errno::kEBADF));
  EXPECT_EQ(Lseek(MakePipePair().read, 0, kSEEK_SET), Fails(Errno::kESPIPE));
}

TEST_F(TransferTest, DescriptorsOfOneOpeningShareThePosition) {
  const int fd = NewFile();
  const int twin = static_cast<int>(ResultOf(SysDup(fd)));
  const int other = Open("/tmp/file", kO_RDWR);
  Write(fd, "abc");
  Write(twin, "def");
  EXPECT_EQ(Read(other, 10), Got("abcdef"));
  Write(other, "X");
  EXPECT_EQ(Read(fd, 10), Got("X"));
}

TEST_F(TransferTest, Vectors) {
  const int fd = NewFile();
  const std::string large = Pattern(70000);
  EXPECT_EQ(Writev(fd, {"one", "", "two", large, "end"}), 70009);
  EXPECT_EQ(Pread(fd, 80000, 0).data, "onetwo" + large + "end");
  const auto buffer = AllocateUser(100);
  const auto memory = AllocateUser(3 * sizeof(LinuxIovec));
  auto* const segments = reinterpret_cast<LinuxIovec*>(memory.data());
  segments[0] = {.iov_base = AddressOf(buffer), .iov_len = 2};
  segments[1] = {.iov_base = kBadAddress, .iov_len = 0};
  segments[2] = {.iov_base = AddressOf(buffer) + 50, .iov_len = 10};
  const UserIn<LinuxIovec> vector(AddressOf(memory));
  EXPECT_EQ(ResultOf(SysPreadv(fd, vector, 3, 0)), 12);
  EXPECT_EQ(TextOf(buffer, 2), "on");
  EXPECT_EQ(TextOf(buffer.subspan(50), 10), "etwo" + large.substr(0, 6));
  EXPECT_EQ(ResultOf(SysPreadv(fd, vector, 0, 0)), 0);
  EXPECT_EQ(ResultOf(SysPreadv(fd, vector, -1, 0)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysPreadv(fd, vector, 1025, 0)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysPreadv(fd, vector, 3, -1)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysPreadv(fd, UserIn<LinuxIovec>(kBadAddress), 3, 0)), Fails(Errno::kEFAULT));
  segments[1].iov_len = ~uint64_t{0};
  EXPECT_EQ(ResultOf(SysPreadv(fd, vector, 3, 0)), Fails(Errno::kEINVAL));
  // -1 is the position of the open file.
  segments[1].iov_len = 0;
  SeekTo(fd, 3);
  EXPECT_EQ(ResultOf(SysPreadv2(fd, vector, 1, -1, 0, 0)), 2);
  EXPECT_EQ(Lseek(fd, 0, kSEEK_CUR), 5);
  EXPECT_EQ(ResultOf(SysPreadv2(fd, vector, 1, 0, 0, 0x100)), Fails(Errno::kEOPNOTSUPP));
  EXPECT_EQ(ResultOf(SysPwritev2(fd, vector, 1, 0, 0, kRWF_APPEND)), 2);
  EXPECT_EQ(Fstat(fd).stat.st_size, 70011);
  EXPECT_EQ(ResultOf(SysReadv(77, vector, 1)), Fails(Errno::kEBADF));
}

TEST_F(TransferTest, MoreSegmentsThanFitTheStack) {
  const int fd = NewFile();
  const auto memory = AllocateUser(100 * sizeof(LinuxIovec));
  auto* const segments = reinterpret_cast<LinuxIovec*>(memory.data());
  std::string expected;
  for (size_t i = 0; i < 100; ++i) {
    const std::string part = Pattern(i, i);
    segments[i] = {.iov_base = UserString(part), .iov_len = part.size()};
    expected += part;
  }
  EXPECT_EQ(ResultOf(SysWritev(fd, UserIn<LinuxIovec>(AddressOf(memory)), 100)),
            static_cast<int64_t>(expected.size()));
  EXPECT_EQ(Pread(fd, 10000, 0).data, expected);
}

TEST_F(TransferTest, AFaultEndsATransferWhereItHappens) {
  const int fd = NewFile();
  const std::string data = Pattern(20000);
  Write(fd, data);
  for (const size_t before : {0u, 1u, 100u, 4096u, 5000u, 8000u}) {
    // The page behind these bytes is missing.
    const auto pages = AllocateUserPages(3);
    const uint64_t border = AddressOf(pages) + 2 * kPageSize;
    TakeUserPageAway(border);
    const uint64_t start = border - before;
    const int64_t expected = before == 0 ? Fails(Errno::kEFAULT) : static_cast<int64_t>(before);
    EXPECT_EQ(ResultOf(SysPread64(fd, UserOut<std::byte>(start), before + 100, 3)), expected);
    EXPECT_EQ(TextOf(pages.subspan(2 * kPageSize - before), before), data.substr(3, before));
    // The position moves by what was read.
    SeekTo(fd, 10);
    EXPECT_EQ(ResultOf(SysRead(fd, UserOut<std::byte>(start), before + 100)), expected);
    EXPECT_EQ(Lseek(fd, 0, kSEEK_CUR), 10 + static_cast<int64_t>(before));
    EXPECT_EQ(ResultOf(SysPwrite64(fd, UserIn<std::byte>(start), before + 100, 30000)), expected);
    EXPECT_EQ(Fstat(fd).stat.st_size, before == 0 ? 20000 : 30000 + static_cast<int64_t>(before));
    Ftruncate(fd, 20000);
  }
  EXPECT_EQ(Pread(fd, 30000, 0).data, data);
  EXPECT_EQ(ResultOf(SysRead(fd, UserOut<std::byte>(kBadAddress), 0)), 0);
}

TEST_F(TransferTest, NothingToMoveIsNoError) {
  const int fd = NewFile();
  EXPECT_EQ(ResultOf(SysWrite(fd, UserIn<std::byte>(kBadAddress), 0)), 0);
  EXPECT_EQ(ResultOf(SysRead(fd, UserOut<std::byte>(kBadAddress), 0)), 0);
  EXPECT_EQ(Write(77, ""), Fails(Errno::kEBADF));
  EXPECT_EQ(Read(Open("/tmp"), 0), Got(Errno::kEISDIR));
  // Writing nothing beyond the end does not make a file longer.
  EXPECT_EQ(Pwrite(fd, "", 100), 0);
  EXPECT_EQ(Fstat(fd).stat.st_size, 0);
}

TEST_F(TransferTest, PlacesOfPread) {
  const int fd = NewFile();
  Write(fd, "0123456789");
  EXPECT_EQ(Pread(fd, 3, 4), Got("456"));
  EXPECT_EQ(Lseek(fd, 0, kSEEK_CUR), 10);
  EXPECT_EQ(Pread(fd, 1, -1), Got(Errno::kEINVAL));
  EXPECT_EQ(Pwrite(fd, "x", -1), Fails(Errno::kEINVAL));
  const PipePair pipe = MakePipePair();
  EXPECT_EQ(Pread(pipe.read, 1, 0), Got(Errno::kESPIPE));
  EXPECT_EQ(Pwrite(pipe.write, "x", 0), Fails(Errno::kESPIPE));
  EXPECT_EQ(Pwrite(fd, "x", INT64_MAX), Fails(Errno::kEFBIG));
  EXPECT_EQ(Pwrite(fd, "xy", INT64_MAX - 1), 1);
  EXPECT_EQ(Fstat(fd).stat.st_size, INT64_MAX);
  EXPECT_EQ(Pread(fd, 10, INT64_MAX - 1), Got("x"));
}

TEST_F(TransferTest, Truncates) {
  const int fd = NewFile();
  const std::string data = Pattern(10000);
  Write(fd, data);
  EXPECT_EQ(Ftruncate(fd, 5000), 0);
  EXPECT_EQ(Fstat(fd).stat.st_blocks, 16);
  EXPECT_EQ(Ftruncate(fd, 9000), 0);
  // What was cut off does not come back.
  EXPECT_EQ(Pread(fd, 10000, 0).data, data.substr(0, 5000) + std::string(4000, '\0'));
  EXPECT_EQ(Truncate("/tmp/file", 4096), 0);
  EXPECT_EQ(Pread(fd, 10000, 0).data, data.substr(0, 4096));
  EXPECT_EQ(Truncate("/tmp/file", 0), 0);
  EXPECT_EQ(Fstat(fd).stat.st_blocks, 0);
  EXPECT_EQ(Ftruncate(fd, -1), Fails(Errno::kEINVAL));
  EXPECT_EQ(Ftruncate(Open("/tmp/file"), 1), Fails(Errno::kEINVAL));
  EXPECT_EQ(Ftruncate(77, 1), Fails(Errno::kEBADF));
  EXPECT_EQ(Ftruncate(MakePipePair().write, 1), Fails(Errno::kEINVAL));
  EXPECT_EQ(Truncate("/tmp", 1), Fails(Errno::kEISDIR));
  EXPECT_EQ(Truncate("/tmp/none", 1), Fails(Errno::kENOENT));
  EXPECT_EQ(Truncate("/dev/null", 1), Fails(Errno::kEINVAL));
  EXPECT_EQ(Truncate("/tmp/file", INT64_MAX), 0);
  Chmod("/tmp/file", 0444);
  BecomeUser(7, 7);
  EXPECT_EQ(Truncate("/tmp/file", 1), Fails(Errno::kEACCES));
}

TEST_F(TransferTest, Allocates) {
  const int fd = NewFile();
  const auto allocate = [&](int file, uint32_t mode, int64_t offset, int64_t size) {
    return ResultOf(SysFallocate(file, mode, offset, size));
  };
  EXPECT_EQ(allocate(fd, 0, 5000, 10000), 0);
  EXPECT_EQ(Fstat(fd).stat.st_size, 15000);
  EXPECT_EQ(Fstat(fd).stat.st_blocks, 24);
  EXPECT_EQ(Pread(fd, 20000, 0).data, std::string(15000, '\0'));
  EXPECT_EQ(allocate(fd, kFALLOC_FL_KEEP_SIZE, 20000, 10000), 0);
  EXPECT_EQ(Fstat(fd).stat.st_size, 15000);
  EXPECT_EQ(Fstat(fd).stat.st_blocks, 56);
  EXPECT_EQ(allocate(fd, 0, -1, 1), Fails(Errno::kEINVAL));
  EXPECT_EQ(allocate(fd, 0, 0, 0), Fails(Errno::kEINVAL));
  EXPECT_EQ(allocate(fd, kFALLOC_FL_PUNCH_HOLE, 0, 1), Fails(Errno::kEOPNOTSUPP));
  EXPECT_EQ(allocate(fd, 8, 0, 1), Fails(Errno::kEOPNOTSUPP));
  EXPECT_EQ(allocate(fd, 0, INT64_MAX, 1), Fails(Errno::kEFBIG));
  EXPECT_EQ(allocate(Open("/tmp/file"), 0, 0, 1), Fails(Errno::kEBADF));
  EXPECT_EQ(allocate(MakePipePair().write, 0, 0, 1), Fails(Errno::kESPIPE));
  EXPECT_EQ(allocate(Open("/dev/null", kO_RDWR), 0, 0, 1), Fails(Errno::kENODEV));
  // More than there is: all or nothing.
  EXPECT_EQ(allocate(fd, 0, 0, int64_t{1} << 40), Fails(Errno::kENOSPC));
  LimitPages(heap_use().pages + 3);
  EXPECT_EQ(allocate(fd, 0, 1 << 20, 40000), Fails(Errno::kENOSPC));
  UnlimitPages();
  EXPECT_EQ(Fstat(fd).stat.st_blocks, 56);
}

TEST_F(TransferTest, PunchesHoles) {
  const int fd = NewFile();
  std::string model = Pattern(100000);
  Write(fd, model);
  const struct {
    size_t offset, size;
  } holes[] = {{10, 20}, {4096, 4096}, {9000, 10000}, {50000, 20}, {60000, 40000}, {99999, 5000}};
  for (const auto& hole : holes) {
    EXPECT_EQ(
        ResultOf(SysFallocate(fd, kFALLOC_FL_PUNCH_HOLE | kFALLOC_FL_KEEP_SIZE,
                              static_cast<int64_t>(hole.offset), static_cast<int64_t>(hole.size))),
        0);
    const size_t end = std::min(hole.offset + hole.size, model.size());
    model.replace(hole.offset, end - hole.offset, end - hole.offset, '\0');
    EXPECT_EQ(Pread(fd, 200000, 0).data, model);
  }
  EXPECT_LT(Fstat(fd).stat.st_blocks, 25 * 8);
  EXPECT_EQ(Lseek(fd, 4096, kSEEK_HOLE), 4096);
}

TEST_F(TransferTest, TheSizeLimit) {
  const int fd = NewFile();
  process_files.SetSizeLimit(10000);
  EXPECT_EQ(Write(fd, Pattern(9990)), 9990);
  EXPECT_EQ(Write(fd, Pattern(100)), 10);
  EXPECT_EQ(raised_signals().count, 0u);
  EXPECT_EQ(Write(fd, "x"), Fails(Errno::kEFBIG));
  EXPECT_EQ(raised_signals().count, 1u);
  EXPECT_EQ(raised_signals().last, kFileSizeSignal);
  EXPECT_EQ(Ftruncate(fd, 10001), Fails(Errno::kEFBIG));
  EXPECT_EQ(Ftruncate(fd, 10000), 0);
  EXPECT_EQ(ResultOf(SysFallocate(fd, 0, 0, 20000)), Fails(Errno::kEFBIG));
  EXPECT_EQ(raised_signals().count, 3u);
  // Large ones too.
  EXPECT_EQ(Pwrite(fd, Pattern(20000), 0), 10000);
  process_files.SetSizeLimit(UINT64_MAX);
  EXPECT_EQ(Pwrite(fd, "x", 10000), 1);
}

TEST_F(TransferTest, WithoutMemory) {
  const int fd = NewFile();
  LimitPages(heap_use().pages + 10);
  EXPECT_EQ(Write(fd, Pattern(100000)), 40960);
  EXPECT_EQ(Write(fd, Pattern(1000)), Fails(Errno::kENOSPC));
  EXPECT_EQ(Write(fd, "x"), Fails(Errno::kENOSPC));
  // What is there can be overwritten.
  EXPECT_EQ(Pwrite(fd, "x", 0), 1);
  EXPECT_EQ(Ftruncate(fd, 0), 0);
  EXPECT_EQ(Pwrite(fd, Pattern(8192), 0), 8192);
  UnlimitPages();
  // Nodes of the tree can be missing as well.
  Ftruncate(fd, 0);
  for (uint64_t allowed = 0; allowed < 8; ++allowed) {
    FailAllocationsAfter(allowed);
    const int64_t written = Pwrite(fd, Pattern(300000), 0);
    StopFailingAllocations();
    ASSERT_TRUE(written == Fails(Errno::kENOSPC) || written > 0) << written;
    EXPECT_EQ(Fstat(fd).stat.st_size, std::max<int64_t>(written, 0));
    EXPECT_EQ(Pread(fd, 400000, 0).data,
              Pattern(300000).substr(0, static_cast<size_t>(std::max<int64_t>(written, 0))));
    Ftruncate(fd, 0);
  }
}

TEST_F(TransferTest, ClosingGivesWhatWasKeptInReserveBack) {
  const size_t before = heap_use().pages;
  const int fd = NewFile();
  for (int i = 0; i < 100; ++i) {
    Write(fd, Pattern(4096));
  }
  EXPECT_GE(heap_use().pages, before + 100);
  Close(fd);
  EXPECT_EQ(heap_use().pages, before + 100);
  Unlink("/tmp/file");
  EXPECT_EQ(heap_use().pages, before);
}

TEST_F(TransferTest, Sendfile) {
  const std::string data = Pattern(150000);
  WriteWhole("/tmp/in", data);
  const int in = Open("/tmp/in");
  const int out = NewFile("/tmp/out");
  EXPECT_EQ(ResultOf(SysSendfile(out, in, UserOut<int64_t>(0), 100000)), 100000);
  EXPECT_EQ(Lseek(in, 0, kSEEK_CUR), 100000);
  EXPECT_EQ(ResultOf(SysSendfile(out, in, UserOut<int64_t>(0), 100000)), 50000);
  EXPECT_EQ(ResultOf(SysSendfile(out, in, UserOut<int64_t>(0), 100000)), 0);
  EXPECT_EQ(ReadWhole("/tmp/out"), data);
  int64_t& offset = NewUser<int64_t>(10);
  const UserOut<int64_t> at(AddressOf(offset));
  SeekTo(out, 0);
  EXPECT_EQ(ResultOf(SysSendfile(out, in, at, 5)), 5);
  EXPECT_EQ(offset, 15);
  EXPECT_EQ(Pread(out, 5, 0).data, data.substr(10, 5));
  EXPECT_EQ(Lseek(in, 0, kSEEK_CUR), 150000);
  offset = -1;
  EXPECT_EQ(ResultOf(SysSendfile(out, in, at, 5)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysSendfile(in, out, UserOut<int64_t>(0), 5)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysSendfile(out, 77, UserOut<int64_t>(0), 5)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysSendfile(out, in, UserOut<int64_t>(kBadAddress), 5)),
            Fails(Errno::kEFAULT));
  const PipePair pipe = MakePipePair(kO_NONBLOCK);
  EXPECT_EQ(ResultOf(SysSendfile(out, pipe.read, UserOut<int64_t>(0), 5)), Fails(Errno::kEINVAL));
  EXPECT_EQ(
      ResultOf(SysSendfile(Open("/tmp/out", kO_WRONLY | kO_APPEND), in, UserOut<int64_t>(0), 5)),
      Fails(Errno::kEINVAL));
  // Into a pipe: what fits, and no more is taken from the file.
  SeekTo(in, 0);
  EXPECT_EQ(ResultOf(SysSendfile(pipe.write, in, UserOut<int64_t>(0), 150000)), 65536);
  EXPECT_EQ(Lseek(in, 0, kSEEK_CUR), 65536);
  EXPECT_EQ(ResultOf(SysSendfile(pipe.write, in, UserOut<int64_t>(0), 5)), Fails(Errno::kEAGAIN));
  EXPECT_EQ(Lseek(in, 0, kSEEK_CUR), 65536);
}

TEST_F(TransferTest, CopyFileRange) {
  const std::string data = Pattern(100000);
  WriteWhole("/tmp/in", data);
  const int in = Open("/tmp/in");
  const int out = NewFile("/tmp/out");
  const UserOut<int64_t> none(0);
  EXPECT_EQ(ResultOf(SysCopyFileRange(in, none, out, none, 60000, 0)), 60000);
  EXPECT_EQ(Lseek(in, 0, kSEEK_CUR), 60000);
  EXPECT_EQ(Lseek(out, 0, kSEEK_CUR), 60000);
  EXPECT_EQ(ResultOf(SysCopyFileRange(in, none, out, none, 60000, 0)), 40000);
  EXPECT_EQ(ResultOf(SysCopyFileRange(in, none, out, none, 60000, 0)), 0);
  EXPECT_EQ(ReadWhole("/tmp/out"), data);
  int64_t& from = NewUser<int64_t>(5);
  int64_t& to = NewUser<int64_t>(200000);
  EXPECT_EQ(ResultOf(SysCopyFileRange(in, UserOut<int64_t>(AddressOf(from)), out,
                                      UserOut<int64_t>(AddressOf(to)), 10, 0)),
            10);
  EXPECT_EQ(from, 15);
  EXPECT_EQ(to, 200010);
  EXPECT_EQ(Pread(out, 10, 200000).data, data.substr(5, 10));
  const int both = Open("/tmp/in", kO_RDWR);
  EXPECT_EQ(ResultOf(SysCopyFileRange(both, none, both, none, 10, 0)), Fails(Errno::kEINVAL));
  from = 0;
  to = 50000;
  EXPECT_EQ(ResultOf(SysCopyFileRange(both, UserOut<int64_t>(AddressOf(from)), both,
                                      UserOut<int64_t>(AddressOf(to)), 50000, 0)),
            50000);
  EXPECT_EQ(ReadWhole("/tmp/in"), data.substr(0, 50000) + data.substr(0, 50000));
  EXPECT_EQ(ResultOf(SysCopyFileRange(in, none, out, none, 10, 1)), Fails(Errno::kEINVAL));
  EXPECT_EQ(
      ResultOf(SysCopyFileRange(in, none, Open("/tmp/out", kO_WRONLY | kO_APPEND), none, 10, 0)),
      Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysCopyFileRange(Open("/tmp"), none, out, none, 10, 0)),
            Fails(Errno::kEISDIR));
  EXPECT_EQ(ResultOf(SysCopyFileRange(Open("/dev/zero"), none, out, none, 10, 0)),
            Fails(Errno::kEINVAL));
}

TEST_F(TransferTest, SyncAndAdvice) {
  const int fd = NewFile();
  EXPECT_EQ(ResultOf(SysFsync(fd)), 0);
  EXPECT_EQ(ResultOf(SysFdatasync(fd)), 0);
  EXPECT_EQ(ResultOf(SysFsync(Open("/tmp"))), 0);
  EXPECT_EQ(ResultOf(SysFsync(77)), Fails(Errno::kEBADF));
  const PipePair pipe = MakePipePair();
  EXPECT_EQ(ResultOf(SysFsync(pipe.read)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysSync()), 0);
  EXPECT_EQ(ResultOf(SysSyncfs(fd)), 0);
  EXPECT_EQ(ResultOf(SysSyncFileRange(fd, 0, 10, 7)), 0);
  EXPECT_EQ(ResultOf(SysSyncFileRange(fd, -1, 10, 0)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysSyncFileRange(pipe.read, 0, 10, 0)), Fails(Errno::kESPIPE));
  EXPECT_EQ(ResultOf(SysFadvise64(fd, 0, 0, 3)), 0);
  EXPECT_EQ(ResultOf(SysFadvise64(fd, 0, 0, 9)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysFadvise64(pipe.read, 0, 0, 3)), Fails(Errno::kESPIPE));
  EXPECT_EQ(ResultOf(SysReadahead(fd, 0, 100)), 0);
}

TEST_F(TransferTest, FionreadTellsWhatIsLeft) {
  const int fd = NewFile();
  Write(fd, "0123456789");
  SeekTo(fd, 3);
  int32_t& left = NewUser<int32_t>();
  EXPECT_EQ(ResultOf(SysIoctl(fd, kFIONREAD, AddressOf(left))), 0);
  EXPECT_EQ(left, 7);
  EXPECT_EQ(ResultOf(SysIoctl(fd, kTCGETS, AddressOf(left))), Fails(Errno::kENOTTY));
}

TEST_F(TransferTest, AppendingThreadsDoNotLoseAnything) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 100;
  // Large ones and small ones take different ways.
  const size_t sizes[] = {64, 5000};
  Close(NewFile());
  {
    std::vector<std::unique_ptr<FakeThread>> threads;
    for (int t = 0; t < kThreads; ++t) {
      const int fd = Open("/tmp/file", kO_WRONLY | kO_APPEND);
      const uint64_t text = UserString(std::string(5000, static_cast<char>('a' + t)));
      threads.push_back(std::make_unique<FakeThread>([=] {
        for (int i = 0; i < kRounds; ++i) {
          const size_t size = sizes[i % 2];
          EXPECT_EQ(ResultOf(SysWrite(fd, UserIn<std::byte>(text), size)),
                    static_cast<int64_t>(size));
        }
      }));
    }
  }
  const std::string all = ReadWhole("/tmp/file");
  ASSERT_EQ(all.size(), size_t{kThreads} * kRounds / 2 * (64 + 5000));
  // Each write lies there in one piece.
  for (size_t at = 0; at < all.size();) {
    size_t end = at;
    while (end < all.size() && all[end] == all[at]) {
      ++end;
    }
    const size_t run = end - at;
    EXPECT_TRUE(run % 64 == 0 || run % 8 == 5000 % 8 || run >= 5000) << run;
    at = end;
  }
}

TEST_F(TransferTest, ReadersOfOnePositionShareTheFile) {
  std::string data(400000, '\0');
  for (size_t i = 0; i < data.size(); i += 4) {
    const uint32_t number = static_cast<uint32_t>(i / 4);
    std::memcpy(&data[i], &number, 4);
  }
  WriteWhole("/tmp/file", data);
  const int fd = Open("/tmp/file");
  std::vector<std::atomic<int>> seen(data.size() / 4);
  {
    std::vector<std::unique_ptr<FakeThread>> threads;
    for (int t = 0; t < 4; ++t) {
      const auto buffer = AllocateUser(4096);
      threads.push_back(std::make_unique<FakeThread>([=, &seen] {
        size_t size = 4;
        while (true) {
          const int64_t got = ResultOf(SysRead(fd, UserOut<std::byte>(AddressOf(buffer)), size));
          ASSERT_GE(got, 0);
          if (got == 0) {
            break;
          }
          for (int64_t i = 0; i < got; i += 4) {
            uint32_t number;
            std::memcpy(&number, buffer.data() + i, 4);
            ++seen[number];
          }
          size = size == 4 ? 1000 : 4;
        }
      }));
    }
  }
  for (const auto& count : seen) {
    ASSERT_EQ(count, 1);
  }
}

TEST_F(TransferTest, PagesThatAreBeingReadAreNotReused) {
  const int fd = NewFile();
  const std::string data = Pattern(200000);
  std::atomic<bool> stop{false};
  {
    std::vector<std::unique_ptr<FakeThread>> threads;
    for (int t = 0; t < 2; ++t) {
      const auto buffer = AllocateUser(200000);
      threads.push_back(std::make_unique<FakeThread>([=, &data, &stop] {
        while (!stop) {
          const int64_t got =
              ResultOf(SysPread64(fd, UserOut<std::byte>(AddressOf(buffer)), 200000, 0));
          // Each byte is what was written, or zero; the sanitizer watches freed pages.
          for (int64_t i = 0; i < got; ++i) {
            const char byte = static_cast<char>(buffer[static_cast<size_t>(i)]);
            ASSERT_TRUE(byte == '\0' || byte == data[static_cast<size_t>(i)]);
          }
        }
      }));
    }
    const uint64_t text = UserString(data);
    for (int i = 0; i < 100; ++i) {
      ResultOf(SysPwrite64(fd, UserIn<std::byte>(text), data.size(), 0));
      ResultOf(SysFallocate(fd, kFALLOC_FL_PUNCH_HOLE | kFALLOC_FL_KEEP_SIZE, 10000, 100000));
      Ftruncate(fd, i % 3 == 0 ? 0 : 50000);
    }
    stop = true;
  }
}

}  // namespace
}  // namespace nsgx::libos::testing
