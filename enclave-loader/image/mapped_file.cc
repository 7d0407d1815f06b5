// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/image/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nsgx::loader {
namespace {

Error<Refusal> RefuseFor(int error) {
  if (error == ENOENT || error == ENOTDIR) {
    return Refuse(Cause::kNotFound);
  }
  return Refuse(Cause::kNotReadable, static_cast<uint64_t>(error));
}

}  // namespace

Result<MappedFile, Refusal> MappedFile::Open(const char* path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  int error = errno;
  if (fd >= 0 && fd <= STDERR_FILENO) {
    // A standard stream was closed; its number must not come to mean this file.
    const int low = fd;
    fd = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    error = errno;
    close(low);
  }
  if (fd < 0) {
    return RefuseFor(error);
  }
  MappedFile file(fd);
  struct stat status;
  if (fstat(fd, &status) != 0) {
    return RefuseFor(errno);
  }
  if (S_ISDIR(status.st_mode)) {
    return Refuse(Cause::kDirectory);
  }
  if (!S_ISREG(status.st_mode)) {
    return Refuse(Cause::kNotRegularFile);
  }
  if (status.st_size == 0) {
    return Refuse(Cause::kNotElf);
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* const mapping = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapping == MAP_FAILED) {
    return RefuseFor(errno);
  }
  file.bytes_ = {static_cast<const std::byte*>(mapping), size};
  return file;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  if (fd_ >= 0) {
    close(fd_);
  }
}

}  // namespace nsgx::loader
