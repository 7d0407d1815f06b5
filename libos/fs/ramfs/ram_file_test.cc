// SPDX-License-Identifier: Apache-2.0
// What regular files in memory offer besides reading and writing: mappings, seals.
#include "libos/fs/ramfs/ram_file.h"

#include <cstring>
#include <string>

#include "base/core/addr.h"
#include "libos/mm/mapped_file.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class RamFileTest : public FilesTest {
 protected:
  static std::string ReadMapping(MappedFile& mapping, uint64_t offset, size_t size) {
    std::string text(size, '?');
    auto got = mapping.ReadForMapping(offset, std::as_writable_bytes(std::span(text)));
    EXPECT_TRUE(got.ok());
    text.resize(got.value());
    return text;
  }
  static bool WriteMapping(MappedFile& mapping, uint64_t offset, std::string_view text) {
    return mapping.WriteBack(offset, std::as_bytes(std::span(text))).ok();
  }
};

TEST_F(RamFileTest, MappingsSeeTheFile) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR);
  Pwrite(fd, "start", 0);
  Pwrite(fd, "end", 10000);
  MappedFile& mapping = *OpenForMapping(fd, true).value();
  EXPECT_EQ(ReadMapping(mapping, 0, 5), "start");
  EXPECT_EQ(ReadMapping(mapping, 0, 4096), "start" + std::string(4091, '\0'));
  EXPECT_EQ(ReadMapping(mapping, 8192, 4096), std::string(1808, '\0') + "end");
  EXPECT_EQ(ReadMapping(mapping, 12288, 4096), "");
  EXPECT_TRUE(WriteMapping(mapping, 3, "XYZ"));
  EXPECT_EQ(Pread(fd, 6, 0), Got("staXYZ"));
  // Into a hole, and not beyond the end.
  EXPECT_TRUE(WriteMapping(mapping, 4096, std::string(4096, 'h')));
  EXPECT_EQ(Pread(fd, 4, 4096), Got("hhhh"));
  EXPECT_TRUE(WriteMapping(mapping, 10001, std::string(4096, 'z')));
  EXPECT_EQ(Fstat(fd).stat.st_size, 10003);
  EXPECT_EQ(Pread(fd, 10, 10000), Got("ezz"));
  Ftruncate(fd, 11000);
  EXPECT_EQ(Pread(fd, 10, 10003).data, std::string(10, '\0'));
  // The file lives as long as the mapping.
  Unlink("/tmp/a");
  Close(fd);
  EXPECT_EQ(ReadMapping(mapping, 0, 6), "staXYZ");
  mapping.DropMappingReference();
}

TEST_F(RamFileTest, WhatCanBeMapped) {
  WriteWhole("/tmp/a", "x");
  const auto error = [](int fd, bool write) {
    auto mapping = OpenForMapping(fd, write);
    if (mapping.ok()) {
      mapping.value()->DropMappingReference();
      return int64_t{0};
    }
    return Fails(mapping.error());
  };
  EXPECT_EQ(error(Open("/tmp/a"), false), 0);
  EXPECT_EQ(error(Open("/tmp/a"), true), Fails(Errno::kEACCES));
  EXPECT_EQ(error(Open("/tmp/a", kO_WRONLY), false), Fails(Errno::kEACCES));
  EXPECT_EQ(error(Open("/tmp/a", kO_RDWR), true), 0);
  EXPECT_EQ(error(Open("/tmp"), false), Fails(Errno::kENODEV));
  EXPECT_EQ(error(MakePipePair().read, false), Fails(Errno::kENODEV));
  EXPECT_EQ(error(99, false), Fails(Errno::kEBADF));
  EXPECT_EQ(error(Open("/tmp/a", kO_PATH), false), Fails(Errno::kEBADF));
}

// The mapping of the file that is being written: what the page fault handler asks for.
MappedFile* faulting = nullptr;

TEST_F(RamFileTest, AFaultDuringATransferMayNeedTheSameFile) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR);
  Write(fd, std::string(100000, 'a'));
  MappedFile& mapping = *OpenForMapping(fd, true).value();
  faulting = &mapping;
  // Each access of the program's memory reads and writes back the file, as a page fault in its
  // mapping would.
  SetUserAccessHook([](uint64_t, size_t) {
    ReadMapping(*faulting, 5000, 10);
    WriteMapping(*faulting, 90000, "b");
  });
  const auto buffer = AllocateUser(200000);
  const uint64_t address = AddressOf(buffer);
  for (const size_t size : {1u, 200u, 5000u, 150000u}) {
    EXPECT_GT(ResultOf(SysPread64(fd, UserOut<std::byte>(address), size, 0)), 0);
    EXPECT_EQ(ResultOf(SysPwrite64(fd, UserIn<std::byte>(address), size, 0)),
              static_cast<int64_t>(size));
  }
  SetUserAccessHook(nullptr);
  mapping.DropMappingReference();
}

