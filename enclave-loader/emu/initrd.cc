// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/emu/initrd.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "enclave-loader/cli/output.h"
#include "enclave-loader/cli/plain_parser.h"
#include "enclave-loader/emu/cpio.h"
#include "vmpl-switch/emulator/guest/guest_protocol.h"

namespace nsgx::loader {
namespace {

using namespace std::string_view_literals;

// The machine has 1 GiB, and Linux holds the archive and what it unpacks at the same time.
constexpr size_t kShareLimit = size_t{256} << 20;

constexpr std::string_view kProgramFolder = "app";

// Names at the guest's root that belong to its system.
constexpr std::string_view kSystem[] = {"bin", "dev", "init", "lib", "proc", "run", "sys", "tmp"};

std::vector<std::string_view> Parts(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (slash != 0 && path.substr(0, slash) != ".") {
      parts.push_back(path.substr(0, slash));
    }
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

// Returns the contents of a file, however large. ReadSmallFile sets its limit aside at once.
Result<std::string, Complaint> ReadWholeFile(const std::string& path) {
  struct stat status = {};
  (void)stat(path.c_str(), &status);
  return ReadSmallFile(path, static_cast<size_t>(status.st_size));
}

// Copies a folder of this machine into the archive, and what is in it. Links to files and folders
// are followed, other things left out.
class ShareCopier {
 public:
  explicit ShareCopier(CpioArchive& archive) : archive_(archive) {}

  Result<void, Complaint> Copy(const std::string& host, const std::string& guest) {
    archive_.AddFolder(guest);
    DIR* const folder = opendir(host.c_str());
    if (folder == nullptr) {
      return Complain("cannot share ", host, ": ", strerror(errno));
    }
    std::vector<std::string> names;
    while (const dirent* entry = readdir(folder)) {
      if (entry->d_name != "."sv && entry->d_name != ".."sv) {
        names.emplace_back(entry->d_name);
      }
    }
    closedir(folder);
    std::ranges::sort(names);
    for (const std::string& name : names) {
      TRY(CopyEntry(host + "/" + name, guest + "/" + name));
    }
    return {};
  }

 private:
  Result<void, Complaint> CopyEntry(const std::string& host, const std::string& guest) {
    // Links that lead back up never end otherwise.
    constexpr size_t kMaxPath = 3000;
    struct stat status;
    if (stat(host.c_str(), &status) != 0 || guest.size() > kMaxPath) {
      return {};
    }
    if (S_ISDIR(status.st_mode)) {
      return Copy(host, guest);
    }
    if (!S_ISREG(status.st_mode)) {
      return {};
    }
    size_ += static_cast<size_t>(status.st_size);
    if (size_ > kShareLimit) {
      return Complain(
          "what is shared has more than 256 MiB, which the emulated machine does not "
          "hold; share a smaller folder");
    }
    const std::string contents = TRY(ReadWholeFile(host));
    archive_.AddFile(guest, contents, status.st_mode & 0777);
    return {};
  }

  CpioArchive& archive_;
  size_t size_ = 0;
};

std::string CommandText(const EmulatorOptions& options, const EmulatedRun& run,
                        std::string_view folder, std::string_view marker, bool terminal) {
  std::string text;
  const auto add = [&](std::string_view word, std::string_view value) {
    text.append(word).append(" ").append(value).push_back('\0');
  };
  add(emulator::kMarker, marker);
  add(emulator::kFolder, "/" + std::string(folder));
  add(emulator::kEnvironment, "PATH=/bin");
  add(emulator::kEnvironment, "HOME=/");
  if (const char* level = getenv("NSGX_LOG")) {
    add(emulator::kEnvironment, "NSGX_LOG=" + std::string(level));
  }
  if (options.shell) {
    // The first command of the shell makes its tools known.
    add(emulator::kEnvironment, "PS1=emu:\\w# ");
    for (std::string_view argument :
         {"/bin/busybox"sv, "sh"sv, "-c"sv, "/bin/busybox --install -s /bin; exec sh"sv}) {
      add(emulator::kArgument, argument);
    }
  } else {
    add(emulator::kArgument, "/bin/nsgx-run");
    add(emulator::kArgument, "--machine=snp");
    for (const std::string& option : run.run_options) {
      add(emulator::kArgument, option);
    }
    for (const char* argument : run.arguments) {
      add(emulator::kArgument, argument);
    }
  }
  if (!options.ports.empty()) {
    add(emulator::kNetwork, "");
  }
  if (terminal) {
    add(emulator::kTerminal, "");
    winsize size = {};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) {
      add(emulator::kEnvironment, "COLUMNS=" + std::to_string(size.ws_col));
      add(emulator::kEnvironment, "LINES=" + std::to_string(size.ws_row));
    }
  }
  return text;
}

}  // namespace

Result<EmulatorOptions::Share, Complaint> ParseShare(std::string_view text) {
  EmulatorOptions::Share share = {.host = text, .guest = "/share"};
  if (const size_t colon = text.rfind(":/"); colon != std::string_view::npos) {
    share = {.host = text.substr(0, colon), .guest = text.substr(colon + 1)};
  }
  const std::vector<std::string_view> parts = Parts(share.guest);
  if (share.host.empty() || parts.empty() || std::ranges::find(parts, "..") != parts.end() ||
      std::ranges::find(kSystem, parts[0]) != std::end(kSystem)) {
    return Complain("option --emu-share wants HOST_DIR or HOST_DIR:/GUEST_DIR, not ", text,
                    "; the folder inside must not be a system folder");
  }
  return share;
}

Result<EmulatorOptions::Port, Complaint> ParsePort(std::string_view text) {
  constexpr uint64_t kMaxPort = 65535;
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const Result<uint64_t> host = ParseNumber(text.substr(0, colon), kMaxPort);
    const Result<uint64_t> guest = ParseNumber(text.substr(colon + 1), kMaxPort);
    if (host.ok() && guest.ok() && host.value() != 0 && guest.value() != 0) {
      return EmulatorOptions::Port{.host = static_cast<uint16_t>(host.value()),
                                   .guest = static_cast<uint16_t>(guest.value())};
    }
  }
  return Complain("option --emu-publish wants HOST_PORT:GUEST_PORT, not ", text,
                  "; write --emu-publish 8080:80");
}

