// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/emu/emu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "enclave-loader/cli/output.h"
#include "enclave-loader/emu/cpio.h"
#include "enclave-loader/emu/initrd.h"
#include "enclave-loader/emu/machine_files.h"
#include "enclave-loader/emu/marker_filter.h"
#include "enclave-loader/emu/qemu.h"

namespace nsgx::loader {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

// A folder of its own for one test.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/emu_test.XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { (void)system(("rm -r " + path_).c_str()); }
  const std::string& path() const { return path_; }
  std::string Write(const std::string& name, std::string_view text, mode_t mode = 0644) const {
    std::ofstream(path_ + "/" + name) << text;
    chmod((path_ + "/" + name).c_str(), mode);
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

// Names and contents of an archive, read as Linux reads it.
std::vector<std::pair<std::string, std::string>> Entries(std::string_view archive) {
  std::vector<std::pair<std::string, std::string>> entries;
  const auto field = [&](size_t index) {
    return std::stoul(std::string(archive.substr(6 + 8 * index, 8)), nullptr, 16);
  };
  const auto skip = [&](size_t size) { archive.remove_prefix(std::min(size, archive.size())); };
  while (archive.starts_with("070701")) {
    const size_t size = field(6), name_size = field(11);
    const std::string name(archive.substr(110, name_size - 1));
    skip((110 + name_size + 3) / 4 * 4);
    if (name == "TRAILER!!!") {
      break;
    }
    entries.emplace_back(name, archive.substr(0, size));
    skip((size + 3) / 4 * 4);
  }
  return entries;
}

TEST(CpioTest, HoldsFilesAndTheirFoldersOnce) {
  CpioArchive archive;
  archive.AddFile("a/b/first", "1", 0644);
  archive.AddFile("a/second", "", 0755);
  archive.AddFolder("a/b");
  const std::string text = archive.Finish();
  EXPECT_EQ(text.size() % 512, 0u);
  EXPECT_THAT(Entries(text),
              testing::ElementsAre(testing::Pair("a", ""), testing::Pair("a/b", ""),
                                   testing::Pair("a/b/first", "1"), testing::Pair("a/second", "")));
}

TEST(MarkerFilterTest, PassesEverythingBeforeTheMarker) {
  const std::string text = "one MARK two MARKEMARKER and what does not count";
  for (size_t block = 1; block <= text.size(); ++block) {
    MarkerFilter filter("MARKER");
    std::string passed;
    for (size_t i = 0; i < text.size(); i += block) {
      passed += filter.Feed(std::string_view(text).substr(i, block));
    }
    EXPECT_EQ(passed, "one MARK two MARKE") << block;
    EXPECT_TRUE(filter.ended());
  }
}

TEST(MarkerFilterTest, HoldsBackNoMoreThanItMust) {
  MarkerFilter filter("MARKER");
  EXPECT_EQ(filter.Feed("prompt> "), "prompt> ");
  EXPECT_EQ(filter.Feed("xMA"), "x");
  EXPECT_EQ(filter.Rest(), "MA");
  EXPECT_FALSE(filter.ended());
}

TEST(PlaceImageTest, ThePathLeadsToTheImage) {
  const auto place = [](std::string_view path) {
    const GuestPlace found = PlaceImage(path);
    return found.folder + " " + found.image;
  };
  EXPECT_EQ(place("hello.elf"), "app app/hello.elf");
  EXPECT_EQ(place("./out//hello.elf"), "app app/out/hello.elf");
  EXPECT_EQ(place("../../out/hello.elf"), "app/x/x app/out/hello.elf");
  EXPECT_EQ(place("/home/me/hello.elf"), "app home/me/hello.elf");
  // Places that are the guest's, or that depend on what this machine has there.
  for (const char* path : {"/dev/x.elf", "/init", "/", "out/../hello.elf", "/a/../hello.elf"}) {
    EXPECT_EQ(PlaceImage(path).image, "") << path;
  }
}

// Reads what MakeInitrd made.
std::vector<std::pair<std::string, std::string>> InitrdEntries(const EmulatorOptions& options,
                                                               const EmulatedRun& run,
                                                               const std::string& base) {
  const Result<int, Complaint> fd = MakeInitrd(base, options, run, "the marker", false);
  if (!fd.ok()) {
    return {{"complaint", std::string(fd.error().text())}};
  }
  const Result<std::string, Complaint> text =
      ReadSmallFile("/proc/self/fd/" + std::to_string(fd.value()), 1 << 20);
  close(fd.value());
  return Entries(std::string_view(text.value()).substr(4));
}

TEST(InitrdTest, HoldsImageSharesAndCommand) {
  const Folder folder;
  const std::string base = folder.Write("base", "BASE");
  const std::string image = folder.Write("app.elf", "image");
  mkdir((folder.path() + "/data").c_str(), 0755);
  folder.Write("data/file", "contents");
  EmulatorOptions options;
  const std::string data = folder.path() + "/data";
  options.shares = {{.host = data, .guest = "/inside"}};
  char* arguments[] = {const_cast<char*>("x/app.elf"), const_cast<char*>("a b")};
  EmulatedRun run = {.image = image.c_str(), .arguments = arguments, .run_options = {"--vcpus=2"}};
  // /tmp is the guest's own.
  EXPECT_THAT(InitrdEntries(options, run, base)[0].second, HasSubstr("means something else"));

  ASSERT_EQ(chdir(folder.path().c_str()), 0);
  run.image = "app.elf";
  const auto entries = InitrdEntries(options, run, base);
  EXPECT_THAT(entries, Contains(testing::Pair("app/app.elf", "image")));
  EXPECT_THAT(entries, Contains(testing::Pair("inside/file", "contents")));
  EXPECT_EQ(entries.back().first, "run/nsgx/command");
  EXPECT_THAT(entries.back().second, HasSubstr(std::string("argument /bin/nsgx-run\0", 23)));
  EXPECT_THAT(entries.back().second,
              HasSubstr(std::string("argument --vcpus=2\0argument x/app.elf\0argument a b\0", 51)));
  EXPECT_THAT(entries.back().second, Not(HasSubstr("network")));
  ASSERT_EQ(chdir("/"), 0);
}

TEST(InitrdTest, SaysWhatCannotBeShared) {
  const Folder folder;
  const std::string base = folder.Write("base", "BASE");
  EmulatorOptions options;
  options.shares = {{.host = "/nonexistent", .guest = "/inside"}};
  EXPECT_THAT(InitrdEntries(options, {}, base)[0].second,
              HasSubstr("cannot share /nonexistent: No such file"));
}

TEST(QemuTest, HasNoNetworkUnlessAPortIsPublished) {
  const MachineFiles files = {
      .qemu = "/q", .monitor = "m", .seh = "s", .kernel = "a,b", .initramfs = "i"};
  const MachineStreams streams = {
      .console = 3, .control = 4, .input = 5, .output = 6, .error = 7, .terminal = -1};
  EmulatorOptions options;
  std::vector<std::string> arguments = QemuArguments(files, 9, streams, options);
  EXPECT_THAT(arguments, Contains("name=opt/org.nsgx/kernel,file=a,,b"));
  EXPECT_THAT(arguments, Contains("name=opt/org.nsgx/initrd,file=/proc/self/fd/9"));
  EXPECT_THAT(arguments, Contains("-nodefaults"));
  EXPECT_THAT(arguments, Contains("tcg"));
  EXPECT_THAT(arguments, Not(Contains("-netdev")));

  options.ports = {{.host = 8080, .guest = 80}};
  arguments = QemuArguments(files, 9, streams, options);
  EXPECT_THAT(arguments, Contains("user,id=network,restrict=on,hostfwd=tcp:127.0.0.1:8080-:80"));
}

TEST(QemuTest, HasSeveralProcessorsInOneThread) {
  EmulatorOptions options;
  options.processors = 3;
  const std::vector<std::string> arguments = QemuArguments({}, 9, {}, options);
  EXPECT_THAT(arguments, IsSupersetOf({"tcg,thread=single", "-smp", "3"}));
}

TEST(MachineFilesTest, SaysWhatIsMissing) {
  const Folder folder;
  MachineFiles files;
  const auto complaint = [&] {
    const Result<void, Complaint> found = FindMachineFiles(folder.path(), &files);
    return found.ok() ? "" : std::string(found.error().text());
  };
  EXPECT_THAT(complaint(), HasSubstr("is missing; build it with `ninja -C out emu`"));
  folder.Write("unavailable", "no mirror\n");
  EXPECT_EQ(complaint(), "this build has no emulated machine: no mirror");
  folder.Write("unavailable", "");
  for (const char* name : {"monitor.elf", "seh.igvm", "vmlinuz", "initramfs"}) {
    folder.Write(name, "x");
  }
  folder.Write("qemu", "/nonexistent/qemu\n");
  EXPECT_THAT(complaint(), HasSubstr("/nonexistent/qemu, is gone"));
  folder.Write("qemu", "/bin/sh\n");
  EXPECT_EQ(complaint(), "");
  EXPECT_EQ(files.qemu, "/bin/sh");
}

}  // namespace
}  // namespace nsgx::loader
