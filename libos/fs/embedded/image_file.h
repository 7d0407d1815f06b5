// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libos/mm/kernel_heap.h"
#include "libos/mm/mapped_file.h"
#include "libos/vfs/file_system.h"

namespace nsgx::libos {

// A regular file whose bytes lie in the image and never change.
class ImageFile final : public Inode, public MappedFile {
 public:
  ImageFile(FileSystem& file_system, std::span<const std::byte> bytes, bool is_executable);

  Result<void, Errno> GetPlace(PlaceInParent& out) override;
  Result<void, Errno> Open(File&) override { return {}; }

  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;
  Result<int64_t, Errno> Seek(File& file, int64_t offset, uint32_t whence) override;
  bool is_seekable() const override { return true; }
  Result<size_t, Errno> ReadableBytes(File& file) override;
  Result<void, Errno> Sync(File&) override { return {}; }
  MappedFile* Mapping(File&) override { return this; }

  Result<size_t, Errno> ReadForMapping(uint64_t offset, std::span<std::byte> out) override;
  Result<void, Errno> WriteBack(uint64_t, std::span<const std::byte>) override {
    return Error(Errno::kEROFS);
  }
  void AddMappingReference() override { AddReference(); }
  void DropMappingReference() override { DropReference(); }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ImageFile() = default;
  void Destroy() override { Delete(this); }
  void AddSize(FileStatus& status) override REQUIRES(lock_);

  const std::span<const std::byte> bytes_;
};

// One file as a file system: its root.
class ImageFs final : public FileSystem {
 public:
  ImageFs() : FileSystem("embedded", NewDeviceNumber(), true) {}

  // ENOMEM.
  Result<void, Errno> Init(std::span<const std::byte> bytes, bool is_executable);

  Inode& root() override { return *file_; }
  void DescribeSpace(LinuxStatfs& out) override;

 private:
  Ref<ImageFile> file_;
};

}  // namespace nsgx::libos
