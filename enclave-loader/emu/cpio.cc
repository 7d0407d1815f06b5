// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/emu/cpio.h"

#include <sys/stat.h>

#include <array>
#include <charconv>

namespace nsgx::loader {
namespace {

// Eight hexadecimal digits.
std::string Field(size_t value) {
  std::array<char, 16> digits;
  char* end = std::to_chars(digits.begin(), digits.end(), value, 16).ptr;
  const std::string text(digits.begin(), end);
  return std::string(8 - text.size(), '0') + text;
}

}  // namespace

void CpioArchive::AddFile(std::string_view path, std::string_view contents, uint32_t permissions) {
  if (const size_t slash = path.rfind('/'); slash != std::string_view::npos) {
    AddFolder(path.substr(0, slash));
  }
  AddEntry(path, S_IFREG | permissions, contents);
}

void CpioArchive::AddFolder(std::string_view path) {
  if (path.empty() || folders_.contains(path)) {
    return;
  }
  if (const size_t slash = path.rfind('/'); slash != std::string_view::npos) {
    AddFolder(path.substr(0, slash));
  }
  folders_.emplace(path);
  AddEntry(path, S_IFDIR | 0755, "");
}

std::string CpioArchive::Finish() {
  inode_ = 0;
  AddEntry("TRAILER!!!", 0, "");
  Pad(512);
  return std::move(data_);
}

void CpioArchive::AddEntry(std::string_view path, uint32_t mode, std::string_view contents) {
  data_ += "070701";
  for (size_t value : {size_t{++inode_}, size_t{mode}, size_t{0} /* user */, size_t{0} /* group */,
                       size_t{1} /* links */, size_t{0} /* time */, contents.size(),
                       size_t{0} /* device */, size_t{0}, size_t{0} /* special file */, size_t{0},
                       path.size() + 1, size_t{0} /* checksum */}) {
    data_ += Field(value);
  }
  data_ += path;
  data_ += '\0';
  Pad(4);
  data_ += contents;
  Pad(4);
}

void CpioArchive::Pad(size_t alignment) {
  data_.resize((data_.size() + alignment - 1) / alignment * alignment);
}

}  // namespace nsgx::loader
