// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/root.h"

#include <string_view>
#include <utility>

#include "libos/fs/console/console.h"
#include "libos/fs/devfs/memory_devices.h"
#include "libos/fs/devfs/pty.h"
#include "libos/fs/embedded/embedded_files.h"
#include "libos/fs/hostfs/mounts.h"
#include "libos/fs/procfs/procfs.h"
#include "libos/fs/ramfs/ramfs.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/device.h"
#include "libos/vfs/open.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

// Made at boot, and by each test.
constinit RamFs* root_files = nullptr;
constinit RamFs* device_files = nullptr;

struct DirectoryEntry {
  std::string_view name;
  uint32_t mode;
};
constexpr DirectoryEntry kDirectories[] = {
    {"dev", 0755}, {"etc", 0755}, {"home", 0755}, {"proc", 0555},     {"root", 0700},
    {"run", 0755}, {"var", 0755}, {"tmp", 01777}, {"var/tmp", 01777},
};

struct TextEntry {
  std::string_view name;
  std::string_view text;
};
constexpr TextEntry kConfiguration[] = {
    {"passwd",
     "root:x:0:0:root:/root:/bin/sh\n"
     "nobody:x:65534:65534:nobody:/:/bin/false\n"},
    {"group",
     "root:x:0:\n"
     "nogroup:x:65534:\n"},
    {"hostname", "enclave\n"},
    {"hosts",
     "127.0.0.1\tlocalhost\n"
     "::1\tlocalhost\n"},
    // What programs ask for by name; a file with all names would be in every image.
    {"services",
     "ftp\t21/tcp\n"
     "ssh\t22/tcp\n"
     "smtp\t25/tcp\tmail\n"
     "domain\t53/tcp\n"
     "domain\t53/udp\n"
     "http\t80/tcp\twww\n"
     "ntp\t123/udp\n"
     "imap2\t143/tcp\timap\n"
     "ldap\t389/tcp\n"
     "https\t443/tcp\n"
     "https\t443/udp\n"
     "submission\t587/tcp\n"
     "imaps\t993/tcp\n"
     "mysql\t3306/tcp\n"
     "postgresql\t5432/tcp\n"
     "redis\t6379/tcp\n"},
};
constexpr TextEntry kConfigurationLinks[] = {
    // Asks the host when it is opened.
    {"resolv.conf", "/proc/resolv.conf"},
};

struct DeviceEntry {
  std::string_view name;
  uint32_t major;
  uint32_t minor;
  uint32_t mode;
};
constexpr DeviceEntry kDevices[] = {
    {"null", 1, 3, 0666},    {"zero", 1, 5, 0666}, {"full", 1, 7, 0666},    {"random", 1, 8, 0666},
    {"urandom", 1, 9, 0666}, {"tty", 5, 0, 0666},  {"console", 5, 1, 0620}, {"ptmx", 5, 2, 0666},
};
constexpr TextEntry kDeviceLinks[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

Result<void, Errno> FillConfiguration(Inode& directory) {
  for (const TextEntry& entry : kConfiguration) {
    const Ref<File> file =
        TRY(OpenPath(Ref<Inode>::Share(directory), entry.name, kO_CREAT | kO_WRONLY, 0644));
    // A buffer is for both directions, so it cannot be const; nothing is written to this one.
    IoBuffer from = IoBuffer::ForKernel(std::span(
        reinterpret_cast<std::byte*>(const_cast<char*>(entry.text.data())), entry.text.size()));
    TRY(file->object().Write(*file, from, {}));
  }
  for (const TextEntry& entry : kConfigurationLinks) {
    TRY(directory.Create(entry.name, {.mode = kS_IFLNK | 0777, .link_target = entry.text}));
  }
  return {};
}

Result<void, Errno> FillDevices(Inode& directory) {
  for (const DeviceEntry& entry : kDevices) {
    TRY(directory.Create(entry.name, {.mode = kS_IFCHR | entry.mode,
                                      .special_device = MakeDevice(entry.major, entry.minor)}));
  }
  for (const TextEntry& entry : kDeviceLinks) {
    TRY(directory.Create(entry.name, {.mode = kS_IFLNK | 0777, .link_target = entry.text}));
  }
  // Where shm_open and sem_open of the C library keep their files.
  TRY(directory.Create("shm", {.mode = kS_IFDIR | 01777}));
  // Where the program sides of pseudo-terminals appear.
  TRY(directory.Create("pts", {.mode = kS_IFDIR | 0755}));
  return {};
}

}  // namespace

Result<void, Errno> MountTree() {
  root_files = TRY(New<RamFs>("tmpfs", NewDeviceNumber()));
  device_files = TRY(New<RamFs>("devtmpfs", NewDeviceNumber()));
  RamFs& root = *root_files;
  RamFs& devices = *device_files;
  TRY(root.Init(0755));
  TRY(devices.Init(0755));
  TRY(InitProcFileSystem());
  MountRoot(root);
  process_files.SetRoot(Ref<Inode>::Share(root.root()));
  process_files.SetWorkingDirectory(Ref<Inode>::Share(root.root()));

  for (const DirectoryEntry& entry : kDirectories) {
    const size_t slash = entry.name.find('/');
    const Ref<Inode> parent = slash == std::string_view::npos
                                  ? Ref<Inode>::Share(root.root())
                                  : TRY(ResolveInside(entry.name.substr(0, slash)));
    TRY(parent->Create(entry.name.substr(slash + 1), {.mode = kS_IFDIR | entry.mode}));
  }
  TRY(FillConfiguration(*TRY(ResolveInside("/etc"))));
  TRY(FillDevices(devices.root()));
  Mount(*TRY(ResolveInside("/dev")), devices);
  Mount(*TRY(ResolveInside("/proc")), ProcFileSystem());
  RegisterMemoryDevices();
  RegisterConsoleDevices();
  RegisterPseudoTerminals(*TRY(ResolveInside("/dev/pts")));
  return {};
}

void UnmountTree() {
  process_files.Clear();
  UnmountAll();
  ForgetHostFolders();
  ForgetEmbeddedFiles();
  UnregisterPseudoTerminals();
  UnregisterConsoleDevices();
  UnregisterMemoryDevices();
  ClearProcFileSystem();
  Delete(std::exchange(device_files, nullptr));
  Delete(std::exchange(root_files, nullptr));
  process_credentials = {};
}

}  // namespace nsgx::libos
