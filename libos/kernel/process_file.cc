// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/process_file.h"

#include <string_view>
#include <utility>

#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

class ProcessFile final : public AnonymousInode {
 public:
  ProcessFile() : AnonymousInode(AnonymousFileSystem(), kS_IFREG | 0600) {}

  std::string_view label() const override { return "anon_inode:[pidfd]"; }
  ObjectKind kind() const override { return ObjectKind::kProcess; }
  bool is_pollable() const override { return true; }
  uint32_t Poll(File&, Observer*) override { return 0; }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcessFile() = default;
  void Destroy() override { Delete(this); }
};

}  // namespace

Result<Ref<File>, Errno> MakeProcessFile(uint32_t flags) {
  Ref<ProcessFile> process = Ref<ProcessFile>::Adopt(TRY(New<ProcessFile>()));
  ProcessFile& object = *process;
  return File::New(Ref<Inode>(std::move(process)), object, kO_RDWR | flags);
}

Result<void, Errno> CheckIsProcessFile(int32_t fd) {
  return TRY(GetFile(fd))->object().kind() == ObjectKind::kProcess ? Result<void, Errno>()
                                                                   : Error(Errno::kEBADF);
}

}  // namespace nsgx::libos
