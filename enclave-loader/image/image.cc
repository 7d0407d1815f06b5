// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/image/image.h"

#include <algorithm>
#include <cstring>

#include "base/core/addr.h"
#include "base/core/align.h"
#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/core/checked.h"
#include "vmpl-switch/image/signature.h"

namespace nsgx::loader {
namespace {

uint32_t PermissionsOf(const Elf64_Phdr& header) {
  return ((header.p_flags & PF_R) != 0 ? NSGX_PERMISSION_READ : 0) |
         ((header.p_flags & PF_W) != 0 ? NSGX_PERMISSION_WRITE : 0) |
         ((header.p_flags & PF_X) != 0 ? NSGX_PERMISSION_EXECUTE : 0);
}

// Checks what can be said of one loaded segment alone, but for its place in the file.
Result<void, Refusal> CheckLoad(const Elf64_Phdr& header) {
  const uint32_t permissions = PermissionsOf(header);
  if ((permissions & NSGX_PERMISSION_READ) == 0) {
    return Refuse(Cause::kSegmentNotReadable, header.p_vaddr);
  }
  if (!IsImagePermissions(permissions)) {
    return Refuse(Cause::kSegmentWritableCode, header.p_vaddr);
  }
  const Result<uint64_t> end = CheckedAdd(header.p_vaddr, header.p_memsz);
  if (!end.ok() || end.value() > NSGX_MAX_ADDRESS_RANGE) {
    return Refuse(Cause::kSegmentHuge, header.p_vaddr);
  }
  if (header.p_filesz > header.p_memsz) {
    return Refuse(Cause::kSegmentShrinks, header.p_vaddr);
  }
  if ((header.p_vaddr & kPageMask) != (header.p_offset & kPageMask)) {
    return Refuse(Cause::kSegmentUnaligned, header.p_vaddr);
  }
  if (header.p_align > kLargePageSize) {
    return Refuse(Cause::kSegmentAlignment, header.p_vaddr);
  }
  return {};
}

bool IsZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

Result<Image, Refusal> Image::Parse(std::span<const std::byte> file) {
  const ElfFile elf = TRY(ElfFile::Open(file));
  Image image(file);
  TRY(image.ReadSegments(elf));
  TRY(image.ReadSections(elf));
  return image;
}

// ---- segments and pages ------------------------------------------------------------------------

Result<void, Refusal> Image::ReadSegments(const ElfFile& elf) {
  if (elf.segment_count() > kMaxSegments) {
    return Refuse(Cause::kTooManySegments, elf.segment_count());
  }
  for (size_t i = 0; i < elf.segment_count(); ++i) {
    const Elf64_Phdr header = elf.segment(i);
    switch (header.p_type) {
      case PT_INTERP:
        return Refuse(Cause::kDynamic);
      case PT_DYNAMIC:
        TRY(elf.CheckDynamic(header));
        break;
      case PT_LOAD:
        if (header.p_memsz != 0) {
          TRY(AddSegment(elf, header));
        }
        break;
      default:
        break;
    }
  }
  if (segments_.empty()) {
    return Refuse(Cause::kNoSegments);
  }
  entry_ = elf.header().e_entry;
  const bool is_code = std::any_of(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return (segment.permissions & NSGX_PERMISSION_EXECUTE) != 0 && entry_ >= segment.offset &&
           entry_ - segment.offset < segment.file_size;
  });
  if (!is_code) {
    return Refuse(Cause::kBadEntry, entry_);
  }
  return {};
}

Result<void, Refusal> Image::AddSegment(const ElfFile& elf, const Elf64_Phdr& header) {
  TRY(CheckLoad(header));
  if (!elf.Holds(header.p_offset, header.p_filesz)) {
    return Refuse(Cause::kTruncated);
  }
  if (!segments_.empty() && header.p_vaddr < segments_.back().offset) {
    return Refuse(Cause::kSegmentOrder, header.p_vaddr);
  }
  if (AlignDown(header.p_vaddr, kPageSize) < size_) {
    return Refuse(Cause::kSegmentOverlap, header.p_vaddr);
  }
  const Segment segment = {.offset = header.p_vaddr,
                           .file_offset = header.p_offset,
                           .file_size = header.p_filesz,
                           .memory_size = header.p_memsz,
                           .permissions = PermissionsOf(header)};
  segments_.push_back(segment);
  AddFilePages(segment);
  // Below NSGX_MAX_ADDRESS_RANGE, so rounding up does not wrap.
  const uint64_t data_end = AlignUp(segment.offset + segment.file_size, kPageSize);
  size_ = AlignUp(segment.offset + segment.memory_size, kPageSize);
  const uint64_t zeros = segment.file_size == 0 ? AlignDown(segment.offset, kPageSize) : data_end;
  if (zeros != size_) {
    runs_.push_back({.offset = zeros,
                     .page_count = (size_ - zeros) / kPageSize,
                     .permissions = segment.permissions,
                     .bytes = {},
                     .file_offset = {}});
  }
  return {};
}

// A page holds the bytes that its segment has in the file, and zeros around them. Where the file
// has zeros there too, or the segment fills the page, the page is taken from the file as it is.
void Image::AddFilePages(const Segment& segment) {
  if (segment.file_size == 0) {
    return;
  }
  const uint64_t end = segment.offset + segment.file_size;
  for (uint64_t page = AlignDown(segment.offset, kPageSize); page < end; page += kPageSize) {
    AddFilePage(segment, page);
  }
}

void Image::AddFilePage(const Segment& segment, uint64_t page) {
  const uint64_t begin = std::max(segment.offset, page) - page;
  const uint64_t end = std::min(segment.offset + segment.file_size, page + kPageSize) - page;
  // The page starts at most one page below the segment, whose offset has the same place in its
  // page: no wrap.
  const uint64_t file_offset = segment.file_offset + page - segment.offset;
  PageRun run = {.offset = page,
                 .page_count = 1,
                 .permissions = segment.permissions,
                 .bytes = {},
                 .file_offset = {}};
  if (file_offset <= file_.size() && file_.size() - file_offset >= kPageSize) {
    const auto bytes = file_.subspan(file_offset, kPageSize);
    if (IsZero(bytes.first(begin)) && IsZero(bytes.subspan(end))) {
      run.bytes = bytes;
      run.file_offset = file_offset;
    }
  }
  if (run.bytes.empty()) {
    auto copy = std::make_unique<Page>();
    std::memcpy(copy->data() + begin, file_.data() + file_offset + begin, end - begin);
    run.bytes = *copy;
    copies_.push_back(std::move(copy));
  }
  AddRun(run);
}

// Makes one run of what lies next to each other in image and file.
void Image::AddRun(const PageRun& run) {
  if (!runs_.empty()) {
    PageRun& last = runs_.back();
    if (last.offset + last.bytes.size() == run.offset && last.permissions == run.permissions &&
        last.file_offset.has_value() && run.file_offset.has_value() &&
        *last.file_offset + last.bytes.size() == *run.file_offset) {
      last.bytes = file_.subspan(*last.file_offset, last.bytes.size() + run.bytes.size());
      last.page_count += run.page_count;
      return;
    }
  }
  runs_.push_back(run);
}

// ---- sections ----------------------------------------------------------------------------------

Result<void, Refusal> Image::ReadSections(const ElfFile& elf) {
  for (size_t i = 0; i < elf.section_count(); ++i) {
    const Elf64_Shdr header = elf.section(i);
    const std::string_view name = elf.SectionName(header);
    if (name == NSGX_CONFIG_SECTION) {
      TRY(PlaceConfig(header));
    } else if (name == NSGX_SIGNATURE_SECTION || name == NSGX_HOST_CALLS_SECTION) {
      if (header.sh_type == SHT_NOBITS || !elf.Holds(header.sh_offset, header.sh_size)) {
        return Refuse(Cause::kTruncated);
      }
      FilePart& part = name == NSGX_SIGNATURE_SECTION ? signature_part_ : host_calls_part_;
      if (part.size != 0) {
        return Refuse(name == NSGX_SIGNATURE_SECTION ? Cause::kSignatureTwice
                                                     : Cause::kHostCallsMalformed);
      }
      part = {header.sh_offset, header.sh_size};
    }
  }
  if (config_part_.size == 0) {
    return Refuse(Cause::kConfigMissing);
  }
  return {};
}

Result<void, Refusal> Image::PlaceConfig(const Elf64_Shdr& header) {
  if (config_part_.size != 0) {
    return Refuse(Cause::kConfigTwice);
  }
  if (header.sh_size == 0 || header.sh_size > NSGX_CONFIG_MAX_SIZE ||
      !IsAligned(uint64_t{header.sh_size}, kPageSize)) {
    return Refuse(Cause::kConfigSize, header.sh_size);
  }
  if (!IsAligned(uint64_t{header.sh_addr}, kPageSize)) {
    return Refuse(Cause::kConfigUnaligned, header.sh_addr);
  }
  for (const Segment& segment : segments_) {
    if (header.sh_addr < segment.offset || header.sh_addr - segment.offset > segment.file_size ||
        header.sh_size > segment.file_size - (header.sh_addr - segment.offset)) {
      continue;
    }
    // What is loaded there, and so measured, is what the section says.
    if (segment.permissions == NSGX_PERMISSION_READ && header.sh_type != SHT_NOBITS &&
        header.sh_offset == segment.file_offset + (header.sh_addr - segment.offset)) {
      config_offset_ = header.sh_addr;
      config_part_ = {header.sh_offset, header.sh_size};
      return {};
    }
  }
  return Refuse(Cause::kConfigNotReadOnly);
}

Result<ConfigView, Refusal> Image::Config() const {
  if (IsZero(config_section())) {
    return Refuse(Cause::kConfigEmpty);
  }
  const auto to_refusal = [](Status status) {
    return Refusal{status == Status::kUnsupported ? Cause::kConfigNewer : Cause::kConfigMalformed};
  };
  ConfigView config = TRY(ParseConfig(config_section()).transform_error(to_refusal));
  if (size_ > config.address_range_size()) {
    return Refuse(Cause::kImageBeyondRange, size_);
  }
  for (const std::string_view text : config.files()) {
    // ParseConfig has accepted it.
    TRY(FileContents(ParseEmbeddedFile(text).value()));
  }
  return config;
}

Result<std::span<const std::byte>, Refusal> Image::FileContents(const EmbeddedFile& file) const {
  for (const Segment& segment : segments_) {
    if (segment.permissions == NSGX_PERMISSION_READ && file.offset >= segment.offset &&
        file.offset - segment.offset <= segment.file_size &&
        file.size <= segment.file_size - (file.offset - segment.offset)) {
      const uint64_t begin = segment.file_offset + (file.offset - segment.offset);
      return file_.subspan(static_cast<size_t>(begin), static_cast<size_t>(file.size));
    }
  }
  if (file.size == 0 && file.offset <= size_) {
    return std::span<const std::byte>();
  }
  return Refuse(Cause::kFileNotInImage, file.offset);
}

Result<std::array<uint64_t, 2>, Refusal> Image::HostCalls() const {
  std::array<uint64_t, 2> calls = {};
  static_assert(NSGX_HOST_CALL_LIMIT == 64 * calls.size());
  ByteReader reader(BytesOf(host_calls_part_));
  while (!reader.at_end()) {
    const Result<uint32_t> number = reader.Read<uint32_t>();
    if (!number.ok() || number.value() >= NSGX_HOST_CALL_LIMIT) {
      return Refuse(Cause::kHostCallsMalformed);
    }
    calls[number.value() / 64] |= uint64_t{1} << (number.value() % 64);
  }
  return calls;
}

Result<nsgx_signature, Refusal> Image::Signature() const {
  if (signature_part_.size == 0) {
    return Refuse(Cause::kUnsigned);
  }
  if (signature_part_.size != sizeof(nsgx_signature)) {
    return Refuse(Cause::kSignatureSize);
  }
  const auto to_refusal = [](Status status) {
    return Refusal{status == Status::kUnsupported ? Cause::kSignatureNewer
                                                  : Cause::kSignatureMalformed};
  };
  return ParseSignature(BytesOf(signature_part_)).transform_error(to_refusal);
}

// ---- measurement -------------------------------------------------------------------------------

ImageShape Image::Shape() const {
  return {.image_size = size_,
          .entry = entry_,
          .config_offset = config_offset_,
          .config_size = config_part_.size,
          .config_sha256 = Sha256::Hash(config_section())};
}

Sha256::Digest Image::Identity() const {
  // What Parse accepts, the measurement accepts: its rules are among ours.
  Result<Measurement> measurement = Measurement::Begin(Shape());
  CHECK(measurement.ok());
  for (const PageRun& run : runs_) {
    const Result<void> added =
        run.bytes.empty()
            ? measurement.value().AddZeroPages(run.offset, run.permissions, run.page_count)
            : MeasurePages(measurement.value(), run.offset, run.permissions, run.bytes);
    CHECK(added.ok());
  }
  return measurement.value().Identity();
}

}  // namespace nsgx::loader
