// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/emu/machine_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "enclave-loader/cli/output.h"

namespace nsgx::loader {
namespace {

constexpr size_t kLineLimit = 4096;

std::string ReadLine(const std::string& path) {
  Result<std::string, Complaint> text = ReadSmallFile(path, kLineLimit);
  return text.ok() ? text.value().substr(0, text.value().find('\n')) : "";
}

}  // namespace

Result<void, Complaint> FindMachineFiles(const std::string& folder, MachineFiles* files) {
  // Written by the build: empty, or why a part cannot be had.
  if (const std::string reason = ReadLine(folder + "/unavailable"); !reason.empty()) {
    return Complain("this build has no emulated machine: ", reason);
  }
  *files = {.qemu = ReadLine(folder + "/qemu"),
            .monitor = folder + "/monitor.elf",
            .seh = folder + "/seh.igvm",
            .kernel = folder + "/vmlinuz",
            .initramfs = folder + "/initramfs"};
  for (const std::string& path :
       {folder + "/qemu", files->monitor, files->seh, files->kernel, files->initramfs}) {
    struct stat status;
    if (stat(path.c_str(), &status) != 0 || status.st_size == 0) {
      return Complain("the emulated machine's part ", path,
                      " is missing; build it with `ninja -C out emu`");
    }
  }
  if (access(files->qemu.c_str(), X_OK) != 0) {
    return Complain("the emulated machine's QEMU, ", files->qemu,
                    ", is gone; fetch it again with `ninja -C out emu`");
  }
  return {};
}

std::string MachineFolder() {
  std::array<char, 4096> path;
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  std::string_view program(path.data(), size > 0 ? static_cast<size_t>(size) : 0);
  return std::string(program.substr(0, program.rfind('/'))) + "/emu";
}

}  // namespace nsgx::loader
