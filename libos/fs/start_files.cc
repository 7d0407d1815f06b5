// SPDX-License-Identifier: Apache-2.0
#include "libos/boot/start_files.h"

#include "libos/fs/console/console.h"
#include "libos/fs/embedded/embedded_files.h"
#include "libos/fs/hostfs/mounts.h"
#include "libos/fs/root.h"

extern "C" {

// For named_files.S.
[[gnu::visibility("hidden")]] bool libos_mount_named_files(const nsgx::ConfigView* config,
                                                           const std::byte* image, size_t size);
bool libos_mount_named_files(const nsgx::ConfigView* config, const std::byte* image, size_t size) {
  if (!nsgx::libos::MountEmbeddedFiles(*config, {image, size}).ok()) {
    return false;
  }
  nsgx::libos::MountHostFolders(*config);
  return true;
}

// Made by the linker: distances from each word to a function as the one above; 0: none.
[[gnu::visibility("hidden")]] extern const int32_t __start_nsgx_named_files[];
[[gnu::visibility("hidden")]] extern const int32_t __stop_nsgx_named_files[];

}  // extern "C"

namespace nsgx::libos {

Result<void, Errno> StartFiles(const ConfigView& config, std::span<const std::byte> image) {
  TRY(MountTree());
  for (const int32_t* word = __start_nsgx_named_files; word != __stop_nsgx_named_files; ++word) {
    const auto mount = reinterpret_cast<decltype(&libos_mount_named_files)>(
        reinterpret_cast<uintptr_t>(word) + static_cast<uintptr_t>(int64_t{*word}));
    if (*word != 0 && !mount(&config, image.data(), image.size())) {
      return Error(Errno::kENOMEM);  // or what a line has told
    }
  }
  return OpenStandardStreams();
}

}  // namespace nsgx::libos
