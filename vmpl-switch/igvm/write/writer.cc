// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/igvm/write/writer.h"

#include <algorithm>
#include <span>
#include <type_traits>

#include "base/core/align.h"
#include "base/core/bytes.h"
#include "vmpl-switch/igvm/crc32.h"

namespace nsgx::igvm {
namespace {

constexpr uint32_t kMask = 1;  // of the only platform
constexpr size_t kHeaderAlignment = 8;

constexpr size_t Padded(size_t size) { return CheckedAlignUp(size, kHeaderAlignment).value(); }

void Append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// A file in the making: headers, and the data that they point to.
class Builder {
 public:
  // `length` leaves out what the compiler adds to the structure's end.
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void AddHeader(uint32_t type, const T& content, uint32_t length = sizeof(T)) {
    Append(headers_, BytesOf(igvm_header{type, length}));
    Append(headers_, std::as_bytes(std::span(&content, 1)).first(length));
    headers_.resize(Padded(headers_.size()));
  }

  // Returns the offset of `page` in the data, for a header that LastHeaderPointsToData() is called
  // for: the offset in the file is known in Finish() alone.
  uint32_t AddData(std::span<const std::byte> page) {
    const size_t offset = data_.size();
    Append(data_, page);
    return static_cast<uint32_t>(offset);
  }

  // Says that the last header, which has its file offset `field` bytes into its content, points
  // into the data.
  void LastHeaderPointsToData(size_t content_size, size_t field) {
    fixups_.push_back(headers_.size() - Padded(content_size) + field);
  }

  std::vector<std::byte> Finish() {
    const auto data_start = static_cast<uint32_t>(sizeof(igvm_fixed_header) + headers_.size());
    for (size_t fixup : fixups_) {
      uint32_t offset;
      __builtin_memcpy(&offset, &headers_[fixup], sizeof(offset));
      offset += data_start;
      __builtin_memcpy(&headers_[fixup], &offset, sizeof(offset));
    }
    igvm_fixed_header fixed = {
        .magic = IGVM_MAGIC,
        .version = IGVM_VERSION,
        .variable_offset = sizeof(igvm_fixed_header),
        .variable_size = static_cast<uint32_t>(headers_.size()),
        .total_size = static_cast<uint32_t>(data_start + data_.size()),
        .checksum = 0,
    };
    Crc32 checksum;
    checksum.Update(BytesOf(fixed));
    checksum.Update(headers_);
    fixed.checksum = checksum.Finish();

    std::vector<std::byte> file;
    file.reserve(fixed.total_size);
    Append(file, BytesOf(fixed));
    Append(file, headers_);
    Append(file, data_);
    return file;
  }

