// SPDX-License-Identifier: Apache-2.0
// Files of the machine that signs, which become part of an image.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/image/mapped_file.h"

namespace nsgx::loader {

struct FileToEmbed {
  std::string path;  // as the program names it
  std::span<const std::byte> bytes;
  bool is_executable = false;
};

// Opens them, and keeps them open.
class FilesToEmbed {
 public:
  // `text` is "HOST=PATH"; if HOST is relative, it starts in `folder`, which is empty or ends with
  // a slash.
  //
  // Errors: `text` is of another form, PATH cannot be the name of a file of an image, is one
  // already or lies below one, or HOST cannot be read.
  Result<void, Complaint> Add(std::string_view text, std::string_view folder);

  std::span<const FileToEmbed> files() const { return files_; }

 private:
  std::vector<MappedFile> mapped_;
  std::vector<FileToEmbed> files_;
};

}  // namespace nsgx::loader
