// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/inode.h"

#include "base/core/check.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/device.h"
#include "libos/vfs/extended_attributes.h"
#include "libos/vfs/file_lock.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/pipe.h"

namespace nsgx::libos {

constinit ProcessCredentials process_credentials;

Inode::Inode(FileSystem& file_system, uint64_t number, const NewNode& node)
    : file_system_(file_system),
      number_(number),
      mode_(node.mode),
      user_(node.user),
      group_(node.group),
      special_device_(node.special_device),
      birth_time_(FileTimeNow()) {
  access_time_ = modification_time_ = change_time_ = birth_time_;
}

Inode::~Inode() {
  CHECK(mounted() == nullptr && watches.load(std::memory_order_relaxed) == nullptr);
  FileLocks::Destroy(*this);
  Delete(extended_attributes());
}

Result<ExtendedAttributes*, Errno> Inode::EnsureExtendedAttributes() {
  ExtendedAttributes* there = extended_attributes();
  if (there != nullptr) {
    return there;
  }
  auto fresh = New<ExtendedAttributes>();
  if (!fresh.ok()) {
    return Error(Errno::kENOSPC);
  }
  if (!extended_attributes_.compare_exchange_strong(there, fresh.value())) {
    Delete(fresh.value());
    return there;
  }
  return fresh.value();
}

FileStatus Inode::GetStatus() {
  RefreshStatus();
  FileStatus status = {.device = file_system_.device(),
                       .number = number_,
                       .special_device = special_device_,
                       .birth_time = birth_time_};
  SpinLockGuard guard(lock_);
  status.mode = mode();
  status.user = user();
  status.group = group();
  status.links = links_;
  status.access_time = access_time_;
  status.modification_time = modification_time_;
  status.change_time = change_time_;
  AddSize(status);
  return status;
}

void Inode::AddSize(FileStatus&) {}

Result<void, Errno> Inode::ChangeAttributes(const AttributeChange& change) {
  const FileTime now = FileTimeNow();
  SpinLockGuard guard(lock_);
  if (change.permissions) {
    mode_.store((mode() & kS_IFMT) | (*change.permissions & kPermissionBits),
                std::memory_order_relaxed);
  }
  if (change.user) {
    user_.store(*change.user, std::memory_order_relaxed);
  }
  if (change.group) {
    group_.store(*change.group, std::memory_order_relaxed);
  }
  if (change.access_time) {
    access_time_ = *change.access_time;
  }
  if (change.modification_time) {
    modification_time_ = *change.modification_time;
  }
  change_time_ = now;
  return {};
}

void Inode::DropSetIdBits() {
  const uint32_t old = mode();
  uint32_t drop = kS_ISUID;
  if ((old & kS_IXGRP) != 0) {
    drop |= kS_ISGID;
  }
  if ((old & drop) != 0 && !process_credentials.effective.is_root()) [[unlikely]] {
    mode_.store(old & ~drop, std::memory_order_relaxed);
  }
}

void Inode::TouchAccessTime() {
  const FileTime now = FileTimeNow();
  SpinLockGuard guard(lock_);
  if (access_time_ <= modification_time_ || access_time_ <= change_time_) {
    access_time_ = now;
  }
}

Result<size_t, Errno> Inode::Read(File&, IoBuffer&, const IoRequest&) {
  return Error(is_directory() ? Errno::kEISDIR : Errno::kEINVAL);
}

Result<void, Errno> Inode::Open(File& file) {
  switch (type()) {
    case kS_IFREG:
    case kS_IFDIR:
      return {};
    case kS_IFIFO: {
      Pipe* const fifo = pipe();
      if (fifo == nullptr) {
        return Error(Errno::kENXIO);
      }
      return fifo->OpenFifo(file);
    }
    case kS_IFCHR:
      return OpenDevice(special_device(), file);
    default:
      // A socket's name is not opened but connected to.
      return Error(Errno::kENXIO);
  }
}

Result<void, Errno> Inode::Truncate(uint64_t) { return Error(Errno::kEINVAL); }
Result<void, Errno> Inode::Allocate(uint32_t, uint64_t, uint64_t, uint64_t) {
  return Error(Errno::kEOPNOTSUPP);
}
Result<uint32_t, Errno> Inode::GetSeals() { return Error(Errno::kEINVAL); }
Result<void, Errno> Inode::AddSeals(uint32_t) { return Error(Errno::kEINVAL); }

Result<Ref<Inode>, Errno> Inode::Lookup(std::string_view) { return Error(Errno::kENOENT); }
Ref<Inode> Inode::Parent() { return Ref<Inode>::Share(*this); }
Result<Ref<Inode>, Errno> Inode::Create(std::string_view, const NewNode&) {
  return Error(Errno::kEPERM);
}
Result<Ref<Inode>, Errno> Inode::CreateUnnamed(const NewNode&, bool) {
  return Error(Errno::kEOPNOTSUPP);
}
Result<void, Errno> Inode::Link(std::string_view, Inode&) { return Error(Errno::kEPERM); }
Result<void, Errno> Inode::Unlink(std::string_view) { return Error(Errno::kEPERM); }
Result<void, Errno> Inode::RemoveDirectory(std::string_view) { return Error(Errno::kEPERM); }
Result<void, Errno> Inode::Rename(std::string_view, Inode&, std::string_view, uint32_t) {
  return Error(Errno::kEPERM);
}
Result<void, Errno> Inode::GetPlace(PlaceInParent&) { return Error(Errno::kEINVAL); }

Result<std::string_view, Errno> Inode::LinkTarget() { return Error(Errno::kEINVAL); }
Result<Ref<Inode>, Errno> Inode::FollowDirectly() { return Ref<Inode>(); }
Pipe* Inode::pipe() { return nullptr; }

}  // namespace nsgx::libos