TEST_F(RamFileTest, AHoleThatIsWrittenBackMeanwhileIsNotLost) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR);
  Ftruncate(fd, 16384);
  faulting = OpenForMapping(fd, true).value();
  // While the pages are being filled, the mapping makes one of them; what it wrote outside of the
  // write's range stays.
  SetUserAccessHook([](uint64_t, size_t) { WriteMapping(*faulting, 4096, "mapped"); });
  const uint64_t text = UserString(std::string(5000, 'w'));
  EXPECT_EQ(ResultOf(SysPwrite64(fd, UserIn<std::byte>(text), 5000, 4200)), 5000);
  SetUserAccessHook(nullptr);
  EXPECT_EQ(Pread(fd, 6, 4096), Got("mapped"));
  EXPECT_EQ(Pread(fd, 6000, 4200).data, std::string(5000, 'w') + std::string(1000, '\0'));
  EXPECT_EQ(Fstat(fd).stat.st_blocks, 16);
  faulting->DropMappingReference();
}

class MemfdTest : public RamFileTest {
 protected:
  static int Make(std::string_view name, uint32_t flags) {
    return static_cast<int>(ResultOf(SysMemfdCreate(UserIn<char>(UserString(name)), flags)));
  }
  static int64_t AddSeals(int fd, uint32_t seals) {
    return ResultOf(SysFcntl(fd, kF_ADD_SEALS, seals));
  }
};

TEST_F(MemfdTest, IsAFileWithoutAPlace) {
  const int fd = Make("buffer", kMFD_CLOEXEC);
  EXPECT_EQ(Write(fd, "data"), 4);
  EXPECT_EQ(Pread(fd, 10, 0), Got("data"));
  EXPECT_EQ(Fstat(fd).stat.st_nlink, 0u);
  EXPECT_EQ(Fstat(fd).stat.st_mode, kS_IFREG | 0777);
  EXPECT_EQ(ResultOf(SysFcntl(fd, kF_GETFD, 0)), 1);
  EXPECT_EQ(Readlink("/proc/self/fd/0"), Got("/memfd:buffer"));
  EXPECT_EQ(Read(Open("/proc/self/fd/0"), 10), Got("data"));
  EXPECT_EQ(Make("x", 0x1000), Fails(Errno::kEINVAL));
  EXPECT_EQ(Make(std::string(249, 'x'), 0), 2);
  EXPECT_EQ(Make(std::string(250, 'x'), 0), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysMemfdCreate(UserIn<char>(kBadAddress), 0)), Fails(Errno::kEFAULT));
}

TEST_F(MemfdTest, Seals) {
  const int plain = Make("plain", 0);
  EXPECT_EQ(ResultOf(SysFcntl(plain, kF_GET_SEALS, 0)), int64_t{kF_SEAL_SEAL});
  EXPECT_EQ(AddSeals(plain, kF_SEAL_WRITE), Fails(Errno::kEPERM));
  const int fd = Make("sealed", kMFD_ALLOW_SEALING);
  Write(fd, "0123456789");
  EXPECT_EQ(AddSeals(fd, kF_SEAL_SHRINK), 0);
  EXPECT_EQ(Ftruncate(fd, 5), Fails(Errno::kEPERM));
  EXPECT_EQ(Ftruncate(fd, 20), 0);
  EXPECT_EQ(AddSeals(fd, kF_SEAL_GROW), 0);
  EXPECT_EQ(Ftruncate(fd, 30), Fails(Errno::kEPERM));
  EXPECT_EQ(Pwrite(fd, "x", 20), Fails(Errno::kEPERM));
  EXPECT_EQ(Pwrite(fd, std::string(300, 'x'), 0), Fails(Errno::kEPERM));
  EXPECT_EQ(Pwrite(fd, "x", 19), 1);
  EXPECT_EQ(ResultOf(SysFallocate(fd, 0, 0, 30)), Fails(Errno::kEPERM));
  EXPECT_EQ(AddSeals(fd, kF_SEAL_WRITE), 0);
  EXPECT_EQ(Pwrite(fd, "x", 0), Fails(Errno::kEPERM));
  EXPECT_EQ(ResultOf(SysFallocate(fd, kFALLOC_FL_PUNCH_HOLE | kFALLOC_FL_KEEP_SIZE, 0, 5)),
            Fails(Errno::kEPERM));
  EXPECT_EQ(AddSeals(fd, kF_SEAL_SEAL), 0);
  EXPECT_EQ(AddSeals(fd, kF_SEAL_SEAL), Fails(Errno::kEPERM));
  EXPECT_EQ(ResultOf(SysFcntl(fd, kF_GET_SEALS, 0)),
            int64_t{kF_SEAL_SHRINK | kF_SEAL_GROW | kF_SEAL_WRITE | kF_SEAL_SEAL});
  EXPECT_EQ(AddSeals(Open("/proc/self/fd/1"), kF_SEAL_WRITE), Fails(Errno::kEPERM));
  EXPECT_EQ(AddSeals(Open("/tmp/a", kO_CREAT | kO_RDWR), kF_SEAL_WRITE), Fails(Errno::kEINVAL));
  const int data = Make("data", kMFD_NOEXEC_SEAL);
  EXPECT_EQ(Fstat(data).stat.st_mode, kS_IFREG | 0666);
  EXPECT_EQ(ResultOf(SysFcntl(data, kF_GET_SEALS, 0)), int64_t{kF_SEAL_EXEC});
}

}  // namespace
}  // namespace nsgx::libos::testing
