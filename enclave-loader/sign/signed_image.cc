// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/signed_image.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "enclave-loader/image/image.h"
#include "enclave-loader/sign/deterministic_signature.h"
#include "vmpl-switch/image/signature.h"

namespace nsgx::loader {
namespace {

using Bytes = std::vector<std::byte>;

Complaint ToComplaint(const Refusal& refusal) { return Complaint::Of(refusal); }

void AlignEnd(Bytes& file, size_t alignment) {
  file.resize((file.size() + alignment - 1) / alignment * alignment);
}

// Appends `bytes` and returns where they begin.
uint64_t Append(Bytes& file, std::span<const std::byte> bytes) {
  const uint64_t offset = file.size();
  file.insert(file.end(), bytes.begin(), bytes.end());
  return offset;
}

// Appends a section of zeros for the signature. Nothing that is loaded moves, and all other
// sections keep their numbers, which symbols refer to: the table of headers and the names of
// sections are written anew at the end.
//
// Requires: `file` is an image, which has section headers and their names.
// Errors:   there are too many sections.
Result<void, Complaint> AppendSignatureSection(Bytes& file) {
  const Bytes old = file;
  const auto opened = ElfFile::Open(old);
  CHECK(opened.ok());
  const ElfFile& elf = opened.value();
  Elf64_Ehdr header = elf.header();
  if (elf.section_count() + 1 >= SHN_LORESERVE) {
    return Complain("has too many sections; link it again without some");
  }
  std::vector<Elf64_Shdr> sections;
  for (size_t i = 0; i < elf.section_count(); ++i) {
    sections.push_back(elf.section(i));
  }
  if (header.e_shoff + sections.size() * sizeof(Elf64_Shdr) == file.size()) {
    file.resize(header.e_shoff);  // linkers put the old table there
  }

  AlignEnd(file, alignof(nsgx_signature));
  Elf64_Shdr signature = {};
  signature.sh_type = SHT_PROGBITS;
  signature.sh_addralign = alignof(nsgx_signature);
  signature.sh_size = sizeof(nsgx_signature);
  signature.sh_offset = Append(file, Bytes(sizeof(nsgx_signature)));

  Elf64_Shdr& names = sections[header.e_shstrndx];
  const auto old_names = std::span(old).subspan(names.sh_offset, names.sh_size);
  names.sh_offset = Append(file, old_names);
  signature.sh_name = static_cast<uint32_t>(old_names.size());
  // With its NUL.
  Append(file, std::as_bytes(std::span(NSGX_SIGNATURE_SECTION)));
  names.sh_size = file.size() - names.sh_offset;

  sections.push_back(signature);
  AlignEnd(file, alignof(Elf64_Shdr));
  header.e_shoff = Append(file, std::as_bytes(std::span(sections)));
  header.e_shnum = static_cast<uint16_t>(sections.size());
  std::memcpy(file.data(), &header, sizeof(header));
  return {};
}

Result<nsgx_signature, Complaint> MakeSignature(const Sha256::Digest& identity,
                                                const nsgx_config& config, const RsaPrivateKey& key,
                                                uint32_t date) {
  nsgx_signature signature = {};
  signature.magic = NSGX_SIGNATURE_MAGIC;
  signature.version = NSGX_SIGNATURE_VERSION;
  signature.date = date;
  std::memcpy(signature.identity, identity.data(), identity.size());
  signature.attributes = config.attributes;
  signature.attribute_mask = NSGX_ATTRIBUTE_ALL;
  signature.product_id = config.product_id;
  signature.svn = config.svn;
  std::memcpy(signature.modulus, key.modulus().data(), key.modulus().size());
  const RsaSignature number =
      TRY(SignDeterministically(key, SignedDigest(signature)).transform_error([](Status status) {
        return Complaint::Of("cannot be signed (", status, "); try again");
      }));
  std::memcpy(signature.signature, number.data(), number.size());
  return signature;
}

}  // namespace

Result<std::vector<std::byte>, Complaint> SignImage(std::span<const std::byte> input,
                                                    const LaunchConfig& config,
                                                    const RsaPrivateKey& key, uint32_t date) {
  Bytes file(input.begin(), input.end());
  {
    const Image image = TRY(Image::Parse(input).transform_error(ToComplaint));
    const auto host_calls = TRY(image.HostCalls().transform_error(ToComplaint));
    const FilePart part = image.config_part();
    TRY(EncodeLaunchConfig(config, host_calls,
                           std::span(file).subspan(part.file_offset, part.size)));
    if (image.signature_part().size == 0) {
      TRY(AppendSignatureSection(file));
    }
  }
  // The table of headers may have moved, and it is loaded with the ELF header: measured is what the
  // file holds now.
  const Image image = TRY(Image::Parse(file).transform_error(ToComplaint));
  const ConfigView view = TRY(image.Config().transform_error(ToComplaint));
  const FilePart part = image.signature_part();
  if (part.size != sizeof(nsgx_signature)) {
    return Complain(Refusal{Cause::kSignatureSize});
  }
  const Sha256::Digest identity = image.Identity();
  const nsgx_signature signature = TRY(MakeSignature(identity, view.config(), key, date));
  CHECK(CheckSignature(signature, identity, view.config()).ok());
  std::memcpy(file.data() + part.file_offset, &signature, sizeof(signature));
  return file;
}

}  // namespace nsgx::loader
