// SPDX-License-Identifier: Apache-2.0
// An enclave image as a file: which pages it puts where. Signer, inspector and loader all take
// their pages from here, so what one measures is what the other loads. docs/image.md says which
// bytes of a file count.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/core/result.h"
#include "enclave-loader/image/elf_file.h"
#include "enclave-loader/image/refusal.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/image/config.h"
#include "vmpl-switch/image/measurement.h"
#include "vmpl-switch/image/mount_rule.h"

namespace nsgx::loader {

// Pages that lie next to each other, with the same permissions, from one source.
struct PageRun {
  uint64_t offset;  // in the image
  uint64_t page_count;
  uint32_t permissions;  // NSGX_PERMISSION_*
  // What the pages hold; empty: zeros.
  std::span<const std::byte> bytes;
  // Where `bytes` lies in the file; none: it is a copy, because the file has other bytes in the
  // same page.
  std::optional<uint64_t> file_offset;
};

// Part of the file, by the names that the linker gave.
struct FilePart {
  uint64_t file_offset = 0;
  uint64_t size = 0;
};

// A segment as inspectors show it.
struct Segment {
  uint64_t offset;  // in the image
  uint64_t file_offset;
  uint64_t file_size;
  uint64_t memory_size;
  uint32_t permissions;
};

// The structure of a file that is a static position-independent x86-64 program with a place for a
// launch configuration. Whether that is filled in and signed is asked afterwards, so that a signer
// can look at what is not.
//
// Holds views of the file, which must stay and not change for as long as the image is used.
class Image {
 public:
  static constexpr size_t kMaxSegments = 64;

  // Errors: the first reason why `file` is no such program.
  // Trust:  nothing in the file is believed.
  static Result<Image, Refusal> Parse(std::span<const std::byte> file);

  // All pages, by ascending offset.
  std::span<const PageRun> runs() const { return runs_; }
  std::span<const Segment> segments() const { return segments_; }
  uint64_t size() const { return size_; }    // a multiple of the page size
  uint64_t entry() const { return entry_; }  // offset in the image
  std::span<const std::byte> file() const { return file_; }

  // The launch configuration: where it lies in the image and in the file, and what it holds.
  uint64_t config_offset() const { return config_offset_; }
  FilePart config_part() const { return config_part_; }
  std::span<const std::byte> config_section() const { return BytesOf(config_part_); }
  // Errors: kConfigEmpty, kConfigNewer, kConfigMalformed, kImageBeyondRange, kFileNotInImage.
  Result<ConfigView, Refusal> Config() const;
  // The contents of a file that the configuration names. Errors: kFileNotInImage.
  Result<std::span<const std::byte>, Refusal> FileContents(const EmbeddedFile& file) const;

  // The host calls that the linker found, as the bits of nsgx_config.host_calls; none without the
  // list.
  //
  // Errors: kHostCallsMalformed.
  Result<std::array<uint64_t, 2>, Refusal> HostCalls() const;

  // Where the signature lies in the file; size 0: nowhere.
  FilePart signature_part() const { return signature_part_; }
  // A copy of the signature, in a form that can be checked. Whether it is right is for
  // vmpl-switch/image to say.
  //
  // Errors: kUnsigned, kSignatureSize, kSignatureNewer, kSignatureMalformed.
  Result<nsgx_signature, Refusal> Signature() const;

  ImageShape Shape() const;
  // Computes the identity that the SEH will find.
  Sha256::Digest Identity() const;

 private:
  using Page = std::array<std::byte, NSGX_PAGE_SIZE>;

  explicit Image(std::span<const std::byte> file) : file_(file) {}

  Result<void, Refusal> ReadSegments(const ElfFile& elf);
  Result<void, Refusal> AddSegment(const ElfFile& elf, const Elf64_Phdr& header);
  void AddFilePages(const Segment& segment);
  void AddFilePage(const Segment& segment, uint64_t page);
  void AddRun(const PageRun& run);
  Result<void, Refusal> ReadSections(const ElfFile& elf);
  Result<void, Refusal> PlaceConfig(const Elf64_Shdr& header);
  std::span<const std::byte> BytesOf(FilePart part) const {
    return file_.subspan(static_cast<size_t>(part.file_offset), static_cast<size_t>(part.size));
  }

  std::span<const std::byte> file_;
  std::vector<PageRun> runs_;
  std::vector<Segment> segments_;
  std::vector<std::unique_ptr<Page>> copies_;
  uint64_t size_ = 0;
  uint64_t entry_ = 0;
  uint64_t config_offset_ = 0;
  FilePart config_part_;
  FilePart signature_part_;
  FilePart host_calls_part_;
};

}  // namespace nsgx::loader
