// SPDX-License-Identifier: Apache-2.0
// make_igvm ELF IGVM DIGEST: makes the file from which hosts start the SEH, and a file with the
// launch digest (hexadecimal) that follows from it.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/hex.h"
#include "vmpl-switch/igvm/launch_digest.h"
#include "vmpl-switch/igvm/reader.h"
#include "vmpl-switch/igvm/write/seh_image.h"
#include "vmpl-switch/igvm/write/writer.h"

namespace nsgx::igvm {
namespace {

int Fail(const std::string& path, const char* why) {
  std::fprintf(stderr, "make_igvm: %s %s\n", path.c_str(), why);
  return 1;
}

bool Write(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  return out.good();
}

int Main(const std::string& elf_path, const std::string& igvm_path,
         const std::string& digest_path) {
  std::ifstream in(elf_path, std::ios::binary);
  const std::string elf(std::istreambuf_iterator<char>(in), {});
  if (!in) {
    return Fail(elf_path, "cannot be read");
  }
  const Result<FileContents, const char*> contents = ReadSehImage(BytesOf(elf));
  if (!contents.ok()) {
    return Fail(elf_path, contents.error());
  }
  const Result<std::vector<std::byte>> bytes = WriteFile(contents.value());
  if (!bytes.ok()) {
    return Fail(elf_path, "has two pages at one address");
  }
  // What is measured is what the reader of the emulated machine finds in the file.
  const Result<File> file = File::Open(bytes.value());
  if (!file.ok()) {
    return Fail(igvm_path, "would not be a file that hosts load");
  }
  const LaunchDigest::Value digest = MeasureFile(file.value());
  std::string text(2 * digest.size(), '\0');
  CHECK(EncodeHex(digest, text).ok());
  if (!Write(igvm_path, bytes.value())) {
    return Fail(igvm_path, "cannot be written");
  }
  if (!Write(digest_path, BytesOf(text + "\n"))) {
    return Fail(digest_path, "cannot be written");
  }
  std::printf("launch digest of the SEH: %s\n", text.c_str());
  return 0;
}

}  // namespace
}  // namespace nsgx::igvm

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: make_igvm ELF IGVM DIGEST\n");
    return 2;
  }
  return nsgx::igvm::Main(argv[1], argv[2], argv[3]);
}
