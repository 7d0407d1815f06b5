// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "libos/fs/hostfs/host_inode.h"

namespace nsgx::libos {

class HostListing;

class HostDirectory final : public HostInode {
 public:
  HostDirectory(HostFs& file_system, const host::FileFacts& facts)
      : HostInode(file_system, facts) {}

  Result<Ref<Inode>, Errno> Lookup(std::string_view name) override;
  Ref<Inode> Parent() override;
  Result<Ref<Inode>, Errno> Create(std::string_view name, const NewNode& node) override;
  Result<Ref<Inode>, Errno> CreateUnnamed(const NewNode& node, bool linkable) override;
  Result<void, Errno> Link(std::string_view name, Inode& target) override;
  Result<void, Errno> Unlink(std::string_view name) override;
  Result<void, Errno> RemoveDirectory(std::string_view name) override;
  Result<void, Errno> Rename(std::string_view name, Inode& to, std::string_view to_name,
                             uint32_t flags) override;

  // The names are asked for when reading begins, and stay what they are until it begins again.
  Result<void, Errno> ReadEntries(File& file, DirectorySink& sink) override;
  Result<int64_t, Errno> Seek(File& file, int64_t offset, uint32_t whence) override;
  Result<void, Errno> Sync(File& file) override;
  void Closed(File& file) override;

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~HostDirectory() = default;
  void Finish() override { Delete(this); }

  Result<void, Errno> Remove(std::string_view name, bool is_directory);
  Result<Ref<HostListing>, Errno> ListingOf(File& file);
};

}  // namespace nsgx::libos
