// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/anonymous.h"

#include <atomic>

#include "base/core/check.h"
#include "libos/vfs/credentials.h"

namespace nsgx::libos {
namespace {

class NamelessFileSystem final : public FileSystem {
 public:
  constexpr NamelessFileSystem(std::string_view kind, uint32_t minor, int64_t magic)
      : FileSystem(kind, MakeDevice(0, minor), false), magic_(magic) {}

  Inode& root() override { CheckFailed(__FILE__, __LINE__, "no tree"); }
  void DescribeSpace(LinuxStatfs& out) override {
    out.f_type = magic_;
    out.f_bsize = out.f_frsize = 4096;
  }

  uint64_t NextNumber() { return next_number_.fetch_add(1, std::memory_order_relaxed); }

 private:
  const int64_t magic_;
  std::atomic<uint64_t> next_number_{1};
};

[[clang::no_destroy]] constinit NamelessFileSystem pipes("pipefs", 1, kPIPEFS_MAGIC);
[[clang::no_destroy]] constinit NamelessFileSystem others("anon_inodefs", 2, kANON_INODE_FS_MAGIC);
[[clang::no_destroy]] constinit NamelessFileSystem sockets("sockfs", 3, kSOCKFS_MAGIC);

}  // namespace

FileSystem& PipeFileSystem() { return pipes; }
FileSystem& SocketFileSystem() { return sockets; }
FileSystem& AnonymousFileSystem() { return others; }

AnonymousInode::AnonymousInode(FileSystem& file_system, uint32_t mode)
    : Inode(file_system, static_cast<NamelessFileSystem&>(file_system).NextNumber(),
            {.mode = mode,
             .user = process_credentials.effective.user,
             .group = process_credentials.effective.group}) {
  SpinLockGuard guard(lock_);
  links_ = 1;
}

Result<void, Errno> AnonymousInode::Open(File&) { return Error(Errno::kENXIO); }

}  // namespace nsgx::libos