 private:
  std::vector<std::byte> headers_;
  std::vector<std::byte> data_;
  std::vector<size_t> fixups_;  // offsets in headers_ of offsets in data_
};

Result<void> Check(const FileContents& contents, std::span<const FileContents::Page> pages) {
  for (const FileContents::Memory& memory : contents.required_memory) {
    if (!IsAligned(memory.address, kPageSize) || !IsAligned(uint64_t{memory.size}, kPageSize)) {
      return Error(Status::kInvalidArgument);
    }
  }
  std::vector<uint64_t> addresses = {kVmsaAddress.raw()};
  for (const FileContents::ParameterPage& page : contents.parameter_pages) {
    addresses.push_back(page.address.raw());
  }
  for (const FileContents::Page& page : pages) {
    addresses.push_back(page.address.raw());
    if (!page.bytes.empty() && page.bytes.size() != kPageSize) {
      return Error(Status::kInvalidArgument);
    }
  }
  std::ranges::sort(addresses);
  if (std::ranges::any_of(addresses,
                          [](uint64_t address) { return !IsAligned(address, kPageSize); })) {
    return Error(Status::kInvalidArgument);
  }
  if (std::ranges::adjacent_find(addresses) != addresses.end()) {
    return Error(Status::kMalformed);
  }
  return {};
}

void AddParameterPages(Builder& builder, std::span<const FileContents::ParameterPage> pages) {
  for (uint32_t index = 0; index < pages.size(); ++index) {
    builder.AddHeader(IGVM_PARAMETER_AREA,
                      igvm_parameter_area{.size = kPageSize, .index = index, .file_offset = 0});
  }
  for (uint32_t index = 0; index < pages.size(); ++index) {
    const auto add = [&](uint32_t type, std::optional<uint32_t> offset) {
      if (offset) {
        builder.AddHeader(type, igvm_parameter{.index = index, .offset = *offset});
      }
    };
    add(IGVM_VP_COUNT, pages[index].vp_count);
    add(IGVM_ENVIRONMENT_INFO, pages[index].environment_info);
    add(IGVM_MEMORY_MAP, pages[index].memory_map);
  }
  for (uint32_t index = 0; index < pages.size(); ++index) {
    builder.AddHeader(
        IGVM_PARAMETER_INSERT,
        igvm_parameter_insert{.gpa = pages[index].address.raw(), .mask = kMask, .index = index});
  }
}

void AddPage(Builder& builder, const FileContents::Page& page) {
  igvm_page_data header = {
      .gpa = page.address.raw(),
      .mask = kMask,
      .file_offset = 0,
      .flags = page.measured ? 0 : IGVM_PAGE_UNMEASURED,
      .type = page.type,
      .reserved = 0,
  };
  const bool is_zeros =
      std::ranges::all_of(page.bytes, [](std::byte byte) { return byte == std::byte{0}; });
  if (is_zeros) {
    builder.AddHeader(IGVM_PAGE_DATA, header);
    return;
  }
  header.file_offset = builder.AddData(page.bytes);
  builder.AddHeader(IGVM_PAGE_DATA, header);
  builder.LastHeaderPointsToData(sizeof(header), offsetof(igvm_page_data, file_offset));
}

}  // namespace

// Parameter inserts come before all pages: hosts that gather equal neighbours before they load
// them would otherwise measure an insert earlier than it stands. The VMSA comes last, because KVM
// measures it then, wherever it stands.
Result<std::vector<std::byte>> WriteFile(const FileContents& contents) {
  std::vector<FileContents::Page> pages = contents.pages;
  std::ranges::sort(pages, {}, [](const FileContents::Page& page) { return page.address.raw(); });
  std::vector<FileContents::ParameterPage> parameter_pages = contents.parameter_pages;
  std::ranges::sort(parameter_pages, {},
                    [](const FileContents::ParameterPage& page) { return page.address.raw(); });
  TRY(Check(contents, pages));

  Builder builder;
  builder.AddHeader(IGVM_SUPPORTED_PLATFORM, igvm_supported_platform{.mask = kMask,
                                                                     .highest_vtl = 0,
                                                                     .type = IGVM_PLATFORM_SEV_SNP,
                                                                     .version = 1,
                                                                     .shared_gpa_boundary = 0});
  builder.AddHeader(IGVM_GUEST_POLICY,
                    igvm_guest_policy{.policy = contents.policy, .mask = kMask, .reserved = 0});
  for (const FileContents::Memory& memory : contents.required_memory) {
    builder.AddHeader(IGVM_REQUIRED_MEMORY, igvm_required_memory{.gpa = memory.address.raw(),
                                                                 .mask = kMask,
                                                                 .size = memory.size,
                                                                 .flags = 0,
                                                                 .reserved = 0});
  }
  AddParameterPages(builder, parameter_pages);
  for (const FileContents::Page& page : pages) {
    AddPage(builder, page);
  }
  igvm_vp_context vp = {.gpa = kVmsaAddress.raw(),
                        .mask = kMask,
                        .file_offset = builder.AddData(BytesOf(contents.vmsa)),
                        .index = 0,
                        .reserved = 0};
  builder.AddHeader(IGVM_VP_CONTEXT, vp, IGVM_VP_CONTEXT_SIZE);
  builder.LastHeaderPointsToData(IGVM_VP_CONTEXT_SIZE, offsetof(igvm_vp_context, file_offset));
  return builder.Finish();
}

}  // namespace nsgx::igvm
