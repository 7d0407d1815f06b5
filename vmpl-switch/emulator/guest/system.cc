// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/guest/system.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmpl-switch/emulator/guest/ports.h"

namespace nsgx::emulator {
namespace {

constexpr char kModules[] = "/lib/modules/";
constexpr char kGuestAddress[] = "10.0.2.15";
constexpr char kGuestMask[] = "255.255.255.0";

void SayFailure(const std::string& what) { Say(what + ": " + strerror(errno)); }

void Mount(const char* type, const char* folder) {
  mkdir(folder, 0755);
  if (mount(type, folder, type, MS_NOSUID, nullptr) != 0) {
    SayFailure(std::string("cannot mount ") + folder);
  }
}

std::string ReadFile(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char block[4096];
  ssize_t size;
  while (fd >= 0 && (size = read(fd, block, sizeof(block))) > 0) {
    text.append(block, static_cast<size_t>(size));
  }
  close(fd);
  return text;
}

void LoadModule(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) {
    SayFailure("cannot load " + path);
  }
  close(fd);
}

void BringUpInterface(const char* name, const char* address) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (address != nullptr) {
    sockaddr_in socket_address = {};
    socket_address.sin_family = AF_INET;
    inet_pton(AF_INET, address, &socket_address.sin_addr);
    memcpy(&request.ifr_addr, &socket_address, sizeof(socket_address));
    if (ioctl(fd, SIOCSIFADDR, &request) != 0) {
      SayFailure(std::string("cannot give an address to ") + name);
    }
    inet_pton(AF_INET, kGuestMask, &socket_address.sin_addr);
    memcpy(&request.ifr_netmask, &socket_address, sizeof(socket_address));
    ioctl(fd, SIOCSIFNETMASK, &request);
  }
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
    SayFailure(std::string("cannot bring up ") + name);
  }
  close(fd);
}

}  // namespace

void Say(const std::string& line) { WriteAll(STDERR_FILENO, "init: " + line + "\n"); }

void MountFileSystems() {
  Mount("devtmpfs", "/dev");
  Mount("proc", "/proc");
  Mount("sysfs", "/sys");
}

void MountConfigFileSystem() {
  if (access("/sys/kernel/config", F_OK) == 0) {
    Mount("configfs", "/sys/kernel/config");
  }
}

void LoadModules(const std::string& list) {
  std::string names = ReadFile(kModules + list);
  for (size_t begin = 0, end; (end = names.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    LoadModule(kModules + names.substr(begin, end - begin));
  }
}

void LendMemory() {
  constexpr char kLimit[] = "/sys/module/nsgx/parameters/max_pages";
  const int fd = open(kLimit, O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return;  // an initramfs without the module
  }
  const long pages = sysconf(_SC_PHYS_PAGES);
  if (!WriteAll(fd, std::to_string(pages - pages / 4))) {
    SayFailure(std::string("cannot set ") + kLimit);
  }
  close(fd);
}

void BringUpNetwork(bool ethernet) {
  BringUpInterface("lo", nullptr);
  if (ethernet) {
    BringUpInterface("eth0", kGuestAddress);
  }
}

}  // namespace nsgx::emulator
