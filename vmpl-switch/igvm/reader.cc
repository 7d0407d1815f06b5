// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/igvm/reader.h"

#include "base/core/bytes.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/igvm/crc32.h"

namespace nsgx::igvm {
namespace {

constexpr uint32_t kHeaderAlignment = 8;
constexpr uint32_t kPlatformMask = 1;  // of the one platform that a file may have
constexpr size_t kIdBlockSize = 0x2b8;
// Hosts keep parameter areas in memory of their own; ours are one page, others' are small too.
constexpr uint64_t kMaxAreaSize = uint64_t{1} << 20;

template <typename T>
Result<T> Content(std::span<const std::byte> content) {
  if (content.size() != sizeof(T)) {
    return Error(Status::kMalformed);
  }
  return ByteReader(content).ReadObject<T>();
}

Result<void> CheckMask(uint32_t mask) {
  if (mask != kPlatformMask) {
    return Error(Status::kUnsupported);
  }
  return {};
}

Result<GuestPhys> PageAddress(uint64_t raw) {
  const GuestPhys address(raw);
  if (!address.is_page_aligned()) {
    return Error(Status::kMalformed);
  }
  return address;
}

Result<void> CheckRange(uint64_t address, uint64_t size) {
  if (size == 0 || !IsAligned(size, kPageSize) || !CheckedAdd(address, size).ok()) {
    return Error(Status::kMalformed);
  }
  return {};
}

DirectiveKind PageKind(const igvm_page_data& page) {
  switch (page.type) {
    case IGVM_DATA_SECRETS:
      return DirectiveKind::kSecretsPage;
    case IGVM_DATA_CPUID:
      return DirectiveKind::kCpuidPage;
    default:
      return (page.flags & IGVM_PAGE_UNMEASURED) != 0 ? DirectiveKind::kUnmeasuredPage
                                                      : DirectiveKind::kNormalPage;
  }
}

}  // namespace

Result<File> File::Open(std::span<const std::byte> bytes) {
  File file(bytes);
  TRY(file.CheckFixedHeader());
  TRY(file.CheckInitialization());
  TRY(file.CheckDirectives());
  return file;
}

Result<void> File::CheckFixedHeader() {
  igvm_fixed_header header = TRY(ByteReader(bytes_).ReadObject<igvm_fixed_header>());
  if (header.magic != IGVM_MAGIC) {
    return Error(Status::kMalformed);
  }
  if (header.version != IGVM_VERSION) {
    return Error(Status::kUnsupported);
  }
  // The data that the headers speak of must not be empty.
  if (header.variable_offset != sizeof(header) || header.total_size != bytes_.size() ||
      !IsAligned(header.variable_size, kHeaderAlignment) ||
      header.variable_size >= bytes_.size() - sizeof(header)) {
    return Error(Status::kMalformed);
  }
  headers_end_ = sizeof(header) + header.variable_size;
  const uint32_t checksum = header.checksum;
  header.checksum = 0;
  Crc32 crc;
  crc.Update(BytesOf(header));
  crc.Update(bytes_.subspan(sizeof(header), header.variable_size));
  if (crc.Finish() != checksum) {
    return Error(Status::kMalformed);
  }
  return {};
}

Result<File::Header> File::ReadHeader(size_t offset) const {
  ByteReader reader(bytes_.first(headers_end_));
  TRY(reader.Seek(offset));
  const igvm_header header = TRY(reader.ReadObject<igvm_header>());
  Header result;
  result.type = header.type;
  result.content = TRY(reader.ReadBytes(header.length));
  while (!IsAligned(uint64_t{reader.offset()}, uint64_t{kHeaderAlignment})) {
    if (TRY(reader.Read<uint8_t>()) != 0) {
      return Error(Status::kMalformed);
    }
  }
  result.next = reader.offset();
  return result;
}

// One platform, then one policy.
Result<void> File::CheckInitialization() {
  const Header first = TRY(ReadHeader(sizeof(igvm_fixed_header)));
  if (first.type != IGVM_SUPPORTED_PLATFORM) {
    return Error(Status::kMalformed);
  }
  const igvm_supported_platform platform = TRY(Content<igvm_supported_platform>(first.content));
  if (platform.mask != kPlatformMask || platform.type != IGVM_PLATFORM_SEV_SNP ||
      platform.version != 1 || platform.shared_gpa_boundary != 0) {
    return Error(Status::kUnsupported);
  }
  if (platform.highest_vtl != 0 && platform.highest_vtl != 2) {
    return Error(Status::kMalformed);
  }
  const Header second = TRY(ReadHeader(first.next));
  if (second.type != IGVM_GUEST_POLICY) {
    return Error(Status::kUnsupported);
  }
  const igvm_guest_policy policy = TRY(Content<igvm_guest_policy>(second.content));
  TRY(CheckMask(policy.mask));
  if (policy.reserved != 0) {
    return Error(Status::kMalformed);
  }
  policy_ = policy.policy;
  directives_start_ = second.next;
  return {};
}

Result<std::span<const std::byte>> File::FileData(uint32_t offset, uint64_t size) const {
  if (offset == 0) {
    return std::span<const std::byte>();
  }
  if (offset < headers_end_) {
    return Error(Status::kMalformed);
  }
  Result<std::span<const std::byte>> data = Slice(bytes_, offset, size);
  if (!data.ok()) {
    return Error(Status::kMalformed);
  }
  return data;
}

Result<Directive> File::Decode(const Header& header) const {
  Directive directive = {};
  switch (header.type) {
    case IGVM_PARAMETER_AREA: {
      const auto area = TRY(Content<igvm_parameter_area>(header.content));
      TRY(CheckRange(0, area.size));
      if (area.size > kMaxAreaSize) {
        return Error(Status::kUnsupported);
      }
      directive.kind = DirectiveKind::kParameterArea;
      directive.index = area.index;
      directive.size = area.size;
      directive.data = TRY(FileData(area.file_offset, area.size));
      return directive;
    }
    case IGVM_VP_COUNT:
    case IGVM_MEMORY_MAP:
    case IGVM_ENVIRONMENT_INFO: {
      const auto parameter = TRY(Content<igvm_parameter>(header.content));
      directive.kind = header.type == IGVM_VP_COUNT     ? DirectiveKind::kVpCount
                       : header.type == IGVM_MEMORY_MAP ? DirectiveKind::kMemoryMap
                                                        : DirectiveKind::kEnvironmentInfo;
      directive.index = parameter.index;
      directive.offset = parameter.offset;
      return directive;
    }
    case IGVM_PARAMETER_INSERT: {
      const auto insert = TRY(Content<igvm_parameter_insert>(header.content));
      TRY(CheckMask(insert.mask));
      directive.kind = DirectiveKind::kParameterInsert;
      directive.address = TRY(PageAddress(insert.gpa));
      directive.index = insert.index;
      directive.size = TRY(AreaSize(insert.index));
      TRY(CheckRange(insert.gpa, directive.size));
      return directive;
    }
    case IGVM_PAGE_DATA: {
      const auto page = TRY(Content<igvm_page_data>(header.content));
      TRY(CheckMask(page.mask));
      if (page.reserved != 0) {
        return Error(Status::kMalformed);
      }
      if (page.type > IGVM_DATA_CPUID || (page.flags & ~IGVM_PAGE_UNMEASURED) != 0) {
        return Error(Status::kUnsupported);
      }
      directive.kind = PageKind(page);
      directive.address = TRY(PageAddress(page.gpa));
      directive.size = kPageSize;
      TRY(CheckRange(page.gpa, kPageSize));
      directive.data = TRY(FileData(page.file_offset, kPageSize));
      return directive;
    }
    case IGVM_VP_CONTEXT: {
      if (header.content.size() != IGVM_VP_CONTEXT_SIZE) {
        return Error(Status::kMalformed);
      }
      ByteReader reader(header.content);
      const uint64_t gpa = TRY(reader.Read<uint64_t>());
      TRY(CheckMask(TRY(reader.Read<uint32_t>())));
      const uint32_t file_offset = TRY(reader.Read<uint32_t>());
      const uint16_t index = TRY(reader.Read<uint16_t>());
      const uint16_t reserved = TRY(reader.Read<uint16_t>());
      directive.kind = DirectiveKind::kVpContext;
      directive.address = TRY(PageAddress(gpa));
      directive.size = kPageSize;
      directive.data = TRY(FileData(file_offset, kPageSize));
      if (reserved != 0 || directive.data.empty()) {
        return Error(Status::kMalformed);
      }
      const snp_vmsa vmsa = TRY(ByteReader(directive.data).ReadObject<snp_vmsa>());
      if (index != 0 || vmsa.vmpl != 0 || (vmsa.sev_features & SNP_FEATURE_SNP) == 0) {
        return Error(Status::kUnsupported);
      }
      return directive;
    }
    case IGVM_REQUIRED_MEMORY: {
      const auto memory = TRY(Content<igvm_required_memory>(header.content));
      TRY(CheckMask(memory.mask));
      TRY(CheckRange(memory.gpa, memory.size));
      if (memory.flags != 0 || memory.reserved != 0) {
        return Error(Status::kUnsupported);
      }
      directive.kind = DirectiveKind::kRequiredMemory;
      directive.address = TRY(PageAddress(memory.gpa));
      directive.size = memory.size;
      return directive;
    }
    case IGVM_SNP_ID_BLOCK:
      if (header.content.size() != kIdBlockSize) {
        return Error(Status::kMalformed);
      }
      directive.kind = DirectiveKind::kIdBlock;
      directive.data = header.content;
      return directive;
    default:
      // Also what its writer calls ignorable: no known host ignores it.
      return Error(Status::kUnsupported);
  }
}

// Returns the size of the area that is declared under `index`, anywhere in the file.
Result<uint64_t> File::AreaSize(uint32_t index) const {
  size_t offset = directives_start_;
  while (offset < headers_end_) {
    const Header header = TRY(ReadHeader(offset));
    if (header.type == IGVM_PARAMETER_AREA) {
      const auto area = TRY(Content<igvm_parameter_area>(header.content));
      if (area.index == index) {
        return area.size;
      }
    }
    offset = header.next;
  }
  return Error(Status::kMalformed);
}

// An area is declared once, filled between its declaration and its insert, and inserted once.
Result<void> File::CheckParameters(size_t offset, const Directive& directive) const {
  bool is_declared = false;
  bool is_inserted = false;
  for (size_t other = directives_start_; other < offset;) {
    const Header header = TRY(ReadHeader(other));
    if (header.type == IGVM_PARAMETER_AREA) {
      is_declared |= TRY(Content<igvm_parameter_area>(header.content)).index == directive.index;
    } else if (header.type == IGVM_PARAMETER_INSERT) {
      is_inserted |= TRY(Content<igvm_parameter_insert>(header.content)).index == directive.index;
    }
    other = header.next;
  }
  const bool is_declaration = directive.kind == DirectiveKind::kParameterArea;
  if (is_inserted || is_declared == is_declaration) {
    return Error(Status::kMalformed);
  }
  if (directive.kind == DirectiveKind::kVpCount ||
      directive.kind == DirectiveKind::kEnvironmentInfo) {
    const uint64_t size = TRY(AreaSize(directive.index));
    if (directive.offset > size - sizeof(uint32_t)) {
      return Error(Status::kMalformed);
    }
  }
  // Hosts disagree on where a map goes that is not at the start of its area.
  if (directive.kind == DirectiveKind::kMemoryMap && directive.offset != 0) {
    return Error(Status::kUnsupported);
  }
  return {};
}

Result<void> File::CheckDirectives() const {
  bool has_context = false;
  bool has_id_block = false;
  for (size_t offset = directives_start_; offset < headers_end_;) {
    const Header header = TRY(ReadHeader(offset));
    // Platforms and initialization come first; more of them are of no use to us.
    if (header.type < IGVM_PARAMETER_AREA) {
      return Error(Status::kMalformed);
    }
    const Directive directive = TRY(Decode(header));
    switch (directive.kind) {
      case DirectiveKind::kParameterArea:
      case DirectiveKind::kVpCount:
      case DirectiveKind::kMemoryMap:
      case DirectiveKind::kEnvironmentInfo:
        TRY(CheckParameters(offset, directive));
        break;
      case DirectiveKind::kParameterInsert:
        TRY(CheckParameters(offset, directive));
        if (has_context) {
          return Error(Status::kUnsupported);
        }
        break;
      case DirectiveKind::kVpContext:
        if (has_context) {
          return Error(Status::kUnsupported);
        }
        has_context = true;
        break;
      case DirectiveKind::kIdBlock:
        if (has_id_block) {
          return Error(Status::kMalformed);
        }
        has_id_block = true;
        break;
      default:
        // Firmware measures the processor's state at the end, wherever it stands in the file.
        if (has_context) {
          return Error(Status::kUnsupported);
        }
        break;
    }
    offset = header.next;
  }
  if (!has_context) {
    return Error(Status::kMalformed);
  }
  return {};
}

Directive File::Iterator::operator*() const {
  return file_.Decode(file_.ReadHeader(offset_).value()).value();
}

File::Iterator& File::Iterator::operator++() {
  offset_ = file_.ReadHeader(offset_).value().next;
  return *this;
}

}  // namespace nsgx::igvm
