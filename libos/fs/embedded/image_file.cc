// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/embedded/image_file.h"

#include <algorithm>
#include <cstring>

namespace nsgx::libos {
namespace {

constexpr uint64_t kBlockSize = 512;
constexpr uint32_t kPage = 4096;
constexpr int64_t kMagic = 0x7275;  // as Linux's romfs

}  // namespace

ImageFile::ImageFile(FileSystem& file_system, std::span<const std::byte> bytes, bool is_executable)
    : Inode(file_system, 1, {.mode = kS_IFREG | (is_executable ? 0555u : 0444u)}), bytes_(bytes) {
  SpinLockGuard guard(lock_);
  links_ = 1;
}

Result<void, Errno> ImageFile::GetPlace(PlaceInParent& out) {
  return file_system().covered()->GetPlace(out);
}

void ImageFile::AddSize(FileStatus& status) {
  status.size = bytes_.size();
  status.blocks = (bytes_.size() + kBlockSize - 1) / kBlockSize;
}

Result<size_t, Errno> ImageFile::Read(File& file, IoBuffer& to, const IoRequest& request) {
  uint64_t offset = request.offset;
  size_t size = 0;
  {
    SpinLockGuard guard(lock_);
    if (!request.positioned) {
      offset = file.position;
    }
    size = offset < bytes_.size() ? std::min(to.remaining(), bytes_.size() - offset) : 0;
    if (!request.positioned) {
      file.position = offset + size;
    }
  }
  const size_t done = to.Put(bytes_.subspan(std::min(offset, bytes_.size()), size));
  if (done < size && !request.positioned) {
    SpinLockGuard guard(lock_);
    if (file.position == offset + size) {
      file.position = offset + done;
    }
  }
  return to.Outcome(done);
}

Result<int64_t, Errno> ImageFile::Seek(File& file, int64_t offset, uint32_t whence) {
  SpinLockGuard guard(lock_);
  int64_t target;
  if (whence == kSEEK_DATA || whence == kSEEK_HOLE) {
    if (offset < 0 || static_cast<uint64_t>(offset) >= bytes_.size()) {
      return Error(Errno::kENXIO);
    }
    target = whence == kSEEK_DATA ? offset : static_cast<int64_t>(bytes_.size());
  } else {
    target = TRY(SeekTarget(file.position, bytes_.size(), offset, whence));
  }
  file.position = static_cast<uint64_t>(target);
  return target;
}

Result<size_t, Errno> ImageFile::ReadableBytes(File& file) {
  SpinLockGuard guard(lock_);
  return file.position >= bytes_.size() ? 0 : bytes_.size() - file.position;
}

Result<size_t, Errno> ImageFile::ReadForMapping(uint64_t offset, std::span<std::byte> out) {
  const size_t size = offset < bytes_.size() ? std::min(out.size(), bytes_.size() - offset) : 0;
  std::memcpy(out.data(), bytes_.data() + std::min(offset, bytes_.size()), size);
  return size;
}

Result<void, Errno> ImageFs::Init(std::span<const std::byte> bytes, bool is_executable) {
  file_ = Ref<ImageFile>::Adopt(TRY(New<ImageFile>(*this, bytes, is_executable)));
  return {};
}

void ImageFs::DescribeSpace(LinuxStatfs& out) {
  out.f_type = kMagic;
  out.f_bsize = out.f_frsize = kPage;
  out.f_blocks = (file_->GetStatus().size + kPage - 1) / kPage;
  out.f_files = 1;
}

}  // namespace nsgx::libos
