// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/hostfs/host_inode.h"

#include <array>
#include <cstring>

#include "libos/fs/hostfs/host_directory.h"
#include "libos/fs/hostfs/host_fs.h"
#include "libos/fs/hostfs/host_tokens.h"

namespace nsgx::libos {
namespace {

// Who owns what belongs to the user that nsgx-run runs as, and who owns the rest.
constexpr uint32_t kOwner = 0;
constexpr uint32_t kNobody = 65534;

uint32_t OwnerOf(const host::FileFacts& facts) { return facts.is_own ? kOwner : kNobody; }

FileTime ToFileTime(host::FileMoment moment) {
  return {.seconds = moment.seconds, .nanoseconds = moment.nanoseconds};
}
host::FileMoment ToMoment(FileTime time) {
  return {.seconds = time.seconds, .nanoseconds = time.nanoseconds};
}

}  // namespace

HostInode::HostInode(HostFs& file_system, const host::FileFacts& facts)
    : Inode(file_system, facts.number,
            {.mode = facts.mode, .user = OwnerOf(facts), .group = OwnerOf(facts)}),
      hostfs_(file_system),
      token_(facts.token),
      device_(facts.device) {
  Learn(facts, file_system.epoch());
}

void HostInode::Destroy() { hostfs_.End(*this); }

HostInode::~HostInode() {
  hostfs_.Forget(*this);
  bool may_be_last;
  {
    SpinLockGuard guard(lock_);
    // A file that has lost its name keeps its space on the host as long as there is a token.
    may_be_last = links_ == 0 || names_epoch_ != hostfs_.epoch().names;
  }
  ReleaseHostToken(token_, may_be_last);
}

void HostInode::Learn(const host::FileFacts& facts, HostEpoch epoch) {
  const HostEpoch now = hostfs_.epoch();
  SpinLockGuard guard(lock_);
  SetOwnership((type() & kS_IFMT) | (facts.mode & kPermissionBits), OwnerOf(facts), OwnerOf(facts));
  links_ = facts.links;
  access_time_ = ToFileTime(facts.access);
  modification_time_ = ToFileTime(facts.modification);
  change_time_ = ToFileTime(facts.change);
  blocks_ = facts.blocks;
  block_size_ = facts.block_size;
  names_epoch_ = epoch.names;
  if (now.data == epoch.data) {
    size_ = facts.size;
    believed_until_ = MonotonicNow() + kHostBelief;
  }
}

bool HostInode::IsOld() const {
  return believed_until_ <= MonotonicNow() || names_epoch_ != hostfs_.epoch().names;
}

void HostInode::RefreshStatus() {
  {
    SpinLockGuard guard(lock_);
    if (!IsOld()) {
      return;
    }
  }
  const HostEpoch epoch = hostfs_.epoch();
  auto facts = host::FileStatus(token_);
  // Without an answer, what was known stays. Another type is no answer.
  if (facts.ok() && (facts.value().mode & kS_IFMT) == type()) {
    Learn(facts.value(), epoch);
  }
}

Result<void, Errno> HostInode::ChangeAttributes(const AttributeChange& change) {
  // Who owns what is not for the program to decide.
  if ((change.user && *change.user != user()) || (change.group && *change.group != group())) {
    return Error(Errno::kEPERM);
  }
  host::FileMoment access, modification;
  host::FileChange wanted;
  if (change.permissions) {
    wanted.permissions = &*change.permissions;
  }
  if (change.access_time) {
    access = ToMoment(*change.access_time);
    wanted.access = &access;
  }
  if (change.modification_time) {
    modification = ToMoment(*change.modification_time);
    wanted.modification = &modification;
  }
  TRY(host::ChangeFile(token_, wanted));
  {
    SpinLockGuard guard(lock_);
    Expire();
  }
  RefreshStatus();  // rights are looked at without asking
  return {};
}

Result<void, Errno> HostInode::GetPlace(PlaceInParent& out) { return hostfs_.PlaceOf(*this, out); }

Result<void, Errno> HostInode::Open(File&) {
  if (is_directory()) {
    return {};
  }
  return Error(Errno::kENXIO);
}

Result<std::string_view, Errno> HostSymlink::LinkTarget() {
  {
    SpinLockGuard guard(lock_);
    if (text_ != nullptr) {
      return std::string_view(text_, text_size_);
    }
  }
  std::array<char, kPATH_MAX - 1> buffer;
  const std::string_view target = TRY(host::FileReadLink(token(), buffer));
  char* const text = static_cast<char*>(KernelAllocate(target.size()));
  if (text == nullptr) {
    return Error(Errno::kENOMEM);
  }
  std::memcpy(text, target.data(), target.size());
  SpinLockGuard guard(lock_);
  if (text_ != nullptr) {
    KernelFree(text);  // somebody was faster
  } else {
    text_ = text;
    text_size_ = target.size();
  }
  return std::string_view(text_, text_size_);
}

}  // namespace nsgx::libos
