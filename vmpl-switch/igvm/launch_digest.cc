// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/igvm/launch_digest.h"

#include "base/core/bytes.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::igvm {
namespace {

constexpr uint16_t kPageInfoSize = 0x70;
static_assert(sizeof(snp_page_info) == kPageInfoSize);

constexpr std::byte kZeroPage[kPageSize] = {};

}  // namespace

void LaunchDigest::Link(uint8_t page_type, GuestPhys address, const Value& contents) {
  snp_page_info info = {};
  __builtin_memcpy(info.digest, value_.data(), sizeof(info.digest));
  __builtin_memcpy(info.contents, contents.data(), sizeof(info.contents));
  info.length = kPageInfoSize;
  info.page_type = page_type;
  info.gpa = address.raw();
  value_ = Sha384::Hash(BytesOf(info));
}

void LaunchDigest::AddContents(uint8_t page_type, GuestPhys address,
                               std::span<const std::byte, kPageSize> page) {
  Link(page_type, address, Sha384::Hash(page));
}

void LaunchDigest::AddPlace(uint8_t page_type, GuestPhys address) {
  Link(page_type, address, Value{});
}

void LaunchDigest::Add(const Directive& directive) {
  switch (directive.kind) {
    case DirectiveKind::kNormalPage:
      // Without data it is a page of zeros, which hosts load as any other.
      AddContents(SNP_PAGE_NORMAL, directive.address,
                  directive.data.empty() ? std::span<const std::byte, kPageSize>(kZeroPage)
                                         : directive.data.first<kPageSize>());
      return;
    case DirectiveKind::kVpContext:
      AddContents(SNP_PAGE_VMSA, directive.address, directive.data.first<kPageSize>());
      return;
    case DirectiveKind::kUnmeasuredPage:
      AddPlace(SNP_PAGE_UNMEASURED, directive.address);
      return;
    case DirectiveKind::kSecretsPage:
      AddPlace(SNP_PAGE_SECRETS, directive.address);
      return;
    case DirectiveKind::kCpuidPage:
      AddPlace(SNP_PAGE_CPUID, directive.address);
      return;
    case DirectiveKind::kParameterInsert:
      for (uint64_t offset = 0; offset < directive.size; offset += kPageSize) {
        AddPlace(SNP_PAGE_UNMEASURED, directive.address + offset);
      }
      return;
    case DirectiveKind::kParameterArea:
    case DirectiveKind::kVpCount:
    case DirectiveKind::kMemoryMap:
    case DirectiveKind::kEnvironmentInfo:
    case DirectiveKind::kRequiredMemory:
    case DirectiveKind::kIdBlock:
      return;
  }
}

LaunchDigest::Value MeasureFile(const File& file) {
  LaunchDigest digest;
  for (const Directive& directive : file.directives()) {
    digest.Add(directive);
  }
  return digest.value();
}

}  // namespace nsgx::igvm
