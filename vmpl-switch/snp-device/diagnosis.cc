// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp-device/diagnosis.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nsgx::snp {
namespace {

constexpr const char* kModuleFolder = "/sys/module/nsgx";
constexpr const char* kVmplFile = "/sys/devices/system/cpu/sev/vmpl";

std::optional<int> ReadDigit(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return std::nullopt;
  }
  char text = 0;
  const ssize_t length = read(fd, &text, 1);
  close(fd);
  if (length != 1 || text < '0' || text > '9') {
    return std::nullopt;
  }
  return text - '0';
}

std::string DiagnoseAbsence(const Findings& findings) {
  if (findings.module_loaded) {
    return "module nsgx is loaded but /dev/nsgx is missing; let udev or devtmpfs make it";
  }
  if (!findings.vmpl.has_value()) {
    return "this Linux runs in no SEV-SNP guest, or is older than 6.11; use a guest that the SEH "
           "has started, or --machine=sim";
  }
  if (*findings.vmpl == 0) {
    return "this SEV-SNP guest runs at VMPL0 itself, without an SEH; have the SEH start it, or use "
           "--machine=sim";
  }
  return "module nsgx is not loaded; load it (modprobe nsgx), its line in the kernel log says what "
         "it misses";
}

}  // namespace

Findings Examine(int open_error) {
  return {.open_error = open_error,
          .module_loaded = access(kModuleFolder, F_OK) == 0,
          .vmpl = ReadDigit(kVmplFile)};
}

std::string Diagnose(const Findings& findings) {
  switch (findings.open_error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
      return DiagnoseAbsence(findings);
    case EACCES:
    case EPERM:
      return "/dev/nsgx is not for this user; become root, or have udev give it to your group";
    default:
      return std::string("/dev/nsgx can't be opened (") + std::strerror(findings.open_error) +
             "); see the kernel log";
  }
}

}  // namespace nsgx::snp
