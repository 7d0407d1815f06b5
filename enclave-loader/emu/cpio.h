// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace nsgx::loader {

// An archive that Linux unpacks over its first file system (cpio, format "newc").
class CpioArchive {
 public:
  // Adds a file and the folders above it. `path` has no "/" in front and no "." or "..".
  // `permissions` as for chmod().
  void AddFile(std::string_view path, std::string_view contents, uint32_t permissions);
  void AddFolder(std::string_view path);

  // Returns the whole archive, with its end. Nothing can be added behind that.
  std::string Finish();

 private:
  void AddEntry(std::string_view path, uint32_t mode, std::string_view contents);
  void Pad(size_t alignment);

  std::string data_;
  std::set<std::string, std::less<>> folders_;
  uint32_t inode_ = 0;
};

}  // namespace nsgx::loader