Result<unsigned, Complaint> ParseProcessors(std::string_view text) {
  const Result<uint64_t> count = ParseNumber(text, EmulatorOptions::kMaxProcessors);
  if (!count.ok() || count.value() == 0) {
    return Complain("option --emu-cpus wants a number from 1 to ",
                    uint64_t{EmulatorOptions::kMaxProcessors}, ", not ", text);
  }
  return static_cast<unsigned>(count.value());
}

GuestPlace PlaceImage(std::string_view path) {
  std::vector<std::string_view> parts = Parts(path);
  GuestPlace place = {.image = "", .folder = std::string(kProgramFolder)};
  if (path.starts_with('/')) {
    // ".." at the root leads to the root; behind a name, what it leads to depends on links.
    const bool odd = std::ranges::find(parts, "..") != parts.end();
    if (odd || parts.empty() || std::ranges::find(kSystem, parts[0]) != std::end(kSystem)) {
      return {};
    }
  } else {
    place.image = kProgramFolder;
    // Start as deep as the path climbs.
    size_t climbs = 0;
    for (; climbs < parts.size() && parts[climbs] == ".."; ++climbs) {
      place.folder += "/x";
    }
    parts.erase(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(climbs));
    if (std::ranges::find(parts, "..") != parts.end()) {
      return {};
    }
  }
  for (std::string_view part : parts) {
    place.image.append(place.image.empty() ? "" : "/").append(part);
  }
  return place;
}

Result<int, Complaint> MakeInitrd(const std::string& base, const EmulatorOptions& options,
                                  const EmulatedRun& run, std::string_view marker, bool terminal) {
  CpioArchive archive;
  GuestPlace place = {.image = "", .folder = std::string(kProgramFolder)};
  if (run.image != nullptr) {
    place = PlaceImage(run.image);
    if (place.image.empty()) {
      return Complain("the path ", run.image,
                      " means something else inside the emulated machine; name the image by a path "
                      "without .. in the middle, and not below its system folders");
    }
    const std::string image = TRY(ReadWholeFile(run.image));
    archive.AddFile(place.image, image, 0755);
  }
  archive.AddFolder(place.folder);
  ShareCopier copier(archive);
  for (const EmulatorOptions::Share& share : options.shares) {
    std::string guest(share.guest);
    guest.erase(0, guest.find_first_not_of('/'));
    TRY(copier.Copy(std::string(share.host), guest));
  }
  archive.AddFile(emulator::kCommandFile.substr(1),
                  CommandText(options, run, place.folder, marker, terminal), 0600);

  const std::string base_text = TRY(ReadWholeFile(base));
  const int fd = memfd_create("nsgx-initrd", 0);
  if (fd < 0 || !WriteAll(fd, base_text) || !WriteAll(fd, archive.Finish())) {
    return Complain("no memory for the emulated machine's files: ", strerror(errno));
  }
  return fd;
}

}  // namespace nsgx::loader
