// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/mapped_file.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {

Result<MappedFile*, Errno> OpenForMapping(int32_t fd, bool write_shared) {
  const Ref<File> file = TRY(GetFile(fd));
  if (!file->may_read() || (write_shared && !file->may_write())) {
    return Error(Errno::kEACCES);
  }
  if (write_shared) {
    const auto seals = file->inode().GetSeals();
    if (seals.ok() && (seals.value() & (kF_SEAL_WRITE | kF_SEAL_FUTURE_WRITE)) != 0) {
      return Error(Errno::kEPERM);
    }
  }
  MappedFile* const mapping = file->object().Mapping(*file);
  if (mapping == nullptr) {
    return Error(Errno::kENODEV);
  }
  mapping->AddMappingReference();
  return mapping;
}

}  // namespace nsgx::libos
